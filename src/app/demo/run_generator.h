// Realistic runs of six agents, with incidents in them: what `tocsin demo` is fed with and tests measure against.
//
// The same options give the same bytes on every platform. At volume 1 nothing in the ordinary runs makes one of the
// shipped rules fire (with the bounds of rules/specs/demo.yaml), and the incidents of the last day, one for each
// rule, make only their own fire, once (two tasks hang, though): tests/oracle/plain_reading.py found it so for
// the seeds 1 to 12. At other volumes the incidents stay visible, but the rules are right to say more: with fewer
// tasks a window can grow over an incident that was over long ago; with more, a morning's rise costs enough.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/units.h"

namespace tocsin {

struct GeneratorOptions {
  std::uint64_t seed = 1;
  EventTime begin = std::chrono::sys_days{std::chrono::year{2026} / 1 / 5};  // midnight UTC; this one is a Monday
  int days = 3;         // at least 2: the rules compare the last day with the one before
  double volume = 1.0;  // times the ordinary number of tasks
  bool incidents = true;
};

struct GeneratedEvent {
  EventTime time;
  std::string key;   // the correlation id; of a session's events its id, of an agent's own state its name
  std::string json;  // one object in the native format, on one line
};

// What was planted, and what is to be found.
struct Incident {
  std::string alert;  // the rule that must fire, once
  std::string env;
  std::string agent;
  std::string correlation_id;  // where the incident is one task; else empty
  EventTime begin;
  EventTime end;     // of the cause; an alert resolves later
  std::string what;  // a sentence for people
};

struct GeneratedRuns {
  std::vector<GeneratedEvent> events;  // by time; events of the same time in the order of their making
  std::vector<Incident> incidents;     // by begin
  std::size_t tasks = 0;

  // The credential that the SecretLeak task repeats, in the two parts that must never leave Tocsin; empty without
  // incidents. Made of pieces at run time, so that no scanner of sources takes it for a real one.
  std::string planted_key_id;  // 20 characters
  std::string planted_secret;  // 40 characters
};

// Requires: options.days >= 1, options.volume > 0.
GeneratedRuns generate_runs(const GeneratorOptions& options);

}  // namespace tocsin
