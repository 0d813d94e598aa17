// A test of rules, as people write it: events in shorthand or from files, and what must come of them.
//
//   tests:
//   - name: an hour at twice the cost pages
//     rules: [agents.yaml]                     # beside this file; absent: the rules of this file, else those that
//     ship input:
//     - step agent=support cost_usd=0.10 every 30s for 12h
//     - at 12h step agent=support cost_usd=0.60 every 30s for 1h
//     - at 12h30m restart                      # the process ends and goes on from its topics
//     expect:
//     - {alert: CostSpike, fires: 12h..12h30m, resolves: 13h..15h, labels: {agent: support}}
//     - {at: 11h, firing: []}
//
// README has the whole form. Times are after `start`, which is 2026-01-05T00:00:00Z where nothing else is written.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/diagnostic.h"
#include "base/named_text.h"
#include "base/units.h"
#include "base/yaml_tree.h"

namespace tocsin {

// One line of input: an event, repeated, or a restart.
struct TestInput {
  enum class Kind : std::uint8_t { event, task, restart, file };
  Kind kind = Kind::event;
  std::string type;                                         // of an event
  std::vector<std::pair<std::string, std::string>> fields;  // as written; quoted texts with their quotes
  Duration at{};
  Duration every{};  // zero: once
  Duration length{};
  std::string file;
  SourcePosition position;
};

struct TimeRange {
  Duration from{}, to{};
  bool holds(Duration time) const { return time >= from && time <= to; }
};

struct ExpectedAlert {
  std::string alert;
  std::vector<std::pair<std::string, std::string>> labels;  // each must be so; there may be others
  std::vector<std::pair<std::string, std::string>> annotations;
  std::optional<double> value, baseline;
  std::optional<std::int64_t> samples;
};

struct TestExpectation {
  enum class Kind : std::uint8_t { episode, firing, halt, quiet, pages };
  Kind kind = Kind::episode;
  SourcePosition position;
  Duration at{};                   // of firing
  ExpectedAlert alert;             // of an episode
  std::vector<ExpectedAlert> all;  // of firing: these and no others
  std::optional<TimeRange> fires, resolves;
  std::string scope;  // of a halt
  std::int64_t pages = 0;
};

struct RuleTest {
  std::string name;
  SourcePosition position;
  std::vector<std::string> rules;   // paths
  std::vector<std::string> alerts;  // only what these do is looked at; empty: all
  RecordTime start{};
  std::vector<TestInput> input;
  std::vector<TestExpectation> expect;
  bool enforce_halts = true;
};

// The tests of a file; reports every mistake.
std::vector<RuleTest> load_rule_tests(const NamedText& file, Diagnostics& diagnostics);

}  // namespace tocsin
