// What the threads of a running service let others see: copies, a moment old.

#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/units.h"
#include "core/alert/alert_change.h"
#include "core/monitor/agent_figures.h"
#include "core/stage/deliver_stage.h"
#include "core/stage/evaluate_stage.h"
#include "ports/bus.h"

namespace tocsin {

constexpr Duration publish_every = std::chrono::milliseconds{200};
constexpr std::size_t kept_changes = 1'000;  // of alerts, of each thread

// Adds another partition's view of the same rules, in the same order.
void add_sight(std::vector<RuleSight>& all, const std::vector<RuleSight>& more);

struct IngestView {
  StreamTotals totals;
  std::vector<AgentFigures> agents;
  std::vector<std::int32_t> partitions;    // of the source; those below in this order. Not filled in memory
  std::vector<std::int64_t> next_offsets;  // by source partition
  std::vector<RecordTime> log_times;       // by source partition
  std::size_t open_tasks = 0;
  std::size_t groups = 0;
  std::int64_t cuts = 0;
  std::int64_t halts = 0;
  std::int64_t waiting = 0;  // records of the source that were not read
};

struct RekeyView {
  std::int64_t records = 0;
  std::int64_t events = 0;
  std::array<std::int64_t, decode_error_count> dead_letters{};  // by DecodeError
  std::vector<TopicPartition> partitions;                       // with where each was read to
  std::vector<std::int64_t> next_offsets;
  std::int64_t waiting = 0;  // records that were not read

  void add(const RekeyView& more);
};

struct EvaluateView {
  bool owns_any = true;        // else it has no partitions now, and what follows says nothing
  std::size_t partitions = 0;  // that it has, of `blocks`; not filled in memory
  bool has_all = true;         // no other process has groups
  RecordTime evaluated;
  std::vector<RuleSight> sight;
  std::vector<ActiveAlert> active;
  std::vector<AlertChange> recent;  // the last changes, oldest first
  SeriesUse series;
  std::int64_t blocks_next = 0;  // offsets read so far
  std::int64_t findings_next = 0;
  std::int64_t halts_next = 0;
  std::int64_t blocks_waiting = 0;  // records that were not read
  std::int64_t findings_waiting = 0;
  std::int64_t partitions_stalled = 0;  // source partitions that windowed rules wait for
  std::int64_t blocks_refused = 0;      // made under other rules, and so not added up
  std::int64_t silences_next = 0;
  std::size_t pages_withheld = 0;  // by silences
  std::int64_t alerts_fired = 0;
  std::int64_t alerts_resolved = 0;
};

struct ReceiverView {
  std::string receiver;
  DeliveryFigures figures;
  Duration delay_sum{0};  // of delivered pages, from the decision to the receiver; on a bus of several processes
};

// Adds a view of the same receiver to that in `all`, or puts it there.
void add_receiver(std::vector<ReceiverView>& all, const ReceiverView& more);

struct DeliverView {
  std::vector<ReceiverView> lanes;  // of the chain: the receiver, then its fallbacks
  std::int64_t outbox_next = 0;
  std::int64_t committed = 0;
};

}  // namespace tocsin
