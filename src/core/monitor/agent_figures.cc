#include "core/monitor/agent_figures.h"

#include <algorithm>
#include <numeric>

namespace tocsin {

namespace {

// A gauge that an agent reports about itself: partitions may have seen different moments; the larger is shown.
void keep_larger(std::int64_t& gauge, std::int64_t other) {
  gauge = std::max(gauge, other);
}

void keep_known(std::string& text, const std::string& other) {
  if (!other.empty()) text = other;
}

}  // namespace

void AgentFigures::add(const AgentFigures& other) {
  for (std::size_t i = 0; i < tasks_by_outcome.size(); ++i) tasks_by_outcome[i] += other.tasks_by_outcome[i];
  model_calls += other.model_calls;
  tokens_in += other.tokens_in;
  tokens_cached += other.tokens_cached;
  tokens_out += other.tokens_out;
  cost += other.cost;
  cost_known = cost_known || other.cost_known;
  tool_calls += other.tool_calls;
  tool_errors += other.tool_errors;
  tool_refusals += other.tool_refusals;
  reviews += other.reviews;
  reviews_accepted += other.reviews_accepted;
  findings += other.findings;
  redactions += other.redactions;
  open_tasks += other.open_tasks;
  keep_larger(reported_concurrent_tasks, other.reported_concurrent_tasks);
  keep_larger(reported_queue_depth, other.reported_queue_depth);
  keep_known(spec_version, other.spec_version);
  keep_known(model_version, other.model_version);
  keep_known(agent_version, other.agent_version);
}

void merge_agents(std::vector<AgentFigures>& agents, const std::vector<AgentFigures>& more) {
  for (const AgentFigures& figures : more) {
    const auto known = std::find_if(agents.begin(), agents.end(), [&](const AgentFigures& candidate) {
      return candidate.env == figures.env && candidate.agent == figures.agent;
    });
    if (known != agents.end()) {
      known->add(figures);
    } else {
      agents.push_back(figures);
    }
  }
}

std::int64_t StreamTotals::all_dead_letters() const {
  return std::accumulate(dead_letters.begin(), dead_letters.end(), std::int64_t{0});
}

void StreamTotals::add(const StreamTotals& other) {
  records += other.records;
  records_ahead += other.records_ahead;
  records_unkeyed += other.records_unkeyed;
  events += other.events;
  duplicates += other.duplicates;
  unscanned += other.unscanned;
  findings_allowed += other.findings_allowed;
  tasks += other.tasks;
  tasks_not_tracked += other.tasks_not_tracked;
  model_calls += other.model_calls;
  tokens_in += other.tokens_in;
  tokens_cached += other.tokens_cached;
  tokens_out += other.tokens_out;
  tool_calls += other.tool_calls;
  tool_errors += other.tool_errors;
  cost += other.cost;
  cost_known = cost_known || other.cost_known;
  surfaces += other.surfaces;
  groups_skipped += other.groups_skipped;
  for (std::size_t i = 0; i < dead_letters.size(); ++i) dead_letters[i] += other.dead_letters[i];
  for (const auto& [pattern, count] : other.findings) findings[pattern] += count;
  for (const auto& [model, count] : other.unpriced) unpriced[model] += count;
}

}  // namespace tocsin
