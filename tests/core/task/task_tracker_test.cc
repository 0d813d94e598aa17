#include "core/task/task_tracker.h"

#include <gtest/gtest.h>

#include <map>

#include "core/test_support.h"

namespace tocsin {
namespace task_tracker_test {

using namespace std::chrono_literals;
using test::at;
using test::event_at;
using test::rules_from;

constexpr std::string_view over_wall_clock = R"(
groups:
- name: tasks
  rules:
  - {alert: TaskOverWallClock, mode: task, when: elapsed > 2 * spec.wall_clock, expire: 24h}
specs:
- {name: policy, version: "1", wall_clock: 10m}
)";

// Feeds a tracker as ingest does: events at their log time, and every grid time in between closed in order.
class Feed {
 public:
  explicit Feed(std::string_view rules = over_wall_clock, std::size_t most_tasks = 1'000)
      : rules_(rules_from(rules)), tracker_(*rules_, most_tasks) {
    close_until(at(0s));  // a tracker that has closed nothing: see timing_wheel_first_timer_finding.txt
  }

  EventFields& event(EventType type, std::string_view task, Duration own_time) {
    fields_ = EventFields{};
    fields_.type = type;
    fields_.time = event_at(own_time);
    fields_.set(StringField::correlation_id, task);
    fields_.set(StringField::env, "prod");
    fields_.set(StringField::agent, "support");
    fields_.set(StringField::spec, "policy");
    fields_.set(StringField::spec_version, "1");
    return fields_;
  }
  TaskTracker::Note apply(EventType type, std::string_view task, Duration own_time) {
    event(type, task, own_time);
    return apply(own_time);
  }
  TaskTracker::Note apply(Duration log_time) { return tracker_.apply(fields_, at(log_time)); }

  // Closes every grid time up to `until`; returns what became of tasks, as "over a @20m10s".
  std::vector<std::string> close_until(RecordTime until) {
    std::vector<std::string> all;
    for (; next_ <= until; next_ = next_ + slice_length) {
      news_.clear();
      closed_.clear();
      tracker_.close(next_, news_, closed_);
      for (const TaskNews& news : news_) {
        const char* kinds[] = {"over", "ended", "lost"};
        const std::string group = news.group.substr(news.group.rfind('\0') + 1);
        all.push_back(std::string(kinds[static_cast<int>(news.kind)]) + " " + group + " @" + to_text(next_ - at(0s)));
        last_ = news;
      }
      for (const Task& task : closed_) given_up_.push_back(task.correlation_id);
    }
    return all;
  }
  std::vector<std::string> close_until(Duration until) { return close_until(at(until)); }

  std::shared_ptr<const RuleSet> rules_;
  TaskTracker tracker_;
  EventFields fields_;
  RecordTime next_ = at(0s);
  std::vector<TaskNews> news_;
  std::vector<Task> closed_;
  std::vector<std::string> given_up_;
  TaskNews last_;
};

using News = std::vector<std::string>;

TEST(TaskTracker, FiresWhileTheTaskStillRunsAndSaysNothing) {
  Feed feed;
  feed.apply(EventType::task_started, "a", 3s);
  // The deadline is at 20 min 3 s; it is looked at 5 s later, at the next grid time.
  EXPECT_EQ(feed.close_until(20min), News{});
  EXPECT_EQ(feed.close_until(30min), News{"over a @20m10s"});
  EXPECT_EQ(feed.last_.elapsed, 20min + 7s);
  EXPECT_DOUBLE_EQ(feed.last_.limit, 1'200);
  EXPECT_DOUBLE_EQ(feed.last_.wall_clock, 600);
  EXPECT_EQ(feed.last_.started, event_at(3s));
  EXPECT_EQ(feed.last_.group, std::string("prod\0support\0a", 14));
  EXPECT_EQ(feed.close_until(3h), News{}) << "once";
}

TEST(TaskTracker, HeartbeatsDoNotMoveTheDeadline) {
  Feed feed;
  feed.apply(EventType::task_started, "a", 0s);
  News all;
  for (Duration t = 1min; t <= 30min; t += 1min) {
    for (std::string& item : feed.close_until(t)) all.push_back(item);
    feed.apply(EventType::task_heartbeat, "a", t);
  }
  EXPECT_EQ(all, News{"over a @20m10s"});
}

TEST(TaskTracker, AnEndInTimeNeverFires) {
  Feed feed;
  feed.apply(EventType::task_started, "a", 0s);
  feed.close_until(19min);
  EXPECT_TRUE(feed.apply(EventType::task_finished, "a", 20min).ended);
  EXPECT_EQ(feed.close_until(5h), News{});
  EXPECT_EQ(feed.tracker_.open_tasks(), 0u);
}

TEST(TaskTracker, ABacklogThatHoldsTheEndNeverFiresHoweverItsRecordsLie) {
  // A hundred tasks of 1 to 19 minutes; their records come in any order within a backlog that is read hours late.
  for (const std::uint64_t seed : test::seeds(20)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    test::Random random(seed);
    Feed feed;
    struct Record {
      EventType type;
      std::string task;
      Duration own;
    };
    std::vector<Record> records;
    for (int i = 0; i < 100; ++i) {
      const std::string task = "task-" + std::to_string(i);
      const Duration start = 1s * random.below(3'600);
      records.push_back({EventType::task_started, task, start});
      records.push_back({EventType::step, task, start + 30s});
      records.push_back({EventType::task_finished, task, start + 1min + 1s * random.below(18 * 60)});
    }
    random.shuffle(records);
    News all;
    for (const Record& record : records) {
      feed.event(record.type, record.task, record.own);
      feed.apply(5h + 1s);  // all within one slice, whose log time is hours later
    }
    EXPECT_EQ(feed.close_until(40h), News{});
    EXPECT_EQ(feed.tracker_.open_tasks(), 0u);
  }
}

TEST(TaskTracker, AnEndThatComesTooLateFiresAndEndsAtOnce) {
  Feed feed;
  feed.apply(EventType::task_started, "a", 0s);
  feed.apply(EventType::task_finished, "a", 25min);  // read before the deadline was looked at
  const News all = feed.close_until(1h);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].substr(0, 6), "over a");
  EXPECT_EQ(all[1].substr(0, 7), "ended a");
  EXPECT_EQ(feed.last_.elapsed, 25min) << "not longer than it ran";
}

TEST(TaskTracker, TheEndOfATaskThatFiredIsNewsWithItsOutcome) {
  Feed feed;
  feed.apply(EventType::task_started, "a", 0s);
  EXPECT_EQ(feed.close_until(25min), News{"over a @20m10s"});
  feed.event(EventType::task_finished, "a", 26min)
      .set(EnumField::outcome, static_cast<std::uint8_t>(Outcome::timed_out));
  feed.apply(26min);
  EXPECT_EQ(feed.close_until(27min), News{"ended a @25m10s"}) << "in the slice in which its end was read";
  EXPECT_EQ(feed.last_.outcome, Outcome::timed_out);
  EXPECT_EQ(feed.last_.elapsed, 26min);
}

TEST(TaskTracker, AnEndBeforeItsStartLeavesNoTaskThatNeverEnds) {
  Feed feed;
  EXPECT_TRUE(feed.apply(EventType::task_finished, "a", 5min).ended);
  feed.close_until(9min);
  feed.event(EventType::task_started, "a", 1min);
  EXPECT_FALSE(feed.apply(9min).opened);
  EXPECT_EQ(feed.tracker_.open_tasks(), 0u);
  EXPECT_EQ(feed.close_until(50h), News{});
}

TEST(TaskTracker, AnEndIsRememberedForTenMinutesOfLogTime) {
  Feed feed;
  feed.apply(EventType::task_started, "a", 0s);
  feed.apply(EventType::task_finished, "a", 1min);
  feed.close_until(10min);
  EXPECT_TRUE(feed.apply(EventType::task_finished, "a", 1min).repeated);
  feed.close_until(11min + 10s);
  EXPECT_TRUE(feed.apply(EventType::task_started, "a", 11min + 10s).opened) << "the id is free again";
}

TEST(TaskTracker, ARepeatedEndCountsNowhere) {
  Feed feed;
  feed.apply(EventType::task_started, "a", 0s);
  feed.close_until(25min);
  EXPECT_TRUE(feed.apply(EventType::task_finished, "a", 26min).ended);
  const auto again = feed.apply(EventType::task_finished, "a", 27min);
  EXPECT_TRUE(again.repeated);
  EXPECT_FALSE(again.ended);
  EXPECT_EQ(feed.close_until(1h), News{"ended a @25m10s"}) << "one end";
  EXPECT_EQ(feed.tracker_.open_tasks(), 0u);
}

TEST(TaskTracker, DeclaredPausesAreLeftOut) {
  Feed feed;
  feed.apply(EventType::task_started, "a", 0s);
  feed.apply(EventType::task_paused, "a", 10min);
  EXPECT_EQ(feed.close_until(70min), News{}) << "it waits for a person";
  feed.apply(EventType::task_resumed, "a", 70min);
  EXPECT_EQ(feed.close_until(79min + 50s), News{});
  EXPECT_EQ(feed.close_until(2h), News{"over a @1h20m10s"}) << "ten minutes before the pause, ten after it";
}

TEST(TaskTracker, ASecondPauseBeforeTheFirstEndedDoesNotShortenIt) {
  Feed feed;
  feed.apply(EventType::task_started, "a", 0s);
  feed.apply(EventType::task_paused, "a", 5min);
  feed.apply(EventType::task_paused, "a", 25min);
  feed.apply(EventType::task_resumed, "a", 30min);
  feed.apply(EventType::task_resumed, "a", 31min);
  EXPECT_EQ(feed.close_until(2h), News{"over a @45m10s"});
}

TEST(TaskTracker, ItsOwnBudgetOverridesTheSpecs) {
  Feed feed;
  feed.event(EventType::task_started, "quick", 0s).set(NumberField::budget_wall_clock, 60'000'000);
  feed.apply(0s);
  feed.event(EventType::task_started, "slow", 0s).set(NumberField::budget_wall_clock, 3'600'000'000);
  feed.apply(0s);
  feed.apply(EventType::task_started, "usual", 0s);
  EXPECT_EQ(feed.close_until(3h), (News{"over quick @2m10s", "over usual @20m10s", "over slow @2h10s"}));
}

TEST(TaskTracker, WithoutABudgetOrASpecNothingIsOver) {
  Feed feed;
  feed.event(EventType::task_started, "a", 0s).set(StringField::spec, "unheard of");
  feed.apply(0s);
  EXPECT_EQ(feed.close_until(23h), News{});
  EXPECT_EQ(feed.tracker_.open_tasks(), 1u);
}

TEST(TaskTracker, ATaskNeverClosedIsLostAfterItsExpiry) {
  Feed feed;
  feed.apply(EventType::task_started, "a", 0s);
  EXPECT_EQ(feed.close_until(23h), News{"over a @20m10s"});
  feed.apply(EventType::task_heartbeat, "a", 23h);
  EXPECT_EQ(feed.close_until(46h + 59min), News{}) << "a sign of life counts";
  EXPECT_EQ(feed.close_until(48h), News{"lost a @1d23h"});
  EXPECT_EQ(feed.given_up_, std::vector<std::string>{"a"});
  EXPECT_EQ(feed.tracker_.open_tasks(), 0u);
}

TEST(TaskTracker, AFirstEventThatOnlyATaskSendsOpensIt) {
  for (const EventType type : {EventType::task_heartbeat, EventType::task_paused, EventType::task_resumed,
                               EventType::step, EventType::tool_call}) {
    Feed feed;
    EXPECT_TRUE(feed.apply(type, "a", 0s).opened) << name_of(type);
  }
  for (const EventType type : {EventType::session_started, EventType::session_finished, EventType::system,
                               EventType::review, EventType::eval_result, EventType::spec_gap}) {
    Feed feed;
    EXPECT_EQ(feed.apply(type, "a", 0s).task, nullptr) << name_of(type) << " never opens one";
  }
}

TEST(TaskTracker, AStartThatComesLateMovesTheBeginningToWhereItWas) {
  Feed feed;
  feed.apply(EventType::step, "a", 5min);
  feed.event(EventType::task_started, "a", 4min).set(NumberField::budget_wall_clock, 600'000'000);
  feed.apply(5min);
  EXPECT_EQ(feed.close_until(1h), News{"over a @24m10s"});
}

TEST(TaskTracker, ASecondStartChangesNothing) {
  Feed feed;
  feed.apply(EventType::task_started, "a", 0s);
  feed.apply(EventType::task_started, "a", 15min);
  EXPECT_EQ(feed.close_until(1h), News{"over a @20m10s"});
  EXPECT_EQ(feed.tracker_.open_tasks(), 1u);
}

TEST(TaskTracker, AFullTableSaysSoAndGoesOnWithTheTasksItKnows) {
  Feed feed(over_wall_clock, 1);
  feed.apply(EventType::task_started, "a", 0s);
  EXPECT_TRUE(feed.apply(EventType::task_started, "b", 0s).not_tracked);
  EXPECT_EQ(feed.close_until(1h), News{"over a @20m10s"});
}

TEST(TaskTracker, SilenceIsTheTimeSinceTheLastEvent) {
  Feed feed(R"(
groups:
- {name: g, rules: [{alert: Silent, mode: task, when: silent > 5m}]}
)");
  feed.apply(EventType::task_started, "a", 0s);
  feed.close_until(4min);
  feed.apply(EventType::task_heartbeat, "a", 4min);
  EXPECT_EQ(feed.close_until(30min), News{"over a @9m10s"});
}

TEST(TaskTracker, TwoConditionsJoinedByAndFireAtTheLater) {
  Feed feed(R"(
groups:
- {name: g, rules: [{alert: Stuck, mode: task, when: elapsed > 10m && silent > 2m}]}
)");
  feed.apply(EventType::task_started, "a", 0s);
  feed.close_until(9min + 30s);
  feed.apply(EventType::task_heartbeat, "a", 9min + 30s);
  EXPECT_EQ(feed.close_until(1h), News{"over a @11m40s"});
}

TEST(TaskTracker, NewsOfOneSliceComeByRuleAndGroupWhateverTheOrderOfEvents) {
  for (const std::uint64_t seed : test::seeds(10)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    Feed feed;
    std::vector<std::string> ids{"a", "b", "c", "d", "e"};
    test::Random(seed).shuffle(ids);
    for (const std::string& id : ids) feed.apply(EventType::task_started, id, 0s);
    EXPECT_EQ(feed.close_until(1h),
              (News{"over a @20m10s", "over b @20m10s", "over c @20m10s", "over d @20m10s", "over e @20m10s"}));
  }
}

// Plain reading: for every task one deadline, looked at in the first grid time 5 s after it.
TEST(TaskTracker, FiresWhatAPlainReadingOfTheEventsFires) {
  for (const std::uint64_t seed : test::seeds(60)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    test::Random random(seed);
    Feed feed;
    std::multimap<Duration, std::pair<EventType, std::string>> records;
    std::map<std::string, std::string> expected;
    for (int i = 0; i < 60; ++i) {
      const std::string id = "task-" + std::to_string(100 + i);
      const Duration start = 1s * random.below(4 * 3'600);
      const Duration run = 1s * random.below(90 * 60);
      records.emplace(start, std::pair(EventType::task_started, id));
      for (int beat = 0; beat < 3; ++beat) {
        records.emplace(start + 1s * random.below(run / 1s + 1), std::pair(EventType::task_heartbeat, id));
      }
      const bool ends = random.below(4) != 0;
      if (ends) records.emplace(start + run, std::pair(EventType::task_finished, id));
      if (!ends || run > 20min) {
        expected[id] = "over " + id + " @" + to_text(ceil_to(at(start + 20min + 5s), slice_length) - at(0s));
      }
    }
    // Records of one slice come in before it closes, in the order of their times.
    std::map<std::string, std::string> found;
    const auto take = [&](const News& news) {
      for (const std::string& item : news) {
        if (item.starts_with("over")) found[item.substr(5, 8)] = item;
      }
    };
    for (const auto& [time, record] : records) {
      take(feed.close_until(floor_to(at(time), slice_length)));
      feed.apply(record.first, record.second, time);
    }
    take(feed.close_until(8h));
    EXPECT_EQ(found, expected);
  }
}

}  // namespace task_tracker_test
}  // namespace tocsin
