// Telemetry for simulations: an hour or two of a few agents, with incidents, secrets, broken clocks and broken
// records. Made before the run; a function of its seed.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "simulation/scheduler.h"

namespace tocsin::sim {

// One record of the source, and when it arrives there.
struct PlannedRecord {
  Duration arrives;
  RecordTime stamp;
  std::int32_t partition = 0;
  std::string key;
  std::string value;
};

struct Traffic {
  std::vector<PlannedRecord> records;  // by arrival
  std::vector<std::string> secrets;    // none of them may be seen anywhere behind the source
};

struct TrafficPlan {
  std::int32_t partitions = 3;
  Duration begin{};
  Duration length{};
  bool is_odd = true;    // with wrong clocks, broken records, duplicates
  double leaks = 0.025;  // how likely a task has a credential in it
};

Traffic make_traffic(const TrafficPlan& plan, std::uint64_t seed);

// The rules and specs that it is made for, and that the plain reading knows.
extern const std::string_view rules_text;
extern const std::string_view specs_text;

}  // namespace tocsin::sim
