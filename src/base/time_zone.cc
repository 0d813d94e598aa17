#include "base/time_zone.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.h"
#include "base/diagnostic.h"
#include "base/time_zone_table.h"

namespace tocsin {

namespace {

using namespace std::chrono;

// A time as a zone's clock shows it, as if the clock were UTC's.
using LocalTime = sys_time<Duration>;

// Takes a POSIX rule apart, from front to back. What is asked for and not there makes it fail for good.
class RuleReader {
 public:
  explicit RuleReader(std::string_view rule) : rest_(rule) {}

  bool failed() const { return failed_; }
  bool at_end() const { return rest_.empty(); }

  bool takes(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char c) { failed_ |= !takes(c); }

  // "CET" or "<+0330>": nothing depends on what it says.
  void skip_name() {
    const bool quoted = takes('<');
    std::size_t length = 0;
    while (length < rest_.size() && belongs_to_name(rest_[length], quoted)) ++length;
    failed_ |= length < 3;
    rest_.remove_prefix(length);
    if (quoted) expect('>');
  }

  // One that has to be from `least` to `most`.
  int number(int least, int most) {
    int value = 0;
    std::size_t digits = 0;
    while (digits < 3 && !rest_.empty() && is_digit(rest_.front())) {
      value = value * 10 + (rest_.front() - '0');
      rest_.remove_prefix(1);
      ++digits;
    }
    failed_ |= digits == 0 || value < least || value > most;
    return value;
  }

  // "2", "-3:30" or "+01:02:03".
  Duration time(int most_hours) {
    const bool negative = takes('-');
    if (!negative) takes('+');
    Duration time = hours{number(0, most_hours)};
    if (takes(':')) {
      time += minutes{number(0, 59)};
      if (takes(':')) time += seconds{number(0, 59)};
    }
    return negative ? -time : time;
  }

  YearlyChange change() {
    YearlyChange change;
    if (takes('M')) {
      change.month = static_cast<std::uint8_t>(number(1, 12));
      expect('.');
      change.week = static_cast<std::uint8_t>(number(1, 5));
      expect('.');
      change.weekday = static_cast<std::uint8_t>(number(0, 6));
    } else if (takes('J')) {
      change.day = YearlyChange::Day::without_leap_day;
      change.number = static_cast<std::uint16_t>(number(1, 365));
    } else {
      change.day = YearlyChange::Day::with_leap_day;
      change.number = static_cast<std::uint16_t>(number(0, 365));
    }
    change.time = takes('/') ? time(167) : hours{2};
    return change;
  }

 private:
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  static bool belongs_to_name(char c, bool quoted) {
    const char lower = to_lower(c);
    return (lower >= 'a' && lower <= 'z') || (quoted && (is_digit(c) || c == '+' || c == '-'));
  }

  std::string_view rest_;
  bool failed_ = false;
};

LocalTime local_time(RecordTime at, Duration offset) {
  return LocalTime{at.since_epoch + offset};
}

sys_days day_of(const YearlyChange& change, year y) {
  switch (change.day) {
    case YearlyChange::Day::without_leap_day: {
      const bool after_leap_day = y.is_leap() && change.number >= 60;
      return sys_days{y / January / 1} + days{change.number - (after_leap_day ? 0 : 1)};
    }
    case YearlyChange::Day::with_leap_day:
      return sys_days{y / January / 1} + days{change.number};
    case YearlyChange::Day::weekday_of_month:
      break;
  }
  const year_month of_month = y / month{change.month};
  const weekday on{unsigned{change.weekday}};
  return change.week == 5 ? sys_days{of_month / on[last]} : sys_days{of_month / on[change.week]};
}

struct OffsetChange {
  RecordTime at;
  bool to_daylight = false;
  friend auto operator<=>(const OffsetChange&, const OffsetChange&) = default;
};

RecordTime daylight_begins(const TimeZone& zone, year y) {
  return {(day_of(zone.daylight_begins, y) + zone.daylight_begins.time).time_since_epoch() - zone.standard};
}
RecordTime daylight_ends(const TimeZone& zone, year y) {
  return {(day_of(zone.daylight_ends, y) + zone.daylight_ends.time).time_since_epoch() - zone.daylight};
}

// As RFC 8536 (3.3.1) writes it: it ends when it begins again, after leap years and others.
bool lasts_all_year(const TimeZone& zone) {
  return daylight_ends(zone, year{2027}) == daylight_begins(zone, year{2028}) &&
         daylight_ends(zone, year{2028}) == daylight_begins(zone, year{2029});
}

// Those of the year of `at` and the years beside it, in order: the time of a change may lie some days out of its
// year.
std::array<OffsetChange, 6> changes_about(const TimeZone& zone, RecordTime at) {
  const year middle = year_month_day{floor<days>(local_time(at, zone.standard))}.year();
  std::array<OffsetChange, 6> changes;
  std::size_t next = 0;
  for (const year y : {middle - years{1}, middle, middle + years{1}}) {
    changes[next++] = {daylight_begins(zone, y), true};
    changes[next++] = {daylight_ends(zone, y), false};
  }
  std::sort(changes.begin(), changes.end());
  return changes;
}

bool is_daylight(const std::array<OffsetChange, 6>& changes, RecordTime at) {
  bool daylight = false;
  for (const OffsetChange& change : changes) {
    if (change.at <= at) daylight = change.to_daylight;
  }
  return daylight;
}

// The first time when the zone's clock shows `local` or later.
RecordTime first_time_at(const TimeZone& zone, LocalTime local) {
  const Duration larger = std::max(zone.standard, zone.daylight);
  const Duration smaller = std::min(zone.standard, zone.daylight);
  const RecordTime earliest{local.time_since_epoch() - larger};
  const RecordTime latest{local.time_since_epoch() - smaller};
  if (earliest == latest || utc_offset(zone, earliest) == larger) return earliest;
  const auto change = next_offset_change(zone, earliest);
  return change && *change < latest ? *change : latest;  // the clock is set forward past `local`
}

// The first day of the unit that `day` lies in, and of the next.
std::pair<sys_days, sys_days> unit_about(CalendarUnit unit, sys_days day) {
  const year_month_day date{day};
  const year_month of_month = date.year() / date.month();
  switch (unit) {
    case CalendarUnit::day:
      break;
    case CalendarUnit::week: {
      const sys_days monday = day - (weekday{day} - Monday);
      return {monday, monday + weeks{1}};
    }
    case CalendarUnit::month:
      return {sys_days{of_month / 1}, sys_days{(of_month + months{1}) / 1}};
    case CalendarUnit::quarter: {
      const months into{(unsigned{date.month()} - 1) % 3};
      return {sys_days{(of_month - into) / 1}, sys_days{(of_month - into + months{3}) / 1}};
    }
    case CalendarUnit::year:
      return {sys_days{date.year() / January / 1}, sys_days{(date.year() + years{1}) / January / 1}};
  }
  return {day, day + days{1}};
}

std::vector<TimeZone> zones_of_table() {
  std::vector<TimeZone> zones;
  for (const TimeZoneRow& row : time_zone_rows()) {
    zones.push_back(parse_time_zone_rule(row.rule).value());  // a test reads them all
    zones.back().name = row.name;
  }
  return zones;
}

}  // namespace

const TimeZone* time_zone_named(std::string_view name) {
  static const std::vector<TimeZone> zones = zones_of_table();
  const auto found = std::lower_bound(zones.begin(), zones.end(), name,
                                      [](const TimeZone& zone, std::string_view n) { return zone.name < n; });
  return found != zones.end() && found->name == name ? &*found : nullptr;
}

const std::vector<std::string_view>& time_zone_names() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const TimeZoneRow& row : time_zone_rows()) all.push_back(row.name);
    return all;
  }();
  return names;
}

std::string did_you_mean_time_zone(std::string_view name) {
  const auto& names = time_zone_names();
  const bool has_number = name.find_first_of("0123456789") != std::string_view::npos;
  if (has_number && name.find('/') == std::string_view::npos) {
    // "GMT+2" is near 'Etc/GMT+2', which is west of Greenwich.
    return " (write the name of a place, as 'Europe/Berlin')";
  }
  const auto same = std::find_if(names.begin(), names.end(),
                                 [name](std::string_view candidate) { return same_ignoring_case(candidate, name); });
  if (same != names.end()) return did_you_mean(*same, {*same});
  const auto place = std::find_if(names.begin(), names.end(), [name](std::string_view candidate) {
    const std::size_t slash = candidate.rfind('/');
    return slash != std::string_view::npos && same_ignoring_case(candidate.substr(slash + 1), name);
  });
  if (place != names.end()) return did_you_mean(*place, {*place});
  return did_you_mean(name, names);
}

std::optional<TimeZone> parse_time_zone_rule(std::string_view rule) {
  RuleReader reader(rule);
  TimeZone zone;
  reader.skip_name();
  zone.standard = -reader.time(24);  // POSIX counts what is west of Greenwich
  zone.daylight = zone.standard;
  if (!reader.at_end()) {
    reader.skip_name();
    if (reader.takes(',')) {
      zone.daylight = zone.standard + hours{1};
    } else {
      zone.daylight = -reader.time(24);
      reader.expect(',');
    }
    zone.daylight_begins = reader.change();
    reader.expect(',');
    zone.daylight_ends = reader.change();
  }
  if (reader.failed() || !reader.at_end()) return std::nullopt;
  if (zone.standard != zone.daylight && lasts_all_year(zone)) zone.standard = zone.daylight;
  return zone;
}

RecordTime within_the_calendar(RecordTime time) {
  // A day from both ends, so that offsets do not lead out of it.
  constexpr RecordTime earliest{sys_days{year{1} / January / 2}.time_since_epoch()};
  constexpr RecordTime latest{sys_days{year{9999} / December / 30}.time_since_epoch()};
  return std::clamp(time, earliest, latest);
}

Duration utc_offset(const TimeZone& zone, RecordTime at) {
  if (zone.standard == zone.daylight) return zone.standard;
  at = within_the_calendar(at);
  return is_daylight(changes_about(zone, at), at) ? zone.daylight : zone.standard;
}

std::optional<RecordTime> next_offset_change(const TimeZone& zone, RecordTime at) {
  if (zone.standard == zone.daylight) return std::nullopt;
  const RecordTime within = within_the_calendar(at);
  const auto changes = changes_about(zone, within);
  const bool daylight = is_daylight(changes, within);
  at = std::max(at, within);
  for (const OffsetChange& change : changes) {
    if (change.at > at && change.to_daylight != daylight) return change.at;
  }
  return std::nullopt;
}

Period period_of(CalendarUnit unit, const TimeZone& zone, RecordTime at) {
  at = within_the_calendar(at);
  const auto about = unit_about(unit, floor<days>(local_time(at, utc_offset(zone, at))));
  const Period period{first_time_at(zone, about.first), first_time_at(zone, about.second)};
  if (at < period.end) return period;
  // The clock was set back over midnight: what has begun does not end once more.
  const auto next = unit_about(unit, about.second);
  return {period.end, first_time_at(zone, next.second)};
}

}  // namespace tocsin
