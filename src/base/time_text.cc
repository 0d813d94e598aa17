#include "base/time_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace tocsin {

namespace {

// Reads exactly `count` digits at `at`; nothing when they are not there.
std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) return std::nullopt;
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    const char c = text[i];
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

// The offset "Z" or "+hh:mm" that ends the text, in minutes.
std::optional<int> offset_minutes(std::string_view zone) {
  if (zone == "Z" || zone == "z") return 0;
  if (zone.size() != 6 || zone[3] != ':' || (zone[0] != '+' && zone[0] != '-')) return std::nullopt;
  const auto hours = digits(zone, 1, 2);
  const auto minutes = digits(zone, 4, 2);
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  const int total = *hours * 60 + *minutes;
  return zone[0] == '-' ? -total : total;
}

struct Unit {
  std::string_view suffix;
  std::int64_t milliseconds;
};

constexpr std::array<Unit, 6> units{
    {{"w", 604'800'000}, {"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};

}  // namespace

std::optional<EventTime> parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  const auto year_number = digits(text, 0, 4), month_number = digits(text, 5, 2), day_number = digits(text, 8, 2);
  const auto hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);
  if (!year_number || !month_number || !day_number || !hour || !minute || !second) return std::nullopt;
  if (text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':') return std::nullopt;
  if (text[10] != 'T' && text[10] != 't' && text[10] != ' ') return std::nullopt;
  const year_month_day date{year{*year_number}, month{static_cast<unsigned>(*month_number)},
                            day{static_cast<unsigned>(*day_number)}};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;  // 60: a leap second

  std::size_t at = 19;
  int milliseconds_part = 0;
  if (at < text.size() && text[at] == '.') {
    int scale = 100;
    const std::size_t first = ++at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10) {
      milliseconds_part += (text[at] - '0') * scale;
    }
    if (at == first) return std::nullopt;
  }
  const auto zone = offset_minutes(text.substr(at));
  if (!zone) return std::nullopt;
  return EventTime{sys_days{date} + hours{*hour} + minutes{*minute - *zone} + seconds{*second} +
                   milliseconds{milliseconds_part}};
}

std::string to_rfc3339(EventTime time) {
  using namespace std::chrono;
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const auto rest = (time - day).count();
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), rest / 3'600'000,
                     rest / 60'000 % 60, rest / 1'000 % 60, rest % 1'000);
}

std::optional<EventTime> from_epoch_number(std::int64_t number) {
  constexpr std::int64_t seconds_end = 100'000'000'000;  // 1e11 s is the year 5138; 1e11 ms is 1973
  if (number < 0) return std::nullopt;
  if (number < seconds_end) return EventTime{Duration{number * 1'000}};
  if (number < seconds_end * 1'000) return EventTime{Duration{number}};
  if (number < seconds_end * 1'000'000) return EventTime{Duration{number / 1'000}};
  return EventTime{Duration{number / 1'000'000}};
}

std::optional<Duration> parse_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  constexpr std::int64_t longest = 3'660LL * 86'400'000;  // ten years: more is a mistake, and sums cannot overflow
  std::int64_t total = 0;
  std::int64_t last_unit = INT64_MAX;
  while (!text.empty()) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || number < 0) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    std::size_t letters = 0;
    while (letters < text.size() && text[letters] >= 'a' && text[letters] <= 'z') ++letters;
    const Unit* unit = nullptr;
    for (const Unit& candidate : units) {
      if (candidate.suffix == text.substr(0, letters)) unit = &candidate;
    }
    if (unit == nullptr || unit->milliseconds >= last_unit || number > longest / unit->milliseconds) {
      return std::nullopt;
    }
    last_unit = unit->milliseconds;
    total += number * unit->milliseconds;
    text.remove_prefix(letters);
  }
  if (total > longest) return std::nullopt;
  return Duration{total};
}

std::string to_text(Duration duration) {
  std::int64_t rest = duration.count();
  if (rest == 0) return "0s";
  std::string text;
  if (rest < 0) {
    text = "-";
    rest = -rest;
  }
  for (const Unit& unit : units) {
    if (unit.suffix == "w") continue;  // "24h" and "7d" read better than weeks
    if (rest >= unit.milliseconds) {
      text += std::to_string(rest / unit.milliseconds) + std::string(unit.suffix);
      rest %= unit.milliseconds;
    }
  }
  return text;
}

Duration duration_of_seconds(double seconds) {
  constexpr double thousand_years = 1'000 * 365.25 * 86'400;
  if (std::isnan(seconds)) return Duration::zero();
  return Duration{std::llround(std::clamp(seconds, -thousand_years, thousand_years) * 1'000)};
}

}  // namespace tocsin
