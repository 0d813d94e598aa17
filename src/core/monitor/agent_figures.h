// What is counted for each agent and for the stream as a whole: monitors fill dashboards, and wake nobody.

#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/event/event_fields.h"
#include "core/event/native_decoder.h"

namespace tocsin {

// Counters since the process began, and gauges.
struct AgentFigures {
  std::string env;
  std::string agent;

  std::array<std::int64_t, 6> tasks_by_outcome{};  // by Outcome
  std::int64_t model_calls = 0;
  std::int64_t tokens_in = 0;  // cached ones included
  std::int64_t tokens_cached = 0;
  std::int64_t tokens_out = 0;
  std::int64_t cost = 0;  // micro-dollars
  bool cost_known = false;
  std::int64_t tool_calls = 0;
  std::int64_t tool_errors = 0;
  std::int64_t tool_refusals = 0;
  std::int64_t reviews = 0;
  std::int64_t reviews_accepted = 0;
  std::int64_t findings = 0;
  std::int64_t redactions = 0;

  std::int64_t open_tasks = 0;
  std::int64_t reported_concurrent_tasks = -1;  // by the agent's own `system` events; -1: never
  std::int64_t reported_queue_depth = -1;
  std::string spec_version;  // the last one seen
  std::string model_version;
  std::string agent_version;

  // Adds another partition's figures of the same agent.
  void add(const AgentFigures& other);
};

// Adds figures of the same agents, and those of agents that `agents` does not have yet.
void merge_agents(std::vector<AgentFigures>& agents, const std::vector<AgentFigures>& more);

struct StreamTotals {
  std::int64_t records = 0;
  std::int64_t records_ahead = 0;    // their stamp was ahead of the wall clock: it moved no time
  std::int64_t records_unkeyed = 0;  // their key was not their correlation id
  std::int64_t events = 0;
  std::int64_t duplicates = 0;
  std::int64_t unscanned = 0;
  std::int64_t findings_allowed = 0;  // that would have halted or paged, and somebody vouches for
  std::int64_t tasks = 0;
  std::int64_t tasks_not_tracked = 0;  // the table of open tasks was full
  std::int64_t model_calls = 0;
  std::int64_t tokens_in = 0;
  std::int64_t tokens_cached = 0;
  std::int64_t tokens_out = 0;
  std::int64_t tool_calls = 0;
  std::int64_t tool_errors = 0;
  std::int64_t cost = 0;  // micro-dollars
  bool cost_known = false;
  std::int64_t surfaces = 0;
  std::int64_t groups_skipped = 0;  // a label of a rule's group was absent
  std::array<std::int64_t, decode_error_count> dead_letters{};
  std::map<std::string, std::int64_t, std::less<>> findings;  // by pattern
  std::map<std::string, std::int64_t, std::less<>> unpriced;  // model calls of neither cost nor price, by model

  std::int64_t all_dead_letters() const;
  void add(const StreamTotals& other);
};

}  // namespace tocsin
