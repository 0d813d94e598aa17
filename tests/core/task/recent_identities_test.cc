#include "core/task/recent_identities.h"

#include <gtest/gtest.h>

#include "core/test_support.h"

namespace tocsin {
namespace {

TEST(RecentIdentities, WhatCameOnceIsKnownTheSecondTime) {
  RecentIdentities identities;
  EXPECT_FALSE(identities.seen(42));
  EXPECT_TRUE(identities.seen(42));
  EXPECT_FALSE(identities.seen(43));
}

TEST(RecentIdentities, ZeroIsAnIdentityLikeAnyOther) {
  RecentIdentities identities;
  EXPECT_FALSE(identities.seen(0));
  EXPECT_TRUE(identities.seen(0));
}

TEST(RecentIdentities, TheLast32768AreKnownWhateverCameBefore) {
  for (const std::uint64_t seed : test::seeds(3)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    for (const std::size_t count : {40'000u, 65'535u, 65'536u, 65'537u, 98'304u, 150'001u}) {
      test::Random random(seed);
      RecentIdentities identities;
      std::vector<std::uint64_t> all;
      for (std::size_t i = 0; i < count; ++i) {
        all.push_back(random.bits());
        ASSERT_FALSE(identities.seen(all.back())) << i;
      }
      EXPECT_TRUE(identities.seen(all[count - 32'768])) << count;
      EXPECT_TRUE(identities.seen(all[count - 1])) << count;
    }
  }
}

TEST(RecentIdentities, AnIdentityThatKeepsComingStaysKnown) {
  RecentIdentities identities;
  identities.seen(7);
  test::Random random(1);
  for (int i = 0; i < 300'000; ++i) {
    identities.seen(random.bits());
    if (i % 20'000 == 0) {
      ASSERT_TRUE(identities.seen(7)) << i;
    }
  }
}

TEST(RecentIdentities, IsBoundedAndForgetsInTheEnd) {
  RecentIdentities identities;
  identities.seen(7);
  test::Random random(1);
  for (int i = 0; i < 70'000; ++i) identities.seen(random.bits());
  EXPECT_FALSE(identities.seen(7));
}

TEST(RecentIdentities, IdentitiesThatShareTheirLowBitsAreToldApart) {
  RecentIdentities identities;
  for (std::uint64_t i = 1; i < 500; ++i) EXPECT_FALSE(identities.seen(i << 32 | 5)) << i;
  for (std::uint64_t i = 1; i < 500; ++i) EXPECT_TRUE(identities.seen(i << 32 | 5)) << i;
}

}  // namespace
}  // namespace tocsin
