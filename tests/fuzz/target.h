// What the fuzz targets share. A target takes bytes as they may come from outside, and aborts where something does
// not hold that must: libFuzzer then keeps the input. It also stops at a sanitizer's report, at a second of processor
// time (checked in fuzz_main.cc) and at the bounds on memory that run.py sets.

#pragma once

#include <string_view>
#include <vector>

namespace tocsin::fuzz {

struct Target {
  std::string_view name;
  void (*run)(std::string_view input);
};

void must_hold(bool condition, const char* what);

// In the files named after what they feed.
std::vector<Target> event_targets();   // telemetry, and what sanitizing lets out
std::vector<Target> rule_targets();    // what people write: rules, templates, the configuration
std::vector<Target> record_targets();  // records of Tocsin's own topics
std::vector<Target> door_targets();    // HTTP bodies and addresses

}  // namespace tocsin::fuzz
