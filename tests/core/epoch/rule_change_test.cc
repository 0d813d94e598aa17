// Rules that change while everything runs: at one grid time in all partitions, whenever each learns of it; what stays
// of the alerts, and what ends.

#include <gtest/gtest.h>

#include <map>

#include "core/epoch/promise_watch.h"
#include "core/epoch/rule_epochs.h"
#include "core/sanitize/shipped_patterns.h"
#include "core/stage/evaluate_stage.h"
#include "core/stage/ingest_stage.h"
#include "core/test_support.h"

namespace tocsin {
namespace rule_change_test {

using namespace std::chrono_literals;
using test::at;

std::string rules_text(const std::string& rules) {
  return "groups:\n- name: g\n  defaults: {group_by: [env, agent], actions: [page], max_series: 10}\n  rules:\n" +
         rules;
}

const std::string calls =
    "  - {alert: Calls, from: step, value: count(), window: 5m, when: value > 3, keep_firing_for: 1m}\n";
const std::string calls_above_ten =
    "  - {alert: Calls, from: step, value: count(), window: 5m, when: value > 10, keep_firing_for: 1m}\n";
const std::string calls_by_model =
    "  - {alert: Calls, from: step, group_by: [env, agent, model], value: count(), window: 5m, when: value > 3}\n";
const std::string tools = "  - {alert: Tools, from: tool.call, value: count(), window: 5m, when: value < 3}\n";

RuleEpoch epoch(std::int64_t number, RecordTime from, const std::string& rules) {
  return {number, from, test::rules_from(rules_text(rules)), test::shipped_patterns()};
}

// Ingest and evaluate of a few source partitions, with what each knows of the rules.
class Stages {
 public:
  Stages(std::int32_t partitions, const std::string& rules) : first_(epoch(0, beginning_of_time, rules)) {
    known_ = std::make_shared<RuleEpochs>(std::vector{first_}, 0, std::nullopt);
    for (std::int32_t p = 0; p < partitions; ++p) {
      IngestOptions options;
      options.partition = p;
      ingest.push_back(std::make_unique<IngestPartition>(options, first_.rules, first_.patterns,
                                                         Fingerprinter(std::vector<unsigned char>(32, 1))));
      ingest.back()->know(known_);
    }
    EvaluateOptions options;
    options.deployment = "eu1";
    options.source_partitions = partitions;
    options.keeps_state = true;
    evaluate = std::make_unique<EvaluatePartition>(options, first_.rules);
    evaluate->know(known_);
  }

  void step(std::size_t partition, Duration time, const std::string& type = "step") {
    const std::string json = R"({"type":")" + type + R"(","correlation_id":"t)" + std::to_string(partition) +
                             R"(","env":"prod","agent":"support","model":"m","time":")" + test::text_at(time) +
                             R"("})";
    RawRecord record;
    record.value = json;
    record.offset = ++offset_;
    record.time = at(time);
    ingest[partition]->apply(record, out_);
    take();
  }
  void close(std::size_t partition, Duration time) {
    ingest[partition]->close_until(at(time), out_);
    take();
  }
  // Evaluate knows the rules of what it is given: whoever made a block knew them before.
  void evaluate_all() {
    for (Block& block : blocks) {
      ASSERT_FALSE(evaluate->must_wait(block));
      evaluate->apply(std::move(block), changes);
    }
    blocks.clear();
  }
  std::vector<std::string> texts() const {
    std::vector<std::string> list;
    for (const AlertChange& change : changes) {
      list.push_back(change.alert + (change.firing ? " firing " : " resolved ") + std::to_string(change.episode) +
                     ": " + change.reason);
    }
    return list;
  }
  void take() {
    for (Cut& cut : out_.cuts) blocks.push_back(std::move(cut.block));
    out_.clear();
  }
  // From grid time `from` on these rules are in force, and everybody knows it.
  void change(Duration from, const std::string& rules) {
    std::vector<RuleEpoch> list;
    for (std::int64_t i = 0; known_->numbered(i) != nullptr; ++i) list.push_back(*known_->numbered(i));
    const auto number = static_cast<std::int64_t>(list.size());
    list.push_back(epoch(number, at(from), rules));
    known_ = std::make_shared<RuleEpochs>(list, number, std::nullopt);
    for (const auto& one : ingest) one->know(known_);
    evaluate->know(known_);
  }

  std::vector<std::unique_ptr<IngestPartition>> ingest;
  std::unique_ptr<EvaluatePartition> evaluate;
  std::vector<Block> blocks;
  std::vector<AlertChange> changes;

 private:
  RuleEpoch first_;
  std::shared_ptr<const RuleEpochs> known_;
  std::int64_t offset_ = 0;
  IngestOutput out_;
};

// Each partition hears of the proposal, and of its decision, at its own time, and is behind or ahead of the others.
TEST(RuleChange, AllPartitionsSwitchAtOneGridTime) {
  for (const std::uint64_t seed : test::seeds_of_long_runs(50)) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    test::Random random(seed);
    constexpr std::int32_t partitions = 3;
    Stages stages(partitions, calls);
    const RuleEpoch first = epoch(0, beginning_of_time, calls);
    const auto proposed = std::make_shared<RuleEpochs>(std::vector{first}, 0, std::optional<std::int64_t>(1));
    std::shared_ptr<const RuleEpochs> decided;
    PromiseWatch watch(partitions);
    std::vector<Duration> time(partitions, 0s);
    std::vector<int> knows(partitions, 0);
    std::optional<RecordTime> from;
    std::vector<Block> all;
    for (int turn = 0; turn < 3'000; ++turn) {
      const auto p = static_cast<std::size_t>(random.below(partitions));
      const std::int64_t what = random.below(100);
      if (what < 3 && knows[p] == 0) {
        stages.ingest[p]->know(proposed);
        knows[p] = 1;
      } else if (what < 6 && decided) {
        stages.ingest[p]->know(decided);
        knows[p] = 2;
      } else {
        const Duration next = time[p] + Duration{random.below(p == 0 ? 30'000 : 4'000)};
        if (stages.ingest[p]->must_wait(at(next))) continue;
        time[p] = next;
        stages.step(p, next);
      }
      for (Block& block : stages.blocks) {
        watch.note(block);
        all.push_back(std::move(block));
      }
      stages.blocks.clear();
      if (!from && (from = watch.decision(1))) {
        decided = std::make_shared<RuleEpochs>(std::vector{first, epoch(1, *from, calls_above_ten)}, 1, std::nullopt);
        stages.evaluate->know(decided);
      }
    }
    ASSERT_TRUE(from) << "nobody waits for ever";
    std::map<RecordTime, std::set<std::string>> hashes;
    bool any_new = false;
    for (const Block& block : all) {
      hashes[block.grid].insert(block.rule_set);
      EXPECT_EQ(block.epoch, block.grid > *from ? 1 : 0);
      any_new = any_new || block.epoch == 1;
      stages.evaluate->apply(block, stages.changes);
    }
    EXPECT_TRUE(any_new);
    for (const auto& [grid, set] : hashes) EXPECT_EQ(set.size(), 1U);
    EXPECT_EQ(stages.evaluate->blocks_refused(), 0);
  }
}

TEST(RuleChange, APromiseOutlivesItsProcess) {
  Stages stages(1, calls);
  const auto open = std::make_shared<RuleEpochs>(std::vector{epoch(0, beginning_of_time, calls)}, 0,
                                                 std::optional<std::int64_t>(1));
  stages.step(0, 1s);
  stages.ingest[0]->know(open);
  stages.close(0, 20s);
  const auto held = stages.ingest[0]->held_until();
  ASSERT_TRUE(held);
  const std::string position = stages.ingest[0]->position();
  EXPECT_EQ(IngestPartition::epoch_of(position), 0);

  Stages again(1, calls);
  again.ingest[0]->know(open);
  ASSERT_TRUE(again.ingest[0]->resume(position, 1));
  EXPECT_EQ(again.ingest[0]->held_until(), held);
}

// Found by the simulator: a clock that ran ahead closed up to the promise, and a record stamped before it would have
// counted in the slice that the decision empties.
TEST(RuleChange, NothingCountsBehindAPromiseThatAClockHasComeTo) {
  Stages stages(1, calls);
  const RuleEpoch first = epoch(0, beginning_of_time, calls);
  stages.step(0, 1s);
  stages.ingest[0]->know(std::make_shared<RuleEpochs>(std::vector{first}, 0, std::optional<std::int64_t>(1)));
  stages.close(0, 20s);
  const auto held = stages.ingest[0]->held_until();
  ASSERT_TRUE(held);
  EXPECT_FALSE(stages.ingest[0]->must_wait(at(25s)));
  stages.close(0, *held - at(0s));
  EXPECT_TRUE(stages.ingest[0]->must_wait(at(25s)));
  stages.ingest[0]->know(
      std::make_shared<RuleEpochs>(std::vector{first, epoch(1, *held, calls_above_ten)}, 1, std::nullopt));
  ASSERT_FALSE(stages.ingest[0]->must_wait(at(25s)));
  stages.step(0, 25s);
  stages.close(0, *held - at(0s) + 10s);
  ASSERT_FALSE(stages.blocks.back().cells.empty());
  EXPECT_EQ(stages.blocks.back().epoch, 1);
}

TEST(Fault, F52_ARuleRemovedWhileItFiresResolvesWithThatReason) {
  Stages stages(1, calls + tools);
  for (Duration time = 1s; time < 60s; time += 5s) stages.step(0, time);
  stages.change(120s, tools);
  stages.close(0, 200s);
  stages.evaluate_all();
  ASSERT_EQ(stages.texts(),
            (std::vector<std::string>{"Calls firing 1: condition holds", "Calls resolved 1: the rule was removed"}));
  EXPECT_EQ(stages.changes.back().at, at(130s)) << "the first grid time of the new rules";

  // It comes back, and goes on counting its episodes: no page id is used twice.
  stages.change(300s, calls + tools);
  for (Duration time = 301s; time < 400s; time += 5s) stages.step(0, time);
  stages.close(0, 800s);
  stages.evaluate_all();
  EXPECT_EQ(stages.texts()[2], "Calls firing 2: condition holds");
}

TEST(Fault, F53_AThresholdThatChangesDuringAnEpisodeKeepsItsHistory) {
  Stages stages(1, calls);
  for (Duration time = 1s; time < 60s; time += 5s) stages.step(0, time);  // twelve in five minutes
  stages.close(0, 110s);
  stages.change(120s, calls_above_ten);
  stages.close(0, 200s);
  stages.evaluate_all();
  EXPECT_EQ(stages.texts(), (std::vector<std::string>{"Calls firing 1: condition holds"}))
      << "twelve is above ten as well, and all twelve were counted by the rules before";
  stages.close(0, 800s);
  stages.evaluate_all();
  EXPECT_EQ(stages.texts().back(), "Calls resolved 1: condition no longer holds");
}

TEST(RuleChange, OtherGroupsEndTheAlertsOfTheGroupsBefore) {
  Stages stages(1, calls);
  for (Duration time = 1s; time < 60s; time += 5s) stages.step(0, time);
  stages.change(120s, calls_by_model);
  stages.close(0, 200s);
  stages.evaluate_all();
  EXPECT_EQ(stages.texts().back(), "Calls resolved 1: the rule groups by other labels now");
}

TEST(RuleChange, ANewAggregateIsWarmingUntilItsWindowIsCovered) {
  Stages stages(1, calls);
  for (Duration time = 1s; time < 1200s; time += 100s) {
    if (time > 500s && time < 600s) stages.change(600s, tools);
    stages.step(0, time, "tool.call");
  }
  stages.close(0, 890s);
  stages.evaluate_all();
  EXPECT_TRUE(stages.texts().empty()) << "fewer than three in a window that was not counted from its beginning on";
  const auto sight = stages.evaluate->sight();
  ASSERT_EQ(sight.size(), 1U);
  stages.close(0, 1800s);
  stages.evaluate_all();
  EXPECT_EQ(stages.texts().size(), 1U);
}

TEST(RuleChange, ANewRuleOnAbsenceWaitsForWhoeverItHasNotSeen) {
  Stages stages(1, tools);
  for (Duration time = 1s; time < 2600s; time += 100s) {
    if (time > 1900s && time < 2000s) {
      stages.change(2000s, tools +
                               "  - {alert: Gone, mode: absence, after: 10m, known: {always: "
                               "[{env: prod, agent: support}, {env: prod, agent: billing}]}}\n");
    }
    stages.step(0, time);
  }
  stages.close(0, 2600s);
  stages.evaluate_all();
  EXPECT_TRUE(stages.texts().empty()) << "one speaks, and of the other nothing was counted before";
  for (Duration time = 2601s; time < 3300s; time += 100s) stages.step(0, time);
  stages.close(0, 3300s);
  stages.evaluate_all();
  ASSERT_EQ(stages.texts(), std::vector<std::string>{"Gone firing 1: nothing came"});
  EXPECT_EQ(stages.changes[0].at, at(2610s)) << "ten minutes from the new rules on";
  EXPECT_EQ(stages.changes[0].labels[1].second, "billing");
}

}  // namespace rule_change_test
}  // namespace tocsin
