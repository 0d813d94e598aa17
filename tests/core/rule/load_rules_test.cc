#include <gtest/gtest.h>

#include <algorithm>

#include "core/alert/group_labels.h"
#include "core/rule/rule_set.h"
#include "core/test_support.h"

namespace tocsin {
namespace load_rules_test {

using namespace std::chrono_literals;

std::string complaints(std::vector<NamedText> files) {
  Diagnostics diagnostics;
  const auto rules = load_rules(files, diagnostics);
  EXPECT_EQ(rules == nullptr, diagnostics.has_errors());
  std::string all;
  for (const Diagnostic& one : diagnostics.sorted()) {
    EXPECT_FALSE(one.message.empty());
    all += (all.empty() ? "" : " ") + std::to_string(one.at.line) + ":" + std::to_string(one.at.column) + ": " +
           one.code;
  }
  return all;
}
std::string complaints(const std::string& text) {
  return complaints(std::vector<NamedText>{{"rules.yaml", text}});
}

TEST(LoadRules, BrokenFilesAreRefusedWhereTheyAreBroken) {
  struct Case {
    const char* text;
    const char* expected;
  };
  const Case cases[] = {
      {R"y([]
)y",
       "1:1: wrong-type"},
      {R"y(a: [1
)y",
       "2:1: syntax"},
      {R"y(a: *x
)y",
       "1:4: syntax"},
      {R"y(groups: []
---
groups: []
)y",
       "0:0: many-documents"},
      {R"y(group: []
)y",
       "1:1: unknown-key"},
      {R"y(groups: {}
)y",
       "1:9: wrong-type"},
      {R"y(groups:
- 5
)y",
       "2:3: wrong-type"},
      {R"y(groups:
- rules: []
)y",
       "2:3: missing-key"},
      {R"y(groups:
- name: g
)y",
       "2:3: missing-key"},
      {R"y(groups:
- {name: g, rules: {}}
)y",
       "2:20: wrong-type"},
      {R"y(groups:
- {name: g, defaults: [], rules: []}
)y",
       "2:23: wrong-type"},
      {R"y(groups:
- {name: g, defaults: {windw: 5m}, rules: []}
)y",
       "2:24: unknown-key"},
      {R"y(groups:
- name: g
  rules:
  - 5
)y",
       "4:5: wrong-type"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, mode: windows}
)y",
       "4:22: unknown-word"},
      {R"y(groups:
- name: g
  rules:
  - {from: step, value: count(), window: 5m, when: value > 1}
)y",
       "4:5: missing-key"},
      {R"y(groups:
- name: g
  rules:
  - {alert: "a b", from: step, value: count(), window: 5m, when: value > 1}
)y",
       "4:13: bad-name"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, value: count(), window: 5m, when: value > 1}
)y",
       "4:5: missing-key"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: steps, value: count(), window: 5m, when: value > 1}
)y",
       "4:22: unknown-word"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, window: 5m, when: value > 1}
)y",
       "4:5: missing-key"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, window: 5m, when: value > 1, values: {}}
)y",
       "4:65: wrong-type"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: cost, window: 5m, when: value > 1}
)y",
       "4:35: bad-value"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: sum(costs), window: 5m, when: value > 1}
)y",
       "4:39: bad-value"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: median(cost), window: 5m, when: value > 1}
)y",
       "4:35: bad-value"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(cost), window: 5m, when: value > 1}
)y",
       "4:35: bad-value"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: ratio(), window: 5m, when: value > 1}
)y",
       "4:35: bad-value"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: distinct(cost), window: 5m, when: value > 1}
)y",
       "4:44: bad-value"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), when: value > 1}
)y",
       "4:5: missing-key"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5, when: value > 1}
)y",
       "4:52: bad-duration"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 30s, when: value > 1}
)y",
       "4:52: out-of-range"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 90s, when: value > 1}
)y",
       "4:52: bad-window"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 10m..2h, when: value > 1}
)y",
       "4:52: bad-window"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 70m, when: value > 1}
)y",
       "4:52: bad-window"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 10d, when: value > 1}
)y",
       "4:52: out-of-range"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, min_samples: -1}
)y",
       "4:86: out-of-range"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, min_samples: many}
)y",
       "4:86: wrong-type"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value >}
)y",
       "4:69: bad-expression"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: vale > 1}
)y",
       "4:62: bad-when"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value}
)y",
       "4:62: bad-when"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: hits > 1}
)y",
       "4:62: bad-when"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > baseline}
)y",
       "4:70: bad-when"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, for: soon}
)y",
       "4:78: bad-duration"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, confidence: 1.5}
)y",
       "4:85: out-of-range"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, no_data: wait}
)y",
       "4:82: unknown-word"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, max_series: 0}
)y",
       "4:85: out-of-range"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, where: agent = 1}
)y",
       "4:86: bad-expression"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, where: agnt == 1}
)y",
       "4:80: bad-where"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, group_by: agent}
)y",
       "4:83: wrong-type"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, group_by: [agnt]}
)y",
       "4:84: unknown-field"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, group_by: [agent, agent]}
)y",
       "4:91: repeated-field"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, group_by: [agent, correlation_id]}
)y",
       "4:83: unbounded-group"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, labels: {agent: x}}
)y",
       "4:81: shadowed-label"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, labels: {1a: x}}
)y",
       "4:81: bad-label"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, labels: [x]}
)y",
       "4:81: wrong-type"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, actions: page}
)y",
       "4:82: wrong-type"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, actions: [pages]}
)y",
       "4:83: unknown-action"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, actions: [halt]}
)y",
       "4:83: halt-scope"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, actions: [{halt: all}]}
)y",
       "4:90: unknown-word"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, actions: [{halt: task}]}
)y",
       "4:82: halt-mode"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, color: red}
)y",
       "4:73: unknown-key"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, windw: 5m}
)y",
       "4:73: unknown-key"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, annotations: {summary: "{{vale}}"}}
)y",
       "4:99: bad-template"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, annotations: {summary: "{{value"}}
)y",
       "4:97: bad-template"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, annotations: {summary: "{{value|eur}}"}}
)y",
       "4:97: bad-template"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, baseline: {}}
)y",
       "4:83: missing-key"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, baseline: {range: 24h, block: 7h}}
)y",
       "4:103: bad-block"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, baseline: {range: 80m}}
)y",
       "4:91: bad-range"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, baseline: {range: 24h, stat: mode}}
)y",
       "4:102: unknown-word"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, baseline: {range: 24h, declared: spec.cost.hour}}
)y",
       "4:106: unknown-bound"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, baseline: {range: 24h, reset_on: [agent]}}
)y",
       "4:106: unknown-field"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1, baseline: {range: 24h, rnge: 1h}}
)y",
       "4:96: unknown-key"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, mode: task}
)y",
       "4:5: missing-key"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, mode: task, when: elapsed < 5m}
)y",
       "4:34: bad-when"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, mode: task, when: elapsed > 5}
)y",
       "4:42: bad-when"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, mode: task, when: elapsed > 5m, page_by: [spec]}
)y",
       "4:57: page-by"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, mode: task, when: elapsed > 5m, for: 5m}
)y",
       "4:48: other-mode"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, mode: event, where: 'has(secret)'}
)y",
       "4:41: bad-where"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, mode: event, when: value > 1}
)y",
       "4:29: other-mode"},
      {R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1}
  - {alert: A, from: step, value: count(), window: 5m, when: value > 1}
)y",
       "5:5: repeated-name"},
      {R"y(specs:
- {version: 1}
)y",
       "2:3: missing-key"},
      {R"y(specs:
- {name: s, surface_rate: {min: 0.5, max: 0.2}}
)y",
       "2:27: empty-band"},
      {R"y(specs:
- {name: s, surface_rate: {max: 2}}
)y",
       "2:33: out-of-range"},
      {R"y(specs:
- {name: s, wall_clock: 0s}
)y",
       "2:25: out-of-range"},
      {R"y(specs:
- {name: s, cost: {per_week: 1}}
)y",
       "2:20: unknown-key"},
      {R"y(specs:
- {name: s}
- {name: s}
)y",
       "3:3: repeated-spec"},
  };
  EXPECT_GE(std::size(cases), 40u);
  for (const Case& one : cases) EXPECT_EQ(complaints(one.text), one.expected) << one.text;
}

TEST(LoadRules, AllMistakesOfAllFilesAreReportedAtOnce) {
  const std::string first = R"y(groups:
- name: g
  rules:
  - {alert: A, from: steps, value: count(), window: 5s, when: vale > 1, color: red}
  - {alert: B, from: step, value: sum(costs), window: 5m, when: value > 1}
)y";
  const std::string second = "specs:\n- {name: s, wall_clock: soon}\n";
  EXPECT_EQ(
      complaints({{"a.yaml", first}, {"b.yaml", second}}),
      "4:22: unknown-word 4:53: out-of-range 4:63: bad-when 4:73: unknown-key 5:39: bad-value 2:25: bad-duration");
}

TEST(LoadRules, NamesAreUniqueOverAllFiles) {
  const std::string one =
      "groups: [{name: g, rules: [{alert: A, from: step, value: count(), window: 5m, when: value > 1}]}]\n";
  EXPECT_EQ(complaints({{"a.yaml", one}, {"b.yaml", one}}), "1:28: repeated-name");
}

TEST(LoadRules, TheShippedRulesLoad) {
  const auto rules = test::rules_from({{"agents.yaml", test::file_text("rules/agents.yaml")},
                                       {"demo.yaml", test::file_text("rules/specs/demo.yaml")},
                                       {"auth.yaml", test::file_text("rules/sanitize/auth.yaml")}});
  ASSERT_EQ(rules->rules.size(), 7u);
  EXPECT_EQ(rules->specs.size(), 6u);
  const Rule* cost = rules->find("CostSpike");
  ASSERT_NE(cost, nullptr);
  EXPECT_EQ(cost->windows, std::vector<Duration>{1h});
  EXPECT_EQ(cost->keep_firing_for, 30min);
  EXPECT_EQ(cost->max_series, 10'000u);
  EXPECT_NEAR(cost->z, 2.5758, 1e-3);
  EXPECT_EQ(rules->find("ErrorRateSpike")->windows.size(), 7u);
  EXPECT_EQ(rules->find("SecretLeak")->actions.halt, HaltScope::task);
  EXPECT_TRUE(rules->find("SecretLeak")->resolve_manually);
  EXPECT_EQ(rules->find("TaskOverWallClock")->group_by.size(), 3u) << "one alert a task";
  EXPECT_EQ(rules->find("TaskOverWallClock")->page_by.size(), 2u);
  EXPECT_EQ(rules->find("Unheard"), nullptr);
}

TEST(LoadRules, LabelsOfTheDefaultsAreInheritedOneByOne) {
  const auto rules = test::rules_from(R"y(
groups:
- name: g
  defaults: {labels: {severity: critical, team: a}, window: 5m}
  rules:
  - {alert: A, from: step, value: count(), when: value > 1, labels: {severity: warning}}
  - {alert: B, mode: event, where: has(error_type)}
)y");
  const Labels labels = labels_of(*rules->find("A"), {});
  EXPECT_TRUE(has_labels(labels, {{"severity", "warning"}, {"team", "a"}}));
  EXPECT_EQ(labels.size(), 2u);
}

TEST(LoadRules, RulesThatAddUpTheSameShareOneAggregate) {
  const auto rules = test::rules_from(R"y(
groups:
- name: g
  defaults: {from: step, window: 5m}
  rules:
  - {alert: A, value: sum(cost), when: value > 1, max_series: 5}
  - {alert: B, value: per_hour(cost), window: 1h, when: value > 9, max_series: 50, baseline: {range: 48h}}
  - {alert: C, value: sum(cost), when: value > 1, where: 'agent == "a"'}
  - {alert: D, value: sum(cost), when: value > 1, group_by: [agent]}
  - {alert: E, value: sum(cost), when: value > 1, from: tool.call}
)y");
  const auto of = [&](const char* name) { return rules->find(name)->values[0].aggregate; };
  EXPECT_EQ(rules->aggregates.size(), 4u);
  EXPECT_EQ(of("A"), of("B"));
  EXPECT_NE(of("A"), of("C"));
  EXPECT_NE(of("A"), of("D"));
  EXPECT_NE(of("A"), of("E"));
  EXPECT_EQ(rules->aggregates[of("A")].max_series, 50u) << "the largest need of those that share it";
  EXPECT_EQ(rules->aggregates[of("A")].reach, HistoryReach::week);
}

TEST(LoadRules, TheHashChangesWithAnyTextAndNotWithAFilesName) {
  const std::string text = "specs:\n- {name: s, wall_clock: 5m}\n";
  const auto hash = [](const std::string& name, const std::string& content) {
    return test::rules_from(std::vector<NamedText>{{name, content}})->hash;
  };
  EXPECT_EQ(hash("a", text), hash("b", text));
  EXPECT_NE(hash("a", text), hash("a", "specs:\n- {name: s, wall_clock: 6m}\n"));
}

TEST(LoadRules, CutShortAtAnyByteTheShippedRulesNeverCrash) {
  const std::string text = test::file_text("rules/agents.yaml");
  for (std::size_t size = 0; size < text.size(); size += 7) {
    Diagnostics diagnostics;
    const std::vector<NamedText> files{{"a", text.substr(0, size)}};
    load_rules(files, diagnostics);
  }
}

}  // namespace load_rules_test
}  // namespace tocsin
