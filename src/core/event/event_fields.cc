#include "core/event/event_fields.h"

#include <simdjson.h>

#include <span>

namespace tocsin {

namespace {

constexpr std::array<std::string_view, event_type_count> type_names{
    "task.started",    "task.heartbeat",   "task.paused", "task.resumed", "task.finished", "step",    "tool.call",
    "session.started", "session.finished", "system",      "review",       "eval.result",   "spec.gap"};

constexpr std::array<std::string_view, string_field_count> string_names{"env",
                                                                        "agent",
                                                                        "agent_version",
                                                                        "spec",
                                                                        "spec_version",
                                                                        "session_id",
                                                                        "user_hash",
                                                                        "correlation_id",
                                                                        "event_id",
                                                                        "span_id",
                                                                        "parent_span_id",
                                                                        "model",
                                                                        "model_version",
                                                                        "model_tier",
                                                                        "surface_reason",
                                                                        "error_type",
                                                                        "tool",
                                                                        "call_id",
                                                                        "result_schema",
                                                                        "authz_reason",
                                                                        "side_effect",
                                                                        "active_spec_version",
                                                                        "active_model_version",
                                                                        "suite",
                                                                        "section",
                                                                        "category"};

constexpr std::array<std::string_view, number_field_count> number_names{"tokens_in",
                                                                        "tokens_out",
                                                                        "tokens_cached",
                                                                        "cost",
                                                                        "ttft",
                                                                        "generation",
                                                                        "latency",
                                                                        "result_bytes",
                                                                        "tasks",
                                                                        "concurrent_tasks",
                                                                        "queue_depth",
                                                                        "cost_per_hour",
                                                                        "accepted",
                                                                        "score",
                                                                        "budget.wall_clock",
                                                                        "budget.tokens",
                                                                        "budget.cost",
                                                                        "started_at",
                                                                        "tokens_cache_write",
                                                                        "cost_input",
                                                                        "cost_cached",
                                                                        "cost_output"};

constexpr std::array<std::string_view, enum_field_count> enum_names{"outcome", "step_type", "authz", "scan"};

constexpr std::array<std::string_view, 6> outcome_words{"", "completed", "surfaced", "errored", "timed_out", "other"};
constexpr std::array<std::string_view, 7> step_words{"",      "prompt",  "tool_call", "tool_result",
                                                     "final", "surface", "other"};
constexpr std::array<std::string_view, 6> authz_words{"",       "passed", "refused", "refused_with_reason",
                                                      "absent", "other"};

constexpr std::array<std::string_view, 2> scan_words{"", "cut"};

template <std::size_t count>
std::optional<std::size_t> index_of(const std::array<std::string_view, count>& names, std::string_view name) {
  for (std::size_t i = 0; i < count; ++i) {
    if (names[i] == name && !name.empty()) return i;
  }
  return std::nullopt;
}

template <class Enum, std::size_t count>
std::optional<Enum> named(const std::array<std::string_view, count>& names, std::string_view name) {
  const auto index = index_of(names, name);
  if (!index) return std::nullopt;
  return static_cast<Enum>(*index);
}

std::span<const std::string_view> words_of(EnumField field) {
  switch (field) {
    case EnumField::outcome:
      return outcome_words;
    case EnumField::step_type:
      return step_words;
    case EnumField::authz:
      return authz_words;
    case EnumField::scan:
      return scan_words;
  }
  return {};
}

}  // namespace

bool may_be_label(std::string_view text) {
  return !text.empty() && text.find('\0') == std::string_view::npos &&
         simdjson::validate_utf8(text.data(), text.size());
}

std::string_view name_of(EventType type) {
  return type_names[static_cast<std::size_t>(type)];
}
std::string_view name_of(StringField field) {
  return is_own(field) ? "attribute" : string_names[static_cast<std::size_t>(field)];
}
std::string_view name_of(NumberField field) {
  return number_names[static_cast<std::size_t>(field)];
}
std::string_view name_of(EnumField field) {
  return enum_names[static_cast<std::size_t>(field)];
}
std::string_view name_of(Outcome outcome) {
  return outcome_words[static_cast<std::size_t>(outcome)];
}
std::string_view name_of(StepType step_type) {
  return step_words[static_cast<std::size_t>(step_type)];
}
std::string_view name_of(Authz authz) {
  return authz_words[static_cast<std::size_t>(authz)];
}

std::optional<EventType> event_type_named(std::string_view name) {
  return named<EventType>(type_names, name);
}
std::optional<StringField> string_field_named(std::string_view name) {
  return named<StringField>(string_names, name);
}
std::vector<std::string_view> string_field_names() {
  return {string_names.begin(), string_names.end()};
}
std::optional<NumberField> number_field_named(std::string_view name) {
  return named<NumberField>(number_names, name);
}
std::optional<EnumField> enum_field_named(std::string_view name) {
  return named<EnumField>(enum_names, name);
}

std::optional<std::uint8_t> enum_value_named(EnumField field, std::string_view word) {
  const auto words = words_of(field);
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (words[i] == word) return static_cast<std::uint8_t>(i);
  }
  return std::nullopt;
}

std::string_view enum_word(EnumField field, std::uint8_t value) {
  const auto words = words_of(field);
  return value < words.size() ? words[value] : std::string_view{};
}

std::vector<std::string_view> enum_words(EnumField field) {
  const auto words = words_of(field);
  return {words.begin() + 1, words.end()};
}

}  // namespace tocsin
