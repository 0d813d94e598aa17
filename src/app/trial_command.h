// `tocsin trial`: what Tocsin would have done with telemetry of the past, for somebody who does not trust it yet. It
// reads and writes nothing but a folder of suggestions.

#pragma once

#include <string>
#include <vector>

namespace tocsin {

struct TrialOptions {
  std::vector<std::string> rules;  // files and folders; empty: what ships
  std::string input;               // as for replay
  std::string from, to;
  std::string config;  // for the way to Kafka
  std::string out = "tocsin-trial";
  std::string output = "text";  // or json
};

int run_trial(const TrialOptions& options);

}  // namespace tocsin
