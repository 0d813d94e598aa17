// `tocsin check`: every mistake of rules, specs, sanitizing patterns and configuration files, located.

#pragma once

#include <string>
#include <vector>

namespace tocsin {

struct CheckOptions {
  std::vector<std::string> paths;
  bool strict = false;          // warnings count as mistakes
  std::string output = "text";  // or json: one object with all diagnostics
};

int run_check(const CheckOptions& options);

}  // namespace tocsin
