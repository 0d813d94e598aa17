#include "app/demo/run_generator.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>

#include "app/demo/agent_profile.h"
#include "app/demo/random.h"
#include "base/time_text.h"

namespace tocsin {
namespace run_generator_test {

using std::chrono::days;

const GeneratedRuns& default_runs() {
  static const GeneratedRuns runs = generate_runs({});
  return runs;
}

std::string all_bytes(const GeneratedRuns& runs) {
  std::string bytes;
  for (const GeneratedEvent& event : runs.events) bytes += event.key + '\t' + event.json + '\n';
  return bytes;
}

// The value of a field of the top level whose name is written nowhere else; without quotes.
std::string_view field(std::string_view json, std::string_view name) {
  const std::string start = fmt::format("\"{}\":", name);
  const std::size_t at = json.find(start);
  if (at == std::string_view::npos) return {};
  std::string_view value = json.substr(at + start.size());
  if (!value.starts_with('"')) return value.substr(0, value.find_first_of(",}"));
  value.remove_prefix(1);
  return value.substr(0, value.find('"'));
}

// The names of the top level, in order. Enough JSON for what the generator writes; fails where it is none.
std::vector<std::string> field_names(std::string_view json) {
  std::vector<std::string> names;
  int depth = 0;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (c != '"') continue;
    const std::size_t begin = ++i;
    while (i < json.size() && json[i] != '"') i += json[i] == '\\' ? 2 : 1;
    if (depth == 1 && i + 1 < json.size() && json[i + 1] == ':') names.emplace_back(json.substr(begin, i - begin));
  }
  EXPECT_EQ(depth, 0) << json;
  return names;
}

std::size_t count_of(const GeneratedRuns& runs, std::string_view text) {
  std::size_t count = 0;
  for (const GeneratedEvent& event : runs.events) count += event.json.find(text) != std::string::npos;
  return count;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Random, SamplesHaveTheirMeanAndMedian) {
  Random random(7, "test");
  constexpr int count = 200'000;
  std::int64_t sum = 0;
  int below_median = 0;
  for (int i = 0; i < count; ++i) {
    sum += random.exponential(std::int64_t{1'000});
    below_median += random.lognormal(std::int64_t{1'000}, 500) < 1'000;
  }
  EXPECT_NEAR(static_cast<double>(sum) / count, 1'000, 10);
  EXPECT_NEAR(static_cast<double>(below_median) / count, 0.5, 0.005);
}

// The figures stand for those of every platform; a change here changes every generated run.
TEST(Random, GivesTheSameNumbersEverywhere) {
  Random random(1, "fixed");
  EXPECT_EQ(random.next(), 3963418255675595773ULL);
  EXPECT_EQ(random.exponential(std::int64_t{1'000'000}), 1'687'545);
  EXPECT_EQ(random.lognormal(std::int64_t{1'000'000}, 800), 279'579);
}

TEST(GenerateRuns, SameSeedGivesSameBytesAndAnotherSeedOthers) {
  const std::string bytes = all_bytes(default_runs());
  EXPECT_EQ(bytes, all_bytes(generate_runs({})));
  EXPECT_NE(bytes, all_bytes(generate_runs({.seed = 2})));
}

TEST(GenerateRuns, EventsComeInTheOrderOfTheirTimes) {
  const GeneratedRuns& runs = default_runs();
  EXPECT_TRUE(std::ranges::is_sorted(runs.events, {}, &GeneratedEvent::time));
  for (const GeneratedEvent& event : runs.events) ASSERT_EQ(field(event.json, "time"), to_rfc3339(event.time));
}

TEST(GenerateRuns, EveryEventHasAnIdOfItsOwnAndAKey) {
  std::set<std::string_view> ids;
  for (const GeneratedEvent& event : default_runs().events) {
    ASSERT_TRUE(ids.insert(field(event.json, "event_id")).second) << event.json;
    ASSERT_FALSE(event.key.empty()) << event.json;
    const std::string_view correlation_id = field(event.json, "correlation_id");
    if (!correlation_id.empty()) {
      ASSERT_EQ(event.key, correlation_id);
    }
  }
}

TEST(GenerateRuns, WritesOnlyTheFieldsOfTheNativeFormat) {
  const std::set<std::string> common{"type",          "time", "correlation_id", "event_id",   "env",      "agent",
                                     "agent_version", "spec", "spec_version",   "session_id", "user_hash"};
  const std::map<std::string, std::set<std::string>, std::less<>> own{
      {"task.started", {"model", "model_version", "budget"}},
      {"task.heartbeat", {}},
      {"task.paused", {}},
      {"task.resumed", {}},
      {"task.finished",
       {"outcome", "surface_reason", "error_type", "started_at", "tokens_in", "tokens_out", "tokens_cached",
        "cost_usd"}},
      {"step",
       {"step_type", "model", "model_tier", "tokens_in", "tokens_out", "tokens_cached", "ttft_ms", "generation_ms",
        "cost_usd", "content"}},
      {"tool.call",
       {"tool", "call_id", "arguments", "result_schema", "result_bytes", "authz", "authz_reason", "latency_ms",
        "side_effect", "error_type", "content"}},
      {"session.started", {"tasks", "cost_usd"}},
      {"session.finished", {"tasks", "cost_usd"}},
      {"system", {"active_spec_version", "active_model_version", "concurrent_tasks", "queue_depth", "cost_per_hour"}},
      {"review", {"accepted"}}};
  std::set<std::string> seen;
  for (const GeneratedEvent& event : default_runs().events) {
    const auto type = own.find(field(event.json, "type"));
    ASSERT_NE(type, own.end()) << event.json;
    seen.insert(type->first);
    std::set<std::string> names;
    for (const std::string& name : field_names(event.json)) {
      ASSERT_TRUE(names.insert(name).second) << name << " twice: " << event.json;
      ASSERT_TRUE(common.contains(name) || type->second.contains(name)) << name << ": " << event.json;
    }
  }
  EXPECT_EQ(seen.size(), own.size()) << "a type of event is never generated";
}

TEST(GenerateRuns, VolumesAreThoseOfSixWorkingAgents) {
  const GeneratedRuns& runs = default_runs();
  EXPECT_GT(runs.events.size(), 60'000u);
  EXPECT_LT(runs.events.size(), 150'000u);
  std::size_t bytes = 0;
  std::map<std::string_view, int> tasks;
  for (const GeneratedEvent& event : runs.events) {
    bytes += event.json.size();
    if (field(event.json, "type") == "task.started") ++tasks[field(event.json, "agent")];
  }
  EXPECT_GT(bytes / runs.events.size(), 400u);
  EXPECT_LT(bytes / runs.events.size(), 700u);
  EXPECT_EQ(tasks.size(), 6u);
  EXPECT_GT(tasks["customer-support"], 2'000);
  EXPECT_LT(tasks["market-research"], 400);

  const GeneratedRuns twice = generate_runs({.volume = 2.0});
  EXPECT_NEAR(static_cast<double>(twice.tasks) / static_cast<double>(runs.tasks), 2.0, 0.1);
}

TEST(GenerateRuns, EveryTaskEndsOnceAndWithinTwiceItsBudgetUnlessItHangs) {
  const GeneratedRuns& runs = default_runs();
  struct Task {
    EventTime start;
    Duration budget{};
    Duration paused{};
    int ends = 0;
  };
  std::map<std::string, Task, std::less<>> tasks;
  std::set<std::string> hanging;
  for (const Incident& incident : runs.incidents) {
    if (incident.alert == "TaskOverWallClock") hanging.insert(incident.correlation_id);
  }
  for (const GeneratedEvent& event : runs.events) {
    const std::string_view type = field(event.json, "type");
    Task& task = tasks[event.key];
    if (type == "task.started") {
      task.start = event.time;
      task.budget = std::chrono::seconds{std::stoi(std::string(field(event.json, "wall_clock_s")))};
    } else if (type == "task.paused") {
      task.paused -= event.time.time_since_epoch();
    } else if (type == "task.resumed") {
      task.paused += event.time.time_since_epoch();
    } else if (type == "task.finished") {
      ++task.ends;
      const Duration elapsed = event.time - task.start - task.paused;
      if (hanging.contains(event.key)) {
        EXPECT_GE(elapsed, 3 * task.budget);
      } else {
        ASSERT_LT(elapsed, 2 * task.budget) << event.json;
      }
    }
  }
  for (const auto& [key, task] : tasks) {
    ASSERT_EQ(task.ends, task.budget > Duration{} ? 1 : 0) << key;
  }
}

TEST(GenerateRuns, OneIncidentForEachRuleOnTheLastDay) {
  const GeneratorOptions options;
  const EventTime last_day = options.begin + days{options.days - 1};
  std::map<std::string_view, int> alerts;
  for (const Incident& incident : default_runs().incidents) {
    ++alerts[incident.alert];
    EXPECT_GE(incident.begin, last_day);
    EXPECT_LT(incident.end, last_day + days{1});
    EXPECT_LT(incident.begin, incident.end);
    EXPECT_FALSE(incident.what.empty());
    if (!incident.correlation_id.empty()) {
      EXPECT_GT(count_of(default_runs(), incident.correlation_id), 2u);
    }
  }
  const std::map<std::string_view, int> expected{{"AuthorizationRefusalSpike", 1},
                                                 {"CostSpike", 1},
                                                 {"ErrorRateSpike", 1},
                                                 {"SecretLeak", 1},
                                                 {"SurfaceRateOutOfBand", 1},
                                                 {"SurfaceRateTooLow", 1},
                                                 {"TaskOverWallClock", 2}};  // two tasks, and one page for both
  EXPECT_EQ(alerts, expected);
}

TEST(GenerateRuns, TheSecretIsRepeatedInOneTaskOnly) {
  const GeneratedRuns& runs = default_runs();
  EXPECT_EQ(runs.planted_key_id.size(), 20u);
  EXPECT_EQ(runs.planted_secret.size(), 40u);
  EXPECT_EQ(count_of(runs, runs.planted_key_id), 10u);
  EXPECT_EQ(count_of(runs, runs.planted_secret), 10u);
  const auto leak = std::ranges::find(runs.incidents, std::string("SecretLeak"), &Incident::alert);
  ASSERT_NE(leak, runs.incidents.end());
  for (const GeneratedEvent& event : runs.events) {
    const bool holds_it = event.json.find(runs.planted_key_id) != std::string::npos;
    EXPECT_TRUE(!holds_it || event.key == leak->correlation_id) << event.key;
  }
}

TEST(GenerateRuns, WithoutIncidentsTheOrdinaryTasksAreTheSame) {
  const GeneratedRuns without = generate_runs({.incidents = false});
  EXPECT_TRUE(without.incidents.empty());
  EXPECT_TRUE(without.planted_key_id.empty());
  const GeneratedRuns& with = default_runs();
  EXPECT_GT(with.tasks, without.tasks);
  const auto first_difference =
      std::ranges::mismatch(with.events, without.events, {}, &GeneratedEvent::json, &GeneratedEvent::json);
  EXPECT_GE(first_difference.in1->time, with.incidents.front().begin);
}

TEST(GenerateRuns, OfficeHoursAgentsRestAtWeekends) {
  const EventTime saturday = std::chrono::sys_days{std::chrono::year{2026} / 1 / 10};
  for (const GeneratedEvent& event : generate_runs({.begin = saturday, .days = 2}).events) {
    ASSERT_FALSE(field(event.json, "agent") == "claims-intake" && field(event.json, "type") == "task.started");
  }
}

TEST(GenerateRuns, TheAgentsDeclareInTheSpecsWhatTheyWorkBy) {
  const std::string specs = read_file(PROJECT_ROOT "/rules/specs/demo.yaml");
  for (const AgentProfile& profile : demo_agents()) {
    const std::string begin = fmt::format("- {{name: {}, version: \"{}\", ", profile.spec, profile.spec_version);
    const std::size_t at = specs.find(begin);
    ASSERT_NE(at, std::string::npos) << begin;
    const std::string line = specs.substr(at, specs.find('\n', at) - at);
    EXPECT_NE(line.find(fmt::format("wall_clock: {},", to_text(profile.wall_clock))), std::string::npos) << line;
  }
}

}  // namespace run_generator_test
}  // namespace tocsin
