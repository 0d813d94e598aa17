// What goes wrong on the last day of a generated run, where and when: one incident for each shipped rule.
//
// No two share an agent and an hour, and none stands on the agent that keeps office hours, because the last day
// may be a Sunday.

#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/units.h"

namespace tocsin {

enum class Trouble {
  costly_context,    // prompts are no longer shortened: each model call reads several times as much
  provider_outage,   // about half of the tasks end in an error
  broken_tool,       // nearly every task is handed back
  never_surfaces,    // no task is handed back any more
  prompt_injection,  // pages that were read tell the agent to call what it may not
  leaked_secret,     // one task reads a credential and repeats it
  provider_hang      // tasks fall silent and end long after their budget
};

struct PlannedIncident {
  Trouble trouble;
  std::string_view alert;
  std::string_view agent;
  EventTime begin;
  EventTime end;
  std::string_view what;
};

std::vector<PlannedIncident> plan_incidents(EventTime last_day);

// Whether `agent` has this trouble at `time`.
bool troubled(std::span<const PlannedIncident> plan, Trouble trouble, std::string_view agent, EventTime time);

}  // namespace tocsin
