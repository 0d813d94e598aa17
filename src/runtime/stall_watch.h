// Which source partitions have closed no slice for so long that somebody must look: nobody reads them, or who does
// still restores, or can't keep up. All windowed rules wait for them; none of their alerts ends for it.
//
// Pure. A partition is measured by when its blocks arrive, not by what time they are of: while a backlog is read they
// are old, and come all the time.
//
// Thread: its owner's.

#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "base/units.h"

namespace tocsin {

class StallWatch {
 public:
  // A process that dies is missed for its session and its transaction's time-out, 25 s by default; then its
  // partitions are restored elsewhere. New rules may hold a partition for 30 s.
  static constexpr Duration patience = std::chrono::seconds{60};

  // Counts from `now`: for all partitions, whatever was seen of them. `now`: monotonic, here and below.
  void begin(Duration now) {
    began_ = now;
    seen_.clear();
  }
  void note_block(std::int32_t partition, Duration now) { seen_[partition] = now; }

  // Of these partitions, those that stall.
  std::vector<std::int32_t> stalled(const std::vector<std::int32_t>& all, Duration now) const {
    std::vector<std::int32_t> list;
    for (const std::int32_t p : all) {
      const auto seen = seen_.find(p);
      if (now - (seen == seen_.end() ? began_ : seen->second) > patience) list.push_back(p);
    }
    return list;
  }

  // Only then nothing stalls: who has just begun to look does not know.
  bool all_seen(const std::vector<std::int32_t>& all) const {
    return std::all_of(all.begin(), all.end(), [&](std::int32_t p) { return seen_.contains(p); });
  }

 private:
  Duration began_{0};
  std::map<std::int32_t, Duration> seen_;
};

}  // namespace tocsin
