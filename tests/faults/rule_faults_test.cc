// Faults of rule files, by their numbers in tests/faults.md: nothing of a broken set is taken, and every mistake is
// named with its place, all at once.

#include <gtest/gtest.h>

#include <string>

#include "core/rule/rule_set.h"
#include "core/sanitize/pattern_library.h"
#include "core/test_support.h"

namespace tocsin {
namespace rule_faults_test {

std::string rule(const std::string& name, const std::string& more) {
  return "  - {alert: " + name + ", from: step, " + more + "}\n";
}

TEST(Fault, F50_EveryKindOfBrokenRuleIsNamedAtOnceAndNoneIsTaken) {
  const std::string broken =
      "groups:\n- name: g\n  rules:\n" +                                       // 3 lines
      rule("A", "value: count(), window: 5m, when: value > 1") +               // 4
      rule("A", "value: count(), window: 5m, when: value > 1") +               // 5: a second A
      rule("B", "value: count(), window: 0s, when: value > 1") +               // 6
      rule("C", "value: count(), window: 9000h, when: value > 1") +            // 7
      rule("D", "value: count(), window: 5m, when: value > NaN") +             // 8
      rule("E", "value: count(), window: 5m, when: value >") +                 // 9
      rule("F", "value: count(), window: 5m, when: value > 1, colour: red") +  // 10
      rule("G", "value: count(), window: 5m, when: value > G") +  // 11: refers to a rule: there is no such
      rule("H", "values: {a: a, value: count()}, window: 5m, when: value > 1");  // 12: refers to itself
  Diagnostics diagnostics;
  const std::vector<NamedText> files{{"rules.yaml", broken},
                                     {"half-written.yaml", "groups:\n- name: g\n  rules: [{alert: "}};
  EXPECT_EQ(load_rules(files, diagnostics), nullptr);
  std::vector<std::uint32_t> lines;
  bool has_half_written = false;
  for (const Diagnostic& one : diagnostics.sorted()) {
    EXPECT_FALSE(one.message.empty());
    has_half_written = has_half_written || one.file == "half-written.yaml";
    if (one.file == "rules.yaml" && (lines.empty() || lines.back() != one.at.line)) lines.push_back(one.at.line);
  }
  EXPECT_EQ(lines, (std::vector<std::uint32_t>{5, 6, 7, 8, 9, 10, 11, 12}));
  EXPECT_TRUE(has_half_written);
}

TEST(Fault, F50_AFileOfAliasesThatUnfoldIsRefusedFast) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) bomb += (j > 0 ? ", " : "") + before;
    bomb += "]\n";
  }
  Diagnostics diagnostics;
  const std::vector<NamedText> files{{"bomb.yaml", bomb}, {"deep.yaml", std::string(100'000, '[')}};
  EXPECT_EQ(load_rules(files, diagnostics), nullptr);
}

TEST(Fault, F50_APatternThatDoesNotCompileOrIsTooLargeIsNamed) {
  const auto complaints = [](const std::string& regex) {
    Diagnostics diagnostics;
    const std::vector<NamedText> files{{"p.yaml",
                                        "sanitize:\n  version: 1\n  patterns:\n"
                                        "  - {id: a.b, tier: count, description: d, keywords: [x], regex: '" +
                                            regex + "', examples: [xa]}\n"}};
    EXPECT_EQ(load_patterns(files, diagnostics), nullptr) << regex;
    EXPECT_TRUE(diagnostics.has_errors());
    for (const Diagnostic& one : diagnostics.all()) EXPECT_EQ(one.at.line, 4U) << to_text(one);
  };
  complaints("x(");
  complaints("x(?=a)");
  complaints("x((a{1,1000}){1,1000}){1,1000}");
  complaints("x((((a{1,100}){1,100}){1,100}){1,100})");
}

TEST(Fault, F50_TenThousandRulesLoad) {
  std::string text = "groups:\n- name: g\n  rules:\n";
  for (int i = 0; i < 10'000; ++i) {
    text += rule("R" + std::to_string(i), "value: count(), window: 5m, when: value > " + std::to_string(i));
  }
  const auto rules = test::rules_from(text);
  EXPECT_EQ(rules->rules.size(), 10'000U);
  EXPECT_EQ(rules->aggregates.size(), 1U) << "they add up the same";
}

}  // namespace rule_faults_test
}  // namespace tocsin
