// How often the shipped rules wake somebody for nothing, and whether they wake them once for each incident.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "app/shipped_files.h"
#include "base/time_text.h"
#include "core/sanitize/shipped_patterns.h"
#include "days/day_traffic.h"
#include "runtime/joined_stages.h"

namespace tocsin::days {
namespace days_test {

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
  const auto patterns = test::shipped_patterns();
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

// Monday or Tuesday, at ten in the morning.
EventTime begin_of(std::uint64_t seed) {
  return monday + static_cast<int>(seed % 2) * day + std::chrono::hours{10};
}

// What the rules as they ship did in these runs when this was written: the aim is one page at most. What is left are
// four failures that came together by chance.
constexpr int known_error_pages = 3;
constexpr int known_band_incidents = 9, known_beside = 1;
// Of runs that begin at midnight, and of those over a Sunday: of whatever is no incident nobody knows the baseline
// yet.
constexpr int known_midnight_pages = 3, known_sunday_pages = 3;

int pages_of(const std::vector<AlertChange>& changes, std::string& all) {
  int pages = 0;
  for (const AlertChange& change : changes) {
    if (!change.firing) continue;
    ++pages;
    all += describe(change) + "\n";
  }
  return pages;
}

TEST(Days, AMorningAfterAQuietNightIsNoSpikeAndNorIsAMonday) {
  int at_midnight = 0, on_sunday = 0;
  std::string all;
  for (std::uint64_t seed = 1; seed <= quiet_seeds; ++seed) {
    DaysPlan plan;
    plan.seed = seed;
    plan.begin = monday;
    at_midnight += pages_of(play(make_days(plan), false), all);
    plan.begin = monday - day;
    on_sunday += pages_of(play(make_days(plan), false), all);
  }
  EXPECT_LE(at_midnight, known_midnight_pages) << all;
  EXPECT_LE(on_sunday, known_sunday_pages) << all;
}

TEST(Days, OrdinaryOnesWakeNobodyMoreOftenThanIsKnown) {
  std::map<std::string, int> pages;
  std::string all;
  for (std::uint64_t seed = 1; seed <= quiet_seeds; ++seed) {
    DaysPlan plan;
    plan.seed = seed;
    plan.begin = begin_of(seed);
    for (const AlertChange& change : play(make_days(plan), true)) {
      if (!change.firing) continue;
      ++pages[change.alert];
      if (!change.alert.starts_with("Literal"))
        all += "seed " + std::to_string(seed) + ": " + describe(change) + "\n";
    }
  }
  EXPECT_EQ(pages["CostSpike"], 0) << all;
  EXPECT_LE(pages["ErrorRateSpike"], known_error_pages) << all;
  for (const char* alert : {"SurfaceRateOutOfBand", "SurfaceRateTooLow", "AuthorizationRefusalSpike", "SecretLeak",
                            "TaskOverWallClock"}) {
    EXPECT_EQ(pages[alert], 0) << alert << "\n" << all;
  }
  // The same runs hold what wakes people where rules ask no more than what they are about.
  for (const char* alert : {"LiteralCost", "LiteralErrors", "LiteralSurfaces"}) {
    EXPECT_GE(pages[alert], 100) << alert;
  }
}

// How long after an incident's begin its page may come.
const std::map<std::string_view, Duration> latest = {
    {"CostSpike", 2h},                    // its window is an hour, and so much dearer are its calls
    {"ErrorRateSpike", 65min},            // within the incident's hour
    {"SurfaceRateOutOfBand", 2h},         // twenty tasks, and fifteen minutes more
    {"SurfaceRateTooLow", 6h},            // 130 tasks, and fifteen minutes more
    {"AuthorizationRefusalSpike", 7min},  // ten refusals, and three minutes more
    {"SecretLeak", 0s},
    {"TaskOverWallClock", 6min + 20s},
};

TEST(Days, IncidentsArePagedOnceAndInTime) {
  std::map<std::string_view, int> once;
  int beside = 0;
  for (std::uint64_t seed = 101; seed < 101 + troubled_seeds; ++seed) {
    DaysPlan plan;
    plan.seed = seed;
    plan.begin = begin_of(seed);
    plan.trouble_day = 1 + static_cast<int>(seed % 2);
    const Days days = make_days(plan);
    std::map<const PlannedTrouble*, int> pages;
    for (const AlertChange& change : play(days, false)) {
      if (!change.firing) continue;
      const auto is_page_of = [&](const PlannedTrouble& trouble) {
        const bool is_its_task =
            trouble.correlation_id.empty() || trouble.correlation_id == label_of(change, "correlation_id");
        const RecordTime begin = as_record_time(trouble.begin);
        return trouble.alert == change.alert && trouble.agent == label_of(change, "agent") && is_its_task &&
               change.at >= begin && change.at <= begin + latest.at(trouble.alert);
      };
      const auto found = std::find_if(days.troubles.begin(), days.troubles.end(), is_page_of);
      if (found != days.troubles.end()) {
        ++pages[&*found];
      } else {
        ++beside;
      }
    }
    for (const PlannedTrouble& trouble : days.troubles) once[trouble.alert] += pages[&trouble] == 1 ? 1 : 0;
  }
  constexpr int all = static_cast<int>(troubled_seeds);
  for (const char* alert : {"CostSpike", "ErrorRateSpike", "AuthorizationRefusalSpike", "SecretLeak",
                            "TaskOverWallClock", "SurfaceRateTooLow"}) {
    EXPECT_EQ(once[alert], all) << alert;
  }
  EXPECT_GE(once["SurfaceRateOutOfBand"], known_band_incidents);  // one hour of it was milder by chance
  EXPECT_LE(beside, known_beside);
}

}  // namespace days_test
}  // namespace tocsin::days
