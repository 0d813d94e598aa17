// Three ordinary days of six agents, to count how often the shipped rules are wrong about them, and the same days
// with an incident for each rule.
//
// Unlike the runs of src/app/demo, nothing is kept from happening by chance. Tasks come at random at a rate that
// follows office hours, 4 to 40 an hour when busiest, with nights that are nearly silent and a weekend; hours differ
// from each other; costs are log-normal, of tasks and again of calls, and spread as those of the recorded runs.
// Failures (one task in 50 to 200; of the 200 recorded ones none failed) and hand-backs cluster: within an hour each
// makes the next more likely (Polya's urn, so that an hour's number is beta-binomial). How strongly is chosen such
// that an hour in which the chance itself is three times the ordinary one hardly exists in all runs: what pages is
// wrong. A function of the seed.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"

namespace tocsin::days {

enum class Trouble : std::uint8_t {
  dear_calls,     // each call costs six times as much, for two hours
  failures,       // tasks fail thirty times as often (1 -> 30 %), for an hour
  handed_back,    // three tasks in four are handed back, for two hours
  never_asks,     // no task is handed back, for six hours
  refused_calls,  // thirty refusals over six tasks within four minutes
  credential,     // a task says a credential, several times
  silent_task     // a task says nothing any more, until three times its budget is over
};

struct PlannedTrouble {
  Trouble trouble{};
  std::string_view alert;  // that must fire for it, once
  std::string_view agent;
  EventTime begin, end;
  std::string correlation_id;  // where it is one task; else empty
};

struct DayEvent {
  EventTime time;
  std::string key;
  std::string json;
};

struct Days {
  std::vector<DayEvent> events;  // by time
  std::vector<PlannedTrouble> troubles;
  std::size_t tasks = 0;
};

struct DaysPlan {
  std::uint64_t seed = 1;
  EventTime begin;  // midnight
  int days = 3;
  int trouble_day = -1;  // counted from 0; on none if negative
};

Days make_days(const DaysPlan& plan);

// What the six declare, as their owners would write it.
extern const std::string_view specs_text;

}  // namespace tocsin::days
