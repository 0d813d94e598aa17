// The pasts of new aggregates that an evaluate partition has been given, until no source partition owes one any more
// and they are added to the series.
//
// Which grid time that is follows from the blocks alone, so it is the same after a restart: what was given and not
// added yet is read again from the blocks. Large pasts are added in steps, one at each grid time, as what is added is
// stored in the same transaction.
//
// Thread: the evaluate partition's.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/rule/rule_set.h"
#include "core/stage/block.h"

namespace tocsin {

class PastBook {
 public:
  // The block holds a piece of a past that was not added yet.
  bool wants(const Block& block) const { return block.past.epoch > merged_; }

  // `aggregates`: those that the piece's numbers mean. Requires: wants(); pieces come by grid time.
  void take(std::int32_t partition, Past piece, const std::vector<Aggregate>& aggregates, RecordTime grid);

  // The epoch whose past can be added at this grid time, of which these are all blocks.
  std::optional<std::int64_t> next(const std::map<std::int32_t, Block>& blocks) const;

  // What is added next of it, by aggregate and group.
  struct Step {
    std::map<std::string, std::vector<PastSeries>> series;  // by the aggregate's canonical name
    bool is_last = false;
    RecordTime since;  // with the last one: what the past covers in all partitions
  };
  // `from`: of the epoch. Requires: next() said one of these blocks.
  Step take_step(RecordTime from, const std::map<std::int32_t, Block>& blocks);

  // The newest epoch whose past was added, and how many steps of the one after it.
  std::int64_t merged() const { return merged_; }
  std::int64_t steps() const { return steps_; }
  void resume(std::int64_t merged, std::int64_t steps);

  // The grid time of the first block that is needed to come to this again; nothing where none is.
  std::optional<RecordTime> first_grid() const;

 private:
  struct Given {
    bool is_whole = false;
    RecordTime since;
    RecordTime first_grid;
    std::vector<std::pair<std::string, PastSeries>> series;  // with the aggregate's name
  };
  std::map<std::int64_t, std::map<std::int32_t, Given>> given_;  // by epoch and source partition
  std::int64_t merged_ = 0;
  std::int64_t steps_ = 0;
};

}  // namespace tocsin
