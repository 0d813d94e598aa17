// When an agent hands its task to a person: the tools that do so, by their names, and the errors by which a run stops
// to wait for an answer. Neither is a failure, and a task that ends so was surfaced.
//
// Only what a framework itself defines stands here. Tools of a deployment's own are named in a file with the key
// `names`.

#pragma once

#include <span>
#include <string_view>

namespace tocsin {

struct HandOver {
  std::string_view word;
  std::string_view of;  // the framework, for people
};

// Names of tools; and types of errors, by their last part.
std::span<const HandOver> hand_over_tools();
std::span<const HandOver> pauses();

bool is_hand_over_tool(std::string_view tool);
// "langgraph.errors.GraphInterrupt" and "GraphInterrupt" are the same.
bool is_pause(std::string_view error_type);

// The key under which a run's output says what it waits for, and whether a text of JSON has it.
inline constexpr std::string_view interrupt_key = "__interrupt__";
bool has_interrupt(std::string_view output);

}  // namespace tocsin
