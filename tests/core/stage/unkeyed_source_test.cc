// A source whose records do not have their correlation id as key: the events of a task may lie in several partitions.

#include <gtest/gtest.h>

#include "core/sanitize/shipped_patterns.h"
#include "core/stage/evaluate_stage.h"
#include "core/stage/ingest_stage.h"
#include "core/test_support.h"

namespace tocsin {
namespace unkeyed_source_test {

using namespace std::chrono_literals;
using test::at;
using test::text_at;

class Source {
 public:
  explicit Source(bool expects_keys = true)
      : stage_(options(expects_keys), rules_, test::shipped_patterns(),
               Fingerprinter(std::vector<unsigned char>(32, 7))) {}

  static IngestOptions options(bool expects_keys) {
    IngestOptions options;
    options.deployment = "eu1";
    options.expects_keys = expects_keys;
    options.source = "agent-events";
    return options;
  }

  void apply(Duration time, const std::string& type, const std::string& task, std::string_view key) {
    const std::string json = R"({"type":")" + type + R"(","time":")" + text_at(time) + R"(","correlation_id":")" +
                             task + R"(","env":"prod","agent":"support"})";
    stage_.apply({key, json, at(time), offset_++}, out_);
  }
  std::vector<std::string> notices() {
    std::vector<std::string> list;
    for (const UrgentFinding& finding : out_.findings) {
      if (finding.notice == Notice::source_not_keyed) list.push_back(to_text(finding.at - at(0s)));
    }
    out_.findings.clear();
    return list;
  }
  std::vector<TaskNews::Kind> news() {
    std::vector<TaskNews::Kind> kinds;
    for (const Cut& cut : out_.cuts) {
      for (const TaskNews& news : cut.block.tasks) kinds.push_back(news.kind);
    }
    out_.cuts.clear();
    return kinds;
  }

  std::shared_ptr<const RuleSet> rules_ =
      test::rules_from("groups: [{name: g, rules: [{alert: Over, mode: task, when: elapsed > 5m, expire: 1h}]}]");
  IngestPartition stage_;
  IngestOutput out_;
  std::int64_t offset_ = 0;
};

using Times = std::vector<std::string>;
using Kinds = std::vector<TaskNews::Kind>;

TEST(UnkeyedSource, TenUnkeyedRecordsInTenMinutesAreANotice) {
  Source source;
  for (int i = 0; i < 9; ++i) source.apply(i * 1min, "step", "t" + std::to_string(i), "");
  EXPECT_EQ(source.notices(), Times{});
  source.apply(9min, "step", "t9", "another");
  ASSERT_EQ(source.out_.findings.size(), 1u);
  const UrgentFinding notice = source.out_.findings[0];
  EXPECT_EQ(notice.place, "agent-events");
  EXPECT_EQ(source.notices(), Times{"9m"});
  EXPECT_EQ(source.stage_.totals().records_unkeyed, 10);
}

TEST(UnkeyedSource, TenInALongerTimeAreNone) {
  Source source;
  for (int i = 0; i < 100; ++i) source.apply(i * 70s, "step", "t", "");
  EXPECT_EQ(source.notices(), Times{});
}

TEST(UnkeyedSource, TheNoticeIsRepeatedEveryTenMinutesWhileItGoesOn) {
  Source source;
  for (int i = 0; i <= 1'800; ++i) source.apply(i * 1s, "step", "t", "");
  EXPECT_EQ(source.notices(), (Times{"9s", "10m9s", "20m9s"}));
}

TEST(UnkeyedSource, KeyedRecordsAreNone) {
  Source source;
  for (int i = 0; i < 100; ++i) source.apply(i * 1s, "step", "t1", "t1");
  for (int i = 100; i < 200; ++i) source.apply(i * 1s, "eval.result", "t1", "");  // belongs to no one task
  EXPECT_EQ(source.notices(), Times{});
  EXPECT_EQ(source.stage_.totals().records_unkeyed, 0);
}

TEST(UnkeyedSource, AKeyInTheIdsPlaceIsItsKey) {
  Source source;
  for (int i = 0; i < 20; ++i) {
    source.stage_.apply({"t1", R"({"type":"step","agent":"support"})", at(i * 1s), i}, source.out_);
  }
  EXPECT_EQ(source.stage_.totals().all_dead_letters(), 0);
  EXPECT_EQ(source.stage_.totals().records_unkeyed, 0);
}

TEST(UnkeyedSource, WhereNoKeysAreExpectedNoneAreMissed) {
  Source source(false);
  for (int i = 0; i < 100; ++i) source.apply(i * 1s, "step", "t1", "");
  EXPECT_EQ(source.notices(), Times{});
  source.apply(10min, "step", "t2", "");
  EXPECT_EQ(source.news(), Kinds{TaskNews::Kind::over});
}

TEST(UnkeyedSource, ATaskWithAnUnkeyedRecordIsNeverOverALimit) {
  Source source;
  source.apply(0s, "task.started", "keyed", "keyed");
  source.apply(1s, "task.started", "mixed", "mixed");
  source.apply(2s, "step", "mixed", "");
  source.apply(3s, "task.started", "unkeyed", "");
  source.stage_.close_until(at(30min), source.out_);
  EXPECT_EQ(source.news(), Kinds{TaskNews::Kind::over}) << "of the keyed one";
  EXPECT_EQ(source.stage_.open_tasks(), 3u);
  source.stage_.close_until(at(2h), source.out_);
  EXPECT_EQ(source.news(), Kinds{TaskNews::Kind::lost});
  EXPECT_EQ(source.stage_.open_tasks(), 0u) << "they are forgotten all the same";
}

TEST(UnkeyedSource, WhatWasSaidBeforeIsTakenBackAsEver) {
  Source source;
  source.apply(0s, "task.started", "t", "t");
  source.apply(10min, "step", "t", "");
  EXPECT_EQ(source.news(), Kinds{TaskNews::Kind::over});
  source.stage_.close_until(at(2h), source.out_);
  EXPECT_EQ(source.news(), Kinds{TaskNews::Kind::lost}) << "else its alert would fire for ever";
}

TEST(UnkeyedSource, TheAlertSaysWhatToDoAndEndsAnHourAfterTheLastNotice) {
  Source source;
  for (int i = 0; i <= 700; ++i) source.apply(i * 1s, "step", "t", "");
  EvaluatePartition evaluate({"eu1", 1, ""}, source.rules_);
  std::vector<AlertChange> changes;
  for (const UrgentFinding& finding : source.out_.findings) evaluate.apply(finding, changes);
  ASSERT_EQ(changes.size(), 1u) << "two notices, one alert";
  EXPECT_TRUE(changes[0].firing && changes[0].sends_page);
  EXPECT_EQ(changes[0].alert, "SourceNotKeyed");
  EXPECT_EQ(changes[0].labels[0], (std::pair<std::string, std::string>{"topic", "agent-events"}));
  EXPECT_NE(changes[0].annotations[0].second.find("partition_traces_by_id: true"), std::string::npos);
  source.stage_.close_until(at(3h), source.out_);
  for (const Cut& cut : source.out_.cuts) evaluate.apply(cut.block, changes);
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_FALSE(changes[1].firing);
  EXPECT_EQ(changes[1].at, at(10min + 9s + 1h) + 1s);
}

}  // namespace unkeyed_source_test
}  // namespace tocsin
