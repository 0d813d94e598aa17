#include "core/rule/presets.h"

#include "base/yaml_text.h"
#include "core/alert/group_labels.h"
#include "core/rule/rule_loader.h"
#include "core/test_support.h"

namespace tocsin {
namespace presets_test {

using namespace std::chrono_literals;

TEST(Presets, EachIsAWholeRuleByItself) {
  ASSERT_GE(preset_names().size(), 15u);
  for (const std::string_view name : preset_names()) {
    const auto rules = test::rules_from("groups:\n- name: g\n  rules:\n  - preset: " + std::string(name) + "\n");
    ASSERT_EQ(rules->rules.size(), 1u) << name;
    EXPECT_FALSE(rules->rules[0].annotations.empty()) << name;
  }
}

// What ships is what the presets of the same name are: the file is there to be read and copied.
TEST(Presets, ThoseOfTheAlertsThatShipAreThem) {
  const auto shipped = test::rules_from(test::file_text("rules/agents.yaml"));
  for (const auto& [preset, alert] : {std::pair{"cost_spike", "CostSpike"},
                                      {"error_spike", "ErrorRateSpike"},
                                      {"surface_band", "SurfaceRateOutOfBand"},
                                      {"surface_low", "SurfaceRateTooLow"},
                                      {"refusal_spike", "AuthorizationRefusalSpike"},
                                      {"secret_leak", "SecretLeak"},
                                      {"budget_overrun", "TaskOverWallClock"}}) {
    const auto own = test::rules_from("groups:\n- name: g\n  rules:\n  - preset: " + std::string(preset) + "\n");
    const Rule* const known = shipped->find(alert);
    const Rule* const rule = own->find(alert);
    ASSERT_TRUE(known != nullptr && rule != nullptr) << preset;
    EXPECT_EQ(rule->when_text, known->when_text);
    EXPECT_EQ(rule->windows, known->windows);
    EXPECT_EQ(rule->group_by, known->group_by);
    EXPECT_EQ(rule->min_samples, known->min_samples);
    EXPECT_EQ(rule->hold_for, known->hold_for);
    EXPECT_EQ(rule->baseline.has_value(), known->baseline.has_value());
    EXPECT_EQ(rule->actions.halt, known->actions.halt);
  }
}

TEST(Presets, OwnKeysComeFirstThenThePresetsThenTheDefaults) {
  const auto rules = test::rules_from(R"(
groups:
- name: g
  defaults: {group_by: [agent], labels: {severity: critical, team: all}, max_series: 77}
  rules:
  - {preset: latency_p95, alert: SlowDb, where: 'starts_with(tool, "db.")', labels: {team: data}, annotations: {runbook: "https://r"}}
  - {preset: tool_repetition, value: count(), when: value > 5, annotations: {summary: "{{value}} calls"}}
)");
  const Rule* const slow = rules->find("SlowDb");
  ASSERT_NE(slow, nullptr);
  EXPECT_EQ(slow->group_by.size(), 3u) << "the preset's groups, not the defaults'";
  EXPECT_EQ(slow->max_series, 77u);
  EXPECT_EQ(labels_of(*slow, {}), (Labels{{"team", "data"}, {"severity", "warning"}}));
  EXPECT_EQ(slow->annotations.size(), 2u);
  EXPECT_EQ(rules->find("ToolRepetition")->values.size(), 1u) << "value takes the place of the preset's values";
}

TEST(Presets, AMistakeStandsWhereThePresetIsNamed) {
  Diagnostics diagnostics;
  load_rules(std::vector<NamedText>{{"f", R"(
groups:
- name: g
  rules:
  - preset: cost_spik
  - {preset: cost_spike, value: per_hour(kost)}
)"}},
             diagnostics);
  ASSERT_EQ(diagnostics.all().size(), 2u);
  EXPECT_EQ(to_text(diagnostics.all()[0]),
            "f:5:13: unknown-preset: there is no preset 'cost_spik' (did you mean 'cost_spike'?); `tocsin expand "
            "--presets` prints them all");
  EXPECT_EQ(diagnostics.all()[1].at, (SourcePosition{6, 42}));
}

TEST(Presets, AnExpandedRuleReadsBackAsItself) {
  for (const std::string_view name : preset_names()) {
    const YamlNode& preset = *preset_named(name);
    const std::string text = to_yaml(preset);
    Diagnostics diagnostics;
    const auto again = parse_yaml({"again", text}, diagnostics);
    ASSERT_TRUE(again) << text;
    EXPECT_EQ(to_yaml(*again), text);
    EXPECT_EQ(again->find("alert")->scalar, preset.find("alert")->scalar);
    const YamlNode* const when = preset.find("when");
    if (when == nullptr) continue;
    EXPECT_EQ(again->find("when")->scalar, when->scalar);
  }
}

}  // namespace presets_test
}  // namespace tocsin
