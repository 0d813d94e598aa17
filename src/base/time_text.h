// Times and durations as text: RFC 3339 in and out, and the short form of rule files ("30m", "1h30m").

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/units.h"

namespace tocsin {

// RFC 3339 with 'T' or a space, any number of fraction digits (cut to milliseconds), 'Z' or an offset.
std::optional<EventTime> parse_rfc3339(std::string_view text);

// "2026-01-05T00:16:44.953Z": always UTC, always three fraction digits.
std::string to_rfc3339(EventTime time);
inline std::string to_rfc3339(RecordTime time) {
  return to_rfc3339(as_event_time(time));
}

// A count since the epoch in seconds, milliseconds, microseconds or nanoseconds, told apart by its size: each
// unit holds the years 1973 to 5138 in digits that the next one does not reach.
std::optional<EventTime> from_epoch_number(std::int64_t number);

// "250ms", "30s", "15m", "24h", "7d", "2w" and sums of them in falling order ("1h30m"), as Prometheus writes them.
std::optional<Duration> parse_duration(std::string_view text);

// The shortest exact form: "1h30m", "250ms", "0s".
std::string to_text(Duration duration);

// A computed number of seconds, to the millisecond. What lies beyond a thousand years, infinity too, is a thousand
// years; what is no number is zero.
Duration duration_of_seconds(double seconds);

}  // namespace tocsin
