// Rules by attributes of a deployment's own: tasks lend them, groups without them are skipped, and what is known by a
// name outlives the rule set in which it had another slot.

#include <gtest/gtest.h>

#include "core/epoch/rule_epochs.h"
#include "core/sanitize/shipped_patterns.h"
#include "core/stage/ingest_stage.h"
#include "core/test_support.h"

namespace tocsin {
namespace attributes_test {

using namespace std::chrono_literals;
using test::at;

const std::string by_tenant = R"(
groups:
- name: g
  rules:
  - {alert: Calls, from: step, group_by: [env, tenant], where: 'tenant != "internal"', value: count(), window: 5m, when: value > 3, labels: {team: a}}
  - {alert: Over, mode: task, group_by: [env, tenant], when: elapsed > 5m, page_by: [tenant], annotations: {summary: "a task of {{tenant}}"}}
)";
const std::string tenant_alone = "attributes: {tenant: 'json[\"tenant\"]'}\n" + by_tenant;
const std::string region_before =
    "attributes: {region: 'json[\"region\"]', tenant: 'json[\"tenant\"]'}\n" + by_tenant;

std::string event(const std::string& type, Duration time, const std::string& more = {}) {
  return R"({"type":")" + type + R"(","time":")" + test::text_at(time) +
         R"(","correlation_id":"t1","env":"prod","agent":"a")" + (more.empty() ? "" : "," + more) + "}";
}

class Partition {
 public:
  explicit Partition(std::shared_ptr<const RuleSet> rules)
      : stage_({}, std::move(rules), test::shipped_patterns(), Fingerprinter(std::vector<unsigned char>(32, 7))) {}

  void apply(const std::string& record, Duration time) { stage_.apply({{}, record, at(time), offset_++}, out_); }
  // "GROUP COUNT" of each cell of the slices that end by then.
  std::vector<std::string> close(Duration until) {
    stage_.close_until(at(until), out_);
    std::vector<std::string> cells;
    for (const Cut& cut : out_.cuts) {
      for (const Cell& cell : cut.block.cells) {
        std::string group = cell.group;
        std::replace(group.begin(), group.end(), '\0', '/');
        cells.push_back(group + " " + std::to_string(cell.totals.count));
      }
      for (const TaskNews& news : cut.block.tasks) {
        std::string group = news.group;
        std::replace(group.begin(), group.end(), '\0', '/');
        cells.push_back("over " + group);
      }
    }
    out_.clear();
    return cells;
  }
  IngestPartition& stage() { return stage_; }

 private:
  IngestPartition stage_;
  IngestOutput out_;
  std::int64_t offset_ = 0;
};
using Cells = std::vector<std::string>;

TEST(Attributes, ATaskLendsThemToItsEventsAndAGroupWithoutIsSkipped) {
  Partition partition(test::rules_from(tenant_alone));
  partition.apply(event("step", 0s), 0s);
  EXPECT_EQ(partition.stage().totals().groups_skipped, 1);
  partition.apply(event("task.heartbeat", 1s, R"("tenant":"acme")"), 1s);
  partition.apply(event("step", 2s), 2s);
  partition.apply(event("step", 3s, R"("tenant":"bolt")"), 3s);
  partition.apply(event("task.started", 4s, R"("tenant":"coil")"), 4s);
  partition.apply(event("step", 5s), 5s);
  partition.apply(event("step", 6s, R"("tenant":"internal")"), 6s);
  EXPECT_EQ(partition.close(10s), (Cells{"prod/acme 1", "prod/bolt 1", "prod/coil 1"}));
  EXPECT_EQ(partition.stage().totals().groups_skipped, 1);
  EXPECT_EQ(partition.close(320s), (Cells{"over prod/coil/t1"}));
}

TEST(Attributes, SeriesAndTasksGoByTheirNamesWhereAnotherRuleSetHasThemElsewhere) {
  const auto before = test::rules_from(tenant_alone);
  const auto after = test::rules_from(region_before);
  ASSERT_EQ(after->own_attributes()->named("tenant"), own_attribute(1));
  EXPECT_EQ(before->aggregates[0].canonical(), after->aggregates[0].canonical());
  const auto epochs =
      std::make_shared<RuleEpochs>(std::vector{RuleEpoch{0, beginning_of_time, before, test::shipped_patterns()},
                                               RuleEpoch{1, at(20s), after, test::shipped_patterns()}},
                                   1, std::nullopt);
  EXPECT_TRUE(epochs->new_aggregates(1).empty()) << "nothing is to be counted again";
  Partition partition(before);
  partition.stage().know(epochs);
  partition.apply(event("task.started", 1s, R"("tenant":"acme")"), 1s);
  partition.apply(event("step", 11s), 11s);
  EXPECT_EQ(partition.close(20s), (Cells{"prod/acme 1"}));
  partition.apply(event("step", 21s, R"("region":"eu")"), 21s);
  EXPECT_EQ(partition.close(30s), (Cells{"prod/acme 1"}));
}

TEST(Attributes, WhatIsCalledOtherwiseIsAnotherSeriesThoughItHasTheSameSlot) {
  const auto named = [](const std::string& name) {
    const auto rules = test::rules_from(
        "attributes: {" + name + ": 'json[\"x\"]'}\n" +
        "groups:\n- name: g\n  rules:\n  - {alert: A, from: step, where: 'has(" + name + ") && starts_with(" + name +
        ", \"a\") && " + name + " != \"b\"', value: 'distinct(" + name + ")', window: 5m, when: value > 3}\n");
    return rules->aggregates[0].canonical();
  };
  EXPECT_NE(named("tenant"), named("region"));
  EXPECT_EQ(named("tenant"), named("tenant"));
}

TEST(Attributes, TasksKeepThemOverARestart) {
  const auto rules = test::rules_from(tenant_alone);
  Partition first(rules);
  first.apply(event("task.started", 1s, R"("tenant":"acme")"), 1s);
  first.close(10s);
  std::vector<StateRecord> records;
  first.stage().take_changes(records);
  Partition second(test::rules_from(region_before));
  for (const StateRecord& record : records) ASSERT_TRUE(second.stage().restore(record.key, record.value));
  ASSERT_TRUE(second.stage().resume(first.stage().position(), 1));
  second.apply(event("step", 11s), 11s);
  EXPECT_EQ(second.close(20s), (Cells{"prod/acme 1"}));
}

}  // namespace attributes_test
}  // namespace tocsin
