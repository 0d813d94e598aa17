// `tocsin expand`: rules as they are in force, with what presets and defaults add.

#pragma once

#include <string>
#include <vector>

namespace tocsin {

struct ExpandOptions {
  std::vector<std::string> paths;
  bool presets = false;  // prints those that there are
};

// Exit status 1 where a file has a mistake: what has none is printed all the same.
int run_expand(const ExpandOptions& options);

}  // namespace tocsin
