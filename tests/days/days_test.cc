// How often the shipped rules wake somebody for nothing, and whether they wake them once for each incident.

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "app/shipped_files.h"
#include "base/time_text.h"
#include "days/day_traffic.h"
#include "runtime/joined_stages.h"

namespace tocsin::days {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t quiet_seeds = 20, troubled_seeds = 10;

// The alerts as one would first say them. They stand beside the shipped ones in the same runs.
const std::string literal_rules = R"(groups:
- name: literal
  defaults: {group_by: [env, agent], actions: [page]}
  rules:
  - alert: LiteralCost
    from: step
    value: per_hour(cost)
    window: 1h
    baseline: {range: 24h}
    when: value > 2 * baseline
  - alert: LiteralErrors
    from: task.finished
    value: ratio(outcome in ["errored", "timed_out"])
    window: 1h
    baseline: {range: 24h}
    when: value > 3 * baseline
  - alert: LiteralSurfaces
    from: task.finished
    group_by: [env, agent, spec, spec_version]
    value: ratio(outcome == "surfaced")
    window: 1h
    when: value > spec.surface_rate.max || value < spec.surface_rate.min
    for: 15m
)";

std::string label_of(const AlertChange& change, std::string_view name) {
  for (const auto& [known, value] : change.labels) {
    if (known == name) return value;
  }
  return {};
}

std::string describe(const AlertChange& change) {
  return change.alert + " " + to_text(change.labels) + (change.firing ? " fires" : " ends") + " at " +
         to_rfc3339(change.at) + ", value " + std::to_string(change.value) + ", baseline " +
         std::to_string(change.baseline) + ", " + std::to_string(change.samples) + " samples in " +
         std::to_string(change.window / 1min) + " min";
}

std::vector<AlertChange> play(const Days& days, bool with_literal_rules) {
  std::vector<NamedText> files(shipped_rules().begin(), shipped_rules().end());
  files.push_back({"specs.yaml", std::string(specs_text)});
  if (with_literal_rules) files.push_back({"literal.yaml", literal_rules});
  Diagnostics diagnostics;
  const auto rules = load_rules(files, diagnostics);
  const auto patterns = load_patterns(shipped_patterns(), diagnostics);
  EXPECT_FALSE(diagnostics.has_errors());
  const std::vector<unsigned char> key(32, 1);
  JoinedStages stages({}, {}, rules, patterns, Fingerprinter(key));
  std::vector<AlertChange> changes;
  JoinedStages::Output out;
  std::int64_t offset = 0;
  for (const DayEvent& event : days.events) {
    RawRecord record;
    record.key = event.key;
    record.value = event.json;
    record.time = as_record_time(event.time);
    record.offset = offset++;
    out.clear();
    stages.apply(record, out);
    for (auto* list : {&out.by_time, &out.at_once}) {
      for (AlertChange& change : *list) changes.push_back(std::move(change));
    }
  }
  EXPECT_EQ(stages.ingest().totals().all_dead_letters(), 0);
  EXPECT_EQ(static_cast<std::size_t>(stages.ingest().totals().tasks), days.tasks);
  return changes;
}

constexpr EventTime monday = std::chrono::sys_days{std::chrono::year{2026} / 1 / 5};
constexpr auto day = std::chrono::hours{24};

TEST(Days, OrdinaryOnesWakeNobodyMoreThanOnceInTwentyRuns) {
  std::vector<std::string> pages;
  std::map<std::string, int> literal;
  for (std::uint64_t seed = 1; seed <= quiet_seeds; ++seed) {
    DaysPlan plan;
    plan.seed = seed;
    plan.begin = monday + (3 + static_cast<int>(seed % 4)) * day;  // from Thursday, Friday, Saturday or Sunday on
    for (const AlertChange& change : play(make_days(plan), true)) {
      if (!change.firing) continue;
      if (change.alert.starts_with("Literal")) {
        ++literal[change.alert];
      } else {
        pages.push_back("seed " + std::to_string(seed) + ": " + describe(change));
      }
    }
  }
  EXPECT_LE(pages.size(), 1u) << [&] {
    std::string all;
    for (const std::string& page : pages) all += page + "\n";
    return all;
  }();
  // The same runs do hold what wakes people where rules ask no more than what they are about.
  for (const char* alert : {"LiteralCost", "LiteralErrors", "LiteralSurfaces"}) {
    EXPECT_GE(literal[alert], static_cast<int>(10 * quiet_seeds)) << alert;
    if (std::getenv("DAYS_VERBOSE")) printf("%s %d\n", alert, literal[alert]);
  }
}

// When each must have fired after the trouble's begin, and have ended after its end.
struct Bounds {
  Duration fires, ends;
};
const std::map<std::string_view, Bounds> bounds = {
    {"CostSpike", {65min, 2h}},                 // its window is an hour
    {"ErrorRateSpike", {60min, 1h}},            // within the hour
    {"SurfaceRateOutOfBand", {90min, 3h}},      // twenty tasks, and fifteen minutes more
    {"SurfaceRateTooLow", {2h + 30min, 3h}},    // 130 tasks, and fifteen minutes more
    {"AuthorizationRefusalSpike", {6min, 1h}},  // ten refusals, and two minutes more
    {"SecretLeak", {0s, 0s}},                   // a person ends it
    {"TaskOverWallClock", {6min + 10s, 40min}},
};

TEST(Days, EachIncidentIsPagedOnceAndNothingElse) {
  for (std::uint64_t seed = 101; seed < 101 + troubled_seeds; ++seed) {
    DaysPlan plan;
    plan.seed = seed;
    // On a Friday, or on a Tuesday after a weekend.
    plan.begin = seed % 2 == 0 ? monday + 3 * day : monday + 6 * day;
    plan.trouble_day = seed % 2 == 0 ? 1 : 2;
    const Days days = make_days(plan);
    std::map<const PlannedTrouble*, std::vector<AlertChange>> found;
    for (const AlertChange& change : play(days, false)) {
      const PlannedTrouble* match = nullptr;
      for (const PlannedTrouble& trouble : days.troubles) {
        const bool is_its_task =
            trouble.correlation_id.empty() || trouble.correlation_id == label_of(change, "correlation_id");
        if (trouble.alert == change.alert && trouble.agent == label_of(change, "agent") && is_its_task)
          match = &trouble;
      }
      EXPECT_NE(match, nullptr) << "seed " << seed << ": " << describe(change);
      if (match != nullptr) found[match].push_back(change);
    }
    for (const PlannedTrouble& trouble : days.troubles) {
      const auto& changes = found[&trouble];
      std::string all = "seed " + std::to_string(seed) + ": " + std::string(trouble.alert) + " of " +
                        std::string(trouble.agent) + " from " + to_rfc3339(trouble.begin);
      for (const AlertChange& change : changes) all += "\n  " + describe(change);
      const bool is_for_a_person = trouble.trouble == Trouble::credential;
      ASSERT_EQ(changes.size(), is_for_a_person ? 1u : 2u) << all;
      EXPECT_TRUE(changes[0].firing && changes[0].sends_page) << all;
      EXPECT_GE(changes[0].at, as_record_time(trouble.begin)) << all;
      EXPECT_LE(changes[0].at, as_record_time(trouble.begin) + bounds.at(trouble.alert).fires) << all;
      if (is_for_a_person) continue;
      EXPECT_FALSE(changes[1].firing) << all;
      EXPECT_LE(changes[1].at, as_record_time(trouble.end) + bounds.at(trouble.alert).ends) << all;
    }
  }
}

}  // namespace
}  // namespace tocsin::days
