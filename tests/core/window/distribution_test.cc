#include "core/window/distribution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace tocsin {
namespace distribution_test {

double true_quantile(std::vector<std::int64_t> values, double q) {
  std::sort(values.begin(), values.end());
  return static_cast<double>(values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))]);
}

TEST(Distribution, QuantilesAreWithinOnePartIn128OfTheTrueOnes) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> latency(12, 1.5);
  Distribution distribution;
  std::vector<std::int64_t> values;
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(static_cast<std::int64_t>(latency(random)));
    distribution.add(values.back());
  }
  for (const double q : {0.0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0}) {
    const double expected = true_quantile(values, q);
    EXPECT_NEAR(distribution.quantile(q), expected, expected / 128) << q;
  }
  EXPECT_EQ(distribution.least(), *std::min_element(values.begin(), values.end()));
  EXPECT_EQ(distribution.greatest(), *std::max_element(values.begin(), values.end()));
}

TEST(Distribution, SmallIntegersAndBothSignsStandAlone) {
  Distribution distribution;
  for (std::int64_t value = -127; value <= 127; ++value) distribution.add(value);
  EXPECT_EQ(distribution.bins().size(), 255U);
  EXPECT_EQ(distribution.quantile(0.5), 0);
  EXPECT_EQ(distribution.quantile(0.25), -64);
  EXPECT_EQ(distribution.quantile(0.75), 63);
}

TEST(Distribution, MergesToTheSameInAnyOrder) {
  std::mt19937_64 random(11);
  std::vector<Distribution> parts(9);
  Distribution whole;
  // Over forty octaves: more buckets than it keeps.
  std::uniform_real_distribution<double> octave(0, 40);
  for (int i = 0; i < 40'000; ++i) {
    const auto value = static_cast<std::int64_t>(std::exp2(octave(random)));
    parts[random() % parts.size()].add(value);
    whole.add(value);
  }
  EXPECT_EQ(whole.bins().size(), Distribution::most_bins);
  Distribution forward, backward;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    forward.merge(parts[i]);
    backward.merge(parts[parts.size() - 1 - i]);
  }
  EXPECT_EQ(forward, whole);
  EXPECT_EQ(backward, whole);
}

TEST(Distribution, HoldsWhateverANumberCanBe) {
  Distribution distribution;
  for (const std::int64_t value : {INT64_MIN, std::int64_t{-1}, std::int64_t{0}, std::int64_t{1}, INT64_MAX}) {
    distribution.add(value);
  }
  EXPECT_EQ(distribution.quantile(0), static_cast<double>(INT64_MIN));
  EXPECT_EQ(distribution.quantile(0.5), 0);
  EXPECT_EQ(distribution.quantile(1), static_cast<double>(INT64_MAX));
  Distribution copy;
  EXPECT_TRUE(copy.set_parts({distribution.bins().begin(), distribution.bins().end()}, distribution.least(),
                             distribution.greatest()));
  EXPECT_EQ(copy, distribution);
}

TEST(Distribution, RefusesPartsThatNoneWrote) {
  Distribution distribution;
  EXPECT_FALSE(distribution.set_parts({{3, 1}, {2, 1}}, 2, 3)) << "out of order";
  EXPECT_FALSE(distribution.set_parts({{3, 1}, {3, 1}}, 2, 3)) << "twice the same";
  EXPECT_FALSE(distribution.set_parts({{3, 0}}, 3, 3)) << "an empty bucket";
  EXPECT_FALSE(distribution.set_parts({{3, 1}}, 4, 3)) << "ends the wrong way round";
  EXPECT_FALSE(distribution.set_parts({{32'000, 1}}, 3, 3)) << "beyond any number";
  EXPECT_TRUE(distribution.empty());
}

}  // namespace distribution_test
}  // namespace tocsin
