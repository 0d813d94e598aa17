// Time zones by their IANA names, and days, weeks and months by a zone's clock.
//
// A zone is the rule that it follows at present, for all times, past ones too: the program carries one POSIX rule for
// each name (time_zone_table.cc) and reads no file, so that every process and every replay reckons alike. Rules that
// follow the moon do not fit into that form: Africa/Casablanca and Africa/El_Aaiun are an hour off in Ramadan, and
// Asia/Gaza and Asia/Hebron for some weeks about it.
//
// Times outside the years 1 to 9999 count as the nearer end of that span.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"

namespace tocsin {

// A day of every year, and the time on it when the clock is changed.
struct YearlyChange {
  enum class Day : std::uint8_t {
    weekday_of_month,  // "M3.5.0"
    without_leap_day,  // "J60" is the 1st of March in every year
    with_leap_day,     // "59" is the 29th of February, or the 1st of March
  };
  Day day = Day::weekday_of_month;
  std::uint8_t month = 1;    // 1 to 12
  std::uint8_t week = 1;     // 1 to 4; 5 is the last
  std::uint8_t weekday = 0;  // from Sunday
  std::uint16_t number = 0;  // of the day: from 1 without the leap day, from 0 with it
  Duration time{};           // by the clock before the change; may be negative or beyond 24 h
  friend bool operator==(const YearlyChange&, const YearlyChange&) = default;
};

struct TimeZone {
  std::string_view name;  // as the table has it; empty when the zone was made of a rule
  Duration standard{};    // what is added to UTC
  Duration daylight{};  // the same in daylight saving time; less than standard time in Ireland, where winter is meant
  YearlyChange daylight_begins, daylight_ends;  // where both differ
  friend bool operator==(const TimeZone&, const TimeZone&) = default;
};

// The zone of this name, canonical or a link ("Europe/Berlin", "US/Pacific", "UTC"), in the case that the database
// has; null when there is none. What it points to lives as long as the program.
// Thread: any.
const TimeZone* time_zone_named(std::string_view name);

// All names, sorted.
const std::vector<std::string_view>& time_zone_names();

// " (did you mean 'Europe/Berlin'?)" for "Berlin", "europe/berlin" and "Europe/Berlim"; what to write in
// place of "UTC+2"; else nothing.
std::string did_you_mean_time_zone(std::string_view name);

// A rule as IEEE Std 1003.1 (8.3, TZ) has it, with the times from -167 to 167 h of RFC 8536:
// "CET-1CEST,M3.5.0,M10.5.0/3",
// "<+0330>-3:30". Daylight saving time needs both its dates.
std::optional<TimeZone> parse_time_zone_rule(std::string_view rule);

// The nearest time in the years that are reckoned with.
RecordTime within_the_calendar(RecordTime time);

// What is added to UTC then: +2 h for Berlin in summer.
Duration utc_offset(const TimeZone& zone, RecordTime at);

// The first time after `at` when the offset becomes another one; nothing where it never does.
std::optional<RecordTime> next_offset_change(const TimeZone& zone, RecordTime at);

enum class CalendarUnit : std::uint8_t { day, week, month, quarter, year };

// Of [begin, end). The periods of one unit follow each other without a gap.
struct Period {
  RecordTime begin;
  RecordTime end;
  friend bool operator==(const Period&, const Period&) = default;
};

// The unit that `at` lies in, by the zone's clock: from midnight to midnight, weeks from Monday. A midnight that the
// clock skips is the first time after the gap; of a midnight that comes twice the first begins the day.
Period period_of(CalendarUnit unit, const TimeZone& zone, RecordTime at);

}  // namespace tocsin
