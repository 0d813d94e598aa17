#include "core/halt/halt_ledger.h"

#include <gtest/gtest.h>

#include "core/test_support.h"

namespace tocsin {
namespace halt_ledger_test {

using namespace std::chrono_literals;
using test::at;
using test::event_at;

HaltPolicy enforcing() {
  HaltPolicy policy;
  policy.enforce = true;
  return policy;
}

HaltRecord arrival(const std::string& id, const std::string& agent = "support", EventTime when = event_at(0s)) {
  HaltRecord record;
  record.id = id;
  record.scope = "task:" + id;
  record.agent = agent;
  record.last_at = when;
  return record;
}

TEST(HaltLedger, NineArrivalsOfOneSecretAreOneHalt) {
  HaltLedger ledger(enforcing());
  for (int i = 1; i <= 9; ++i) {
    const auto entry = ledger.enter(arrival("a", "support", event_at(i * 1s)), at(i * 1s));
    EXPECT_EQ(entry.is_new, i == 1);
    EXPECT_FALSE(entry.storm_begins);
    EXPECT_EQ(entry.record.count, static_cast<std::uint64_t>(i));
    EXPECT_EQ(entry.record.state, HaltState::enforced);
    EXPECT_EQ(entry.record.first_at, event_at(1s));
    EXPECT_EQ(entry.record.last_at, event_at(i * 1s));
    EXPECT_EQ(entry.record.expires_at, event_at(1s + 168h));
    EXPECT_EQ(entry.record.key(), "halt/task:a/a") << "the same key each time";
  }
  EXPECT_EQ(ledger.size(), 1u);
}

TEST(HaltLedger, ADryRunEnforcesNothing) {
  HaltLedger ledger(HaltPolicy{});
  EXPECT_EQ(ledger.enter(arrival("a"), at(0s)).record.state, HaltState::dry_run);
  EXPECT_FALSE(ledger.enter(arrival("a"), at(1s)).record.enforced());
}

TEST(HaltLedger, TheSixthHaltOfAnAgentWithinTenMinutesIsHeldAndTheStormIsSaidOnce) {
  HaltLedger ledger(enforcing());
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(ledger.enter(arrival(std::to_string(i)), at(i * 10s)).record.state, HaltState::enforced) << i;
  }
  auto entry = ledger.enter(arrival("5"), at(60s));
  EXPECT_EQ(entry.record.state, HaltState::held);
  EXPECT_TRUE(entry.storm_begins);
  for (int i = 6; i < 40; ++i) {
    entry = ledger.enter(arrival(std::to_string(i)), at(60s));
    EXPECT_EQ(entry.record.state, HaltState::held);
    EXPECT_FALSE(entry.storm_begins) << "one page for one storm";
  }
  EXPECT_EQ(ledger.enter(arrival("x", "billing"), at(61s)).record.state, HaltState::enforced) << "another agent";
}

TEST(HaltLedger, TwentyHaltsOfAllAgentsAreTheLimitOfThePartition) {
  HaltLedger ledger(enforcing());
  for (int i = 0; i < 20; ++i) {
    const std::string name = std::to_string(i);
    EXPECT_EQ(ledger.enter(arrival(name, "agent" + name), at(0s)).record.state, HaltState::enforced);
  }
  const auto entry = ledger.enter(arrival("next", "fresh agent"), at(1s));
  EXPECT_EQ(entry.record.state, HaltState::held);
  EXPECT_TRUE(entry.storm_begins);
}

TEST(HaltLedger, RepeatsCountAgainstNoLimitAndKeepTheirState) {
  HaltLedger ledger(enforcing());
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(ledger.enter(arrival("a"), at(i * 1s)).record.state, HaltState::enforced);
  }
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(ledger.enter(arrival(std::to_string(i)), at(100s)).record.state, HaltState::enforced);
  }
  EXPECT_EQ(ledger.enter(arrival("held"), at(101s)).record.state, HaltState::held);
  EXPECT_EQ(ledger.enter(arrival("held"), at(5h)).record.state, HaltState::held) << "a person decides, not the clock";
  EXPECT_EQ(ledger.enter(arrival("a"), at(5h)).record.state, HaltState::enforced);
}

TEST(HaltLedger, AfterTenMinutesHaltsAreEnforcedAgainAndANewStormIsSaid) {
  HaltLedger ledger(enforcing());
  int number = 0;
  const auto burst = [&](Duration when) {
    int storms = 0;
    for (int i = 0; i < 8; ++i) {
      const auto entry = ledger.enter(arrival(std::to_string(number++)), at(when));
      EXPECT_EQ(entry.record.state, i < 5 ? HaltState::enforced : HaltState::held) << to_text(when) << " " << i;
      storms += entry.storm_begins ? 1 : 0;
    }
    return storms;
  };
  EXPECT_EQ(burst(0s), 1);
  EXPECT_EQ(burst(10min), 0) << "less than ten minutes without one: the same storm";
  EXPECT_EQ(burst(30min), 1);
}

TEST(HaltLedger, AnExpiredHaltIsForgottenAndTheSecretHaltsAnew) {
  HaltLedger ledger(enforcing());
  ledger.enter(arrival("a"), at(0s));
  EXPECT_EQ(ledger.enter(arrival("a"), at(167h)).record.count, 2u);
  const auto entry = ledger.enter(arrival("a", "support", event_at(168h)), at(168h));
  EXPECT_TRUE(entry.is_new);
  EXPECT_EQ(entry.record.count, 1u);
  EXPECT_EQ(entry.record.expires_at, event_at(336h));
  for (int i = 0; i < 1'000; ++i) ledger.enter(arrival(std::to_string(i)), at(400h));
  ledger.enter(arrival("z"), at(900h));
  EXPECT_EQ(ledger.size(), 1u) << "bounded by what a week brings";
}

}  // namespace halt_ledger_test
}  // namespace tocsin
