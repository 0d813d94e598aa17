// What there is to say of a rule of mode task and one of its tasks, for people.

#pragma once

#include <string>

#include "core/alert/alert_change.h"

namespace tocsin {

struct TaskExplanation {
  Labels group;         // of its alert
  std::string text;     // lines, up to how the condition stands
  std::string outlook;  // a line: when the condition will hold, where it is a matter of time
};

}  // namespace tocsin
