#include "core/rule/rule_warnings.h"

#include "core/test_support.h"

namespace tocsin {
namespace rule_warnings_test {

std::vector<std::string> warnings_of(const std::string& rule, const std::string& more = {}) {
  const auto rules = test::rules_from("groups:\n- name: g\n  rules:\n  - {" + rule + "}\n" + more);
  Diagnostics diagnostics;
  warn_about(*rules, diagnostics);
  EXPECT_EQ(diagnostics.error_count(), 0u);
  std::vector<std::string> codes;
  for (const Diagnostic& one : diagnostics.all()) {
    codes.push_back(one.code);
    EXPECT_EQ(one.at.line, 4u) << one.message;
    EXPECT_TRUE(one.message.starts_with("'A' ")) << one.message;
  }
  return codes;
}
using Codes = std::vector<std::string>;

TEST(RuleWarnings, SpeakOfWhatIsLegalAndUseless) {
  const std::string base = "alert: A, from: task.finished, window: 1h, ";
  EXPECT_EQ(warnings_of(base + "value: count(), when: value > 5"), Codes{});
  EXPECT_EQ(warnings_of(base + "value: 'ratio(outcome == \"errored\")', when: low(value) > 20"),
            Codes{"never-fires"});
  EXPECT_EQ(warnings_of(base + "value: 'ratio(outcome == \"errored\")', when: value >= 0"), Codes{"always-fires"});
  EXPECT_EQ(warnings_of(base + "value: 'ratio(outcome == \"errored\")', when: low(value) > 0.2"), Codes{});
  EXPECT_EQ(warnings_of(base + "value: count(), when: value > 5, actions: []"), Codes{"no-action"});
  EXPECT_EQ(warnings_of(base + "value: count(), when: value > 5, for: 5s"), Codes{"short-for"});
  EXPECT_EQ(warnings_of(base + "value: count(), when: value > 5, min_samples: 5000"), Codes{"blind-window"});
  EXPECT_EQ(warnings_of("alert: A, mode: task, when: elapsed > spec.wall_clock",
                        "specs: [{name: s, cost: {per_hour: 1}}]\n"),
            Codes{"undeclared-bound"});
  EXPECT_EQ(
      warnings_of("alert: A, mode: task, when: elapsed > spec.wall_clock", "specs: [{name: s, wall_clock: 5m}]\n"),
      Codes{});
}

TEST(RuleWarnings, WhatShipsHasNone) {
  const auto rules = test::rules_from({{"agents.yaml", test::file_text("rules/agents.yaml")},
                                       {"demo.yaml", test::file_text("rules/specs/demo.yaml")}});
  Diagnostics diagnostics;
  warn_about(*rules, diagnostics);
  for (const Diagnostic& one : diagnostics.all()) ADD_FAILURE() << to_text(one);
  const RuleCost cost = cost_of(*rules);
  EXPECT_EQ(cost.series, static_cast<std::int64_t>(rules->aggregates.size()) * 10'000);
  EXPECT_GT(cost.bytes, 1'000 * cost.series);
}

}  // namespace rule_warnings_test
}  // namespace tocsin
