// The incidents of generated runs, held against the rules that ship: each is found once, in its time, and nothing
// else fires.

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "app/demo/run_generator.h"
#include "app/shipped_files.h"
#include "base/time_text.h"
#include "core/sanitize/shipped_patterns.h"
#include "runtime/joined_stages.h"

namespace tocsin {
namespace incidents_test {

constexpr std::uint64_t seeds = 20;

struct Seen {
  std::vector<AlertChange> changes;
  std::set<std::string> halts;
};

Seen replay(const GeneratedRuns& runs) {
  Diagnostics diagnostics;
  std::vector<NamedText> files(shipped_rules().begin(), shipped_rules().end());
  files.insert(files.end(), shipped_demo_specs().begin(), shipped_demo_specs().end());
  const auto rules = load_rules(files, diagnostics);
  const auto patterns = test::shipped_patterns();
  EXPECT_FALSE(diagnostics.has_errors());
  const std::vector<unsigned char> key(32, 1);
  JoinedStages stages({}, {}, rules, patterns, Fingerprinter(key));
  Seen seen;
  JoinedStages::Output out;
  std::int64_t offset = 0;
  for (const GeneratedEvent& event : runs.events) {
    RawRecord record;
    record.key = event.key;
    record.value = event.json;
    record.offset = offset++;
    out.clear();
    stages.apply(record, out);
    for (const HaltRecord& halt : out.ingest.halts) seen.halts.insert(halt.id);
    for (auto* list : {&out.by_time, &out.at_once}) {
      for (AlertChange& change : *list) seen.changes.push_back(std::move(change));
    }
  }
  EXPECT_EQ(stages.ingest().totals().all_dead_letters(), 0);
  return seen;
}

std::string label_of(const AlertChange& change, std::string_view name) {
  for (const auto& [known, value] : change.labels) {
    if (known == name) return value;
  }
  return {};
}

TEST(Incidents, AreEachFoundOnceInTheirTimeAndNothingElseFires) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    GeneratorOptions options;
    options.seed = seed;
    const GeneratedRuns runs = generate_runs(options);
    const Seen seen = replay(runs);
    std::map<const Incident*, int> found;
    for (const AlertChange& change : seen.changes) {
      if (!change.firing) continue;
      const Incident* match = nullptr;
      for (const Incident& incident : runs.incidents) {
        const bool own_task =
            incident.correlation_id.empty() || incident.correlation_id == label_of(change, "correlation_id");
        // An incident is over at its end; what it did to the windows may be noticed a little later.
        if (incident.alert == change.alert && incident.agent == label_of(change, "agent") && own_task &&
            change.at >= as_record_time(incident.begin) &&
            change.at <= as_record_time(incident.end) + std::chrono::minutes{30}) {
          match = &incident;
        }
      }
      EXPECT_NE(match, nullptr) << change.alert << " " << to_text(change.labels) << " at " << to_rfc3339(change.at);
      if (match != nullptr) ++found[match];
    }
    for (const Incident& incident : runs.incidents) {
      EXPECT_EQ(found[&incident], 1) << incident.alert << " of " << incident.agent;
    }
    EXPECT_EQ(seen.halts.size(), 1u);  // one secret, however often it is repeated
  }
}

TEST(Incidents, WithoutThemNothingFires) {
  for (std::uint64_t seed = 1; seed <= (seeds + 3) / 4; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    GeneratorOptions options;
    options.seed = seed;
    options.incidents = false;
    const Seen seen = replay(generate_runs(options));
    for (const AlertChange& change : seen.changes) {
      ADD_FAILURE() << change.alert << " " << to_text(change.labels) << " at " << to_rfc3339(change.at);
    }
    EXPECT_TRUE(seen.halts.empty());
  }
}

TEST(Incidents, TwoHungTasksOfOneAgentAreOnePage) {
  const GeneratedRuns runs = generate_runs({});
  std::set<std::string> pages;
  int alerts = 0, sent = 0;
  for (const AlertChange& change : replay(runs).changes) {
    if (change.alert != "TaskOverWallClock" || !change.firing) continue;
    ++alerts;
    sent += change.sends_page ? 1 : 0;
    pages.insert(change.page_id.value_or("none"));
  }
  EXPECT_EQ(alerts, 2);
  EXPECT_EQ(sent, 1);
  EXPECT_EQ(pages.size(), 1u);
}

}  // namespace incidents_test
}  // namespace tocsin
