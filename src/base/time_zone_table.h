// The table of time zones as the program holds it: time_zone.h reads it, and nobody else should.

#pragma once

#include <span>
#include <string_view>

namespace tocsin {

struct TimeZoneRow {
  std::string_view name;  // "Europe/Berlin"
  std::string_view rule;  // as POSIX's environment variable TZ has it: "CET-1CEST,M3.5.0,M10.5.0/3"
};

// Sorted by name, each name once.
std::span<const TimeZoneRow> time_zone_rows();

}  // namespace tocsin
