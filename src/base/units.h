// Units that must not be mixed up.
//
// A bare int64_t can hold dollars, tokens or milliseconds; these types cannot be added to each other by
// accident. Each is one int64_t and costs nothing at run time.

#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace tocsin {

// Money in millionths of a US dollar. Integers add up the same in any order, so a replay reaches the same
// total; doubles would not.
struct MicroUsd {
  std::int64_t value = 0;
  friend constexpr auto operator<=>(const MicroUsd&, const MicroUsd&) = default;
};

inline constexpr std::int64_t micros_per_unit = 1'000'000;

// What does not fit stays at the end of its range.
constexpr std::int64_t saturating_add(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b < 0 ? INT64_MIN : INT64_MAX;
}
constexpr std::int64_t saturating_subtract(std::int64_t a, std::int64_t b) {
  std::int64_t rest = 0;
  if (!__builtin_sub_overflow(a, b, &rest)) return rest;
  return b < 0 ? INT64_MAX : INT64_MIN;
}

// Durations of the domain: milliseconds, as Kafka's record timestamps are.
using Duration = std::chrono::milliseconds;

// Two times that must not be mixed: neither is ever read from a clock inside core/.
//
// EventTime is what the event reports: deadlines, durations, what people read.
// RecordTime is the log's: the running maximum of a partition's record timestamps, by which slices are cut. A damaged
// record may hold any: what is reckoned from them stays within their range.
using EventTime = std::chrono::sys_time<Duration>;

struct RecordTime {
  Duration since_epoch{};
  friend constexpr auto operator<=>(const RecordTime&, const RecordTime&) = default;
  friend constexpr RecordTime operator+(RecordTime time, Duration d) {
    return {Duration{saturating_add(time.since_epoch.count(), d.count())}};
  }
  friend constexpr RecordTime operator-(RecordTime time, Duration d) {
    return {Duration{saturating_subtract(time.since_epoch.count(), d.count())}};
  }
  friend constexpr Duration operator-(RecordTime a, RecordTime b) {
    return Duration{saturating_subtract(a.since_epoch.count(), b.since_epoch.count())};
  }
};

// Before every record: of what has no time yet.
constexpr RecordTime before_all{Duration{INT64_MIN / 4}};

// The latest multiple of `grain` that is not after `time`; negative times round down as well.
constexpr RecordTime floor_to(RecordTime time, Duration grain) {
  const std::int64_t t = time.since_epoch.count();
  const std::int64_t g = grain.count();
  std::int64_t remainder = t % g;
  if (remainder < 0) remainder += g;
  return {Duration{saturating_subtract(t, remainder)}};
}

constexpr RecordTime ceil_to(RecordTime time, Duration grain) {
  const RecordTime down = floor_to(time, grain);
  return down == time ? down : down + grain;
}

constexpr RecordTime as_record_time(EventTime time) {
  return {time.time_since_epoch()};
}
constexpr EventTime as_event_time(RecordTime time) {
  return EventTime{time.since_epoch};
}

}  // namespace tocsin
