// Whether every source partition has promised to wait for a proposal's decision, and from which grid time on its
// rules can then be in force.
//
// A block says which proposal its partition knows, and the grid time up to which the partition may close before the
// decision. The latest of these is passed by none: so all switch there, whenever each of them learns of it.
//
// Thread: its owner's.

#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>

#include "core/stage/block.h"

namespace tocsin {

class PromiseWatch {
 public:
  explicit PromiseWatch(std::int32_t source_partitions) : source_partitions_(source_partitions) {}

  void note(const Block& block) {
    if (block.promise.number <= 0) return;
    Promise& own = promises_[block.partition];
    if (block.promise.number >= own.number) own = block.promise;
  }

  // The grid time that proposal `number` can be in force from; nothing while a promise is missing.
  std::optional<RecordTime> decision(std::int64_t number) const {
    if (static_cast<std::int32_t>(promises_.size()) < source_partitions_) return std::nullopt;
    RecordTime latest = promises_.begin()->second.until;
    for (const auto& [partition, promise] : promises_) {
      if (promise.number != number) return std::nullopt;
      latest = std::max(latest, promise.until);
    }
    return latest;
  }

 private:
  std::int32_t source_partitions_;
  std::map<std::int32_t, Promise> promises_;
};

}  // namespace tocsin
