#include "core/window/distinct_set.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/hash.h"
#include "core/test_support.h"

namespace tocsin {
namespace distinct_set_test {

TEST(DistinctSet, IsExactUpTo256Values) {
  DistinctSet set;
  EXPECT_TRUE(set.empty());
  test::Random random(1);
  std::vector<std::uint64_t> values;
  for (int i = 1; i <= 256; ++i) {
    values.push_back(random.bits());
    set.add(values.back());
    set.add(values[static_cast<std::size_t>(random.below(i))]);
    ASSERT_EQ(set.count(), i);
  }
  EXPECT_TRUE(set.registers().empty());
  set.add(random.bits());
  EXPECT_TRUE(set.hashes().empty()) << "a sketch from here on";
  EXPECT_NEAR(static_cast<double>(set.count()), 257, 257 * 0.1);
}

TEST(DistinctSet, TheSketchErrsByFewPercentOnAverage) {
  for (const int size : {1'000, 10'000, 100'000}) {
    double squares = 0;
    const auto all = test::seeds(20);
    for (const std::uint64_t seed : all) {
      test::Random random(seed);
      DistinctSet set;
      for (int i = 0; i < size; ++i) set.add(random.bits());
      const double error = (static_cast<double>(set.count()) - size) / size;
      EXPECT_LT(std::fabs(error), 0.12) << "TOCSIN_SEED=" << seed << " " << size;
      squares += error * error;
    }
    EXPECT_LT(std::sqrt(squares / static_cast<double>(all.size())), 0.04) << size;
  }
}

TEST(DistinctSet, TheUnionIsTheSameInAnyOrder) {
  for (const std::uint64_t seed : test::seeds(20)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    test::Random random(seed);
    std::vector<DistinctSet> parts(6);
    std::set<std::uint64_t> all;
    const std::int64_t most[] = {0, 5, 100, 256, 257, 2'000};
    for (std::size_t i = 0; i < parts.size(); ++i) {
      for (std::int64_t n = most[i]; n > 0; --n) {
        const std::uint64_t hash = mix(1, static_cast<std::uint64_t>(random.below(4'000)));
        parts[i].add(hash);
        all.insert(hash);
      }
    }
    DistinctSet whole;
    for (const std::uint64_t hash : all) whole.add(hash);
    for (int round = 0; round < 4; ++round) {
      random.shuffle(parts);
      DistinctSet merged;
      for (const DistinctSet& part : parts) merged.merge(part);
      EXPECT_EQ(merged.count(), whole.count());
      EXPECT_TRUE(std::equal(merged.registers().begin(), merged.registers().end(), whole.registers().begin(),
                             whole.registers().end()));
    }
  }
}

TEST(DistinctSet, ComesBackFromItsParts) {
  for (const int size : {0, 3, 256, 5'000}) {
    test::Random random(9);
    DistinctSet set;
    for (int i = 0; i < size; ++i) set.add(random.bits());
    const DistinctSet back = DistinctSet::from_parts({set.hashes().begin(), set.hashes().end()},
                                                     {set.registers().begin(), set.registers().end()});
    EXPECT_EQ(back.count(), set.count());
    EXPECT_EQ(back.empty(), size == 0);
  }
}

TEST(DistinctSet, TakesHashesOfAllZerosAndAllOnes) {
  DistinctSet set;
  test::Random random(2);
  for (int i = 0; i < 300; ++i) set.add(random.bits());
  const std::int64_t before = set.count();
  for (int i = 0; i < 10; ++i) {
    set.add(0);
    set.add(UINT64_MAX);
    set.add(1);
  }
  EXPECT_NEAR(static_cast<double>(set.count()), static_cast<double>(before), 20);
  set.clear();
  EXPECT_EQ(set.count(), 0);
}

}  // namespace distinct_set_test
}  // namespace tocsin
