// Rules that count within a running task.

#include <gtest/gtest.h>

#include "core/task/task_tracker.h"
#include "core/test_support.h"

namespace tocsin {
namespace task_tracker_counts_test {

using namespace std::chrono_literals;
using test::at;
using test::event_at;
using test::rules_from;

std::string rules(const std::string& keys, const std::string& more = {}) {
  return "groups:\n- name: g\n  rules:\n  - {alert: A, mode: task, " + keys + "}\n" + more;
}
const std::string loop = rules(
    "from: tool.call, where: 'tool != \"poll\"', per: [tool, arguments.hash], value: count(), window: 10m, "
    "when: value >= 4");

// Feeds a tracker as ingest does: events at their log time, and every grid time in between closed in order.
class Feed {
 public:
  explicit Feed(const std::string& text) : rules_(rules_from(text)), tracker_(*rules_, 1'000) { close(0s); }

  // What became of tasks up to `time`, and then an event at it; `late`: how long before it has happened.
  void event(EventType type, std::string_view task, Duration time, Duration late = 0s) {
    close(time);
    fields_.type = type;
    fields_.time = event_at(time - late);
    fields_.set(StringField::correlation_id, task);
    const TaskTracker::Note note = tracker_.apply(fields_, at(time), is_unkeyed_);
    if (note.task != nullptr && tracker_.counts(type)) {
      tracker_.count(*note.task, fields_, at(time), tracker_.counts_arguments(type) ? arguments_ : 0);
    }
    fields_ = {};
  }
  void call(std::string_view task, Duration time, std::string_view tool, std::uint64_t arguments = 1,
            Duration late = 0s) {
    fields_.set(StringField::tool, tool);
    arguments_ = arguments;
    event(EventType::tool_call, task, time, late);
  }
  void step(std::string_view task, Duration time, std::int64_t cost) {
    fields_.set(NumberField::cost, cost);
    event(EventType::step, task, time);
  }
  void close(Duration until) {
    for (; next_ <= at(until); next_ = next_ + slice_length) {
      std::vector<TaskNews> news;
      closed_.clear();
      tracker_.close(next_, news, closed_);
      for (TaskNews& one : news) {
        const char* kinds[] = {"over", "ended", "lost"};
        const std::string task = one.group.substr(one.group.rfind('\0') + 1);
        all_.push_back(std::string(kinds[static_cast<int>(one.kind)]) + " " + task + " @" + to_text(next_ - at(0s)));
        last_ = std::move(one);
      }
    }
  }
  std::vector<std::string> news(Duration until) {
    close(until);
    return std::exchange(all_, {});
  }

  std::shared_ptr<const RuleSet> rules_;
  TaskTracker tracker_;
  EventFields fields_;
  std::uint64_t arguments_ = 0;
  bool is_unkeyed_ = false;
  RecordTime next_ = at(0s);
  std::vector<Task> closed_;
  std::vector<std::string> all_;
  TaskNews last_;
};

using News = std::vector<std::string>;

TEST(TaskTrackerCounts, TheSameCallAgainAndAgainIsNewsInTheSliceOfTheCallThatIsTooMany) {
  Feed feed(loop);
  for (int i = 0; i < 3; ++i) feed.call("a", 1s + i * 1min, "fetch");
  EXPECT_EQ(feed.news(3min), News{});
  feed.call("a", 3min + 1s, "fetch");
  EXPECT_EQ(feed.news(3min + 10s), News{"over a @3m10s"});
  EXPECT_EQ(feed.last_.value, 4);
  EXPECT_EQ(feed.last_.limit, 4);
  EXPECT_EQ(feed.last_.per, "fetch");
  EXPECT_EQ(feed.last_.elapsed, 3min);
  EXPECT_EQ(feed.last_.started, event_at(1s));
  feed.event(EventType::task_finished, "a", 4min);
  EXPECT_EQ(feed.news(30min), News{"ended a @4m10s"});
}

TEST(TaskTrackerCounts, OtherToolsOtherArgumentsAndOtherTasksAreCountedApart) {
  Feed feed(loop);
  for (int i = 0; i < 3; ++i) {
    feed.call("a", i * 1min, "fetch", 1);
    feed.call("a", i * 1min, "fetch", 2);
    feed.call("a", i * 1min, "search", 1);
    feed.call("b", i * 1min, "fetch", 1);
    feed.call("a", i * 1min, "poll", 1);
    feed.call("a", i * 1min + 1s, "poll", 1);
  }
  EXPECT_EQ(feed.news(5min), News{});
  feed.call("b", 5min, "fetch", 1);
  EXPECT_EQ(feed.news(6min), News{"over b @5m10s"});
}

TEST(TaskTrackerCounts, ASlowRepetitionIsNoLoop) {
  Feed feed(loop);
  for (int i = 0; i < 40; ++i) feed.call("a", i * 4min, "fetch");
  EXPECT_EQ(feed.news(3h), News{}) << "at most three within ten minutes";
}

TEST(TaskTrackerCounts, WithinAWindowItIsSaidAgainInEachSliceWithoutAWindowOnce) {
  Feed windowed(loop);
  for (int i = 0; i < 8; ++i) windowed.call("a", 1s + i * 4s, "fetch");
  EXPECT_EQ(windowed.news(1min), (News{"over a @20s", "over a @30s"})) << "the first four come at 1 to 13 s";
  Feed whole(rules("from: tool.call, value: count(), when: value > 3"));
  for (int i = 0; i < 8; ++i) whole.call("a", 1s + i * 4s, i % 2 == 0 ? "fetch" : "search");
  EXPECT_EQ(whole.news(1min), News{"over a @20s"});
  EXPECT_EQ(whole.last_.value, 4);
  EXPECT_EQ(whole.last_.limit, 3);
  EXPECT_EQ(whole.last_.per, "");
}

TEST(TaskTrackerCounts, TimesAreTheEventsOwnWhateverTimeTheLogHas) {
  Feed feed(loop);
  // Read in one go, an hour late: three within ten minutes, and one that is a quarter of an hour before.
  feed.call("a", 1h, "fetch", 1, 30min);
  for (int i = 0; i < 3; ++i) feed.call("a", 1h, "fetch", 1, 15min - i * 1min);
  EXPECT_EQ(feed.news(1h + 10s), News{});
  feed.call("a", 1h + 10s, "fetch", 1, 12min);
  EXPECT_EQ(feed.news(1h + 20s), News{"over a @1h20s"});
}

TEST(TaskTrackerCounts, AClockThatIsFarAheadOnceEmptiesNoWindowForGood) {
  Feed feed(loop);
  feed.call("a", 1s, "fetch", 1, -24h * 365);
  for (int i = 0; i < 3; ++i) feed.call("a", 2s + i * 1s, "fetch");
  EXPECT_EQ(feed.news(10s), News{"over a @10s"});
}

TEST(TaskTrackerCounts, ATimeBesideItIsWaitedForWhereTheCountComesFirst) {
  const std::string text = rules("from: tool.call, value: count(), when: value >= 3 && elapsed > 2m");
  Feed feed(text);
  for (int i = 0; i < 3; ++i) feed.call("early", 1s * i, "fetch");
  for (int i = 0; i < 2; ++i) feed.call("late", 1s * i, "fetch");
  EXPECT_EQ(feed.news(2min), News{});
  EXPECT_EQ(feed.news(5min), News{"over early @2m10s"}) << "2 min, and 5 s for what is on its way";
  EXPECT_EQ(feed.last_.value, 3);
  feed.call("late", 5min, "fetch");
  EXPECT_EQ(feed.news(6min), News{"over late @5m10s"});
}

TEST(TaskTrackerCounts, AnEventThatComesLateFindsTheTimeThatPassed) {
  Feed feed(rules("from: tool.call, value: count(), when: value >= 3 && elapsed > 2m"));
  for (int i = 0; i < 2; ++i) feed.call("a", 1s * i, "fetch");
  feed.call("a", 2min + 11s, "fetch", 1, 20s);  // at 1 min 51 s, once 2 min 10 s were looked at
  EXPECT_EQ(feed.news(3min), News{"over a @2m20s"});
}

TEST(TaskTrackerCounts, AWindowThatHasPassedWhenTheTimeComesIsNotFilledByWhatCameLater) {
  Feed feed(rules("from: tool.call, value: count(), window: 1m, when: value >= 3 && elapsed > 10m"));
  for (int i = 0; i < 3; ++i) feed.call("a", 1s * i, "fetch");
  EXPECT_EQ(feed.news(12min), News{});
  for (int i = 0; i < 2; ++i) feed.call("a", 12min + 1s * i, "fetch");
  EXPECT_EQ(feed.news(20min), News{});
  for (int i = 0; i < 3; ++i) feed.call("a", 20min + 1s * i, "fetch");
  EXPECT_EQ(feed.news(21min), News{"over a @20m10s"});
}

TEST(TaskTrackerCounts, SumsMoneyAgainstTheBoundOfTheTasksSpec) {
  const std::string text = rules("from: step, value: sum(cost), when: value > 2 * spec.cost.per_task",
                                 "specs: [{name: policy, version: '1', cost: {per_task: 0.50}}]\n");
  Feed feed(text);
  feed.fields_.set(StringField::spec, "policy");
  feed.fields_.set(StringField::spec_version, "1");
  feed.event(EventType::task_started, "a", 0s);
  feed.event(EventType::task_started, "undeclared", 0s);
  for (const char* task : {"a", "undeclared"}) {
    feed.step(task, 1s, 600'000);
    feed.step(task, 2s, 400'000);
  }
  feed.event(EventType::step, "a", 3s);  // costs nothing that is known
  EXPECT_EQ(feed.news(10s), News{}) << "one dollar is not more than one";
  for (const char* task : {"a", "undeclared"}) feed.step(task, 11s, 10'000);
  EXPECT_EQ(feed.news(20s), News{"over a @20s"});
  EXPECT_DOUBLE_EQ(feed.last_.value, 1.01);
  EXPECT_DOUBLE_EQ(feed.last_.limit, 1.0);
}

TEST(TaskTrackerCounts, WhatComesAfterTheEndOrOfATaskInSeveralPartitionsIsNotCounted) {
  Feed feed(loop);
  for (int i = 0; i < 3; ++i) feed.call("a", 1s * i, "fetch");
  feed.event(EventType::task_finished, "a", 4s);
  feed.call("a", 5s, "fetch");
  feed.is_unkeyed_ = true;
  for (int i = 0; i < 9; ++i) feed.call("b", 6s, "fetch");
  EXPECT_EQ(feed.news(1min), News{});
}

TEST(TaskTrackerCounts, ALoopAndTheEndInOneSliceAreBothNews) {
  Feed feed(loop);
  for (int i = 0; i < 5; ++i) feed.call("a", 1s * i, "fetch");
  feed.event(EventType::task_finished, "a", 6s);
  EXPECT_EQ(feed.news(1min), (News{"over a @10s", "ended a @10s"}));
}

TEST(TaskTrackerCounts, ATaskThatIsLostSaysSo) {
  Feed feed(rules("from: tool.call, value: count(), when: value >= 2, expire: 1h"));
  for (int i = 0; i < 2; ++i) feed.call("a", 1s * i, "fetch");
  EXPECT_EQ(feed.news(2h), (News{"over a @10s", "lost a @1h10s"}));
}

TEST(TaskTrackerCounts, WhatATaskTellsOfItselfLaterMovesItToNoOtherAlert) {
  Feed feed(loop);
  for (int i = 0; i < 4; ++i) feed.call("a", 1s * i, "fetch");
  feed.fields_.set(StringField::agent, "support");
  feed.event(EventType::task_finished, "a", 1min);
  EXPECT_EQ(feed.news(2min), (News{"over a @10s", "ended a @1m10s"}));
  EXPECT_EQ(feed.last_.group, std::string("\0\0a", 3)) << "as it was known when the alert began";
}

TEST(TaskTrackerCounts, ARuleThatIsEditedCountsAnewAndOthersGoOn) {
  Feed feed(rules("from: tool.call, value: count(), when: value >= 4") +
            "  - {alert: B, mode: task, from: tool.call, value: count(), when: value >= 4}\n");
  for (int i = 0; i < 3; ++i) feed.call("a", 1s * i, "fetch");
  EXPECT_EQ(feed.news(10s), News{});
  const auto edited = rules_from(rules("from: tool.call, where: has(tool), value: count(), when: value >= 4") +
                                 "  - {alert: B, mode: task, from: tool.call, value: count(), when: value >= 4}\n");
  feed.tracker_.change_rules(*edited);
  feed.call("a", 11s, "fetch");
  EXPECT_EQ(feed.news(20s), News{"over a @20s"});
  EXPECT_EQ(feed.last_.rule, 1u);
  for (int i = 0; i < 3; ++i) feed.call("a", 21s, "fetch");
  EXPECT_EQ(feed.news(30s), News{"over a @30s"});
  EXPECT_EQ(feed.last_.rule, 0u);
}

}  // namespace task_tracker_counts_test
}  // namespace tocsin
