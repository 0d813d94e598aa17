#include "edge/http/retry_after.h"

#include <algorithm>
#include <charconv>
#include <chrono>

namespace tocsin {

namespace {

constexpr std::int64_t max_retry_after_seconds = 365LL * 24 * 60 * 60;

std::optional<std::int64_t> digits(std::string_view text) {
  std::int64_t value = 0;
  if (text.empty() || !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return std::nullopt;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{})
    return max_retry_after_seconds;
  return value;
}

// RFC 9110, 5.6.7: IMF-fixdate, in seconds since the epoch. The two older forms nobody has sent for decades.
std::optional<std::int64_t> parse_http_date(std::string_view text) {
  using namespace std::chrono;
  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT") return std::nullopt;
  if (text[7] != ' ' || text[11] != ' ' || text[16] != ' ' || text[19] != ':' || text[22] != ':') return std::nullopt;
  const auto day_number = digits(text.substr(5, 2)), year_number = digits(text.substr(12, 4));
  const auto hour = digits(text.substr(17, 2)), minute = digits(text.substr(20, 2)),
             second = digits(text.substr(23, 2));
  const std::size_t month_at = months.find(text.substr(8, 3));
  if (!day_number || !year_number || !hour || !minute || !second) return std::nullopt;
  if (month_at == std::string_view::npos || month_at % 3 != 0) return std::nullopt;
  const year_month_day date{year{static_cast<int>(*year_number)}, month{static_cast<unsigned>(month_at / 3 + 1)},
                            day{static_cast<unsigned>(*day_number)}};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  return duration_cast<seconds>(sys_days{date}.time_since_epoch()).count() + *hour * 3600 + *minute * 60 + *second;
}

}  // namespace

std::optional<Duration> parse_retry_after(std::string_view text, std::int64_t now) {
  auto seconds = digits(text);
  if (!seconds) {
    const auto date = parse_http_date(text);
    if (!date) return std::nullopt;
    seconds = *date - now;
  }
  return std::chrono::seconds(std::clamp<std::int64_t>(*seconds, 0, max_retry_after_seconds));
}

}  // namespace tocsin
