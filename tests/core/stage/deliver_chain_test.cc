// A receiver and its fallback: which pages go on, when, in which order, and that a dead receiver loses nothing.

#include "core/stage/deliver_chain.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>

#include "core/test_support.h"

namespace tocsin {
namespace deliver_chain_test {

using namespace std::chrono_literals;

using Outcome = DeliveryOutcome;

OutboxPage page(std::int64_t offset, const std::string& id) {
  return {offset, id, id.substr(0, id.find(':')), "{\"page\":\"" + id + "\"}"};
}

DeliveryResult answer(const std::string& id, Outcome outcome) {
  DeliveryResult result;
  result.page_id = id;
  result.outcome = outcome;
  return result;
}

DeliverChain two_lanes(DeliveryPolicy policy = {}) {
  return DeliverChain({{"on-call", 5min}, {"backup", 5min}}, policy);
}

// What the chain wants tried now, as "lane page".
std::vector<std::string> tries(DeliverChain& chain, Duration now) {
  std::vector<std::string> all;
  while (const auto attempt = chain.next(now)) {
    all.push_back(chain.receiver(attempt->lane) + " " + attempt->delivery.page_id);
  }
  return all;
}

using Tries = std::vector<std::string>;

TEST(DeliverChain, APageThatIsTakenInTimeGoesNowhereElse) {
  DeliverChain chain = two_lanes();
  ASSERT_TRUE(chain.offer(page(1, "a:1:firing"), 0s));
  EXPECT_EQ(tries(chain, 0s), Tries{"on-call a:1:firing"});
  chain.settle(0, answer("a:1:firing", Outcome::delivered), 1s);
  EXPECT_EQ(tries(chain, 1h), Tries{});
  EXPECT_FALSE(chain.next_due());
  EXPECT_EQ(chain.committed(2), 2);
  EXPECT_EQ(chain.figures(1).delivered, 0);
}

TEST(DeliverChain, APageThatIsNotTakenInTimeGoesToTheFallbackTooAndTheFirstGoesOnBeingTried) {
  DeliverChain chain = two_lanes();
  chain.offer(page(1, "a:1:firing"), 0s);
  tries(chain, 0s);
  EXPECT_EQ(chain.next_due(), 5min) << "while its attempt hangs";
  EXPECT_EQ(tries(chain, 5min - 1ms), Tries{});
  EXPECT_EQ(tries(chain, 5min), Tries{"backup a:1:firing"});
  chain.settle(1, answer("a:1:firing", Outcome::delivered), 5min);
  chain.settle(0, answer("a:1:firing", Outcome::retry), 6min);
  EXPECT_EQ(chain.committed(2), 1) << "its own receiver does not have it";
  EXPECT_EQ(tries(chain, 8min), Tries{"on-call a:1:firing"});
  chain.settle(0, answer("a:1:firing", Outcome::delivered), 8min);
  EXPECT_EQ(chain.committed(2), 2);
  EXPECT_EQ(tries(chain, 1h), Tries{});
  EXPECT_EQ(chain.figures(0).delivered, 1);
  EXPECT_EQ(chain.figures(1).delivered, 1);
}

TEST(DeliverChain, APageThatIsRefusedForGoodGoesToTheFallbackAtOnce) {
  DeliverChain chain = two_lanes();
  chain.offer(page(1, "a:1:firing"), 0s);
  tries(chain, 0s);
  chain.settle(0, answer("a:1:firing", Outcome::rejected), 1s);
  EXPECT_EQ(chain.committed(2), 1) << "parked, and the fallback does not have it yet";
  EXPECT_LE(*chain.next_due(), 1s);
  EXPECT_EQ(tries(chain, 1s), Tries{"backup a:1:firing"});
  chain.settle(1, answer("a:1:firing", Outcome::rejected), 2s);
  EXPECT_EQ(chain.committed(2), 2) << "nobody will take it: parked twice";
  EXPECT_EQ(chain.figures(0).parked, 1);
  EXPECT_EQ(chain.figures(1).parked, 1);
}

TEST(DeliverChain, APageThatIsRefusedAfterItWentOnGoesOnOnce) {
  DeliverChain chain = two_lanes();
  chain.offer(page(1, "a:1:firing"), 0s);
  tries(chain, 0s);
  EXPECT_EQ(tries(chain, 5min), Tries{"backup a:1:firing"});
  chain.settle(1, answer("a:1:firing", Outcome::delivered), 5min);
  chain.settle(0, answer("a:1:firing", Outcome::rejected), 6min);
  EXPECT_EQ(tries(chain, 1h), Tries{});
  EXPECT_EQ(chain.committed(2), 2);
}

TEST(DeliverChain, AReceiverThatWantsNoMoreSendsEverythingToItsFallback) {
  DeliverChain chain = two_lanes();
  std::int64_t offset = 0;
  for (const char* id : {"a:1:firing", "b:1:firing", "a:1:resolved"}) {
    chain.offer(page(++offset, id), 0s);
  }
  EXPECT_EQ(tries(chain, 0s), (Tries{"on-call a:1:firing", "on-call b:1:firing"}));
  chain.settle(0, answer("a:1:firing", Outcome::gone), 1s);
  EXPECT_FALSE(chain.offer(page(4, "b:1:resolved"), 1s)) << "its trigger is still on the way to the first one";
  EXPECT_EQ(tries(chain, 1s), Tries{"backup a:1:firing"}) << "its resolution waits its turn";
  chain.settle(0, answer("b:1:firing", Outcome::retry), 2s);
  EXPECT_EQ(tries(chain, 2s), Tries{"backup b:1:firing"});
  EXPECT_TRUE(chain.offer(page(4, "b:1:resolved"), 2s));
  chain.settle(1, answer("a:1:firing", Outcome::delivered), 3s);
  chain.settle(1, answer("b:1:firing", Outcome::delivered), 3s);
  EXPECT_EQ(tries(chain, 3s), (Tries{"backup a:1:resolved", "backup b:1:resolved"}));
  chain.settle(1, answer("a:1:resolved", Outcome::delivered), 4s);
  chain.settle(1, answer("b:1:resolved", Outcome::delivered), 4s);
  EXPECT_EQ(chain.committed(5), 5);
  EXPECT_TRUE(chain.figures(0).disabled);
  EXPECT_EQ(chain.figures(0).parked, 4);
}

TEST(DeliverChain, TheResolutionOfAPageThatWentOnFollowsItAtOnce) {
  DeliverChain chain = two_lanes();
  chain.offer(page(1, "a:1:firing"), 0s);
  tries(chain, 0s);
  tries(chain, 5min);
  chain.settle(1, answer("a:1:firing", Outcome::delivered), 5min);
  chain.settle(0, answer("a:1:firing", Outcome::delivered), 6min);  // it is back
  chain.offer(page(2, "a:1:resolved"), 7min);
  EXPECT_EQ(tries(chain, 7min), (Tries{"on-call a:1:resolved", "backup a:1:resolved"}));
  chain.settle(0, answer("a:1:resolved", Outcome::delivered), 7min);
  chain.settle(1, answer("a:1:resolved", Outcome::delivered), 7min);
  // The next episode is another incident: it is the first one's own.
  chain.offer(page(3, "a:2:firing"), 8min);
  EXPECT_EQ(tries(chain, 8min), Tries{"on-call a:2:firing"});
  chain.settle(0, answer("a:2:firing", Outcome::delivered), 8min);
  chain.offer(page(4, "a:2:resolved"), 8min);
  EXPECT_EQ(tries(chain, 8min), Tries{"on-call a:2:resolved"});
}

TEST(DeliverChain, AResolutionThatWaitsBehindItsTriggerGoesOnBehindIt) {
  DeliverChain chain = two_lanes();
  chain.offer(page(1, "a:1:firing"), 0s);
  chain.offer(page(2, "a:1:resolved"), 1min);
  chain.offer(page(3, "a:2:firing"), 2min);
  EXPECT_EQ(tries(chain, 2min), Tries{"on-call a:1:firing"});
  EXPECT_EQ(tries(chain, 5min), Tries{"backup a:1:firing"});
  chain.settle(1, answer("a:1:firing", Outcome::delivered), 5min);
  EXPECT_EQ(tries(chain, 5min), Tries{"backup a:1:resolved"});
  chain.settle(1, answer("a:1:resolved", Outcome::delivered), 5min);
  EXPECT_EQ(tries(chain, 7min - 1ms), Tries{}) << "the second episode has time left";
  EXPECT_EQ(tries(chain, 7min), Tries{"backup a:2:firing"});
}

TEST(DeliverChain, AFallbackOfTheFallbackGetsWhatNeitherTakes) {
  DeliverChain chain({{"on-call", 5min}, {"backup", 2min}, {"last", 5min}}, {});
  chain.offer(page(1, "a:1:firing"), 0s);
  tries(chain, 0s);
  EXPECT_EQ(tries(chain, 5min), Tries{"backup a:1:firing"});
  EXPECT_EQ(chain.next_due(), 7min);
  EXPECT_EQ(tries(chain, 7min), Tries{"last a:1:firing"});
  chain.settle(2, answer("a:1:firing", Outcome::delivered), 7min);
  chain.offer(page(2, "a:1:resolved"), 8min);
  tries(chain, 8min);
  EXPECT_EQ(chain.figures(2).pending, 1u) << "the resolution follows through both";
  EXPECT_EQ(chain.committed(3), 1);
}

TEST(DeliverChain, AFullLaneLetsGoOfWhatTheFallbackHasAndOfNothingElse) {
  DeliveryPolicy policy;
  policy.most_pending = 2;
  DeliverChain chain = two_lanes(policy);
  chain.offer(page(1, "a:1:firing"), 0s);
  chain.offer(page(2, "b:1:firing"), 0s);
  EXPECT_FALSE(chain.offer(page(3, "c:1:firing"), 0s)) << "nobody has any of them";
  tries(chain, 0s);
  for (const char* id : {"a:1:firing", "b:1:firing"}) chain.settle(0, answer(id, Outcome::retry), 5min - 1ms);
  EXPECT_EQ(tries(chain, 5min), (Tries{"backup a:1:firing", "backup b:1:firing"}));
  EXPECT_FALSE(chain.offer(page(3, "c:1:firing"), 5min));
  chain.settle(1, answer("b:1:firing", Outcome::delivered), 5min);
  EXPECT_TRUE(chain.offer(page(3, "c:1:firing"), 5min));
  EXPECT_EQ(chain.figures(0).left_to_fallback, 1);
  EXPECT_FALSE(chain.offer(page(4, "d:1:firing"), 5min)) << "the other one nobody has";
  EXPECT_EQ(chain.committed(4), 1);
}

TEST(DeliverChain, AFallbackWithoutRoomLosesNoPageAndKeepsNobodyAwake) {
  DeliveryPolicy policy;
  policy.most_pending = 1;
  DeliverChain chain = two_lanes(policy);
  chain.offer(page(1, "a:1:firing"), 0s);
  tries(chain, 0s);
  chain.settle(0, answer("a:1:firing", Outcome::rejected), 0s);
  EXPECT_EQ(tries(chain, 0s), Tries{"backup a:1:firing"});
  ASSERT_TRUE(chain.offer(page(2, "b:1:firing"), 0s));
  EXPECT_EQ(tries(chain, 0s), Tries{"on-call b:1:firing"});
  chain.settle(0, answer("b:1:firing", Outcome::rejected), 0s);
  EXPECT_FALSE(chain.offer(page(3, "c:1:firing"), 0s)) << "one is parked and waits for the fallback";
  EXPECT_EQ(tries(chain, 1h), Tries{});
  EXPECT_FALSE(chain.next_due()) << "only a result helps now";
  EXPECT_EQ(chain.committed(3), 1);
  chain.settle(1, answer("a:1:firing", Outcome::delivered), 1h);
  EXPECT_EQ(chain.committed(3), 2);
  EXPECT_EQ(tries(chain, 1h), Tries{"backup b:1:firing"});
  chain.settle(1, answer("b:1:firing", Outcome::delivered), 1h);
  EXPECT_EQ(chain.committed(3), 3);
}

// Whatever both receivers do and however often we crash: every page arrives at one of them, between two crashes in
// the order of its alert at each, and a receiver that fails for ever stops nothing.
TEST(DeliverChain, EveryPageArrivesSomewhereInOrderThroughFailuresAndCrashes) {
  for (const std::uint64_t seed : test::seeds(60)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    test::Random random(seed);
    const bool dead = seed % 3 == 0;
    constexpr std::int64_t count = 60;
    std::vector<OutboxPage> outbox;
    std::map<std::string, int> written;  // by alert
    for (std::int64_t i = 0; i < count; ++i) {
      const std::string alert = "alert" + std::to_string(random.below(7));
      const int number = written[alert]++;
      outbox.push_back(
          page(i, alert + ":" + std::to_string(number / 2 + 1) + (number % 2 == 0 ? ":firing" : ":resolved")));
    }
    DeliveryPolicy policy;
    policy.most_pending = 8;
    policy.most_in_flight = 3;
    auto chain = std::make_unique<DeliverChain>(two_lanes(policy));
    std::int64_t read = 0, committed = 0;
    Duration now = 0s;
    struct Sent {
      std::size_t lane;
      std::string id;
    };
    std::vector<Sent> in_flight;
    std::map<std::pair<std::size_t, std::string>, std::int64_t> newest;  // by lane and alert, in this life
    std::map<std::string, std::int64_t> offset_of;
    for (const OutboxPage& one : outbox) offset_of[one.page_id] = one.offset;
    std::set<std::string> had;
    for (int step = 0; step < 100'000 && had.size() < count; ++step) {
      while (read < count && chain->offer(outbox[static_cast<std::size_t>(read)], now)) ++read;
      while (const auto attempt = chain->next(now)) in_flight.push_back({attempt->lane, attempt->delivery.page_id});
      if (in_flight.empty()) {
        ASSERT_TRUE(chain->next_due());
        ASSERT_GT(*chain->next_due(), now) << "what is due now was handed out";
        now = *chain->next_due();
        continue;
      }
      const auto chosen = static_cast<std::size_t>(random.below(static_cast<std::int64_t>(in_flight.size())));
      const Sent sent = in_flight[chosen];
      in_flight.erase(in_flight.begin() + static_cast<std::ptrdiff_t>(chosen));
      const std::int64_t dice = random.below(9);
      Outcome outcome = dice < 3 ? Outcome::delivered : Outcome::retry;
      if (sent.lane == 0 && dice == 8) outcome = Outcome::rejected;
      if (sent.lane == 0 && dead) outcome = Outcome::retry;
      const std::string alert = sent.id.substr(0, sent.id.find(':'));
      if (outcome == Outcome::delivered) {
        const auto last = newest.try_emplace({sent.lane, alert}, -1).first;
        EXPECT_GE(offset_of[sent.id], last->second) << sent.id << " in lane " << sent.lane << " after a later one";
        last->second = offset_of[sent.id];
        had.insert(sent.id);
      }
      if (!dead && random.below(60) == 0) {
        chain = std::make_unique<DeliverChain>(two_lanes(policy));
        read = committed;
        in_flight.clear();
        newest.clear();
        continue;
      }
      chain->settle(sent.lane, answer(sent.id, outcome), now);
      const std::int64_t before = committed;
      committed = chain->committed(read);
      ASSERT_GE(committed, before) << "an offset never goes back";
      for (std::int64_t i = before; i < committed; ++i) {
        ASSERT_TRUE(had.contains(outbox[static_cast<std::size_t>(i)].page_id)) << "committed, and nobody has it";
      }
    }
    ASSERT_EQ(had.size(), static_cast<std::size_t>(count));
    if (!dead) continue;
    // The fallback has every page that went by, each resolution with its trigger.
    EXPECT_EQ(chain->figures(0).delivered, 0);
    EXPECT_EQ(chain->figures(1).delivered, count);
  }
}

}  // namespace deliver_chain_test
}  // namespace tocsin
