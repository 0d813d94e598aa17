// `tocsin demo`: the embedded service, fed with three days of six agents at speed, with an incident for each rule on
// the last day.

#pragma once

#include <cstdint>
#include <string>

namespace tocsin {

struct DemoOptions {
  bool once = false;  // ends when all has been seen
  std::uint64_t seed = 1;
  std::uint16_t port = 8686;
  std::string agent;  // a command that plays the agent's side of a halt; empty: a built-in one
};

int run_demo(const DemoOptions& options);

}  // namespace tocsin
