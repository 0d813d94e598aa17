#include "core/halt/ack_watch.h"

#include <gtest/gtest.h>

#include "core/halt/halt_record.h"
#include "core/test_support.h"

namespace tocsin {
namespace ack_watch_test {

using namespace std::chrono_literals;
using test::at;
using test::event_at;

HaltRecord halt(const std::string& id, const std::string& scope, HaltState state = HaltState::enforced) {
  HaltRecord record;
  record.id = id;
  record.scope = scope;
  record.state = state;
  record.agent = "support";
  record.expires_at = event_at(10min);
  return record;
}

class AckWatchTest : public testing::Test {
 protected:
  void put(const HaltRecord& record, Duration arrived) {
    ASSERT_TRUE(watch.apply_halt(record.key(), to_json(record), at(arrived)));
  }
  void acknowledge(const std::string& id, const std::string& scope) {
    ASSERT_TRUE(watch.apply_ack(R"({"kind":"halt_ack","halt_id":")" + id + R"(","scope":")" + scope +
                                R"(","by":"obey.py","at":"2026-01-05T00:00:00.000Z"})"));
  }
  std::string overdue(Duration now) {
    std::string text;
    const AckReport report = watch.advance(at(now));
    for (const Unacknowledged& one : report.overdue) text += "+" + one.scope + "/" + one.halt_id;
    for (const auto& [scope, reason] : report.ended) text += "-" + scope + ": " + reason;
    return text;
  }

  AckWatch watch;
};

TEST_F(AckWatchTest, AHaltThatNobodyAcknowledgesIsOverdueAfterThirtySeconds) {
  put(halt("a", "task:1"), 5s);
  EXPECT_EQ(overdue(35s - 1ms), "");
  EXPECT_EQ(overdue(35s), "+task:1/a");
  EXPECT_EQ(overdue(45s), "+task:1/a") << "as long as it is";
  acknowledge("a", "task:1");
  EXPECT_EQ(overdue(50s), "-task:1: acknowledged by obey.py");
  EXPECT_EQ(overdue(60s), "");
}

TEST_F(AckWatchTest, AnAcknowledgementInTimeRaisesNothingWhicheverTopicIsReadFirst) {
  acknowledge("a", "task:1");
  put(halt("a", "task:1"), 0s);
  put(halt("b", "task:1"), 0s);
  acknowledge("b", "task:1");
  HaltRecord again = halt("b", "task:1");
  again.count = 2;
  put(again, 10s);
  EXPECT_EQ(overdue(2min), "");
  EXPECT_EQ(watch.waiting(), 0U);
}

TEST_F(AckWatchTest, AnAcknowledgementOfAnotherScopeDoesNotCount) {
  put(halt("a", "task:1"), 0s);
  acknowledge("a", "task:2");
  EXPECT_EQ(overdue(30s), "+task:1/a");
}

TEST_F(AckWatchTest, ARepeatedHaltCountsFromItsFirstRecord) {
  put(halt("a", "task:1"), 0s);
  put(halt("a", "task:1"), 20s);
  EXPECT_EQ(overdue(30s), "+task:1/a");
}

TEST_F(AckWatchTest, DryRunsAndHeldHaltsAreNotWaitedFor) {
  put(halt("a", "task:1", HaltState::dry_run), 0s);
  put(halt("b", "task:2", HaltState::held), 0s);
  EXPECT_EQ(overdue(2min), "");
}

TEST_F(AckWatchTest, AReleaseEndsTheAlarmAndOneBeforeItPreventsIt) {
  put(halt("a", "task:1"), 0s);
  EXPECT_EQ(overdue(30s), "+task:1/a");
  const HaltRelease release{"a", "task:1", "ann", "checked", event_at(40s)};
  ASSERT_TRUE(watch.apply_halt(release.key(), to_json(release), at(40s)));
  EXPECT_EQ(overdue(40s), "-task:1: released by ann");
  const HaltRelease early{"b", "task:2", "ann", "checked", event_at(41s)};
  ASSERT_TRUE(watch.apply_halt(early.key(), to_json(early), at(41s)));
  put(halt("b", "task:2"), 42s);
  EXPECT_EQ(overdue(2min), "");
}

TEST_F(AckWatchTest, ExpiryEndsTheAlarmByItsTimeOrByItsTombstone) {
  put(halt("a", "task:1"), 0s);
  put(halt("b", "task:2"), 0s);
  EXPECT_EQ(overdue(30s), "+task:1/a+task:2/b");
  ASSERT_TRUE(watch.apply_halt("halt/task:1/a", "", at(40s)));
  EXPECT_EQ(overdue(50s), "+task:2/b-task:1: the halt has expired");
  EXPECT_EQ(overdue(10min), "-task:2: the halt has expired");
}

TEST_F(AckWatchTest, AScopeIsOverdueWhileOneOfItsHaltsIs) {
  put(halt("b", "task:1"), 0s);
  put(halt("a", "task:1"), 5s);
  EXPECT_EQ(overdue(35s), "+task:1/b") << "the one that has waited longest";
  acknowledge("b", "task:1");
  EXPECT_EQ(overdue(40s), "+task:1/a");
  acknowledge("a", "task:1");
  EXPECT_EQ(overdue(45s), "-task:1: acknowledged by obey.py");
}

TEST_F(AckWatchTest, ForeignRecordsAreRefused) {
  EXPECT_FALSE(watch.apply_halt("silence/a", "{}", at(0s)));
  EXPECT_FALSE(watch.apply_halt("halt/task:1/b", to_json(halt("a", "task:1")), at(0s)));
  EXPECT_FALSE(watch.apply_ack("no JSON"));
  EXPECT_FALSE(watch.apply_ack(R"({"kind":"halt_ack","halt_id":"a"})"));
  EXPECT_FALSE(watch.apply_ack(std::string(20'000, ' ')));
}

}  // namespace ack_watch_test
}  // namespace tocsin
