// Tocsin's own metrics of agents: which events each counts, as src/core/stage/ingest_stage.cc does, and of the others
// why no rule can look at them.

#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "app/import/promql.h"
#include "core/event/event_fields.h"

namespace tocsin::prometheus {

struct AgentMetric {
  enum class Measure : std::uint8_t { count, cost, tokens };
  std::string_view name;
  EventType from;
  std::array<std::string_view, 2> where{};  // of those events; all of it must hold
  std::string_view label{};                 // besides env and agent
  Measure measure = Measure::count;
};

using Measure = AgentMetric::Measure;

inline constexpr std::string_view model_call = "has(tokens_in) || has(tokens_out) || has(cost) || has(generation)";
inline constexpr std::string_view has_outcome = "has(outcome)";

// Those that a window can add up.
std::span<const AgentMetric> agent_metrics();

// Why no rule on the metrics of this expression can be carried over; empty where one can.
std::string refusal_of_metrics(const Promql& node);
std::string refusal_of_function(const std::string& name);

}  // namespace tocsin::prometheus
