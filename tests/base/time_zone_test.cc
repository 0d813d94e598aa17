#include "base/time_zone.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/time_zone_table.h"
#include "core/test_support.h"

namespace tocsin {
namespace time_zone_test {

using namespace std::chrono_literals;
using std::chrono::days;

RecordTime time(std::string_view rfc3339) {
  return as_record_time(parse_rfc3339(rfc3339).value());
}

const TimeZone& zone(std::string_view name) {
  const TimeZone* found = time_zone_named(name);
  if (found == nullptr) ADD_FAILURE() << "no zone " << name;
  return found != nullptr ? *found : *time_zone_named("UTC");
}

std::string text(const Period& period) {
  return to_rfc3339(period.begin) + " to " + to_rfc3339(period.end);
}

TEST(TimeZone, KnowsTheNamesAndEachHasARule) {
  const auto& names = time_zone_names();
  EXPECT_GT(names.size(), 500u);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_EQ(std::set<std::string_view>(names.begin(), names.end()).size(), names.size());
  for (const TimeZoneRow& row : time_zone_rows()) {
    const auto parsed = parse_time_zone_rule(row.rule);
    ASSERT_TRUE(parsed) << row.name << " " << row.rule;
    ASSERT_EQ(zone(row.name).name, row.name);
    EXPECT_EQ(zone(row.name).standard, parsed->standard) << row.name;
    EXPECT_LE(std::max(zone(row.name).standard, zone(row.name).daylight), 14h) << row.name;
    EXPECT_GE(std::min(zone(row.name).standard, zone(row.name).daylight), -12h) << row.name;
  }
  EXPECT_EQ(utc_offset(zone("UTC"), time("2026-07-01T00:00:00Z")), 0ms);
  for (const char* name : {"", "Berlin", "europe/berlin", "Europe/Berlin ", "posixrules", "Etc"}) {
    EXPECT_EQ(time_zone_named(name), nullptr) << name;
  }
}

TEST(TimeZone, ChangesTheOffsetAtTheKnownTimes) {
  const struct {
    const char* zone;
    const char* change;
    Duration before, after;
  } known[] = {
      {"Europe/Berlin", "2026-03-29T01:00:00Z", 1h, 2h},
      {"Europe/Berlin", "2026-10-25T01:00:00Z", 2h, 1h},
      {"America/New_York", "2026-03-08T07:00:00Z", -5h, -4h},
      {"America/New_York", "2026-11-01T06:00:00Z", -4h, -5h},
      {"Australia/Lord_Howe", "2026-04-04T15:00:00Z", 11h, 10h + 30min},  // half an hour
      {"Australia/Lord_Howe", "2026-10-03T15:30:00Z", 10h + 30min, 11h},
      {"Europe/Dublin", "2026-03-29T01:00:00Z", 0h, 1h},  // summer is standard time
      {"Europe/Dublin", "2026-10-25T01:00:00Z", 1h, 0h},
      {"America/Nuuk", "2026-03-29T01:00:00Z", -2h, -1h},  // at -01:00, which is 23:00 on the day before
      {"America/Nuuk", "2026-10-25T01:00:00Z", -1h, -2h},
      {"Africa/Cairo", "2026-04-23T22:00:00Z", 2h, 3h},
      {"Africa/Cairo", "2026-10-29T21:00:00Z", 3h, 2h},        // at 24:00
      {"Asia/Jerusalem", "2026-03-27T00:00:00Z", 2h, 3h},      // at 26:00, a Friday
      {"America/Santiago", "2026-04-05T03:00:00Z", -3h, -4h},  // summer over the turn of the year
      {"America/Santiago", "2026-09-06T04:00:00Z", -4h, -3h},
      {"Pacific/Chatham", "2026-04-04T14:00:00Z", 13h + 45min, 12h + 45min},
  };
  for (const auto& one : known) {
    SCOPED_TRACE(std::string(one.zone) + " " + one.change);
    const RecordTime change = time(one.change);
    EXPECT_EQ(utc_offset(zone(one.zone), change - 1ms), one.before);
    EXPECT_EQ(utc_offset(zone(one.zone), change), one.after);
    EXPECT_EQ(next_offset_change(zone(one.zone), change - days{20}), change);
    EXPECT_EQ(next_offset_change(zone(one.zone), change - 1ms), change);
    EXPECT_GT(next_offset_change(zone(one.zone), change), change + days{100});
  }
  for (const auto& [name, offset] : std::map<const char*, Duration>{{"Asia/Kolkata", 5h + 30min},
                                                                    {"Asia/Tehran", 3h + 30min},
                                                                    {"Pacific/Apia", 13h},
                                                                    {"Pacific/Kiritimati", 14h}}) {
    EXPECT_EQ(utc_offset(zone(name), time("2026-01-01T00:00:00Z")), offset) << name;
    EXPECT_EQ(utc_offset(zone(name), time("2026-07-01T00:00:00Z")), offset) << name;
    EXPECT_FALSE(next_offset_change(zone(name), time("2026-07-01T00:00:00Z"))) << name;
  }
}

TEST(TimeZone, ReadsRulesInAllTheirForms) {
  EXPECT_EQ(parse_time_zone_rule("<-0330>+3:30:15").value().standard, -(3h + 30min + 15s));
  const auto by_default = parse_time_zone_rule("AAA5BBB,M3.2.0,M11.1.0/+02:00").value();
  EXPECT_EQ(by_default.daylight, -4h);
  EXPECT_EQ(by_default.daylight_begins.time, 2h);
  EXPECT_EQ(by_default.daylight_ends.time, 2h);

  // J60 is the 1st of March in any year, 60 only in leap years.
  const auto julian = parse_time_zone_rule("AAA0BBB,J60/0,J300/0").value();
  EXPECT_EQ(next_offset_change(julian, time("2027-01-01T00:00:00Z")), time("2027-03-01T00:00:00Z"));
  EXPECT_EQ(next_offset_change(julian, time("2028-01-01T00:00:00Z")), time("2028-03-01T00:00:00Z"));
  EXPECT_EQ(next_offset_change(julian, time("2028-04-01T00:00:00Z")), time("2028-10-26T23:00:00Z"));
  const auto counted = parse_time_zone_rule("AAA0BBB,60/0,300/0").value();
  EXPECT_EQ(next_offset_change(counted, time("2027-01-01T00:00:00Z")), time("2027-03-02T00:00:00Z"));
  EXPECT_EQ(next_offset_change(counted, time("2028-01-01T00:00:00Z")), time("2028-03-01T00:00:00Z"));

  // A change may lie in the year before or after its own.
  const auto early = parse_time_zone_rule("AAA0BBB,0/-167,J180").value();
  EXPECT_EQ(next_offset_change(early, time("2026-12-01T00:00:00Z")), time("2026-12-25T01:00:00Z"));
  EXPECT_EQ(utc_offset(early, time("2026-12-31T00:00:00Z")), 1h);
  const auto late = parse_time_zone_rule("AAA0BBB,J180,J365/167").value();
  EXPECT_EQ(next_offset_change(late, time("2026-12-31T00:00:00Z")), time("2027-01-06T22:00:00Z"));

  // RFC 8536, 3.3.1: daylight saving time all year.
  for (const char* rule : {"EST5EDT,0/0,J365/25", "XXX3EDT4,0/0,J365/23"}) {
    const auto always = parse_time_zone_rule(rule).value();
    for (RecordTime t = time("2027-12-30T00:00:00Z"); t < time("2029-01-03T00:00:00Z"); t = t + 30min) {
      ASSERT_EQ(utc_offset(always, t), -4h) << rule << " " << to_rfc3339(t);
    }
    EXPECT_FALSE(next_offset_change(always, time("2028-06-01T00:00:00Z"))) << rule;
    EXPECT_EQ(text(period_of(CalendarUnit::day, always, time("2028-01-01T12:00:00Z"))),
              "2028-01-01T04:00:00.000Z to 2028-01-02T04:00:00.000Z");
  }
}

TEST(TimeZone, RefusesWhatIsNoRule) {
  for (const char* rule : {"",
                           "CET",
                           "CE-1",
                           "-1",
                           "<+03-3",
                           "<+>-3",
                           "CET-25",
                           "CET-1:60",
                           "CET-1CEST",
                           "CET-1CEST,M3.5.0",
                           "CET-1CEST,M3.5.0,",
                           "CET-1CEST,M13.5.0,M10.5.0",
                           "CET-1CEST,M0.5.0,M10.5.0",
                           "CET-1CEST,M3.6.0,M10.5.0",
                           "CET-1CEST,M3.0.0,M10.5.0",
                           "CET-1CEST,M3.5.7,M10.5.0",
                           "CET-1CEST,M3.5,M10.5.0",
                           "CET-1CEST,J0,J300",
                           "CET-1CEST,J366,J300",
                           "CET-1CEST,366,300",
                           "CET-1CEST,M3.5.0/168,M10.5.0",
                           "CET-1CEST,M3.5.0,M10.5.0/3x",
                           "CET-1CEST,M3.5.0,M10.5.0,",
                           "C3T-1",
                           ":Europe/Berlin",
                           "CET-1CEST;M3.5.0;M10.5.0"}) {
    EXPECT_FALSE(parse_time_zone_rule(rule)) << rule;
  }
}

TEST(TimeZone, SaysWhichZoneWasMeant) {
  EXPECT_EQ(did_you_mean_time_zone("Berlin"), " (did you mean 'Europe/Berlin'?)");
  EXPECT_EQ(did_you_mean_time_zone("europe/berlin"), " (did you mean 'Europe/Berlin'?)");
  EXPECT_EQ(did_you_mean_time_zone("Europe/Berlim"), " (did you mean 'Europe/Berlin'?)");
  EXPECT_EQ(did_you_mean_time_zone("utc"), " (did you mean 'UTC'?)");
  // Etc/GMT+2 is two hours west of Greenwich: nobody who writes GMT+2 means that.
  EXPECT_EQ(did_you_mean_time_zone("GMT+2"), " (write the name of a place, as 'Europe/Berlin')");
  EXPECT_EQ(did_you_mean_time_zone("Middle-earth/Bree"), "");
  EXPECT_EQ(did_you_mean_time_zone(""), "");
}

TEST(TimeZone, CutsTheCalendarByTheZonesClock) {
  const auto period = [](CalendarUnit unit, const char* name, const char* at) {
    return text(period_of(unit, zone(name), time(at)));
  };
  using enum CalendarUnit;
  // 23 and 25 hours
  EXPECT_EQ(period(day, "Europe/Berlin", "2026-03-29T12:00:00Z"),
            "2026-03-28T23:00:00.000Z to 2026-03-29T22:00:00.000Z");
  EXPECT_EQ(period(day, "Europe/Berlin", "2026-10-25T12:00:00Z"),
            "2026-10-24T22:00:00.000Z to 2026-10-25T23:00:00.000Z");
  // 24.5 hours
  EXPECT_EQ(period(day, "Australia/Lord_Howe", "2026-04-05T00:00:00Z"),
            "2026-04-04T13:00:00.000Z to 2026-04-05T13:30:00.000Z");
  // No midnight: the days begin at 01:00.
  EXPECT_EQ(period(day, "America/Santiago", "2026-09-06T12:00:00Z"),
            "2026-09-06T04:00:00.000Z to 2026-09-07T03:00:00.000Z");
  EXPECT_EQ(period(day, "America/Santiago", "2026-09-06T03:59:59.999Z"),
            "2026-09-05T04:00:00.000Z to 2026-09-06T04:00:00.000Z");
  EXPECT_EQ(period(day, "Africa/Cairo", "2026-04-24T12:00:00Z"),
            "2026-04-23T22:00:00.000Z to 2026-04-24T21:00:00.000Z");
  // Midnight twice: the day begins with the first.
  EXPECT_EQ(period(day, "America/Havana", "2026-11-01T05:00:00Z"),
            "2026-11-01T04:00:00.000Z to 2026-11-02T05:00:00.000Z");
  // 23:00 twice: the day before is the longer one.
  EXPECT_EQ(period(day, "Africa/Cairo", "2026-10-29T21:30:00Z"),
            "2026-10-28T21:00:00.000Z to 2026-10-29T22:00:00.000Z");

  EXPECT_EQ(period(week, "Europe/Berlin", "2026-03-29T21:59:59.999Z"),
            "2026-03-22T23:00:00.000Z to 2026-03-29T22:00:00.000Z");
  EXPECT_EQ(period(week, "UTC", "2026-01-05T00:00:00Z"), "2026-01-05T00:00:00.000Z to 2026-01-12T00:00:00.000Z");
  EXPECT_EQ(period(week, "UTC", "1969-12-31T00:00:00Z"), "1969-12-29T00:00:00.000Z to 1970-01-05T00:00:00.000Z");
  EXPECT_EQ(period(month, "Europe/Berlin", "2026-02-28T23:00:00Z"),
            "2026-02-28T23:00:00.000Z to 2026-03-31T22:00:00.000Z");
  EXPECT_EQ(period(month, "Asia/Kolkata", "2028-02-29T18:29:59.999Z"),
            "2028-01-31T18:30:00.000Z to 2028-02-29T18:30:00.000Z");
  EXPECT_EQ(period(month, "Pacific/Apia", "2026-12-31T11:00:00Z"),
            "2026-12-31T11:00:00.000Z to 2027-01-31T11:00:00.000Z");
  EXPECT_EQ(period(quarter, "America/New_York", "2026-12-25T00:00:00Z"),
            "2026-10-01T04:00:00.000Z to 2027-01-01T05:00:00.000Z");
  EXPECT_EQ(period(year, "Europe/Berlin", "2026-12-31T23:30:00Z"),
            "2026-12-31T23:00:00.000Z to 2027-12-31T23:00:00.000Z");
}

TEST(TimeZone, ADayThatHasBegunDoesNotEndTwice) {
  // As Newfoundland had it to 2011: one minute after midnight the clock is set back to 23:01.
  const auto newfoundland = parse_time_zone_rule("NST3:30NDT,M3.2.0/0:01,M11.1.0/0:01").value();
  const Period sunday{time("2026-11-01T02:30:00Z"), time("2026-11-02T03:30:00Z")};
  for (const RecordTime at :
       {sunday.begin, sunday.begin + 1min, sunday.begin + 30min, sunday.begin + 61min, sunday.end - 1ms}) {
    EXPECT_EQ(text(period_of(CalendarUnit::day, newfoundland, at)), text(sunday)) << to_rfc3339(at);
  }
  EXPECT_EQ(period_of(CalendarUnit::day, newfoundland, sunday.begin - 1ms).end, sunday.begin);
  EXPECT_EQ(period_of(CalendarUnit::month, newfoundland, sunday.begin + 30min).begin, sunday.begin);
}

TEST(TimeZone, PeriodsFollowEachOtherWithoutAGapInEveryZone) {
  for (const std::uint64_t seed : test::seeds(1)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    test::Random random(seed);
    for (const std::string_view name : time_zone_names()) {
      const TimeZone& in = zone(name);
      for (int i = 0; i < 20; ++i) {
        RecordTime at = time("1950-01-01T00:00:00Z") + random.below(days{36'525} / 1ms) * 1ms;
        if (i % 2 == 0) at = next_offset_change(in, at).value_or(at) + (random.below(7'200'000) - 3'600'000) * 1ms;
        for (const auto unit : {CalendarUnit::day, CalendarUnit::week, CalendarUnit::month, CalendarUnit::quarter,
                                CalendarUnit::year}) {
          const Period period = period_of(unit, in, at);
          ASSERT_TRUE(period.begin <= at && at < period.end) << name << " " << to_rfc3339(at) << " " << text(period);
          ASSERT_EQ(period_of(unit, in, period.begin), period) << name << " " << text(period);
          ASSERT_EQ(period_of(unit, in, period.end - 1ms), period) << name << " " << text(period);
          ASSERT_EQ(period_of(unit, in, period.end).begin, period.end) << name << " " << text(period);
        }
      }
    }
  }
}

TEST(TimeZone, BearsTimesBeyondTheCalendar) {
  for (const std::int64_t extreme : {INT64_MIN, INT64_MIN + 1, INT64_MAX - 1, INT64_MAX}) {
    const RecordTime at{Duration{extreme}};
    for (const char* name : {"Europe/Berlin", "Pacific/Kiritimati", "UTC"}) {
      const Duration offset = utc_offset(zone(name), at);
      EXPECT_TRUE(offset == zone(name).standard || offset == zone(name).daylight);
      const Period period = period_of(CalendarUnit::year, zone(name), at);
      EXPECT_EQ(std::chrono::round<days>(period.end - period.begin), days{365}) << text(period);
    }
    EXPECT_EQ(next_offset_change(zone("Europe/Berlin"), at).has_value(), extreme < 0);
  }
}

// The C library with the machine's database, as long as this lives.
class LibraryZone {
 public:
  explicit LibraryZone(const std::string& tz) {
    if (const char* before = std::getenv("TZ")) before_ = before;
    setenv("TZ", tz.c_str(), 1);
    tzset();
  }
  ~LibraryZone() {
    if (before_) {
      setenv("TZ", before_->c_str(), 1);
    } else {
      unsetenv("TZ");
    }
    tzset();
  }
  LibraryZone(const LibraryZone&) = delete;
  LibraryZone& operator=(const LibraryZone&) = delete;

  Duration utc_offset(RecordTime at) const {
    const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(at.since_epoch).count();
    std::tm local{};
    localtime_r(&seconds, &local);
    return std::chrono::seconds{local.tm_gmtoff};
  }

 private:
  std::optional<std::string> before_;
};

TEST(TimeZone, AgreesWithTheDatabaseOfTheMachine) {
  const std::filesystem::path database = "/usr/share/zoneinfo";
  if (!std::filesystem::exists(database / "Europe/Berlin")) GTEST_SKIP() << database << " is missing: install tzdata";
  const std::set<std::string_view> by_the_moon{"Africa/Casablanca", "Africa/El_Aaiun", "Asia/Gaza", "Asia/Hebron"};
  for (const std::uint64_t seed : test::seeds(1)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    test::Random random(seed);
    int compared = 0;
    for (const TimeZoneRow& row : time_zone_rows()) {
      std::ifstream in(database / row.name, std::ios::binary);
      const std::string file{std::istreambuf_iterator<char>(in), {}};
      // The machine's database may be a later one, or an earlier one.
      if (by_the_moon.contains(row.name) || !file.ends_with("\n" + std::string(row.rule) + "\n")) continue;
      ++compared;
      const LibraryZone library(":" + std::string(row.name));
      const auto expect_the_same = [&](RecordTime at) {
        ASSERT_EQ(utc_offset(zone(row.name), at), library.utc_offset(at)) << row.name << " " << to_rfc3339(at);
      };
      RecordTime at = time("2025-01-01T00:00:00Z");
      for (int i = 0; i < 100; ++i) expect_the_same(at + random.below(days{4'017} / 1ms) * 1ms);
      while (const auto change = next_offset_change(zone(row.name), at)) {
        if (*change >= time("2036-01-01T00:00:00Z")) break;
        at = *change;
        expect_the_same(at - 1ms);
        expect_the_same(at);
        ASSERT_NE(library.utc_offset(at - 1ms), library.utc_offset(at)) << row.name << " " << to_rfc3339(at);
      }
    }
    EXPECT_GT(compared, 400) << "the table is out of date: src/base/time_zone_table.py";
  }
}

TEST(TimeZone, AgreesWithTheLibraryOnMadeUpRules) {
  for (const std::uint64_t seed : test::seeds(1)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    test::Random random(seed);
    const auto number = [&](std::int64_t from, std::int64_t to) {
      return std::to_string(from + random.below(to - from + 1));
    };
    const auto change = [&](int from_month) {
      const std::int64_t kind = random.below(3);
      const std::string day =
          kind == 0   ? "J" + number(from_month * 30, from_month * 30 + 30)
          : kind == 1 ? number(from_month * 30, from_month * 30 + 30)
                      : "M" + number(from_month + 1, from_month + 2) + "." + number(1, 5) + "." + number(0, 6);
      return "," + day + "/" + number(0, 24) + ":" + number(10, 59);
    };
    for (int i = 0; i < 300; ++i) {
      const std::int64_t standard = random.below(26) - 14;
      std::string rule = "<AAA>" + std::to_string(standard) + ":30<BBB>";
      rule += std::to_string(standard + (random.below(2) == 0 ? 1 : -1)) + ":" + number(10, 59);
      const bool southern = random.below(2) == 0;
      rule += change(southern ? 8 : 2) + change(southern ? 2 : 8);
      SCOPED_TRACE(rule);
      const auto parsed = parse_time_zone_rule(rule);
      ASSERT_TRUE(parsed);
      const LibraryZone library(rule);
      RecordTime at = time("2026-01-15T00:00:00Z");
      while (at < time("2036-01-01T00:00:00Z")) {
        ASSERT_EQ(utc_offset(*parsed, at), library.utc_offset(at)) << to_rfc3339(at);
        at = at + (1 + random.below(days{20} / 1ms)) * 1ms;
        if (random.below(5) == 0) at = next_offset_change(*parsed, at).value() - random.below(2) * 1ms;
      }
    }
  }
}

}  // namespace time_zone_test
}  // namespace tocsin
