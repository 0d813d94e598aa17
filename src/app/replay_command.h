// `tocsin replay`: what the rules would have done with recorded events. The same code as live, on one partition.

#pragma once

#include <string>
#include <vector>

namespace tocsin {

struct ReplayOptions {
  std::vector<std::string> rules;  // files and folders; empty: what ships
  std::vector<std::string> specs;
  std::string input = "-";
  std::string input_format = "auto";
  std::string output = "text";  // or "json"
  std::string config;           // whose external_labels and fingerprint key are used
  bool fail_on_alert = false;
};

int run_replay(const ReplayOptions& options);

}  // namespace tocsin
