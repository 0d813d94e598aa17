#include "app/import/agent_metrics.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/diagnostic.h"

namespace tocsin::prometheus {

namespace {

constexpr std::string_view refused = R"(authz in ["refused", "refused_with_reason"])";

constexpr AgentMetric all[] = {
    {"tocsin_agent_tasks_total", EventType::task_finished, {has_outcome}, "outcome"},
    {"tocsin_agent_model_calls_total", EventType::step, {model_call}},
    {"tocsin_agent_tokens_total", EventType::step, {model_call}, "kind", Measure::tokens},
    {"tocsin_agent_cost_dollars_total", EventType::step, {model_call}, "", Measure::cost},
    {"tocsin_agent_tool_calls_total", EventType::tool_call},
    {"tocsin_agent_tool_errors_total", EventType::tool_call, {"has(error_type)"}},
    {"tocsin_agent_tool_refusals_total", EventType::tool_call, {refused}},
    {"tocsin_agent_reviews_total", EventType::review, {"has(accepted)"}},
    {"tocsin_agent_reviews_accepted_total", EventType::review, {"has(accepted)", "accepted"}},
};

// Those that no window adds up, and what to do instead.
constexpr std::pair<std::string_view, std::string_view> other_agent_metrics[] = {
    {"tocsin_agent_findings_total",
     "no window adds findings up; write a rule with mode: event and where: has(secret.pattern), which pages at the "
     "first one, as SecretLeak of rules/agents.yaml does"},
    {"tocsin_agent_redactions_total", "no window adds up what was redacted; leave the rule in Prometheus"},
    {"tocsin_agent_surface_ratio",
     "it is a share since the process began, whenever that was; write from: task.finished, "
     "value: ratio(outcome == \"surfaced\") and a window"},
    {"tocsin_agent_open_tasks",
     "no window counts tasks that have not ended; write a rule with mode: task and when: elapsed > 2 * "
     "spec.wall_clock, which looks at each of them"},
    {"tocsin_agent_reported_concurrent_tasks",
     "a window adds events up and has no last value; write from: system, where: concurrent_tasks > N, value: "
     "count(), "
     "when: value > 0"},
    {"tocsin_agent_reported_queue_depth",
     "a window adds events up and has no last value; write from: system, where: queue_depth > N, value: count(), "
     "when: value > 0"},
    {"tocsin_agent_version_info",
     "a version is no number to compare; pages say in `versions` and `changed_in_last_hour` what ran"},
    {"tocsin_agent_alerts_firing",
     "it shows alerts of Tocsin's, which have paged already; leave the rule in Prometheus"},
};

// Why no rule on this metric can be carried over; empty where one can.
std::string refusal_of(const std::string& metric) {
  if (metric.empty()) return "it selects metrics without a name; write the name before '{'";
  std::vector<std::string_view> names;
  for (const AgentMetric& known : all) names.push_back(known.name);
  if (std::find(names.begin(), names.end(), metric) != names.end()) return "";
  for (const auto& [name, instead] : other_agent_metrics) {
    if (name == metric) return metric + ": " + std::string(instead);
    names.push_back(name);
  }
  if (metric.starts_with("tocsin_agent_")) {
    return "'" + metric + "' is no metric that Tocsin has" + did_you_mean(metric, names) +
           "; deploy/README.md lists them";
  }
  if (metric.starts_with("tocsin_") || metric == "up") {
    std::string why =
        "'" + metric + "' is Tocsin's own health, which stays in Prometheus: Tocsin can't page about its own pager";
    if (metric == "tocsin_unscanned_events_total") {
      why += "; of events there can be a rule with mode: event, where: scan == \"cut\"";
    } else if (metric == "tocsin_findings_total") {
      why += "; of secrets there can be a rule with mode: event, where: has(secret.pattern)";
    }
    return why;
  }
  if (metric.find(':') != std::string::npos) {
    return "'" + metric + "' comes from a recording rule; write that rule's expression in its place";
  }
  return "'" + metric + "' is no metric of Tocsin's; leave the rule in Prometheus";
}

}  // namespace

std::span<const AgentMetric> agent_metrics() {
  return all;
}

std::string refusal_of_metrics(const Promql& node) {
  std::string why = node.kind == Promql::Kind::selector ? refusal_of(node.name) : "";
  for (const Promql& child : node.children) {
    if (why.empty()) why = refusal_of_metrics(child);
  }
  return why;
}

std::string refusal_of_function(const std::string& name) {
  if (name == "histogram_quantile") {
    return "Tocsin has no quantiles; write a share such as value: ratio(latency > 2s), when: value > 0.05";
  }
  if (name == "predict_linear" || name == "deriv" || name == "holt_winters" ||
      name == "double_exponential_smoothing") {
    return name +
           "() looks at a trend; of a sum or a count in a calendar window forecast(value) says what it will be at "
           "the end, and of all else baseline: {range: 24h} what it was";
  }
  if (name == "absent" || name == "absent_over_time") {
    return name +
           "() is about what nobody has counted; a rule with mode: absence pages when an agent falls silent, and "
           "with known: {always: [{agent: NAME}]} also when it never spoke";
  }
  if (name == "irate" || name == "idelta") {
    return name + "() looks at two scrapes, and Tocsin scrapes nothing; write rate() or increase() over some minutes";
  }
  return "Tocsin has no " + name + "(); write rate() or increase(), or leave the rule in Prometheus";
}

}  // namespace tocsin::prometheus
