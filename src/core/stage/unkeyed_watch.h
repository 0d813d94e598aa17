// Notices that a source is not keyed by correlation id: ten records without the right key within ten minutes of log
// time. One record may be anybody's slip; ten are how the producer is set up.

#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

#include "base/units.h"

namespace tocsin {

class UnkeyedWatch {
 public:
  static constexpr std::size_t enough = 10;
  static constexpr Duration within = std::chrono::minutes{10};

  // An unkeyed record came at `now`. True when it is time to say so: again every ten minutes while it goes on.
  bool note(RecordTime now) {
    std::rotate(latest.begin(), latest.begin() + 1, latest.end());
    latest.back() = now;
    if (now - latest.front() > within || now - said < within) return false;
    said = now;
    return true;
  }

  static constexpr RecordTime never{Duration{INT64_MIN / 2}};

  // All that it remembers.
  std::array<RecordTime, enough> latest = [] {
    std::array<RecordTime, enough> times{};
    times.fill(never);
    return times;
  }();
  RecordTime said = never;
};

}  // namespace tocsin
