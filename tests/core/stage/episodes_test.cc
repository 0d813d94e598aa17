// Episodes count on after an alert was forgotten, and after a restart: a page id never comes a second time.

#include <gtest/gtest.h>

#include <map>

#include "core/sanitize/shipped_patterns.h"
#include "core/stage/evaluate_stage.h"
#include "core/stage/ingest_stage.h"
#include "core/test_support.h"

namespace tocsin {
namespace episodes_test {

using namespace std::chrono_literals;
using test::at;

class Episodes : public testing::Test {
 protected:
  void use(std::string_view text) {
    rules = test::rules_from(text);
    stage = make();
  }
  std::unique_ptr<EvaluatePartition> make() const {
    EvaluateOptions options;
    options.deployment = "eu1";
    options.keeps_state = true;
    return std::make_unique<EvaluatePartition>(options, rules);
  }
  // Grid times until `end`; in each `count` samples of every group, and the findings.
  void feed(Duration end, std::int64_t count, std::vector<UrgentFinding> findings = {}) {
    for (; next <= end; next += 10s) {
      Block block;
      block.grid = at(next);
      block.rule_set = rules->hash;
      block.findings = std::move(findings);
      findings.clear();
      if (count > 0) block.cells.push_back({0, GroupKey("prod\0support", 12), {count, count}, {}, {}});
      stage->apply(std::move(block), changes);
    }
  }
  void restart() {
    std::vector<StateRecord> taken;
    stage->take_changes(taken);
    for (StateRecord& record : taken) stored[record.key] = std::move(record.value);
    const std::string position = stage->position();
    stage = make();
    for (const auto& [key, value] : stored) {
      if (value.empty()) continue;
      ASSERT_TRUE(stage->restore(key, value));
    }
    ASSERT_TRUE(stage->begin_resume(position));
    stage->end_resume(changes);
  }
  std::vector<std::string> page_ids() const {
    std::vector<std::string> ids;
    for (const AlertChange& change : changes) {
      if (change.page_id) ids.push_back(change.page_id->substr(change.alert_id.size()));
    }
    return ids;
  }

  std::shared_ptr<const RuleSet> rules;
  std::unique_ptr<EvaluatePartition> stage;
  std::map<std::string, std::string> stored;
  std::vector<AlertChange> changes;
  Duration next = 10s;
};

using Ids = std::vector<std::string>;

TEST_F(Episodes, OfAGroupThatWasForgottenCountOnAndOutliveARestart) {
  use(R"(
groups:
- name: g
  rules:
  - {alert: Errors, from: tool.call, value: count(), window: 5m, when: value >= 10, learn_after: 1h}
)");
  feed(5min, 2);
  feed(5min + 50h, 0);
  EXPECT_EQ(stage->series().used, 0U) << "the group is forgotten";
  restart();
  feed(5min + 50h + 5min, 2);
  feed(101h, 0);
  restart();
  feed(101h + 5min, 2);
  EXPECT_EQ(page_ids(), (Ids{":1:firing", ":1:resolved", ":2:firing", ":2:resolved", ":3:firing"}));
}

TEST_F(Episodes, OfAnEventAlertThatWasForgottenCountOn) {
  use("groups: [{name: g, rules: [{alert: Odd, mode: event, from: tool.call, group_by: [env, agent], where: "
      "has(error_type)}]}]");
  const auto odd = [&](Duration time) {
    UrgentFinding finding;
    finding.id = to_text(time);
    finding.rule_name = "Odd";
    finding.group = GroupKey("prod\0support", 12);
    finding.at = at(time);
    return finding;
  };
  feed(10s, 0, {odd(5s)});
  feed(200h, 0);
  restart();
  feed(200h + 10s, 0, {odd(200h + 5s)});
  EXPECT_EQ(page_ids(), (Ids{":1:firing", ":1:resolved", ":2:firing"}));
}

TEST_F(Episodes, AConditionOfTocsinsOwnIsOneAlertWhileItHoldsAcrossRestartsToo) {
  use("groups: []");
  const auto see = [&](bool holds, Duration time) {
    stage->apply(OwnCondition{"SourcePartitionsStalled", {}, holds, "look", "well again"}, at(time), changes);
  };
  see(false, 1s);
  see(true, 2s);
  see(true, 3s);
  restart();
  see(true, 4s);
  see(false, 5s);
  see(false, 6s);
  restart();
  see(true, 7s);
  EXPECT_EQ(page_ids(), (Ids{":1:firing", ":1:resolved", ":2:firing"}));
  EXPECT_EQ(changes[1].reason, "well again");
}

// A rule of mode event that halts, over something that is no secret.
class UnnamedHalts : public Episodes {
 protected:
  void SetUp() override {
    use("groups: [{name: g, rules: [{alert: Odd, mode: event, from: tool.call, group_by: [env, agent], where: "
        "has(error_type), actions: [{halt: agent}, page], resolve: manual}]}]");
    IngestOptions options;
    options.halts.enforce = true;
    ingest = std::make_unique<IngestPartition>(options, rules, test::shipped_patterns(),
                                               Fingerprinter(std::vector<unsigned char>(32, 7)));
  }
  // What evaluate makes of one event: from the finding, and once more from its block.
  void event(Duration time) {
    IngestOutput out;
    ingest->apply(
        {"t", R"({"type":"tool.call","env":"prod","agent":"support","error_type":"x"})", at(time), offset++}, out);
    for (HaltRecord& halt : out.halts) halts.push_back(std::move(halt));
    for (const UrgentFinding& finding : out.findings) stage->apply(finding, changes);
    ingest->close_until(floor_to(at(time), slice_length) + slice_length, out);
    for (Cut& cut : out.cuts) stage->apply(std::move(cut.block), changes);
  }
  void release(const HaltRecord& halt, Duration time) {
    stage->apply(HaltRelease{halt.id, halt.scope, "ann", "looked at", test::event_at(time)}, changes);
  }

  std::unique_ptr<IngestPartition> ingest;
  std::int64_t offset = 0;
  std::vector<HaltRecord> halts;
};

TEST_F(UnnamedHalts, AreOneHaltAndOnePageForTenMinutes) {
  event(1s);
  event(2min);
  EXPECT_EQ(page_ids(), Ids{":1:firing"});
  ASSERT_EQ(halts.size(), 2U);
  EXPECT_EQ(halts[0].id, halts[1].id);
}

TEST_F(UnnamedHalts, AfterAReleaseAreANewHaltAndOnePage) {
  event(1s);
  release(halts[0], 30s);
  event(2min);  // of what was looked at
  EXPECT_EQ(page_ids(), (Ids{":1:firing", ":1:resolved"}));
  event(12min);
  EXPECT_EQ(page_ids(), (Ids{":1:firing", ":1:resolved", ":2:firing"}));
  EXPECT_NE(halts.back().id, halts.front().id) << "one that was released would not be in force again";
  release(halts.back(), 13min);
  EXPECT_EQ(page_ids().back(), ":2:resolved");
}

TEST_F(UnnamedHalts, TooManyToTellApartAreNotEndedByReleases) {
  for (int i = 0; i < 1'100; ++i) event(i * 10min);
  EXPECT_EQ(page_ids(), Ids{":1:firing"});
  for (const HaltRecord& halt : halts) release(halt, 12'000min);
  EXPECT_EQ(page_ids(), Ids{":1:firing"});
}

}  // namespace episodes_test
}  // namespace tocsin
