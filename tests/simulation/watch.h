// Holds the invariants against what a simulated cluster does: while it runs, and at the end against the plain
// reading.
//
//   I1, I2  the pages are those of the plain reading, each once in the outbox, with the same episodes and times
//   I3      every page reaches the receiver; an id is one page's
//   I4      the halts are those of the plain reading; none is told of before it stands in its topic
//   I5      of one alert, pages arrive in order
//   I6      slices hold what the plain reading adds up; none is written twice
//   I7      positions, log times and grids never go back
//   I8      once faults stop, everything is read, evaluated and delivered in time
//   I9      what is kept is bounded
//   I10     no secret is seen behind the source
//   I11     the same rules are in force everywhere, from the same grid time on
//   idle    a partition is closed by silence only when it was read to where it ended three seconds after

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/epoch/rule_epochs.h"
#include "core/rule/rule_set.h"
#include "core/stage/block.h"
#include "simulation/plain_reading.h"
#include "simulation/sim_cluster.h"
#include "simulation/sim_pager.h"
#include "simulation/traffic.h"

namespace tocsin::sim {

using Coverage = std::map<std::string, std::int64_t>;

class Watch final : public SimCluster::Watcher {
 public:
  Watch(SimCluster& cluster, const RuleSet& rules) : cluster_(cluster), rules_(rules) {}

  void expect_secrets(const std::vector<std::string>& secrets);
  void on_append(TopicPartition of, const Entry& entry) override;
  void on_position(const std::string& group, const BusPosition* before, const BusPosition& now) override;
  void on_line(const std::string& line) { look_for_secrets(line, "a log line"); }
  void on_attempt(Process& by, const std::string& page_id);
  // Takes the blocks that are committed by now, before they are retained away.
  void take_blocks();
  // A copy that the log has made of a block, outside of Tocsin.
  void expect_copy(std::int32_t partition, std::int64_t offset) { copies_.insert({partition, offset}); }

  // At the end. `clock_ahead`: how far a process's wall clock was ahead at most.
  void check(const SimPager& pager, const RuleEpochs& epochs, Duration clock_ahead, Coverage& coverage);

  void fail(const std::string& invariant, const std::string& what);
  bool has_failed() const { return !failure_.empty(); }
  const std::string& failure() const { return failure_; }  // the first one
  const std::string& invariant() const { return invariant_; }

  std::int32_t outbox_partition_of(const std::string& page_id) const;

 private:
  struct FirstBlock {
    std::int64_t records = 0;
    bool idle = false;
    int places = 0;            // blocks partitions that have their part
    std::int64_t past_of = 0;  // the epoch whose past it completes; 0: of none
    std::int64_t owes_past_of = 0;
  };
  struct OutboxPageSeen {
    std::string page_id;
    RecordTime at;
    std::int64_t offset = 0;
  };

  void look_for_secrets(std::string_view text, const std::string& where);
  void note_block(std::int32_t place, const Block& block);
  std::vector<SourcePartition> source(Duration clock_ahead, Coverage& coverage);
  RecordTime evaluated() const;
  std::vector<RecentRun> recent_runs(const RuleEpochs& epochs, Coverage& coverage) const;
  void check_pages(const PlainAnswer& plain, RecordTime until, Coverage& coverage);
  void check_deliveries(const SimPager& pager, Coverage& coverage);
  void check_halts(const PlainAnswer& plain, Coverage& coverage);
  void check_slices(const PlainAnswer& plain, RecordTime until, Coverage& coverage);

  SimCluster& cluster_;
  const RuleSet& rules_;
  std::vector<std::string> secrets_;
  std::string failure_;
  std::string invariant_;
  std::set<std::string> halt_ids_;                       // that stand in the topic
  std::map<std::string, std::int32_t> page_partitions_;  // by page id
  struct Settled {
    TopicPartition in;
    std::int64_t offset = 0;
    Duration at{};
  };
  std::map<std::string, Settled> statuses_;  // by page id: where it says that it is settled, and since when
  std::set<std::pair<std::int32_t, std::int64_t>> copies_;
  std::map<std::int32_t, std::int64_t> taken_;                       // of each blocks partition, up to this offset
  std::map<std::int32_t, std::map<RecordTime, FirstBlock>> blocks_;  // by source partition
  std::set<std::tuple<std::int32_t, std::int32_t, std::int64_t>> seen_blocks_;            // place, partition, grid
  std::map<std::tuple<std::int32_t, std::string, std::string, std::int64_t>, Sum> sums_;  // as plain.slices
};

}  // namespace tocsin::sim
