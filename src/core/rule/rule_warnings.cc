#include "core/rule/rule_warnings.h"

#include <algorithm>
#include <string>

#include "core/window/history.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

bool has_actions(const Actions& actions) {
  return actions.page || actions.investigate || actions.spec_gap || actions.eval_candidate ||
         actions.halt != HaltScope::none;
}

// A condition on one ratio and nothing else: whether it holds for some share between 0 and 1, and whether for all.
struct Reach {
  bool ever = false;
  bool always = true;
};
std::optional<Reach> reach_of_ratio(const Rule& rule) {
  const auto& variables = rule.when.variables();
  const bool is_plain =
      !variables.empty() && std::all_of(variables.begin(), variables.end(), [&](const Variable& one) {
        const bool is_share =
            one.kind == Variable::Kind::value || one.kind == Variable::Kind::low || one.kind == Variable::Kind::high;
        return is_share && one.index < rule.values.size() && rule.values[one.index].view == NamedValue::View::ratio &&
               one.index == variables[0].index;
      });
  if (!is_plain) return std::nullopt;
  Reach reach;
  constexpr int steps = 1000;
  for (int i = 0; i <= steps; ++i) {
    const std::vector<double> inputs(variables.size(), static_cast<double>(i) / steps);
    const bool holds = rule.when.holds(inputs.data()) == Truth::yes;
    reach.ever = reach.ever || holds;
    reach.always = reach.always && holds;
  }
  return reach;
}

// The bounds that a rule reads, and whether any spec of the set declares them.
void warn_about_bounds(const Rule& rule, const RuleSet& rules, Diagnostics& diagnostics) {
  for (const Variable& variable : rule.when.variables()) {
    if (variable.kind != Variable::Kind::spec) continue;
    const auto bound = static_cast<SpecBound>(variable.index);
    if (rules.specs.size() == 0 || rules.specs.declares(bound)) continue;
    diagnostics.warning(rule.file, rule.at, "undeclared-bound",
                        "'" + rule.name + "' compares with spec." + std::string(spec_bound_names()[variable.index]) +
                            ", which none of these specs declares: it stays undeclared and never fires");
  }
}

}  // namespace

void warn_about(const RuleSet& rules, Diagnostics& diagnostics) {
  for (const Rule& rule : rules.rules) {
    const auto warn = [&](std::string_view code, std::string message) {
      diagnostics.warning(rule.file, rule.at, code, "'" + rule.name + "' " + std::move(message));
    };
    warn_about_bounds(rule, rules, diagnostics);
    if (!has_actions(rule.actions)) {
      warn("no-action", "does nothing when it fires but to be listed; a figure to look at is a metric's work");
    }
    if (rule.hold_for > 0s && rule.hold_for < slice_length) {
      warn("short-for", "has a `for` shorter than 10s, the grid at which rules are looked at: it means nothing");
    }
    if (rule.mode != RuleMode::window) continue;
    if (const auto reach = reach_of_ratio(rule)) {
      if (!reach->ever) warn("never-fires", "can never fire: a ratio lies between 0 and 1 (write 0.2 for 20 %)");
      if (reach->always) warn("always-fires", "fires whatever the ratio is");
    }
    if (rule.windows.size() == 1 && rule.min_samples > 0) {
      const double an_hour =
          static_cast<double>(rule.min_samples) * 3600e3 / static_cast<double>(rule.windows[0].count());
      constexpr double many = 1'000;
      if (an_hour > many) {
        warn("blind-window",
             "cannot fire below " + std::to_string(static_cast<std::int64_t>(an_hour)) +
                 " samples an hour in a group (min_samples in its window): give it a window that grows, as 15m..24h");
      }
    }
  }
}

RuleCost cost_of(const RuleSet& rules) {
  RuleCost cost;
  for (const Aggregate& aggregate : rules.aggregates) {
    cost.series += aggregate.max_series;
    std::size_t bytes = History(aggregate.reach, aggregate.minutes).bytes();
    const bool is_of_amounts =
        aggregate.kind == Aggregate::Kind::sum || aggregate.kind == Aggregate::Kind::distribution;
    if (is_of_amounts && aggregate.minutes > many_minutes) bytes += History::wider_minutes;
    // As they are with a hundred different values in each cell: sets and distributions grow with what is in them.
    constexpr std::size_t set_bytes = 800, distribution_bytes = 800, minutes = 62;
    const auto quarters = static_cast<std::size_t>(quarters_kept_for(aggregate.reach) / quarter_length);
    if (aggregate.kind == Aggregate::Kind::distinct) {
      bytes += set_bytes * (minutes + (aggregate.keeps_quarters ? quarters : 0));
    }
    if (aggregate.kind == Aggregate::Kind::distribution) bytes += distribution_bytes * (minutes + quarters);
    cost.bytes += static_cast<std::int64_t>(aggregate.max_series) * static_cast<std::int64_t>(bytes);
  }
  return cost;
}

}  // namespace tocsin
