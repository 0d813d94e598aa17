// Runs a test of rules through the very stages that run live, in one thread and without a clock.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/rule_test/rule_test.h"
#include "core/epoch/epoch_book.h"

namespace tocsin {

struct RuleTestResult {
  std::vector<std::string> failures;  // each what was expected beside what was seen, some lines long
  std::int64_t events = 0;
};

// `folder`: what paths of event files are relative to.
RuleTestResult run_rule_test(const RuleTest& test, const RulesAndPatterns& loaded, const std::string& folder);

}  // namespace tocsin
