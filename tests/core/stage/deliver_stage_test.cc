#include "core/stage/deliver_stage.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "core/test_support.h"

namespace tocsin {
namespace deliver_stage_test {

using namespace std::chrono_literals;

OutboxPage page(std::int64_t offset, const std::string& id, const std::string& alert) {
  return {offset, id, alert, "{\"page\":\"" + id + "\"}"};
}

DeliveryResult answer(const std::string& id, DeliveryOutcome outcome, std::optional<Duration> retry_after = {}) {
  DeliveryResult result;
  result.page_id = id;
  result.outcome = outcome;
  result.retry_after = retry_after;
  return result;
}

std::string next_id(DeliverStage& stage, Duration now) {
  const auto delivery = stage.next(now);
  return delivery ? delivery->page_id : "";
}

TEST(DeliverStage, HandsOutAPageAsItWasWritten) {
  DeliverStage stage({});
  EXPECT_TRUE(stage.offer(page(5, "a:1:firing", "a"), 0s));
  const auto delivery = stage.next(0s);
  ASSERT_TRUE(delivery);
  EXPECT_EQ(delivery->page_id, "a:1:firing");
  EXPECT_EQ(delivery->body, R"({"page":"a:1:firing"})");
  EXPECT_FALSE(stage.next(0s)) << "one attempt at a time";
}

TEST(DeliverStage, AResolutionWaitsUntilItsTriggerWasTaken) {
  DeliverStage stage({});
  stage.offer(page(1, "a:1:firing", "a"), 0s);
  stage.offer(page(2, "a:1:resolved", "a"), 0s);
  EXPECT_EQ(next_id(stage, 0s), "a:1:firing");
  EXPECT_EQ(next_id(stage, 1h), "");
  stage.settle(answer("a:1:firing", DeliveryOutcome::retry), 0s);
  EXPECT_EQ(next_id(stage, 1h), "a:1:firing") << "the resolution never overtakes";
  stage.settle(answer("a:1:firing", DeliveryOutcome::delivered), 1h);
  EXPECT_EQ(next_id(stage, 1h), "a:1:resolved");
}

TEST(DeliverStage, PagesOfDifferentAlertsDoNotWaitForEachOther) {
  DeliverStage stage({});
  stage.offer(page(1, "a:1:firing", "a"), 0s);
  stage.offer(page(2, "b:1:firing", "b"), 0s);
  EXPECT_EQ(next_id(stage, 0s), "a:1:firing");
  EXPECT_EQ(next_id(stage, 0s), "b:1:firing");
  stage.settle(answer("b:1:firing", DeliveryOutcome::delivered), 1s);
  EXPECT_EQ(stage.figures().delivered, 1);
}

TEST(DeliverStage, BackOffDoublesUpToItsBoundWithJitterBetweenHalfAndWhole) {
  DeliveryPolicy policy;
  policy.first_retry = 1s;
  policy.longest_retry = 60s;
  DeliverStage stage(policy);
  stage.offer(page(1, "p", "a"), 0s);
  Duration now = 0s;
  for (int attempt = 1; attempt <= 40; ++attempt) {
    ASSERT_EQ(next_id(stage, now), "p") << attempt;
    stage.settle(answer("p", DeliveryOutcome::retry), now);
    const auto due = stage.next_due();
    ASSERT_TRUE(due);
    const Duration whole = attempt > 6 ? Duration{60s} : Duration{1s * (1 << (attempt - 1))};
    EXPECT_GE(*due - now, std::min<Duration>(whole, 60s) / 2) << attempt;
    EXPECT_LE(*due - now, std::min<Duration>(whole, 60s)) << attempt;
    EXPECT_EQ(next_id(stage, *due - 1ms), "") << "not before it is due";
    now = *due;
  }
  EXPECT_EQ(stage.figures().failed_attempts, 40);
  EXPECT_EQ(stage.figures().pending, 1u) << "for as long as it takes";
}

TEST(DeliverStage, PagesThatFailedTogetherDoNotComeBackTogether) {
  DeliveryPolicy policy;
  policy.most_in_flight = 100;
  DeliverStage stage(policy);
  std::map<Duration, int> dues;
  for (int i = 0; i < 50; ++i) {
    DeliverStage one(policy);
    const std::string id = "p" + std::to_string(i);
    one.offer(page(i, id, id), 0s);
    one.next(0s);
    one.settle(answer(id, DeliveryOutcome::retry), 0s);
    ++dues[*one.next_due()];
  }
  EXPECT_GT(dues.size(), 30u);
}

TEST(DeliverStage, RetryAfterIsObeyedUpToItsBound) {
  DeliveryPolicy policy;
  policy.longest_retry_after = 1h;
  DeliverStage stage(policy);
  stage.offer(page(1, "p", "a"), 0s);
  stage.next(0s);
  stage.settle(answer("p", DeliveryOutcome::retry, 120s), 0s);
  EXPECT_EQ(stage.next_due(), 120s);
  EXPECT_EQ(next_id(stage, 119s), "");
  EXPECT_EQ(next_id(stage, 120s), "p");
  stage.settle(answer("p", DeliveryOutcome::retry, 1'000h), 120s);
  EXPECT_EQ(stage.next_due(), 120s + 1h) << "nobody puts us off for six weeks";
}

TEST(DeliverStage, ARetryAfterOfNothingDoesNotShortenTheBackOff) {
  DeliverStage stage({});
  stage.offer(page(1, "p", "a"), 0s);
  stage.next(0s);
  stage.settle(answer("p", DeliveryOutcome::retry, 0s), 0s);
  EXPECT_GE(*stage.next_due(), 500ms);
}

TEST(DeliverStage, APageTheReceiverWillNeverTakeIsParkedAndTheNextGoesOn) {
  DeliverStage stage({});
  stage.offer(page(1, "a:1:firing", "a"), 0s);
  stage.offer(page(2, "a:1:resolved", "a"), 0s);
  stage.next(0s);
  stage.settle(answer("a:1:firing", DeliveryOutcome::rejected), 0s);
  EXPECT_EQ(stage.figures().parked, 1);
  EXPECT_EQ(stage.figures().delivered, 0);
  EXPECT_EQ(next_id(stage, 0s), "a:1:resolved");
  EXPECT_EQ(stage.committed(3), 2) << "a parked page is settled";
}

TEST(DeliverStage, AReceiverThatIsGoneGetsNothingNew) {
  DeliverStage stage({});
  stage.offer(page(1, "a", "a"), 0s);
  stage.next(0s);
  stage.settle(answer("a", DeliveryOutcome::gone), 0s);
  EXPECT_TRUE(stage.figures().disabled);
  EXPECT_TRUE(stage.offer(page(2, "b", "b"), 1s)) << "the outbox does not wait for it";
  EXPECT_EQ(next_id(stage, 1h), "");
  EXPECT_EQ(stage.figures().parked, 2);
  EXPECT_EQ(stage.committed(3), 3);
}

TEST(DeliverStage, TheCommittedOffsetIsTheLowestThatIsNotSettled) {
  DeliverStage stage({});
  EXPECT_EQ(stage.committed(7), 7) << "everything before the end";
  for (int i = 10; i < 14; ++i) stage.offer(page(i, "p" + std::to_string(i), "alert" + std::to_string(i)), 0s);
  for (int i = 0; i < 4; ++i) stage.next(0s);
  stage.settle(answer("p12", DeliveryOutcome::delivered), 0s);
  stage.settle(answer("p11", DeliveryOutcome::delivered), 0s);
  EXPECT_EQ(stage.committed(14), 10);
  stage.settle(answer("p10", DeliveryOutcome::delivered), 0s);
  EXPECT_EQ(stage.committed(14), 13);
  stage.settle(answer("p13", DeliveryOutcome::delivered), 0s);
  EXPECT_EQ(stage.committed(14), 14);
}

TEST(DeliverStage, AFullHeapRefusesUntilThereIsRoom) {
  DeliveryPolicy policy;
  policy.most_pending = 2;
  DeliverStage stage(policy);
  EXPECT_TRUE(stage.offer(page(1, "a", "a"), 0s));
  EXPECT_TRUE(stage.offer(page(2, "b", "b"), 0s));
  EXPECT_FALSE(stage.offer(page(3, "c", "c"), 0s));
  EXPECT_TRUE(stage.offer(page(2, "b", "b"), 0s)) << "what is pending needs no more room";
  stage.next(0s);
  stage.settle(answer("a", DeliveryOutcome::delivered), 0s);
  EXPECT_TRUE(stage.offer(page(3, "c", "c"), 0s));
  EXPECT_EQ(stage.figures().pending, 2u);
}

TEST(DeliverStage, APageThatIsPendingIsTakenOnce) {
  DeliverStage stage({});
  stage.offer(page(1, "a", "a"), 0s);
  stage.offer(page(2, "a", "a"), 0s);
  EXPECT_EQ(stage.figures().pending, 1u);
  EXPECT_EQ(next_id(stage, 0s), "a");
  stage.settle(answer("a", DeliveryOutcome::delivered), 0s);
  EXPECT_EQ(next_id(stage, 1h), "");
  EXPECT_EQ(stage.committed(3), 3);
}

TEST(DeliverStage, NoMoreAttemptsAtOnceThanThePolicyAllows) {
  DeliveryPolicy policy;
  policy.most_in_flight = 2;
  DeliverStage stage(policy);
  for (int i = 0; i < 5; ++i) stage.offer(page(i, std::to_string(i), std::to_string(i)), 0s);
  EXPECT_EQ(next_id(stage, 0s), "0");
  EXPECT_EQ(next_id(stage, 0s), "1");
  EXPECT_EQ(next_id(stage, 0s), "");
  EXPECT_FALSE(stage.next_due()) << "only a result helps now";
  stage.settle(answer("1", DeliveryOutcome::retry), 0s);
  EXPECT_EQ(next_id(stage, 0s), "2");
}

TEST(DeliverStage, AResultThatNobodyOwesIsIgnored) {
  DeliverStage stage({});
  stage.offer(page(1, "a", "a"), 0s);
  stage.settle(answer("a", DeliveryOutcome::delivered), 0s);
  stage.settle(answer("never heard of", DeliveryOutcome::delivered), 0s);
  EXPECT_EQ(stage.figures().delivered, 0);
  EXPECT_EQ(next_id(stage, 0s), "a");
  stage.settle(answer("a", DeliveryOutcome::delivered), 0s);
  stage.settle(answer("a", DeliveryOutcome::delivered), 0s);
  EXPECT_EQ(stage.figures().delivered, 1);
}

// Whatever the receiver does and however often we crash: every page arrives, in the order of its alert.
TEST(DeliverStage, EveryPageArrivesInOrderThroughFailuresAndCrashes) {
  for (const std::uint64_t seed : test::seeds(60)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    test::Random random(seed);
    constexpr int count = 60;
    std::vector<OutboxPage> outbox;
    for (int i = 0; i < count; ++i) {
      const std::string alert = "alert" + std::to_string(random.below(7));
      outbox.push_back(page(i, alert + ":" + std::to_string(i), alert));
    }
    DeliveryPolicy policy;
    policy.most_pending = 10;
    policy.most_in_flight = 3;
    auto stage = std::make_unique<DeliverStage>(policy);
    std::int64_t read = 0, committed = 0;
    Duration now = 0s;
    std::map<std::string, std::vector<std::int64_t>> arrived;
    std::vector<std::string> in_flight;
    for (int step = 0; step < 100'000 && committed < count; ++step) {
      while (read < count && stage->offer(outbox[static_cast<std::size_t>(read)], now)) ++read;
      while (const auto delivery = stage->next(now)) in_flight.push_back(delivery->page_id);
      if (in_flight.empty()) {
        ASSERT_TRUE(stage->next_due());
        now = std::max(now, *stage->next_due());
        continue;
      }
      const auto chosen = static_cast<std::size_t>(random.below(static_cast<std::int64_t>(in_flight.size())));
      const std::string id = in_flight[chosen];
      in_flight.erase(in_flight.begin() + static_cast<std::ptrdiff_t>(chosen));
      const bool arrives = random.below(3) == 0;
      const std::string alert = id.substr(0, id.find(':'));
      if (arrives) arrived[alert].push_back(std::stoll(id.substr(id.find(':') + 1)));
      if (random.below(40) == 0) {  // a crash: even an answer is forgotten
        stage = std::make_unique<DeliverStage>(policy);
        read = committed;
        in_flight.clear();
        continue;
      }
      stage->settle(answer(id, arrives ? DeliveryOutcome::delivered : DeliveryOutcome::retry), now);
      const std::int64_t before = committed;
      committed = stage->committed(read);
      ASSERT_GE(committed, before) << "an offset never goes back";
    }
    ASSERT_EQ(committed, count);
    for (const OutboxPage& sent : outbox) {
      const auto& list = arrived[sent.alert_key];
      EXPECT_NE(std::find(list.begin(), list.end(), sent.offset), list.end()) << sent.page_id << " never arrived";
    }
    // The first arrival of each page of an alert comes in the order of the outbox.
    for (const auto& [alert, list] : arrived) {
      std::int64_t newest = -1;
      std::vector<std::int64_t> seen;
      for (const std::int64_t offset : list) {
        if (std::find(seen.begin(), seen.end(), offset) != seen.end()) continue;
        EXPECT_GT(offset, newest) << alert;
        newest = offset;
        seen.push_back(offset);
      }
    }
  }
}

}  // namespace deliver_stage_test
}  // namespace tocsin
