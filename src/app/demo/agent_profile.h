// The six made-up agents whose runs the demo shows: how much they work, how, at what price, and what they say.
//
// Volumes and figures follow recorded runs of an airline's support agent (12 model calls and 6 tool calls a task,
// 1,550 tokens at first and 200 more with every step, one task in four handed back); every text is our own.
// The bounds that the agents declare stand in rules/specs/demo.yaml; a test holds the two against each other.

#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/units.h"

namespace tocsin {

// Texts may hold $person, $email, $phone, $case, $amount, $city and $date, the same throughout a task.
struct ToolTemplate {
  std::string_view name;
  std::string_view arguments;  // a JSON object
  std::string_view result;     // plain text, often JSON
  bool writes = false;
  bool checked = true;  // by the authorization layer; else `authz` is "absent"
  int weight = 1;       // how often, against the agent's other tools
};

struct ModelPrice {  // in billionths of a dollar a token, that is thousandths of a dollar a million tokens
  std::int64_t in = 2'500;
  std::int64_t cached = 1'250;
  std::int64_t out = 10'000;
};

struct AgentProfile {
  std::string_view agent;
  std::string_view agent_version;
  std::string_view spec;
  std::string_view spec_version;
  std::string_view model;
  std::string_view model_version;
  std::string_view model_tier;
  ModelPrice price;

  // Tenths of a task an hour, for each hour of the day (UTC).
  std::array<int, 24> tasks_an_hour_tenths{};
  bool weekdays_only = false;

  Duration wall_clock{};  // the declared budget of a task
  std::string_view cost_budget_usd;

  // A turn is what a person says (or the task's own text), some rounds of tools, and an answer.
  int turns_median = 1;
  int turns_most = 1;
  int tools_a_turn_hundredths = 100;  // the median
  int tools_a_turn_sigma = 500;       // thousandths
  int tools_a_turn_most = 4;
  Duration wait_for_person{};    // the median between an answer and the next message; 0: nobody to wait for
  Duration tool_latency_most{};  // the least is a twelfth of it

  int first_tokens = 1'550;  // system prompt and tool descriptions
  int answer_tokens = 80;    // the median
  int result_tokens = 150;   // of a tool, on average, beyond the short texts of the templates
  bool caches_prompts = false;

  // A failing task is followed by at least `error_gap_least` others that do not fail, so that chance alone makes
  // no outage on any seed: four failures cannot fall into twenty tasks.
  int error_gap_least = 20;
  int error_gap_mean = 100;
  std::uint32_t surfaces_per_million = 200'000;
  std::uint32_t refusals_per_million = 1'000;      // of tool calls
  std::uint32_t tool_errors_per_million = 60'000;  // of tool calls
  std::uint32_t reviews_per_million = 200'000;
  std::uint32_t accepted_per_million = 450'000;  // of the reviews
  std::uint32_t pauses_per_million = 0;          // of tasks; a pause can be longer than the budget
  bool has_sessions = false;

  std::span<const std::string_view> requests;    // the first message of a task
  std::span<const std::string_view> follow_ups;  // the later ones
  std::span<const std::string_view> answers;
  std::span<const ToolTemplate> tools;
};

std::span<const AgentProfile> demo_agents();

// Requires: an agent of that name.
const AgentProfile& demo_agent(std::string_view name);

}  // namespace tocsin
