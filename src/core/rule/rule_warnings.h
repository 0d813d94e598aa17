// What is legal in rules, and useless or other than its writer thinks.

#pragma once

#include "base/diagnostic.h"
#include "core/rule/rule_set.h"

namespace tocsin {

// Adds a warning for each. Codes: never-fires, always-fires, undeclared-bound, short-for, no-action, blind-window.
void warn_about(const RuleSet& rules, Diagnostics& diagnostics);

// What the rules take at most, at the caps that they set (`max_series`).
struct RuleCost {
  std::int64_t series = 0;
  std::int64_t bytes = 0;
};
RuleCost cost_of(const RuleSet& rules);

}  // namespace tocsin
