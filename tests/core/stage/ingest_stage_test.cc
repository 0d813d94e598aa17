#include "core/stage/ingest_stage.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/sanitize/shipped_patterns.h"
#include "core/stage/block_codec.h"
#include "core/test_support.h"

namespace tocsin {
namespace ingest_stage_test {

using namespace std::chrono_literals;
using test::at;
using test::event_at;
using test::rules_from;
using test::text_at;

constexpr std::string_view rules_text = R"(
groups:
- name: g
  rules:
  - {alert: Cost, from: step, value: sum(cost), window: 1h, when: value > 5}
  - {alert: Ends, from: task.finished, value: 'ratio(outcome == "errored")', window: 1h, when: value > 0.5}
  - {alert: Leak, mode: event, where: has(secret.pattern), group_by: [env, agent, correlation_id, secret.pattern], actions: [{halt: task}, page], resolve: manual}
  - {alert: Over, mode: task, when: elapsed > 5m}
)";

class Partition {
 public:
  explicit Partition(std::string_view rules = rules_text, IngestOptions options = {})
      : rules_(rules_from(rules)),
        stage_(with_deployment(options), rules_, test::shipped_patterns(), fingerprinter()) {}

  static IngestOptions with_deployment(IngestOptions options) {
    options.deployment = "eu1";
    return options;
  }
  static Fingerprinter fingerprinter() {
    const std::vector<unsigned char> secret(32, 7);
    return Fingerprinter(secret);
  }

  // Takes a record at its log time; `out` then holds what it led to.
  void apply(Duration log_time, const std::string& json, std::string_view key = {}) {
    out.clear();
    stage_.apply({key, json, at(log_time), offset_++}, out);
  }
  void apply_untimed(const std::string& json) {
    out.clear();
    stage_.apply({{}, json, std::nullopt, offset_++}, out);
  }
  void close(Duration until) {
    out.clear();
    stage_.close_until(at(until), out);
  }

  IngestOutput out;
  std::shared_ptr<const RuleSet> rules_;
  IngestPartition stage_;
  std::int64_t offset_ = 100;
};

std::string event(const std::string& type, const std::string& task, Duration own, const std::string& more = {}) {
  return R"({"type":")" + type + R"(","time":")" + text_at(own) + R"(","correlation_id":")" + task +
         R"(","env":"prod","agent":"support")" + (more.empty() ? "" : "," + more) + "}";
}

std::vector<std::string> grids(const IngestOutput& out) {
  std::vector<std::string> list;
  for (const Cut& cut : out.cuts) list.push_back(to_text(cut.grid - at(0s)));
  return list;
}
using Grids = std::vector<std::string>;

TEST(IngestStage, ASliceIsCutBeforeTheFirstRecordPastItsEnd) {
  Partition partition;
  partition.apply(3s, event("step", "t1", 3s, R"("cost_usd":1.5)"));
  partition.apply(9s + 999ms, event("step", "t2", 4s, R"("cost_usd":"0.25")"));
  EXPECT_TRUE(partition.out.cuts.empty());
  partition.apply(10s, event("step", "t3", 5s, R"("cost_usd":100)"));
  ASSERT_EQ(grids(partition.out), Grids{"10s"});
  const Cut& cut = partition.out.cuts[0];
  EXPECT_EQ(cut.next_offset, 102) << "a restart goes on with the record that closed the slice";
  EXPECT_FALSE(cut.block.idle);
  EXPECT_EQ(cut.block.rule_set, partition.rules_->hash);
  ASSERT_EQ(cut.block.cells.size(), 1u);
  EXPECT_EQ(cut.block.cells[0].totals, (Totals{1'750'000, 2}));
  EXPECT_EQ(cut.block.cells[0].group, GroupKey("prod\0support", 12));
  EXPECT_EQ(cut.block.cells[0].examples[0].correlation_id, "t1");
}

TEST(IngestStage, EveryGridTimeInBetweenIsCutAndTheEmptyOnesToo) {
  Partition partition;
  partition.apply(3s, event("step", "t1", 3s, R"("cost_usd":1)"));
  partition.apply(41s, event("step", "t1", 41s));
  ASSERT_EQ(grids(partition.out), (Grids{"10s", "20s", "30s", "40s"}));
  EXPECT_EQ(partition.out.cuts[0].block.cells.size(), 1u);
  for (int i = 1; i < 4; ++i) EXPECT_TRUE(partition.out.cuts[static_cast<std::size_t>(i)].block.cells.empty());
}

TEST(IngestStage, LogTimeIsTheRunningMaximumSoNothingIsLate) {
  Partition partition;
  partition.apply(25s, event("step", "t1", 25s, R"("cost_usd":1)"));
  partition.apply(3s, event("step", "t2", -2h, R"("cost_usd":2)"));
  EXPECT_TRUE(partition.out.cuts.empty());
  EXPECT_EQ(partition.stage_.log_time(), at(25s));
  partition.close(30s);
  ASSERT_EQ(grids(partition.out), Grids{"30s"});
  EXPECT_TRUE(partition.out.cuts[0].block.idle);
  EXPECT_EQ(partition.out.cuts[0].block.cells[0].totals, (Totals{3'000'000, 2})) << "counted when it arrived";
}

TEST(IngestStage, AnAgentsWrongClockMovesNobodysWindows) {
  Partition partition;
  partition.apply(1s, event("step", "t1", 20'000h, R"("cost_usd":1)"));
  partition.apply(2s, event("step", "t2", -20'000h, R"("cost_usd":1)"));
  EXPECT_TRUE(partition.out.cuts.empty());
  EXPECT_EQ(partition.stage_.log_time(), at(2s));
}

TEST(IngestStage, InAFileTheEventsOwnTimesAreTheLogsAndOneBrokenClockIsPassedOver) {
  Partition partition;
  partition.apply_untimed(event("step", "t1", 3s));
  partition.apply_untimed(event("step", "t1", 13s));
  EXPECT_EQ(grids(partition.out), Grids{"10s"});
  partition.apply_untimed(event("step", "t1", 24h * 400));
  EXPECT_TRUE(partition.out.cuts.empty());
  EXPECT_EQ(partition.stage_.log_time(), at(13s));
}

TEST(IngestStage, WhatIsClosedIsNotClosedAgain) {
  Partition partition;
  partition.apply(3s, event("step", "t1", 3s));
  partition.close(20s);
  EXPECT_EQ(grids(partition.out), (Grids{"10s", "20s"}));
  partition.close(20s);
  EXPECT_TRUE(partition.out.cuts.empty());
  partition.apply(15s, event("step", "t1", 15s, R"("cost_usd":1)"));
  partition.close(30s);
  ASSERT_EQ(grids(partition.out), Grids{"30s"});
  EXPECT_EQ(partition.out.cuts[0].block.cells.size(), 1u);
}

TEST(IngestStage, ABadRecordIsAPointerAndStopsNothing) {
  Partition partition;
  const std::string secret = "{\"type\":\"step\", \"correlation_id\": \"" + test::aws_key;
  partition.apply(1s, secret);
  ASSERT_EQ(partition.out.dead_letters.size(), 1u);
  EXPECT_EQ(partition.out.dead_letters[0].offset, 100);
  EXPECT_EQ(partition.out.dead_letters[0].bytes, secret.size());
  EXPECT_EQ(name_of(partition.out.dead_letters[0].reason), "not_json");
  partition.apply(2s, R"({"type":"step","cost_usd":1})");
  ASSERT_EQ(partition.out.dead_letters.size(), 1u);
  EXPECT_EQ(name_of(partition.out.dead_letters[0].reason), "no_correlation_id");
  partition.apply(3s, event("step", "t1", 3s, R"("cost_usd":1)"));
  EXPECT_EQ(partition.stage_.totals().events, 1);
  EXPECT_EQ(partition.stage_.totals().all_dead_letters(), 2);
  partition.close(10s);
  EXPECT_EQ(partition.out.cuts[0].block.records, 3);
}

TEST(IngestStage, TheRecordsKeyIsItsCorrelationIdWhereItHasNone) {
  Partition partition;
  partition.apply(1s, R"({"type":"task.started","agent":"support"})", "t9");
  EXPECT_TRUE(partition.out.dead_letters.empty());
  EXPECT_EQ(partition.stage_.open_tasks(), 1u);
}

TEST(IngestStage, ADuplicateCountsOnce) {
  Partition partition;
  const std::string step = event("step", "t1", 1s, R"("cost_usd":1,"event_id":"e1")");
  partition.apply(1s, step);
  partition.apply(2s, step);
  const std::string span = event("tool.call", "t1", 1s, R"("span_id":"s1")");
  partition.apply(3s, span);
  partition.apply(3s, span);
  partition.apply(4s, event("tool.call", "t2", 1s, R"("span_id":"s1")"));
  partition.apply(4s, event("step", "t1", 1s, R"("span_id":"s1","cost_usd":1)"));
  EXPECT_EQ(partition.stage_.totals().duplicates, 2);
  EXPECT_EQ(partition.stage_.totals().tool_calls, 2) << "the same span id in another task is another call";
  EXPECT_EQ(partition.stage_.totals().model_calls, 2);
  EXPECT_EQ(partition.stage_.totals().cost, 2'000'000);
}

TEST(IngestStage, AnEndThatComesTwiceCountsOnce) {
  Partition partition;
  partition.apply(1s, event("task.finished", "t1", 1s, R"("outcome":"errored")"));
  partition.apply(2s, event("task.finished", "t1", 2s, R"("outcome":"completed")"));
  partition.close(10s);
  EXPECT_EQ(partition.out.cuts[0].block.cells[0].totals, (Totals{1, 1}));
  EXPECT_EQ(partition.stage_.agents()[0].tasks_by_outcome[static_cast<std::size_t>(Outcome::errored)], 1);
  EXPECT_EQ(partition.stage_.agents()[0].tasks_by_outcome[static_cast<std::size_t>(Outcome::completed)], 0);
}

TEST(IngestStage, WhatATaskSaidOnceItsLaterEventsNeedNotSay) {
  Partition partition;
  partition.apply(1s, event("task.started", "t1", 1s));
  partition.apply(2s, R"({"type":"step","correlation_id":"t1","cost_usd":2})");
  partition.close(10s);
  ASSERT_EQ(partition.out.cuts[0].block.cells.size(), 1u);
  EXPECT_EQ(partition.out.cuts[0].block.cells[0].group, GroupKey("prod\0support", 12));
}

TEST(IngestStage, ASecretHaltsItsTaskAtTheEventAndTheFindingCarriesTheOrder) {
  IngestOptions options;
  options.halts.enforce = true;
  Partition partition(rules_text, options);
  partition.apply(1s, event("tool.call", "t1", 1s, R"("arguments":{"key":")" + test::aws_key + "\"}"));
  ASSERT_EQ(partition.out.halts.size(), 1u);
  ASSERT_EQ(partition.out.findings.size(), 1u);
  const HaltRecord halt = partition.out.halts[0];
  const UrgentFinding finding = partition.out.findings[0];
  EXPECT_EQ(halt.scope, "task:t1");
  EXPECT_TRUE(halt.enforced());
  EXPECT_EQ(halt.agent, "support");
  EXPECT_EQ(finding.halt->id, halt.id);
  EXPECT_EQ(finding.place, "arguments.key");
  EXPECT_EQ(finding.at, at(1s));
  EXPECT_EQ((to_json(halt) + encode(finding)).find(test::aws_key), std::string::npos) << "never a byte of it";
  partition.close(10s);
  ASSERT_EQ(partition.out.cuts[0].block.findings.size(), 1u) << "once more in the block";
  EXPECT_EQ(partition.out.cuts[0].block.findings[0].id, finding.id);
}

TEST(IngestStage, TheSameSecretAgainRewritesItsHaltWithAHigherCount) {
  Partition partition;
  const auto prompt = [&](Duration when) {
    partition.apply(when, event("step", "t1", when, R"("content":{"text":"use )" + test::aws_key + " now\"}"));
  };
  prompt(1s);
  const HaltRecord first = partition.out.halts.at(0);
  const std::string finding = partition.out.findings.at(0).id;
  for (int i = 2; i <= 9; ++i) {
    prompt(i * 1s);
    EXPECT_EQ(partition.out.halts.at(0).key(), first.key());
    EXPECT_EQ(partition.out.halts.at(0).count, static_cast<std::uint64_t>(i));
    EXPECT_EQ(partition.out.findings.at(0).id, finding);
    EXPECT_TRUE(partition.out.findings.at(0).is_repeat);
  }
}

TEST(IngestStage, PublishedEventsHoldReferencesInPlaceOfContent) {
  IngestOptions options;
  options.publish_events = true;
  Partition partition(rules_text, options);
  partition.apply(1s, event("step", "t1", 1s,
                            R"("model":"m","content":{"text":"hello ann"},"surface_reason":"mail ann@example.org")"));
  ASSERT_EQ(partition.out.published.size(), 1u);
  const std::string& json = partition.out.published[0].value;
  EXPECT_EQ(json.find("hello"), std::string::npos);
  EXPECT_EQ(json.find("ann@"), std::string::npos);
  EXPECT_NE(json.find("content_ref"), std::string::npos);
  EXPECT_NE(json.find(R"("model":"m")"), std::string::npos);
}

TEST(IngestStage, WhatCouldNotBeScannedCanPage) {
  Partition partition(R"(
groups:
- name: g
  rules:
  - {alert: Unscanned, mode: event, where: scan == "cut", group_by: [env, agent], actions: [page]}
)");
  std::string text;
  while (text.size() < 600'000) text += "-----BEGIN PRIVATE KEY-----";
  partition.apply(1s, event("step", "t1", 1s, R"("content":{"output":"a short text"})"));
  EXPECT_TRUE(partition.out.findings.empty());
  partition.apply(2s, event("step", "t2", 2s, R"("content":{"output":")" + text + "\"}"));
  ASSERT_EQ(partition.out.findings.size(), 1u);
  EXPECT_EQ(partition.out.findings[0].rule_name, "Unscanned");
  EXPECT_EQ(partition.out.findings[0].record, "partition 0, offset 101");
}

TEST(IngestStage, PublishedEventsAreKeyedByWhatMayBeSeen) {
  IngestOptions options;
  options.publish_events = true;
  Partition partition(rules_text, options);
  partition.apply(1s, event("step", "t1", 1s), test::aws_key);
  ASSERT_EQ(partition.out.published.size(), 1u);
  EXPECT_EQ(partition.out.published[0].key, "t1");
  partition.apply(2s, event("step", test::aws_key, 2s));
  ASSERT_EQ(partition.out.published.size(), 1u);
  EXPECT_TRUE(partition.out.published[0].key.starts_with("[aws.access_key:")) << partition.out.published[0].key;
}

TEST(IngestStage, ATaskThatRunsTooLongIsNewsInTheBlockOfItsGridTime) {
  Partition partition;
  partition.apply(0s, event("step", "warm", 0s));
  partition.close(10s);
  partition.apply(11s, event("task.started", "t1", 11s));
  partition.close(10min);
  std::vector<std::string> news;
  for (const Cut& cut : partition.out.cuts) {
    for (const TaskNews& item : cut.block.tasks) {
      news.push_back(item.group.substr(item.group.rfind('\0') + 1) + " " + to_text(cut.grid - at(0s)));
    }
  }
  EXPECT_EQ(news, (std::vector<std::string>{"warm 5m10s", "t1 5m20s"}));
}

TEST(IngestStage, VersionsAreSightedOnceASlice) {
  Partition partition;
  for (int i = 0; i < 5; ++i) {
    partition.apply(
        i * 1s, event("step", "t" + std::to_string(i), i * 1s, i % 2 == 0 ? R"("model":"m1")" : R"("model":"m2")"));
  }
  partition.close(10s);
  std::vector<std::string> models;
  for (const Sighting& sighting : partition.out.cuts[0].block.sightings) models.push_back(sighting.value);
  EXPECT_EQ(models, (std::vector<std::string>{"m1", "m2"}));
  partition.apply(11s, event("step", "t9", 11s, R"("model":"m2")"));
  partition.close(20s);
  EXPECT_EQ(partition.out.cuts[0].block.sightings.size(), 1u);
}

TEST(IngestStage, TokensAndCostsOfAnEndAreNotAddedAgain) {
  Partition partition;
  partition.apply(1s,
                  event("step", "t1", 1s, R"("tokens_in":100,"tokens_out":20,"tokens_cached":"5","cost_usd":0.5)"));
  partition.apply(2s, event("task.finished", "t1", 2s,
                            R"("outcome":"completed","tokens_in":100,"tokens_out":20,"cost_usd":0.5)"));
  partition.apply(3s, event("step", "t1", 3s, R"("step_type":"final")"));
  EXPECT_EQ(partition.stage_.totals().model_calls, 1);
  EXPECT_EQ(partition.stage_.totals().tokens_in, 100);
  EXPECT_EQ(partition.stage_.totals().tokens_cached, 5);
  EXPECT_EQ(partition.stage_.totals().cost, 500'000);
}

// I6 and promise 2: a restart from a cut's position gives the same blocks, as often as it happens.
TEST(IngestStage, TheSameRecordsGiveTheSameBytes) {
  for (const std::uint64_t seed : test::seeds(5)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    const auto run = [&] {
      test::Random random(seed);
      Partition partition;
      std::string all;
      Duration now = 0s;
      for (int i = 0; i < 2'000; ++i) {
        now += 1ms * random.below(2'000);
        const char* types[] = {"step", "tool.call", "task.started", "task.finished", "task.heartbeat"};
        std::string more = R"("cost_usd":)" + std::to_string(random.below(100)) + R"(,"event_id":")" +
                           std::to_string(random.below(1'500)) + "\"";
        if (random.below(100) == 0) more += R"(,"content":")" + test::github_token + "\"";
        partition.apply(now - 1ms * random.below(3'000),
                        event(types[random.below(5)], "t" + std::to_string(random.below(40)), now, more));
        for (const Cut& cut : partition.out.cuts) all += std::to_string(cut.next_offset) + encode(cut.block);
        for (const HaltRecord& halt : partition.out.halts) all += to_json(halt);
      }
      return all;
    };
    const std::string once = run();
    EXPECT_GT(once.size(), 10'000u);
    EXPECT_TRUE(once == run());
  }
}

}  // namespace ingest_stage_test
}  // namespace tocsin
