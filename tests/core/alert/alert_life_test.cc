#include "core/alert/alert_life.h"

#include <gtest/gtest.h>

#include "core/test_support.h"

namespace tocsin {
namespace alert_life_test {

using namespace std::chrono_literals;
using test::at;

constexpr AlertTiming timing{2min, 5min, 24h};

TEST(AlertLife, FiresOnlyAfterTheConditionHasHeld) {
  AlertLife life;
  EXPECT_EQ(life.update(Truth::yes, at(10s), timing), AlertTransition::became_pending);
  EXPECT_EQ(life.update(Truth::yes, at(2min), timing), AlertTransition::none);
  EXPECT_EQ(life.update(Truth::yes, at(2min + 10s), timing), AlertTransition::fired);
  EXPECT_EQ(life.episode(), 1);
  EXPECT_EQ(life.pending_since(), at(10s));
  EXPECT_EQ(life.firing_since(), at(130s));
  EXPECT_EQ(life.update(Truth::yes, at(3min), timing), AlertTransition::none) << "once an episode";
}

TEST(AlertLife, WithoutAHoldItFiresAtOnce) {
  AlertLife life;
  EXPECT_EQ(life.update(Truth::yes, at(10s), {0s, 0s, 24h}), AlertTransition::fired);
  EXPECT_EQ(life.update(Truth::no, at(20s), {0s, 0s, 24h}), AlertTransition::resolved);
}

TEST(AlertLife, AConditionThatStopsHoldingDropsThePendingAlert) {
  AlertLife life;
  life.update(Truth::yes, at(10s), timing);
  EXPECT_EQ(life.update(Truth::no, at(20s), timing), AlertTransition::pending_dropped);
  EXPECT_EQ(life.update(Truth::yes, at(30s), timing), AlertTransition::became_pending);
  EXPECT_EQ(life.update(Truth::yes, at(140s), timing), AlertTransition::none) << "the hold begins anew";
  EXPECT_EQ(life.update(Truth::yes, at(150s), timing), AlertTransition::fired);
}

TEST(AlertLife, KeepsFiringWhileTheConditionComesBackInTime) {
  AlertLife life;
  life.update(Truth::yes, at(0s), timing);
  life.update(Truth::yes, at(2min), timing);
  EXPECT_EQ(life.update(Truth::no, at(3min), timing), AlertTransition::none);
  EXPECT_EQ(life.update(Truth::no, at(7min), timing), AlertTransition::none);
  EXPECT_EQ(life.update(Truth::yes, at(7min + 10s), timing), AlertTransition::none);
  EXPECT_EQ(life.update(Truth::no, at(8min), timing), AlertTransition::none);
  EXPECT_EQ(life.update(Truth::no, at(13min), timing), AlertTransition::resolved);
  EXPECT_EQ(life.state(), AlertState::inactive);
}

TEST(AlertLife, UnknownNeitherStartsNorEndsAnything) {
  AlertLife life;
  EXPECT_EQ(life.update(Truth::unknown, at(0s), timing), AlertTransition::none);
  EXPECT_EQ(life.state(), AlertState::inactive);
  life.update(Truth::yes, at(10s), timing);
  EXPECT_EQ(life.update(Truth::unknown, at(10min), timing), AlertTransition::none);
  EXPECT_EQ(life.state(), AlertState::pending);
  life.update(Truth::yes, at(11min), timing);
  EXPECT_EQ(life.state(), AlertState::firing);
  for (Duration t = 12min; t < 10h; t += 1min) {
    ASSERT_EQ(life.update(Truth::unknown, at(t), timing), AlertTransition::none);
  }
  EXPECT_EQ(life.state(), AlertState::firing);
}

TEST(AlertLife, EpisodesAreCounted) {
  AlertLife life;
  for (int i = 1; i <= 3; ++i) {
    life.update(Truth::yes, at(i * 1h), {0s, 0s, 24h});
    EXPECT_EQ(life.episode(), i);
    EXPECT_EQ(life.update(Truth::no, at(i * 1h + 10s), {0s, 0s, 24h}), AlertTransition::resolved);
  }
}

TEST(AlertLife, ResolvesWhateverItsConditionWhenItIsTold) {
  AlertLife life;
  EXPECT_EQ(life.resolve(at(0s), timing), AlertTransition::none);
  life.update(Truth::yes, at(10s), timing);
  EXPECT_EQ(life.resolve(at(20s), timing), AlertTransition::pending_dropped);
  life.update(Truth::yes, at(30s), {0s, 0s, 24h});
  EXPECT_EQ(life.resolve(at(40s), timing), AlertTransition::resolved);
}

TEST(AlertLife, TheBaselineLeavesOutTheTimeFromPendingToResolved) {
  AlertLife life;
  life.update(Truth::yes, at(0s), timing);
  ASSERT_EQ(life.exclusions().size(), 1u);
  EXPECT_EQ(life.exclusions()[0].from, at(0s));
  EXPECT_GT(life.exclusions()[0].to, at(1'000'000h)) << "open";
  life.update(Truth::yes, at(2min), timing);
  EXPECT_TRUE(life.freezes_baseline());
  life.update(Truth::no, at(3min), timing);
  life.update(Truth::no, at(8min), timing);
  EXPECT_FALSE(life.freezes_baseline());
  ASSERT_EQ(life.exclusions().size(), 1u);
  EXPECT_EQ(life.exclusions()[0].to, at(8min));
  EXPECT_FALSE(life.is_forgettable());
}

TEST(AlertLife, ADroppedPendingAlertExcludesNothing) {
  AlertLife life;
  life.update(Truth::yes, at(0s), timing);
  life.update(Truth::no, at(10s), timing);
  EXPECT_TRUE(life.exclusions().empty());
  EXPECT_TRUE(life.is_forgettable());
}

TEST(AlertLife, WhatLastsLongerThanLearnAfterIsLearned) {
  AlertLife life;
  life.update(Truth::yes, at(0s), timing);
  life.update(Truth::yes, at(2min), timing);
  life.update(Truth::yes, at(23h + 59min), timing);
  EXPECT_TRUE(life.freezes_baseline());
  const auto version = life.version();
  EXPECT_EQ(life.update(Truth::yes, at(24h), timing), AlertTransition::none);
  EXPECT_FALSE(life.freezes_baseline());
  EXPECT_TRUE(life.exclusions().empty());
  EXPECT_NE(life.version(), version) << "who keeps a baseline has to see it";
  EXPECT_EQ(life.state(), AlertState::firing) << "learning resolves nothing by itself";
  life.update(Truth::no, at(25h), timing);
  EXPECT_EQ(life.update(Truth::no, at(26h), timing), AlertTransition::resolved);
  EXPECT_TRUE(life.exclusions().empty());
}

TEST(AlertLife, WhatAPersonAcceptsIsLearnedAtOnce) {
  AlertLife life;
  life.accept();
  EXPECT_EQ(life.version(), 0U) << "nothing fires";
  life.update(Truth::yes, at(0s), timing);
  life.accept();
  EXPECT_EQ(life.exclusions().size(), 1u) << "nor does what is pending";
  life.update(Truth::yes, at(2min), timing);
  const auto version = life.version();
  life.accept();
  EXPECT_FALSE(life.freezes_baseline());
  EXPECT_TRUE(life.exclusions().empty());
  EXPECT_NE(life.version(), version);
  life.accept();
  EXPECT_EQ(life.resolve(at(3min), timing), AlertTransition::resolved);
  EXPECT_TRUE(life.is_forgettable());
  life.update(Truth::yes, at(1h), timing);
  life.update(Truth::yes, at(1h + 2min), timing);
  EXPECT_TRUE(life.freezes_baseline()) << "the next episode is not accepted";
}

TEST(AlertLife, AnExclusionIsForgottenLearnAfterItsEnd) {
  AlertLife life;
  life.update(Truth::yes, at(0s), {0s, 0s, 24h});
  life.update(Truth::no, at(1h), {0s, 0s, 24h});
  life.update(Truth::no, at(25h - 10s), {0s, 0s, 24h});
  EXPECT_EQ(life.exclusions().size(), 1u);
  life.update(Truth::unknown, at(25h), {0s, 0s, 24h});
  EXPECT_TRUE(life.exclusions().empty());
  EXPECT_TRUE(life.is_forgettable());
}

TEST(AlertLife, OverRandomConditionsItKeepsItsInvariants) {
  for (const std::uint64_t seed : test::seeds(50)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    test::Random random(seed);
    AlertLife life;
    int fired = 0, resolved = 0;
    for (Duration t = 10s; t < 60h; t += 1min * (1 + random.below(30))) {
      const auto truth = static_cast<Truth>(random.below(3));
      const AlertState before = life.state();
      const auto transition = life.update(truth, at(t), {10min, 20min, 5h});
      fired += transition == AlertTransition::fired ? 1 : 0;
      resolved += transition == AlertTransition::resolved ? 1 : 0;
      if (truth == Truth::unknown) {
        ASSERT_EQ(life.state(), before);
      }
      ASSERT_EQ(life.episode(), fired);
      ASSERT_EQ(fired - resolved, life.state() == AlertState::firing ? 1 : 0) << "a trigger for each resolution";
      for (const Exclusion& exclusion : life.exclusions()) ASSERT_LT(exclusion.from, exclusion.to);
    }
  }
}

}  // namespace alert_life_test
}  // namespace tocsin
