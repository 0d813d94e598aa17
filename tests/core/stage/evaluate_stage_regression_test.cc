// What once went wrong here, so that it does not again.

#include <gtest/gtest.h>

#include "core/stage/evaluate_stage.h"
#include "core/test_support.h"

namespace tocsin {
namespace evaluate_stage_regression_test {

using namespace std::chrono_literals;
using test::at;

TEST(EvaluateStage, APartitionThatBeginsLaterDoesNotStopTheOthersForEver) {
  const auto rules = test::rules_from(
      "groups: [{name: g, rules: [{alert: A, from: step, value: count(), window: 1m, when: value > 1}]}]");
  EvaluatePartition stage({"eu1", 2, ""}, rules);
  std::vector<AlertChange> out;
  for (std::int32_t p = 0; p < 2; ++p) {
    for (Duration grid = p == 0 ? 10s : 60s; grid <= 120s; grid += 10s) {
      Block block;
      block.partition = p;
      block.grid = at(grid);
      block.rule_set = rules->hash;
      stage.apply(block, out);
    }
  }
  EXPECT_EQ(stage.evaluated(), at(120s));
}

TEST(EvaluateStage, ACopyOfAFindingIsNoSecondSighting) {
  const auto rules = test::rules_from(
      "groups: [{name: g, rules: [{alert: A, mode: event, from: step, where: has(error_type), actions: [page]}]}]");
  EvaluatePartition stage({"eu1", 1, ""}, rules);
  std::vector<AlertChange> out;
  UrgentFinding finding;
  finding.id = "f";
  finding.group = GroupKey("prod\0a\0t", 8);
  finding.at = at(3s);
  stage.apply(finding, out);
  Block block;
  block.grid = at(10s);
  block.rule_set = rules->hash;
  block.findings.push_back(finding);
  stage.apply(block, out);
  ASSERT_EQ(stage.active().size(), 1u);
  EXPECT_EQ(stage.active()[0].times, 1);
}

TEST(EvaluateStage, ABlockOfAnotherRuleSetIsNotMixedIn) {
  const auto rules = test::rules_from(
      "groups: [{name: g, rules: [{alert: A, from: step, value: count(), window: 1m, when: value > 1}]}]");
  EvaluatePartition stage({"eu1", 1, ""}, rules);
  std::vector<AlertChange> out;
  Block block;
  block.grid = at(10s);
  block.rule_set = "another";
  Cell cell;
  cell.group = GroupKey("prod\0a", 6);
  cell.totals = {0, 100};
  block.cells.push_back(cell);
  stage.apply(block, out);
  EXPECT_TRUE(out.empty());
}

}  // namespace evaluate_stage_regression_test
}  // namespace tocsin
