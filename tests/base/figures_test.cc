#include "base/figures.h"

#include <gtest/gtest.h>

namespace tocsin {
namespace figures_test {

TEST(Figures, NumbersHaveNoExponent) {
  EXPECT_EQ(plain_figure(0), "0");
  EXPECT_EQ(plain_figure(0.123456), "0.1235");
  EXPECT_EQ(plain_figure(12.3456), "12.35");
  EXPECT_EQ(plain_figure(0.00001), "0.00001");
  EXPECT_EQ(plain_figure(999.96), "1000");
  EXPECT_EQ(plain_figure(12'345), "12345");
  EXPECT_EQ(plain_figure(-12'345.6), "-12346");
  EXPECT_EQ(plain_figure(1'241'000), "1241000");
}

TEST(Figures, DollarsAreNeverRoundedToNothing) {
  EXPECT_EQ(dollar_figure(0), "$0.00");
  EXPECT_EQ(dollar_figure(1234.567), "$1234.57");
  EXPECT_EQ(dollar_figure(0.12), "$0.12");
  EXPECT_EQ(dollar_figure(0.05), "$0.05");
  EXPECT_EQ(dollar_figure(0.0123), "$0.012");
  EXPECT_EQ(dollar_figure(0.00123), "$0.0012");
  EXPECT_EQ(dollar_figure(0.000004), "$0.000004");
  EXPECT_EQ(dollar_figure(0.0996), "$0.10");
  EXPECT_EQ(dollar_figure(-0.0123), "$-0.012");
}

TEST(Figures, ShortDurationsAreMilliseconds) {
  EXPECT_EQ(duration_figure(0), "0s");
  EXPECT_EQ(duration_figure(0.0137), "14ms");
  EXPECT_EQ(duration_figure(0.4137), "414ms");
  EXPECT_EQ(duration_figure(0.9997), "1s");
  EXPECT_EQ(duration_figure(1.25), "1.2s");
  EXPECT_EQ(duration_figure(2), "2s");
  EXPECT_EQ(duration_figure(9.96), "10s");
  EXPECT_EQ(duration_figure(75.4), "1m15s");
  EXPECT_EQ(duration_figure(-75.4), "-1m15s");
}

}  // namespace figures_test
}  // namespace tocsin
