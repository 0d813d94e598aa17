// `tocsin replay`: what the rules would have done with recorded events. The same code as live, on one partition.

#pragma once

#include <string>
#include <vector>

namespace tocsin {

struct ReplayOptions {
  std::vector<std::string> rules;  // files and folders; empty: what ships
  std::vector<std::string> specs;
  std::string input;  // and what of it: see InputOptions
  std::string from, to;
  std::string input_format = "auto";
  std::string output = "text";  // or "json"
  std::string config;           // whose external_labels and fingerprint key are used, and its way to Kafka
  bool fail_on_alert = false;
  std::vector<std::string> against;  // other rules: only what they would change is printed
  std::string explain;               // an alert's name: the reasoning of its evaluation at `at`, and nothing else
  std::vector<std::string> labels;   // of its group, as agent=support
  std::string at;
};

int run_replay(const ReplayOptions& options);

}  // namespace tocsin
