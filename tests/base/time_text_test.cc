#include "base/time_text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/test_support.h"

namespace tocsin {
namespace time_text_test {

using namespace std::chrono_literals;

TEST(TimeText, ReadsRfc3339InAllItsForms) {
  const EventTime exact{Duration{1'767'572'204'953}};
  for (const char* text : {"2026-01-05T00:16:44.953Z", "2026-01-05t00:16:44.953z", "2026-01-05 00:16:44.953999999Z",
                           "2026-01-05T02:16:44.953+02:00", "2026-01-04T18:46:44.953-05:30"}) {
    EXPECT_EQ(parse_rfc3339(text), exact) << text;
  }
  EXPECT_EQ(parse_rfc3339("2026-01-05T00:16:44Z"), exact - 953ms);
  EXPECT_EQ(parse_rfc3339("2026-01-05T00:16:44.9Z"), exact - 53ms);
  EXPECT_EQ(parse_rfc3339("1969-12-31T23:59:59Z"), EventTime{-1s});
  EXPECT_TRUE(parse_rfc3339("2024-02-29T00:00:00Z"));
}

TEST(TimeText, RefusesWhatIsNoTime) {
  for (const char* text :
       {"", "2026", "2026-01-05", "2026-01-05T00:16:44", "2026-13-05T00:16:44Z", "2026-02-29T00:00:00Z",
        "2026-01-05T24:00:00Z", "2026-01-05T00:60:00Z", "2026-01-05T00:00:61Z", "2026-01-05T00:16:44.Z",
        "2026-01-05T00:16:44+2:00", "2026-01-05T00:16:44+0200", "2026-01-05T00:16:44+24:00", "2026/01/05T00:16:44Z",
        "2026-01-05T00:16:44Zx", "2026-01-05X00:16:44Z", "-026-01-05T00:16:44Z"}) {
    EXPECT_FALSE(parse_rfc3339(text)) << text;
  }
}

TEST(TimeText, WritesWhatItReads) {
  for (const std::uint64_t seed : test::seeds(3)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    test::Random random(seed);
    for (int i = 0; i < 3'000; ++i) {
      const EventTime time{Duration{random.below(253'402'300'800'000LL) - 2'000'000'000'000LL}};
      ASSERT_EQ(parse_rfc3339(to_rfc3339(time)), time) << to_rfc3339(time);
      const Duration duration{random.below(3'000LL * 86'400'000)};
      ASSERT_EQ(parse_duration(to_text(duration)), duration) << to_text(duration);
    }
  }
  EXPECT_EQ(to_rfc3339(EventTime{-1ms}), "1969-12-31T23:59:59.999Z");
}

TEST(TimeText, EpochNumbersTellTheirUnitByTheirSize) {
  const EventTime second{Duration{1'767'572'204'000}};
  for (const std::int64_t number :
       {1'767'572'204LL, 1'767'572'204'000LL, 1'767'572'204'000'000LL, 1'767'572'204'000'000'000LL}) {
    EXPECT_EQ(from_epoch_number(number), second) << number;
  }
  EXPECT_EQ(from_epoch_number(0), EventTime{});
  EXPECT_FALSE(from_epoch_number(-1));
  EXPECT_TRUE(from_epoch_number(INT64_MAX));
}

TEST(TimeText, ReadsDurationsAsPrometheusWritesThem) {
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("1h30m"), 90min);
  EXPECT_EQ(parse_duration("2w"), 336h);
  EXPECT_EQ(parse_duration("1d2h3m4s5ms"), 26h + 3min + 4s + 5ms);
  EXPECT_EQ(parse_duration("0s"), 0s);
  for (const char* text :
       {"", "5", "s", "5x", "5 s", "30m1h", "1h1h", "-5s", "1.5h", "99999d", "99999999999999999999s", "5S", "h5"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(TimeText, WritesDurationsInTheirShortestForm) {
  EXPECT_EQ(to_text(90min), "1h30m");
  EXPECT_EQ(to_text(0s), "0s");
  EXPECT_EQ(to_text(336h), "14d");
  EXPECT_EQ(to_text(Duration{-1'500}), "-1s500ms");
}

TEST(TimeText, BoundsAComputedDuration) {
  EXPECT_EQ(duration_of_seconds(1.5), 1'500ms);
  EXPECT_EQ(duration_of_seconds(-0.0004), 0ms);
  const double infinity = std::numeric_limits<double>::infinity();
  const Duration most = duration_of_seconds(infinity);
  EXPECT_EQ(most, 1'000 * 365.25 * std::chrono::hours(24));
  EXPECT_EQ(duration_of_seconds(9.3e15), most);
  EXPECT_EQ(duration_of_seconds(-infinity), -most);
  EXPECT_EQ(duration_of_seconds(std::nan("")), 0ms);
}

}  // namespace time_text_test
}  // namespace tocsin
