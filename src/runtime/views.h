// What the threads of a running service let others see: copies, a moment old.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/alert/alert_change.h"
#include "core/monitor/agent_figures.h"
#include "core/stage/deliver_stage.h"
#include "core/stage/evaluate_stage.h"

namespace tocsin {

struct IngestView {
  StreamTotals totals;
  std::vector<AgentFigures> agents;
  std::vector<std::int64_t> next_offsets;  // by source partition
  std::vector<RecordTime> log_times;       // by source partition
  std::size_t open_tasks = 0;
  std::size_t groups = 0;
  std::int64_t cuts = 0;
  std::int64_t halts = 0;
};

struct EvaluateView {
  RecordTime evaluated;
  std::vector<RuleSight> sight;
  std::vector<ActiveAlert> active;
  std::vector<AlertChange> recent;  // the last changes, oldest first
  SeriesUse series;
  std::int64_t blocks_next = 0;  // offsets read so far
  std::int64_t findings_next = 0;
  std::int64_t halts_next = 0;
  std::int64_t alerts_fired = 0;
  std::int64_t alerts_resolved = 0;
};

struct ReceiverView {
  std::string receiver;
  DeliveryFigures figures;
};

struct DeliverView {
  std::vector<ReceiverView> lanes;  // of the chain: the receiver, then its fallbacks
  std::int64_t outbox_next = 0;
  std::int64_t committed = 0;
};

}  // namespace tocsin
