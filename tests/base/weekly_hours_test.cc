#include "base/weekly_hours.h"

#include <gtest/gtest.h>

#include <iterator>
#include <string>
#include <vector>

#include "core/test_support.h"

namespace tocsin {
namespace weekly_hours_test {

using namespace std::chrono_literals;
using std::chrono::days;

RecordTime time(std::string_view rfc3339) {
  return as_record_time(parse_rfc3339(rfc3339).value());
}

WeeklyHours hours(std::string_view text) {
  std::string error;
  auto parsed = parse_weekly_hours(text, error);
  if (!parsed) ADD_FAILURE() << text << ": " << error;
  return parsed ? *parsed : WeeklyHours(*time_zone_named("UTC"), {{0h, 1h}});
}

std::string error_of(std::string_view text) {
  std::string error;
  EXPECT_FALSE(parse_weekly_hours(text, error)) << text;
  EXPECT_NE(error, "") << text;
  return error;
}

TEST(WeeklyHours, OfficeHoursFollowTheZonesClock) {
  const WeeklyHours office = hours("Mon-Fri 08:00-18:00 Europe/Berlin");
  EXPECT_EQ(office.zone().name, "Europe/Berlin");
  // Monday the 5th of January: 08:00 is 07:00Z. In summer it is 06:00Z.
  EXPECT_FALSE(office.is_active(time("2026-01-05T06:59:59.999Z")));
  EXPECT_TRUE(office.is_active(time("2026-01-05T07:00:00Z")));
  EXPECT_TRUE(office.is_active(time("2026-01-05T16:59:59.999Z")));
  EXPECT_FALSE(office.is_active(time("2026-01-05T17:00:00Z")));
  EXPECT_TRUE(office.is_active(time("2026-07-06T06:00:00Z")));
  EXPECT_FALSE(office.is_active(time("2026-01-10T10:00:00Z"))) << "a Saturday";

  EXPECT_EQ(office.next_active(time("2026-01-05T07:30:00Z")), time("2026-01-05T07:30:00Z"));
  EXPECT_EQ(office.next_active(time("2026-01-05T00:00:00Z")), time("2026-01-05T07:00:00Z"));
  EXPECT_EQ(office.next_active(time("2026-01-05T17:00:00Z")), time("2026-01-06T07:00:00Z"));
  EXPECT_EQ(office.next_active(time("2026-03-27T17:00:00Z")), time("2026-03-30T06:00:00Z")) << "summer begins";

  EXPECT_EQ(office.active_between(time("2026-01-05T06:00:00Z"), time("2026-01-05T09:00:00Z")), 2h);
  EXPECT_EQ(office.active_between(time("2026-01-05T00:00:00Z"), time("2026-01-12T00:00:00Z")), 50h);
  EXPECT_EQ(office.active_between(time("2026-01-05T00:00:00Z"), time("2026-01-05T00:00:00Z")), 0h);
  EXPECT_EQ(office.active_between(time("2026-01-06T00:00:00Z"), time("2026-01-05T00:00:00Z")), 0h);
  // 2026 has 261 days from Monday to Friday.
  EXPECT_EQ(office.active_between(time("2025-12-31T23:00:00Z"), time("2026-12-31T23:00:00Z")), 2'610h);
}

TEST(WeeklyHours, NightsAreAsLongAsTheClockMakesThem) {
  const WeeklyHours nights = hours("22:00-06:00 Europe/Berlin");
  EXPECT_EQ(nights.active_between(time("2026-01-05T12:00:00Z"), time("2026-01-06T12:00:00Z")), 8h);
  EXPECT_EQ(nights.active_between(time("2026-03-28T12:00:00Z"), time("2026-03-29T12:00:00Z")), 7h);
  EXPECT_EQ(nights.active_between(time("2026-10-24T12:00:00Z"), time("2026-10-25T12:00:00Z")), 9h);
  EXPECT_TRUE(nights.is_active(time("2026-01-05T00:00:00Z"))) << "from Sunday to Monday";
  EXPECT_EQ(nights.next_active(time("2026-01-05T05:00:00Z")), time("2026-01-05T21:00:00Z"));

  const WeeklyHours friday = hours("Fri 22:00-06:00");
  EXPECT_TRUE(friday.is_active(time("2026-01-10T05:59:00Z"))) << "Saturday morning";
  EXPECT_FALSE(friday.is_active(time("2026-01-09T05:59:00Z"))) << "Friday morning";
}

TEST(WeeklyHours, HoursThatTheClockSkipsOrShowsTwice) {
  const WeeklyHours skipped = hours("Sun 02:15-02:45 Europe/Berlin");
  EXPECT_EQ(skipped.active_between(time("2026-03-28T00:00:00Z"), time("2026-03-30T00:00:00Z")), 0h);
  EXPECT_EQ(skipped.next_active(time("2026-03-28T00:00:00Z")), time("2026-04-05T00:15:00Z")) << "a week later";
  EXPECT_EQ(skipped.active_between(time("2026-10-24T00:00:00Z"), time("2026-10-26T00:00:00Z")), 1h);
  EXPECT_EQ(skipped.next_active(time("2026-10-25T00:45:00Z")), time("2026-10-25T01:15:00Z")) << "once more";
  // From 01:30, skipped from 02:00 on, to 03:30: half an hour, then again at once.
  const WeeklyHours about = hours("Sun 01:30-03:30 Europe/Berlin");
  EXPECT_EQ(about.active_between(time("2026-03-29T00:00:00Z"), time("2026-03-29T12:00:00Z")), 1h);
  // The clock goes from 02:00 to 03:00, where the hours have begun already.
  EXPECT_EQ(hours("Sun 02:30-04:00 Europe/Berlin").next_active(time("2026-03-29T00:00:00Z")),
            time("2026-03-29T01:00:00Z"));
}

TEST(WeeklyHours, ReadsAllTheWaysToWriteThem) {
  const WeeklyHours office = hours("Mon-Fri 08:00-18:00 Europe/Berlin");
  for (const char* text :
       {"Mon - Fri 8:00 - 18:00 Europe/Berlin", "  monday-FRIDAY\t08:00-18:00  Europe/Berlin ",
        "Mon,Tue,Wed,Thu,Fri 08:00-18:00 Europe/Berlin", "Mon-Wed, Thu-Fri 08:00-18:00 Europe/Berlin",
        "Mon-Fri 08:00-12:00, Mon-Fri 12:00-18:00 Europe/Berlin", "Mon-Fri 12:00-18:00, 08:00-14:00 Europe/Berlin"}) {
    EXPECT_EQ(hours(text), office) << text;
  }
  EXPECT_EQ(hours("Mon-Sun 00:00-24:00"), hours("daily 00:00-24:00 UTC"));
  EXPECT_EQ(hours("00:00-24:00"), hours("daily 00:00-24:00"));
  EXPECT_EQ(hours("Sat-Mon 22:00-00:00"), hours("Sat 22:00-24:00, Sun, Mon 22:00-24:00"));
  EXPECT_EQ(hours("Sun 22:00-06:00"), hours("Sun 22:00-24:00, Mon 00:00-06:00"));
  EXPECT_EQ(hours("Mon 10:00-11:00 America/Port-au-Prince").zone().name, "America/Port-au-Prince");
  EXPECT_EQ(hours("Mon-Fri 08:00-18:00, Sat 09:00-13:00")
                .active_between(time("2026-01-05T00:00:00Z"), time("2026-01-12T00:00:00Z")),
            54h);
  EXPECT_FALSE(hours("Mon-Fri 08:00-18:00") == office);
}

TEST(WeeklyHours, SaysWhichWordIsWrongAndWhatToWrite) {
  EXPECT_EQ(error_of("Mon-Fry 08:00-18:00"),
            "'Fry' is no day (did you mean 'Fri'?): write Mon to Sun, as 'Mon-Fri' or 'Sat', or 'daily'");
  EXPECT_EQ(error_of("weekdays 08:00-18:00"),
            "'weekdays' is no day: write Mon to Sun, as 'Mon-Fri' or 'Sat', or 'daily'");
  EXPECT_EQ(error_of("Mon-Fri 08:00-18:00 Europe/Berlim"),
            "unknown time zone 'Europe/Berlim' (did you mean 'Europe/Berlin'?)");
  EXPECT_EQ(error_of("Mon-Fri 08:00-18:00 Berlin"), "unknown time zone 'Berlin' (did you mean 'Europe/Berlin'?)");
  EXPECT_EQ(error_of("Mon-Fri 08:00-18:00 UTC+2"),
            "unknown time zone 'UTC+2' (write the name of a place, as 'Europe/Berlin')");
  EXPECT_EQ(error_of("Mon-Fri 8-18"), "'8' is no time of day: write it from '00:00' to '24:00', as in '08:00-18:00'");
  EXPECT_EQ(error_of("Mon-Fri 08:00-24:01"),
            "'24:01' is no time of day: write it from '00:00' to '24:00', as in '08:00-18:00'");
  EXPECT_EQ(error_of("Mon-Fri 08:00"), "'08:00' says no end: write hours as '08:00-18:00'");
  EXPECT_EQ(error_of("Mon-Fri 08:00-08:00"), "'08:00-08:00' is empty: write '00:00-24:00' for all day");
  EXPECT_EQ(error_of("Mon 24:00-06:00"), "'24:00-06:00' begins where the day ends: write '00:00-06:00'");
  EXPECT_EQ(error_of("Sat-Sun"),
            "hours are missing after 'Sat-Sun': write 'Sat-Sun 08:00-18:00', or 'Sat-Sun 00:00-24:00' for all day");
  EXPECT_EQ(error_of("Mon Tue 08:00-18:00"),
            "between 'Mon' and 'Tue' hours are missing, as '08:00-18:00', or a comma");
  EXPECT_EQ(error_of("08:00-18:00 Mon-Fri"),
            "'Mon-Fri' stands after its hours: write the days first, as 'Mon-Fri 08:00-18:00'");
  EXPECT_EQ(error_of("Mon 08:00-12:00 13:00-18:00"), "'13:00-18:00' needs a comma before it");
  EXPECT_EQ(error_of("Europe/Berlin Mon 08:00-12:00"),
            "'Europe/Berlin' stands before the hours: write the time zone as the last word");
  EXPECT_EQ(error_of("Mon 08:00-12:00 Europe/Berlin, Tue 08:00-12:00 Europe/Berlin"),
            "'Europe/Berlin' has to be the last word: write the time zone once, at the end");
  EXPECT_EQ(error_of("Mon 08:00-12:00,"), "nothing follows the last comma: take it away, or write hours after it");
  EXPECT_EQ(error_of("Mon,, Tue 08:00-12:00"), "a comma stands where days or hours should");
  EXPECT_EQ(error_of(""), "hours are missing: write them as 'Mon-Fri 08:00-18:00 Europe/Berlin'");
}

TEST(WeeklyHours, BearsAnyTextAndAnyTime) {
  for (const char* text :
       {"-", "--", ",", "Mon-", "-Fri 08:00-18:00", "Mon 08:00-", "1", "1-1", ":-:", "Mon 08:00-1x:00",
        "Mon 0\xc3\xbc:00-10:00", "\xff\xff", "Mon 123:00-10:00", "Mon 08:00-18:00 -", " \t "}) {
    error_of(text);
  }
  const RecordTime longest_ago{Duration{INT64_MIN}}, last{Duration{INT64_MAX}};
  const WeeklyHours always = hours("00:00-24:00 Europe/Berlin");
  EXPECT_TRUE(always.is_active(longest_ago));
  EXPECT_TRUE(always.is_active(last));
  EXPECT_EQ(always.active_between(longest_ago, last), within_the_calendar(last) - within_the_calendar(longest_ago));
  const WeeklyHours hour = hours("Mon 08:00-09:00 Europe/Berlin");
  EXPECT_GE(hour.next_active(last), within_the_calendar(last));
  EXPECT_GE(hour.next_active(longest_ago), within_the_calendar(longest_ago));
}

// Hours as a person would apply them: day by day of the clock, each minute looked up.
struct PlainHours {
  struct Part {
    int first_day, last_day;  // from Monday
    int begin, end;           // minutes
  };
  std::vector<Part> parts;

  bool contain(std::int64_t local_minute) const {
    const std::int64_t since_monday = (local_minute + 3 * 1'440) % (7 * 1'440);
    const int day = static_cast<int>(since_monday / 1'440), minute = static_cast<int>(since_monday % 1'440);
    const auto is_on = [](const Part& part, int d) {
      return part.first_day <= part.last_day ? part.first_day <= d && d <= part.last_day
                                             : d >= part.first_day || d <= part.last_day;
    };
    for (const Part& part : parts) {
      const bool over_midnight = part.end <= part.begin;
      if (is_on(part, day) && minute >= part.begin && (over_midnight || minute < part.end)) return true;
      if (over_midnight && is_on(part, (day + 6) % 7) && minute < part.end) return true;
    }
    return false;
  }
};

TEST(WeeklyHours, CountAsMinuteByMinuteOverEveryChangeOfTheClock) {
  const char* day_names[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
  const char* zones[] = {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
                         "Europe/Dublin", "Asia/Kolkata",     "America/Santiago",
                         "Africa/Cairo",  "America/Havana",   "Asia/Jerusalem"};
  const auto clock = [](int minutes) {
    std::string text = std::to_string(10'000 + minutes / 60 * 100 + minutes % 60).substr(1);
    return text.insert(2, ":");
  };
  for (const std::uint64_t seed : test::seeds(2)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    test::Random random(seed);
    for (int i = 0; i < 30; ++i) {
      PlainHours plain;
      std::string text;
      for (std::int64_t part = random.below(3); part >= 0; --part) {
        const auto first = static_cast<int>(random.below(7)), last = static_cast<int>(random.below(7));
        const auto begin = static_cast<int>(random.below(1'440));
        const auto end = static_cast<int>((begin + 1 + random.below(1'439)) % 1'440);
        plain.parts.push_back({first, last, begin, end});
        text += std::string(text.empty() ? "" : ", ") + day_names[first] + "-" + day_names[last] + " " +
                clock(begin) + "-" + clock(end);
      }
      const std::string zone_name = zones[random.below(std::size(zones))];
      text += " " + zone_name;
      SCOPED_TRACE(text);
      const WeeklyHours read = hours(text);
      const TimeZone& zone = *time_zone_named(zone_name);

      // Some days about a change of the clock, where there is one, and some weeks beside it.
      RecordTime from = time("2025-01-01T00:00:00Z") + random.below(4'000) * Duration{days{1}};
      from = floor_to(next_offset_change(zone, from).value_or(from) - random.below(10'000) * 1min, 1min);
      const RecordTime to = from + random.below(30'000) * 1min;
      const auto is_active = [&](RecordTime at) {
        return plain.contain(std::chrono::floor<std::chrono::minutes>(at.since_epoch + utc_offset(zone, at)).count());
      };
      Duration active{};
      std::vector<RecordTime> waiting;
      for (RecordTime at = from; at < to; at = at + 1min) {
        ASSERT_EQ(read.is_active(at), is_active(at)) << to_rfc3339(at);
        ASSERT_EQ(read.is_active(at + 59'999ms), is_active(at)) << to_rfc3339(at);
        if (!is_active(at)) {
          if (random.below(50) == 0) waiting.push_back(at + random.below(60'000) * 1ms);
          continue;
        }
        active += 1min;
        for (const RecordTime asked : waiting) ASSERT_EQ(read.next_active(asked), at) << to_rfc3339(asked);
        waiting.clear();
        ASSERT_EQ(read.next_active(at + 30s), at + 30s);
      }
      EXPECT_EQ(read.active_between(from, to), active) << to_rfc3339(from) << " to " << to_rfc3339(to);
    }
  }
}

TEST(WeeklyHours, SpansOfAnyLengthAddUp) {
  for (const std::uint64_t seed : test::seeds(2)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    test::Random random(seed);
    const WeeklyHours office = hours("Mon-Thu 08:00-18:30, Fri 22:00-06:00, Sun 01:00-03:00 America/New_York");
    for (int i = 0; i < 1'000; ++i) {
      const RecordTime from = time("2020-01-01T00:00:00Z") + random.below(days{4'000} / 1ms) * 1ms;
      const RecordTime middle = from + random.below(days{2'000} / 1ms) * 1ms;
      const RecordTime to = middle + random.below(days{3} / 1ms) * 1ms;
      ASSERT_EQ(office.active_between(from, to),
                office.active_between(from, middle) + office.active_between(middle, to))
          << to_rfc3339(from) << ", " << to_rfc3339(middle) << ", " << to_rfc3339(to);
    }
  }
}

}  // namespace weekly_hours_test
}  // namespace tocsin
