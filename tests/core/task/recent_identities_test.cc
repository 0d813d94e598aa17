#include "core/task/recent_identities.h"

#include <gtest/gtest.h>

#include <map>

#include "core/test_support.h"

namespace tocsin {
namespace recent_identities_test {

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

// The pages as a compacted topic keeps them.
struct StoredPages {
  std::map<std::size_t, std::pair<std::uint64_t, std::vector<std::uint64_t>>> by_place;
  std::uint64_t generation = 0;
  std::size_t count = 0;

  std::size_t take(RecentIdentities& identities) {
    std::size_t taken = 0;
    identities.take_changes([&](const RecentIdentities::Page& page) {
      by_place[page.place] = {page.generation, {page.identities.begin(), page.identities.end()}};
      ++taken;
    });
    generation = identities.generation();
    count = identities.count();
    return taken;
  }
  RecentIdentities restore() const {
    RecentIdentities identities;
    for (const auto& [place, page] : by_place) EXPECT_TRUE(identities.restore({place, page.first, page.second}));
    EXPECT_TRUE(identities.resume(generation, count));
    return identities;
  }
};

TEST(RecentIdentities, ThoseRestoredFromTheirPagesKnowAndForgetTheSame) {
  for (const std::uint64_t seed : test::seeds(5)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    test::Random random(seed);
    RecentIdentities whole, restored;
    StoredPages stored;
    std::vector<std::uint64_t> all{1};
    for (int round = 0; round < 12; ++round) {
      // From none to more than two generations between two stores.
      const std::int64_t steps =
          random.below(std::vector<std::int64_t>{3, 600, 40'000, 90'000}[static_cast<std::size_t>(random.below(4))]);
      for (std::int64_t i = 0; i < steps; ++i) {
        const bool again = random.below(10) == 0;
        const std::uint64_t identity =
            again ? all[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(all.size())))]
                  : random.bits();
        if (!again) all.push_back(identity);
        ASSERT_EQ(whole.seen(identity), restored.seen(identity)) << round << " " << i;
      }
      stored.take(restored);
      EXPECT_EQ(stored.take(restored), 0u) << "nothing is taken twice";
      EXPECT_LE(stored.by_place.size(), RecentIdentities::places);
      if (random.below(2) == 0) restored = stored.restore();
    }
  }
}

TEST(RecentIdentities, PagesThatAreNotAllThereAreRefused) {
  RecentIdentities identities;
  test::Random random(1);
  for (int i = 0; i < 40'000; ++i) identities.seen(random.bits());
  StoredPages stored;
  stored.take(identities);
  for (const std::size_t missing : {0u, 63u, 64u, 65u}) {
    RecentIdentities restored;
    for (const auto& [place, page] : stored.by_place) {
      if (place != missing) restored.restore({place, page.first, page.second});
    }
    EXPECT_FALSE(restored.resume(stored.generation, stored.count)) << missing;
  }
}

}  // namespace recent_identities_test
}  // namespace tocsin
