#include "core/event/hand_over.h"

#include <algorithm>

namespace tocsin {

namespace {

constexpr HandOver tools[] = {
    {"transfer_to_user", "AutoGen"},           {"handoff_to_user", "Strands Agents"},
    {"transfer_to_human", "by custom"},        {"transfer_to_human_agent", "by custom"},
    {"transfer_to_human_agents", "by custom"}, {"adk_request_confirmation", "Google ADK"},
    {"adk_request_credential", "Google ADK"},  {"adk_request_input", "Google ADK"},
};

constexpr HandOver errors[] = {
    {"GraphInterrupt", "LangGraph"}, {"NodeInterrupt", "LangGraph"},     {"ApprovalRequired", "Pydantic AI"},
    {"CallDeferred", "Pydantic AI"}, {"HumanFeedbackPending", "CrewAI"},
};

bool has(std::span<const HandOver> list, std::string_view word) {
  return std::any_of(list.begin(), list.end(), [&](const HandOver& one) { return one.word == word; });
}

}  // namespace

std::span<const HandOver> hand_over_tools() {
  return tools;
}

std::span<const HandOver> pauses() {
  return errors;
}

bool is_hand_over_tool(std::string_view tool) {
  return has(tools, tool);
}

bool is_pause(std::string_view error_type) {
  return has(errors, error_type.substr(error_type.find_last_of(".:") + 1));
}

// A key stands between quotes that are not escaped: what people wrote can't look like one.
bool has_interrupt(std::string_view output) {
  for (std::size_t at = output.find(interrupt_key); at != std::string_view::npos;
       at = output.find(interrupt_key, at + 1)) {
    const std::string_view behind = output.substr(at + interrupt_key.size());
    if (at == 0 || behind.empty() || (output[at - 1] != '"' && output[at - 1] != '\'')) continue;
    if (behind.front() != output[at - 1] || (at > 1 && output[at - 2] == '\\')) continue;
    const std::size_t next = behind.find_first_not_of(" \t\r\n", 1);
    if (next != std::string_view::npos && behind[next] == ':') return true;
  }
  return false;
}

}  // namespace tocsin
