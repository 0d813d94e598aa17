// `tocsin test`: unit tests of rules, from files.

#pragma once

#include <string>
#include <vector>

namespace tocsin {

struct TestOptions {
  std::vector<std::string> paths;  // test files and folders
  std::string only;                // names of tests that hold this text; empty: all
  std::string output = "text";     // or json
};

// Exit status 1 where a test failed, 2 where a file has a mistake.
int run_tests(const TestOptions& options);

}  // namespace tocsin
