#include "core/stage/evaluate_stage.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/hash.h"
#include "core/test_support.h"

namespace tocsin {
namespace evaluate_stage_test {

using namespace std::chrono_literals;
using test::at;
using test::event_at;
using test::rules_from;

const GroupKey support("prod\0support", 12);

// One evaluate partition that is fed grid time by grid time.
class Stage {
 public:
  explicit Stage(std::string_view rules, std::int32_t partitions = 1)
      : rules_(rules_from(rules)), stage_({"eu1", partitions, ""}, rules_) {}

  Block block(Duration grid, std::int32_t partition = 0) const {
    Block made;
    made.partition = partition;
    made.grid = at(grid);
    made.rule_set = rules_->hash;
    return made;
  }
  static Cell cell(const GroupKey& group, std::int64_t sum, std::int64_t count, std::uint32_t aggregate = 0) {
    Cell made;
    made.aggregate = aggregate;
    made.group = group;
    made.totals = {sum, count};
    return made;
  }

  // Applies, and returns what changed as "Alert firing @30s".
  std::vector<std::string> apply(Block given) {
    changes_.clear();
    stage_.apply(std::move(given), changes_);
    return texts();
  }
  std::vector<std::string> apply(const UrgentFinding& finding) {
    changes_.clear();
    stage_.apply(finding, changes_);
    return texts();
  }
  std::vector<std::string> release(const HaltRelease& release) {
    changes_.clear();
    stage_.apply(release, changes_);
    return texts();
  }
  std::vector<std::string> report(const AckReport& report, Duration now) {
    changes_.clear();
    stage_.apply(report, at(now), changes_);
    return texts();
  }
  // Every grid time up to `end`, with `count` samples of `sum` in all in each.
  std::vector<std::string> feed(Duration end, std::int64_t sum, std::int64_t count) {
    std::vector<std::string> all;
    for (; next_ <= end; next_ += 10s) {
      Block next = block(next_);
      if (count > 0) next.cells.push_back(cell(support, sum, count));
      for (std::string& text : apply(std::move(next))) all.push_back(std::move(text));
      if (!changes_.empty()) last_ = changes_.back();
    }
    return all;
  }

  std::vector<std::string> texts() const {
    std::vector<std::string> list;
    for (const AlertChange& change : changes_) {
      list.push_back(change.alert + (change.firing ? " firing @" : " resolved @") + to_text(change.at - at(0s)));
    }
    return list;
  }

  std::shared_ptr<const RuleSet> rules_;
  EvaluatePartition stage_;
  std::vector<AlertChange> changes_;
  AlertChange last_;
  Duration next_ = 10s;
};

using Changes = std::vector<std::string>;

constexpr std::string_view many_errors = R"(
groups:
- name: g
  rules:
  - {alert: Errors, from: tool.call, where: has(error_type), value: count(), window: 5m, when: value >= 10}
)";

TEST(EvaluateStage, FiresAtTheGridTimeThatMakesTheConditionTrueAndResolvesWhenItIsFalse) {
  Stage stage(many_errors);
  EXPECT_EQ(stage.feed(90s, 0, 1), Changes{});
  EXPECT_EQ(stage.feed(100s, 0, 1), Changes{"Errors firing @1m40s"});
  EXPECT_DOUBLE_EQ(stage.last_.value, 10);
  EXPECT_EQ(stage.last_.labels, (Labels{{"env", "prod"}, {"agent", "support"}}));
  EXPECT_EQ(stage.last_.episode, 1);
  EXPECT_EQ(stage.last_.page_id, stage.last_.alert_id + ":1:firing");
  EXPECT_EQ(stage.last_.evaluated, "(10 >= 10) [yes]");
  EXPECT_EQ(stage.last_.first_event, at(0s));
  EXPECT_EQ(stage.last_.last_event, at(100s));
  // Ten samples stood in [0, 100 s); the window's start is a whole minute.
  EXPECT_EQ(stage.feed(20min, 0, 0), Changes{"Errors resolved @6m"});
  EXPECT_EQ(stage.last_.page_id, stage.last_.alert_id + ":1:resolved");
  EXPECT_EQ(stage.last_.reason, "condition no longer holds");
}

TEST(EvaluateStage, ASecondEpisodeHasAPageOfItsOwnUnderTheSameAlertId) {
  Stage stage(many_errors);
  stage.feed(100s, 0, 1);
  const std::string first = *stage.last_.page_id;
  stage.feed(20min, 0, 0);
  stage.feed(25min, 0, 5);
  EXPECT_EQ(stage.last_.episode, 2);
  EXPECT_NE(*stage.last_.page_id, first);
  EXPECT_EQ(*stage.last_.page_id, stage.last_.alert_id + ":2:firing");
}

TEST(EvaluateStage, ConditionsMustHoldForAsLongAsTheRuleSays) {
  Stage stage(R"(
groups:
- name: g
  rules:
  - {alert: Errors, from: tool.call, value: count(), window: 1m, when: value >= 10, for: 2m}
)");
  EXPECT_EQ(stage.feed(10s, 0, 10), Changes{});
  EXPECT_EQ(stage.stage_.sight()[0].pending, 1);
  EXPECT_EQ(stage.feed(3min, 0, 0), Changes{}) << "not for long enough";
  EXPECT_EQ(stage.stage_.sight()[0].pending, 0);
  EXPECT_EQ(stage.feed(10min, 0, 10), Changes{"Errors firing @5m10s"});
  EXPECT_EQ(stage.last_.since, at(190s));
}

TEST(EvaluateStage, ARepeatedBlockCountsOnce) {
  Stage stage(many_errors, 2);
  Block half = stage.block(10s, 0);
  half.cells.push_back(Stage::cell(support, 0, 6));
  EXPECT_EQ(stage.apply(half), Changes{});
  EXPECT_EQ(stage.apply(half), Changes{}) << "before its grid time is complete";
  EXPECT_EQ(stage.apply(stage.block(10s, 1)), Changes{});
  EXPECT_EQ(stage.stage_.evaluated(), at(10s));
  EXPECT_EQ(stage.apply(half), Changes{}) << "and after it was evaluated";
  Block four = stage.block(20s, 0);
  four.cells.push_back(Stage::cell(support, 0, 3));
  stage.apply(four);
  EXPECT_EQ(stage.apply(stage.block(20s, 1)), Changes{}) << "nine in all";
}

TEST(EvaluateStage, AGridTimeWaitsForEveryPartitionAndAllAreEvaluatedInOrder) {
  Stage stage(many_errors, 2);
  for (const Duration grid : {10s, 20s, 30s}) {
    Block one = stage.block(grid, 0);
    one.cells.push_back(Stage::cell(support, 0, 4));
    EXPECT_EQ(stage.apply(one), Changes{});
  }
  EXPECT_LT(stage.stage_.evaluated(), at(0s));
  EXPECT_EQ(stage.apply(stage.block(10s, 1)), Changes{});
  EXPECT_EQ(stage.stage_.evaluated(), at(10s));
  EXPECT_EQ(stage.apply(stage.block(20s, 1)), Changes{});
  EXPECT_EQ(stage.apply(stage.block(30s, 1)), Changes{"Errors firing @30s"}) << "not at 10 s, though all was there";
  EXPECT_EQ(stage.stage_.evaluated(), at(30s));
}

constexpr std::string_view all_kinds = R"(
groups:
- name: g
  rules:
  - {alert: Errors, from: tool.call, value: count(), window: 1m, when: value >= 12, keep_firing_for: 1m}
  - {alert: Cost, from: step, value: per_hour(cost), window: 2m, min_samples: 3, when: value > 60, for: 20s}
  - {alert: Tasks, from: tool.call, values: {value: distinct(correlation_id)}, window: 1m, when: value >= 8}
  - {alert: Over, mode: task, when: elapsed > 5m, page_by: [env, agent]}
  - {alert: Leak, mode: event, where: has(secret.pattern), group_by: [env, agent, correlation_id, secret.pattern], actions: [{halt: task}, page], resolve: manual}
)";

std::uint32_t aggregate_of(const RuleSet& rules, const char* alert) {
  return rules.find(alert)->values[0].aggregate;
}

std::string all_of(const AlertChange& change) {
  std::string text = to_page_json(change) + (change.sends_page ? " sends" : "");
  return text;
}

// I1, I2: what is decided does not depend on how the partitions' blocks interleave.
TEST(EvaluateStage, FourPartitionsInAnyOrderGiveTheSameChanges) {
  for (const std::uint64_t seed : test::seeds(8)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    test::Random random(seed);
    const auto rules = rules_from(all_kinds);
    std::vector<std::vector<Block>> partitions(4);
    for (Duration grid = 10s; grid <= 30min; grid += 10s) {
      const bool busy = (grid / 5min) % 2 == 1;
      for (std::int32_t p = 0; p < 4; ++p) {
        Block block;
        block.partition = p;
        block.grid = at(grid);
        block.rule_set = rules->hash;
        for (const char* agent : {"billing", "support"}) {
          const GroupKey group = std::string("prod") + '\0' + agent;
          if (random.below(3) == 0) continue;
          Cell calls;
          calls.aggregate = aggregate_of(*rules, "Errors");
          calls.group = group;
          calls.totals = {0, random.below(busy ? 3 : 1) + (busy ? 1 : 0)};
          calls.examples = {{"t" + std::to_string(random.below(50)), 1}};
          block.cells.push_back(calls);
          Cell cost;
          cost.aggregate = aggregate_of(*rules, "Cost");
          cost.group = group;
          cost.totals = {random.below(busy ? 400'000 : 10'000), 1};
          cost.examples = {{"t" + std::to_string(random.below(50)), cost.totals.sum}};
          block.cells.push_back(cost);
          Cell tasks;
          tasks.aggregate = aggregate_of(*rules, "Tasks");
          tasks.group = group;
          tasks.totals = {0, 1};
          tasks.distinct.add(hash64(std::to_string(random.below(busy ? 40 : 3))));
          block.cells.push_back(tasks);
          block.sightings.push_back({group, StringField::model, random.below(200) == 0 ? "m2" : "m1"});
        }
        std::sort(block.cells.begin(), block.cells.end(), [](const Cell& a, const Cell& b) {
          return std::pair(a.aggregate, a.group) < std::pair(b.aggregate, b.group);
        });
        if (random.below(20) == 0) {
          TaskNews news;
          news.rule = 3;
          news.group = std::string("prod\0support\0t", 14) + std::to_string(random.below(4));
          news.kind = random.below(2) == 0 ? TaskNews::Kind::over : TaskNews::Kind::ended;
          news.started = event_at(grid - 6min);
          news.elapsed = 6min;
          block.tasks.push_back(news);
        }
        if (random.below(60) == 0) {
          UrgentFinding finding;
          finding.rule = 4;
          finding.fingerprint = std::to_string(random.below(5));
          finding.group = std::string("prod\0support\0t1\0aws", 19) + finding.fingerprint;
          finding.id = finding.group;
          finding.pattern = "aws" + finding.fingerprint;
          finding.correlation_id = "t1";
          finding.at = at(grid - 3s);
          block.findings.push_back(finding);
        }
        partitions[static_cast<std::size_t>(p)].push_back(std::move(block));
      }
    }
    std::vector<std::string> first;
    for (int order = 0; order < 5; ++order) {
      EvaluatePartition stage({"eu1", 4, ""}, rules);
      std::vector<std::string> found;
      std::vector<AlertChange> out;
      std::vector<std::size_t> next(4, 0);
      for (;;) {
        std::vector<std::size_t> open;
        for (std::size_t p = 0; p < 4; ++p) {
          if (next[p] < partitions[p].size()) open.push_back(p);
        }
        if (open.empty()) break;
        // The first order takes the partitions in turn, the others as they like; some blocks come twice.
        std::size_t p = *std::min_element(open.begin(), open.end(),
                                          [&](std::size_t a, std::size_t b) { return next[a] < next[b]; });
        if (order > 0) p = open[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(open.size())))];
        if (order > 0 && random.below(10) == 0 && next[p] > 0) stage.apply(partitions[p][next[p] - 1], out);
        stage.apply(partitions[p][next[p]++], out);
      }
      for (const AlertChange& change : out) found.push_back(all_of(change));
      EXPECT_EQ(stage.evaluated(), at(30min));
      if (order == 0) {
        first = found;
        EXPECT_GT(first.size(), 8u) << "a run in which nothing happens shows nothing";
      } else {
        ASSERT_EQ(found, first) << "order " << order;
      }
    }
  }
}

TEST(EvaluateStage, TheCapLetsInTheSameSeriesWhateverTheOrderOfArrivalAndSaysSoOnce) {
  constexpr std::string_view capped = R"(
groups:
- name: g
  rules:
  - {alert: Errors, from: tool.call, value: count(), window: 5m, when: value >= 2, max_series: 3}
)";
  for (const std::uint64_t seed : test::seeds(10)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    Stage stage(capped, 4);
    std::vector<Block> blocks;
    for (std::int32_t p = 0; p < 4; ++p) {
      Block block = stage.block(10s, p);
      // Each partition has two agents of its own: e.g. partition 0 has h and a.
      const std::string names = "abcdefgh";
      for (const std::size_t i : {static_cast<std::size_t>(p), static_cast<std::size_t>(7 - p)}) {
        block.cells.push_back(Stage::cell(std::string("prod") + '\0' + names[i], 0, 2));
      }
      blocks.push_back(std::move(block));
    }
    test::Random(seed).shuffle(blocks);
    Changes all;
    for (Block& block : blocks) {
      for (std::string& text : stage.apply(std::move(block))) all.push_back(text);
    }
    EXPECT_EQ(all, (Changes{"SeriesOverflow firing @10s", "Errors firing @10s", "Errors firing @10s",
                            "Errors firing @10s"}));
    std::string agents;
    for (const AlertChange& change : stage.changes_) {
      if (change.alert == "Errors") agents += change.labels[1].second;
    }
    EXPECT_EQ(agents, "abc") << "in key order";
    EXPECT_EQ(stage.stage_.series().used, 3u);
    // It goes on overflowing, and says nothing more.
    for (std::int32_t p = 0; p < 4; ++p) {
      Block again = stage.block(20s, p);
      again.cells.push_back(Stage::cell(std::string("prod\0z", 6), 0, 2));
      EXPECT_EQ(stage.apply(std::move(again)), Changes{});
    }
  }
}

TEST(EvaluateStage, TheOverflowSeriesIsNeverEvaluated) {
  Stage stage(many_errors);
  Block block = stage.block(10s);
  block.cells.push_back(Stage::cell("_overflow", 0, 1'000));
  EXPECT_EQ(stage.apply(std::move(block)), Changes{"SeriesOverflow firing @10s"});
}

TEST(EvaluateStage, AHaltThatNobodyAcknowledgesIsOneAlertAScopeUntilItIsReportedNoLonger) {
  Stage stage(many_errors);
  const AckReport overdue{{{"task:1", "h1", "support", at(0s)}, {"task:2", "h2", "", at(0s)}}, {}};
  EXPECT_EQ(stage.report(overdue, 30s),
            (Changes{"HaltNotAcknowledged firing @30s", "HaltNotAcknowledged firing @30s"}));
  EXPECT_EQ(stage.changes_[0].labels, (Labels{{"scope", "task:1"}, {"severity", "critical"}}));
  EXPECT_TRUE(stage.changes_[0].sends_page);
  EXPECT_EQ(stage.report(overdue, 31s), Changes{}) << "said once";
  EXPECT_EQ(stage.feed(2h, 0, 0), Changes{}) << "it does not end by itself";
  EXPECT_EQ(stage.report({{overdue.overdue[1]}, {{"task:1", "acknowledged by obey.py"}}}, 2h + 1s),
            Changes{"HaltNotAcknowledged resolved @2h1s"});
  EXPECT_EQ(stage.changes_[0].reason, "acknowledged by obey.py");
  EXPECT_EQ(stage.report({}, 2h + 2s), Changes{"HaltNotAcknowledged resolved @2h2s"})
      << "though nobody said why, as after a restart";
  EXPECT_EQ(stage.report(overdue, 3h).size(), 2u);
  EXPECT_EQ(stage.changes_[0].episode, 2);
}

TEST(EvaluateStage, APageWithoutAHaltNamesTheCommandThatSilencesExactlyItsGroup) {
  Stage stage(many_errors);
  Block block = stage.block(10s);
  block.cells.push_back(Stage::cell(std::string("\0support", 8), 0, 12));
  ASSERT_EQ(stage.apply(std::move(block)).size(), 1u);
  EXPECT_EQ(stage.changes_[0].command,
            "tocsin silences add alertname=Errors 'env=\"\"' agent=support --for 2h --by "
            "YOUR-NAME --reason WHY");
}

UrgentFinding leak(const std::string& fingerprint, Duration when, const std::string& halt_id = "h1") {
  UrgentFinding finding;
  finding.id = "finding-" + fingerprint;
  finding.rule = 4;
  finding.group = GroupKey("prod\0support\0t1\0aws.access_key", 30);
  finding.pattern = "aws.access_key";
  finding.fingerprint = fingerprint;
  finding.place = "content";
  finding.correlation_id = "t1";
  finding.at = at(when);
  HaltRecord halt;
  halt.id = halt_id;
  halt.scope = "task:t1";
  halt.state = HaltState::enforced;
  finding.halt = halt;
  return finding;
}

TEST(EvaluateStage, AFindingFiresAtOnceAndItsCopyInTheBlockFiresNothing) {
  Stage stage(all_kinds);
  EXPECT_EQ(stage.apply(leak("f1", 3s)), Changes{"Leak firing @3s"});
  const AlertChange& change = stage.changes_[0];
  EXPECT_EQ(change.halt, "HALTED");
  EXPECT_EQ(change.halt_id, "h1");
  EXPECT_EQ(change.command, "tocsin halts release 'task:t1' --by YOUR-NAME --reason WHY");
  EXPECT_EQ(change.labels[3], (std::pair<std::string, std::string>{"secret_pattern", "aws.access_key"}));
  Block block = stage.block(10s);
  block.findings.push_back(leak("f1", 3s));
  EXPECT_EQ(stage.apply(std::move(block)), Changes{});
  ASSERT_EQ(stage.stage_.active().size(), 1u);
  EXPECT_EQ(stage.stage_.active()[0].times, 1);
}

TEST(EvaluateStage, AFindingThatWasLostOnItsWayFiresFromItsBlock) {
  Stage stage(all_kinds);
  Block block = stage.block(10s);
  block.findings.push_back(leak("f1", 3s));
  EXPECT_EQ(stage.apply(std::move(block)), Changes{"Leak firing @3s"});
  EXPECT_EQ(stage.apply(leak("f1", 3s)), Changes{}) << "late, and no news";
}

TEST(EvaluateStage, ADryRunSaysSoOnItsPage) {
  Stage stage(all_kinds);
  UrgentFinding finding = leak("f1", 3s);
  finding.halt->state = HaltState::dry_run;
  stage.apply(finding);
  EXPECT_EQ(stage.changes_[0].halt, "WOULD HALT");
  EXPECT_NE(to_page_json(stage.changes_[0]).find("WOULD HALT: "), std::string::npos);
}

TEST(EvaluateStage, AReleaseEndsTheAlertAndAcceptsTheSecretForThatScope) {
  Stage stage(all_kinds);
  stage.apply(leak("f1", 3s));
  EXPECT_EQ(stage.release({"h1", "task:t1", "ann", "a test key", event_at(60s)}), Changes{"Leak resolved @1m"});
  EXPECT_EQ(stage.changes_[0].reason, "released by ann");
  EXPECT_EQ(stage.apply(leak("f1", 70s)), Changes{}) << "the next prompt holds it again";
  EXPECT_EQ(stage.apply(leak("f2", 80s, "h2")), Changes{"Leak firing @1m20s"}) << "another secret is news";
  EXPECT_EQ(stage.changes_[0].episode, 2);
}

TEST(EvaluateStage, AReleaseOfOneOfTwoSecretsLeavesTheAlertFiring) {
  Stage stage(all_kinds);
  stage.apply(leak("f1", 3s, "h1"));
  EXPECT_EQ(stage.apply(leak("f2", 4s, "h2")), Changes{}) << "one page for one kind of secret in one task";
  EXPECT_EQ(stage.release({"h1", "task:t1", "ann", "", event_at(60s)}), Changes{});
  EXPECT_EQ(stage.release({"h2", "task:t1", "ann", "", event_at(61s)}), Changes{"Leak resolved @1m1s"});
  EXPECT_EQ(stage.release({"h2", "task:t1", "ann", "", event_at(62s)}), Changes{}) << "once";
  EXPECT_EQ(stage.release({"unknown", "task:t1", "ann", "", event_at(63s)}), Changes{});
}

TEST(EvaluateStage, AHaltStormIsOnePageThatEndsByItself) {
  Stage stage(all_kinds);
  UrgentFinding storm = leak("f1", 3s);
  storm.notice = Notice::halt_storm;
  EXPECT_EQ(stage.apply(storm), Changes{"HaltStorm firing @3s"});
  Block block = stage.block(10s);
  block.findings.push_back(storm);
  stage.next_ = 20s;
  EXPECT_EQ(stage.apply(std::move(block)), Changes{});
  EXPECT_EQ(stage.feed(2h, 0, 0), Changes{"HaltStorm resolved @1h10s"});
}

TEST(EvaluateStage, OnePageListsAllTasksOfAnAgentThatRunTooLong) {
  Stage stage(all_kinds);
  const auto news = [](const std::string& task, TaskNews::Kind kind) {
    TaskNews item;
    item.rule = 3;
    item.kind = kind;
    item.group = std::string("prod\0support\0", 13) + task;
    item.started = event_at(-6min);
    item.elapsed = 6min;
    item.outcome = kind == TaskNews::Kind::ended ? Outcome::completed : Outcome::absent;
    return item;
  };
  Block block = stage.block(10s);
  for (const char* task : {"t1", "t2", "t3"}) block.tasks.push_back(news(task, TaskNews::Kind::over));
  EXPECT_EQ(stage.apply(std::move(block)), (Changes{"Over firing @10s", "Over firing @10s", "Over firing @10s"}));
  int sent = 0;
  std::string page;
  for (const AlertChange& change : stage.changes_) {
    EXPECT_EQ(change.page_id, stage.changes_[0].page_id);
    if (!change.sends_page) continue;
    ++sent;
    ASSERT_EQ(change.examples.size(), 3u);
    EXPECT_EQ(change.examples[2].correlation_id, "t3");
  }
  EXPECT_EQ(sent, 1);
  EXPECT_NE(stage.changes_[0].alert_id, stage.changes_[1].alert_id) << "page_by folds the pages, not the alerts";
  page = *stage.changes_[0].page_id;

  block = stage.block(20s);
  block.tasks.push_back(news("t4", TaskNews::Kind::over));
  block.tasks.push_back(news("t1", TaskNews::Kind::ended));
  EXPECT_EQ(stage.apply(std::move(block)).size(), 2u);
  for (const AlertChange& change : stage.changes_) {
    EXPECT_FALSE(change.sends_page);
    EXPECT_EQ(change.page_id, page);
  }
  block = stage.block(30s);
  for (const char* task : {"t2", "t3", "t4"}) block.tasks.push_back(news(task, TaskNews::Kind::ended));
  EXPECT_EQ(stage.apply(std::move(block)).size(), 3u);
  sent = 0;
  for (const AlertChange& change : stage.changes_) {
    EXPECT_FALSE(change.firing);
    EXPECT_EQ(change.reason, "the task ended: completed");
    sent += change.sends_page ? 1 : 0;
  }
  EXPECT_EQ(sent, 1) << "the page closes with the last task";
  EXPECT_TRUE(stage.changes_[2].page_id->ends_with(":1:resolved"));
}

TEST(EvaluateStage, AnAgentThatFallsSilentIsResolvedForWantOfTraffic) {
  Stage stage(R"(
groups:
- name: g
  rules:
  - {alert: Errors, from: task.finished, value: 'ratio(outcome == "errored")', window: 15m..24h, min_samples: 10, when: value > 0.5}
)");
  EXPECT_EQ(stage.feed(100s, 1, 1), Changes{"Errors firing @1m40s"});
  EXPECT_EQ(stage.feed(3h, 0, 0), Changes{"Errors resolved @1h1m40s"});
  EXPECT_EQ(stage.last_.reason, "no_traffic");
}

TEST(EvaluateStage, NoDataHoldKeepsTheAlertAndNoDataFireRaisesIt) {
  constexpr std::string_view text = R"(
groups:
- name: g
  defaults: {from: task.finished, window: 15m, min_samples: 10, no_data_after: 10m}
  rules:
  - {alert: Held, value: 'ratio(outcome == "errored")', when: value > 0.5, no_data: hold}
  - {alert: Gone, value: 'ratio(outcome == "errored")', when: value > 2, no_data: fire}
)";
  Stage stage(text);
  EXPECT_EQ(stage.feed(100s, 1, 1), Changes{"Held firing @1m40s"});
  // Ten samples in 15 min 40 s: silent after eight times the usual gap, which is more than no_data_after.
  EXPECT_EQ(stage.feed(3h, 0, 0), Changes{"Gone firing @14m20s"});
  EXPECT_EQ(stage.last_.reason, "no_data");
  EXPECT_EQ(stage.stage_.active().size(), 2u);
}

TEST(EvaluateStage, BelowMinSamplesARuleIsBlindAndSaysSo) {
  Stage stage(R"(
groups:
- name: g
  rules:
  - {alert: Errors, from: task.finished, value: 'ratio(outcome == "errored")', window: 15m, min_samples: 10, when: value > 0.5}
)");
  EXPECT_EQ(stage.feed(90s, 1, 1), Changes{});
  EXPECT_EQ(stage.stage_.sight()[0].blind, 1);
  EXPECT_EQ(stage.feed(100s, 1, 1), Changes{"Errors firing @1m40s"});
  EXPECT_EQ(stage.stage_.sight()[0].live, 1);
  EXPECT_EQ(stage.stage_.sight()[0].firing, 1);
}

TEST(EvaluateStage, AMissingBoundIsReportedAndNeverSilentlyPassed) {
  Stage stage(R"(
groups:
- name: g
  rules:
  - {alert: Surfaces, from: task.finished, group_by: [env, agent, spec, spec_version], value: 'ratio(outcome == "surfaced")', window: 15m, when: value > spec.surface_rate.max}
specs:
- {name: known, version: "1", surface_rate: {max: 0.2}}
)");
  Block block = stage.block(10s);
  block.cells.push_back(Stage::cell(GroupKey("prod\0a\0known\0001", 14), 9, 10));
  block.cells.push_back(Stage::cell(GroupKey("prod\0b\0other\0001", 14), 9, 10));
  EXPECT_EQ(stage.apply(std::move(block)), Changes{"Surfaces firing @10s"});
  EXPECT_EQ(stage.stage_.sight()[0].undeclared, 1);
  EXPECT_EQ(stage.stage_.sight()[0].live, 1);
}

constexpr std::string_view spike = R"(
groups:
- name: g
  rules:
  - {alert: Spike, from: step, value: per_hour(cost), window: 15m, when: value > 2 * baseline, baseline: {range: 2h, min_samples: 100}, keep_firing_for: 0s, learn_after: 6h}
)";

TEST(EvaluateStage, ABaselineFreezesWhileTheAlertFiresSoThatASpikeDoesNotHideItself) {
  Stage stage(spike);
  EXPECT_EQ(stage.feed(3h, 10'000, 1), Changes{}) << "a cent each ten seconds: 3.60 an hour";
  const Changes fired = stage.feed(3h + 30min, 30'000, 1);
  ASSERT_EQ(fired.size(), 1u);
  EXPECT_EQ(fired[0].substr(0, 12), "Spike firing");
  EXPECT_NEAR(stage.last_.baseline, 3.6, 1e-9);
  EXPECT_EQ(stage.feed(8h + 30min, 30'000, 1), Changes{}) << "for hours, though the baseline's range is two";
  EXPECT_EQ(stage.stage_.active().size(), 1u);
}

TEST(EvaluateStage, WhatLastsLongerThanLearnAfterIsTheNewNormal) {
  Stage stage(spike);
  stage.feed(3h, 10'000, 1);
  ASSERT_EQ(stage.feed(3h + 30min, 30'000, 1).size(), 1u);
  const Changes resolved = stage.feed(12h, 30'000, 1);
  ASSERT_EQ(resolved.size(), 1u) << "and it fires no more";
  EXPECT_EQ(resolved[0].substr(0, 14), "Spike resolved");
  EXPECT_GT(stage.last_.at, at(9h));
}

TEST(EvaluateStage, AnEpisodeThatIsOverStaysOutOfTheBaseline) {
  Stage stage(spike);
  stage.feed(3h, 10'000, 1);
  ASSERT_EQ(stage.feed(3h + 30min, 30'000, 1).size(), 1u);
  ASSERT_EQ(stage.feed(4h + 15min, 10'000, 1).size(), 1u) << "resolved";
  const Changes again = stage.feed(5h, 30'000, 1);
  ASSERT_EQ(again.size(), 1u) << "a second spike like the first is found as the first was";
  EXPECT_NEAR(stage.last_.baseline, 3.6, 0.2);
}

TEST(EvaluateStage, ANewVersionOpensABaselineOfItsOwnAndTheOldOneJudgesUntilThatIsWarm) {
  constexpr std::string_view text = R"(
groups:
- name: g
  rules:
  - {alert: Spike, from: step, value: per_hour(cost), window: 15m, when: value > 2 * baseline, baseline: {range: 4h, min_samples: 700, reset_on: [model]}}
)";
  Stage stage(text);
  const auto show = [&](const std::string& model) {
    Block block = stage.block(stage.next_);
    block.cells.push_back(Stage::cell(support, 10'000, 1));
    block.sightings.push_back({support, StringField::model, model});
    stage.next_ += 10s;
    return stage.apply(std::move(block));
  };
  while (stage.next_ <= 4h) EXPECT_EQ(show("m1"), Changes{});
  EXPECT_EQ(show("m2"), Changes{});
  EXPECT_EQ(stage.feed(4h + 5min, 10'000, 1), Changes{});
  const Changes fired = stage.feed(4h + 30min, 30'000, 1);
  ASSERT_EQ(fired.size(), 1u) << "judged by the old version's hours";
  EXPECT_NEAR(stage.last_.baseline, 3.6, 1e-9);
  ASSERT_EQ(stage.last_.changed_versions.size(), 1u);
  EXPECT_EQ(stage.last_.changed_versions[0].second, "m1 -> m2");
}

TEST(EvaluateStage, ColdStartFallsBackToTheDeclaredBoundAndSaysSo) {
  Stage stage(R"(
groups:
- name: g
  rules:
  - {alert: Cost, from: step, value: per_hour(cost), window: 15m, when: value > 2 * baseline, baseline: {range: 24h, min_samples: 1000, declared: spec.cost.per_hour}}
specs:
- {name: policy, version: "1", cost: {per_hour: 2}}
)");
  Block block = stage.block(10s);
  block.cells.push_back(Stage::cell(support, 2'000'000, 1));
  block.sightings.push_back({support, StringField::spec, "policy"});
  block.sightings.push_back({support, StringField::spec_version, "1"});
  EXPECT_EQ(stage.apply(std::move(block)), Changes{"Cost firing @10s"});
  EXPECT_DOUBLE_EQ(stage.changes_[0].baseline, 2);
  EXPECT_NE(stage.changes_[0].reason.find("declares"), std::string::npos);
}

TEST(EvaluateStage, AlertIdsAreMadeOfNamesAndLabelsOnly) {
  Stage one(many_errors);
  std::string other(many_errors);
  other.replace(other.find("value >= 10"), 11, "value >= 5 ");
  Stage two(other);
  one.feed(100s, 0, 1);
  two.feed(7min, 0, 1);
  EXPECT_EQ(one.last_.page_id, two.last_.page_id) << "no threshold and no time";
  EXPECT_NE(alert_id("eu1", "Errors", one.last_.labels), alert_id("us1", "Errors", one.last_.labels));
}

}  // namespace evaluate_stage_test
}  // namespace tocsin
