#include "core/event/decimal.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/test_support.h"

namespace tocsin {
namespace decimal_test {

std::int64_t value(std::string_view text, int scale = 6) {
  const ScaledDecimal decimal = parse_scaled_decimal(text, scale);
  EXPECT_EQ(decimal.error, DecimalError::none) << text;
  return decimal.value;
}

TEST(Decimal, DollarsBecomeMicroDollarsExactly) {
  EXPECT_EQ(value("0.004108"), 4'108);
  EXPECT_EQ(value("1"), 1'000'000);
  EXPECT_EQ(value("-1.5"), -1'500'000);
  EXPECT_EQ(value("0.1"), 100'000);
  EXPECT_EQ(value("999999999.999999"), 999'999'999'999'999);
  EXPECT_EQ(value("4.108e-3"), 4'108);
  EXPECT_EQ(value("4108E-6"), 4'108);
  EXPECT_EQ(value("1e+3", 0), 1'000);
  EXPECT_EQ(value("0007", 0), 7);
}

TEST(Decimal, RoundsHalfAwayFromZero) {
  EXPECT_EQ(value("0.0000005"), 1);
  EXPECT_EQ(value("0.00000049999"), 0);
  EXPECT_EQ(value("-0.0000005"), -1);
  EXPECT_EQ(value("2.5", 0), 3);
  EXPECT_EQ(value("-2.5", 0), -3);
  EXPECT_EQ(value("0.05", 0), 0);
  EXPECT_EQ(value("0.5", 0), 1);
  EXPECT_EQ(value("9.9999999"), 10'000'000);
}

TEST(Decimal, ZeroIsZeroHoweverItIsWritten) {
  for (const char* zero : {"0", "-0", "0.0", "0e99999", "0e-99999", "0.000000000000000000000000000"}) {
    EXPECT_EQ(value(zero), 0) << zero;
  }
}

TEST(Decimal, BlanksAroundItAreAllowed) {
  EXPECT_EQ(value(" \t\n\r7 ", 0), 7);
}

TEST(Decimal, ManyDigitsLoseOnlyWhatTheUnitCannotHold) {
  EXPECT_EQ(value("0.123456789012345678901234567890"), 123'457);
  EXPECT_EQ(value("3.14159265358979323846264338327950288"), 3'141'593);
  EXPECT_EQ(value("1" + std::string(17, '0') + "." + std::string(300, '9'), 0), 100'000'000'000'000'001);
  EXPECT_EQ(value("1e-5000"), 0);
}

TEST(Decimal, WhatIsNoNumberIsSaidToBeNone) {
  for (const char* text :
       {"",    " ",   "-",   "+1",        ".",   ".5",  "1.",    "1.e3", "e5", "1e", "1e+",          "1e1.5", "0x10",
        "NaN", "nan", "inf", "-Infinity", "1,5", "1 2", "1_000", "--1",  "1-", "$5", "\xef\xbc\x91", "1.2.3"}) {
    EXPECT_EQ(parse_scaled_decimal(text, 6).error, DecimalError::not_a_number) << text;
  }
  EXPECT_EQ(parse_scaled_decimal(std::string_view("1\0", 2), 6).error, DecimalError::not_a_number);
}

TEST(Decimal, WhatNoIntegerHoldsIsOutOfRange) {
  for (const char* text :
       {"1e400", "10000000000000000000000", "1e19", "-1e19", "9999999999999999999999e0", "1e99999"}) {
    EXPECT_EQ(parse_scaled_decimal(text, 0).error, DecimalError::out_of_range) << text;
  }
  EXPECT_EQ(parse_scaled_decimal("1" + std::string(400, '0'), 0).error, DecimalError::out_of_range);
}

TEST(Decimal, AgreesWithLongDoubleOverRandomNumbers) {
  for (const std::uint64_t seed : test::seeds(5)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    test::Random random(seed);
    for (int i = 0; i < 20'000; ++i) {
      const std::int64_t whole = random.below(1'000'000);
      std::string fraction = std::to_string(random.below(1'000'000'000));
      fraction.insert(0, 9 - fraction.size(), '0');
      const std::string text = std::to_string(whole) + "." + fraction;
      // Exact: in billionths, rounded half up to millionths.
      const std::int64_t billionths = whole * 1'000'000'000 + std::stoll(fraction);
      ASSERT_EQ(value(text), (billionths + 500) / 1'000) << text;
    }
  }
}

}  // namespace decimal_test
}  // namespace tocsin
