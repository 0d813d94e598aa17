// What one event of an agent can say: its type, its times, and its fields by number.
//
// The layout is fixed and holds no memory of its own: strings are views into the decoder's buffer (valid during
// one call), numbers are integers in one unit each. Absent is a value: a field that the telemetry does not
// carry is absent, never 0 and never "". Fields and spellings: the native format, one event a JSON object.

#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/units.h"

namespace tocsin {

enum class EventType : std::uint8_t {
  task_started,
  task_heartbeat,
  task_paused,
  task_resumed,
  task_finished,
  step,
  tool_call,
  session_started,
  session_finished,
  system,
  review,
  eval_result,
  spec_gap,
};
inline constexpr std::size_t event_type_count = 13;

enum class StringField : std::uint8_t {
  env,
  agent,
  agent_version,
  spec,
  spec_version,
  session_id,
  user_hash,
  correlation_id,
  event_id,
  span_id,
  parent_span_id,
  model,
  model_version,
  model_tier,
  surface_reason,
  error_type,
  tool,
  call_id,
  result_schema,
  authz_reason,
  side_effect,
  active_spec_version,
  active_model_version,
  suite,
  section,
  category,
  // Those of a deployment's own. What each is called its rules say (core/event/own_attributes.h).
  attribute_1,
  attribute_2,
  attribute_3,
  attribute_4,
  attribute_5,
  attribute_6,
  attribute_7,
  attribute_8,
};
inline constexpr std::size_t string_field_count = 26;  // of those that have a name of ours
inline constexpr std::size_t most_own_attributes = 8;
inline constexpr std::size_t string_slot_count = string_field_count + most_own_attributes;

constexpr StringField own_attribute(std::size_t i) {
  return static_cast<StringField>(string_field_count + i);
}
constexpr bool is_own(StringField field) {
  return static_cast<std::size_t>(field) >= string_field_count;
}

using StringMask = std::uint64_t;  // of text fields, a bit for each
constexpr StringMask bit_of(StringField field) {
  return StringMask{1} << static_cast<unsigned>(field);
}

// Money in micro-dollars, durations in microseconds, scores in millionths, flags as 0 or 1.
enum class NumberField : std::uint8_t {
  tokens_in,
  tokens_out,
  tokens_cached,
  cost,
  ttft,
  generation,
  latency,
  result_bytes,
  tasks,
  concurrent_tasks,
  queue_depth,
  cost_per_hour,
  accepted,
  score,
  budget_wall_clock,
  budget_tokens,
  budget_cost,
  started_at,  // milliseconds since the epoch
  tokens_cache_write,
  cost_input,   // what `cost` is made of, by the table of prices: input that was not read from a cache,
  cost_cached,  // input that was,
  cost_output,  // and output
};
inline constexpr std::size_t number_field_count = 22;

// Closed sets of words. `absent` (0) is what is not there; `other` a word that the format does not know.
enum class EnumField : std::uint8_t { outcome, step_type, authz, scan };
inline constexpr std::size_t enum_field_count = 4;

enum class Outcome : std::uint8_t { absent, completed, surfaced, errored, timed_out, other };
enum class StepType : std::uint8_t { absent, prompt, tool_call, tool_result, final, surface, other };
// `none` is the wire's "absent": the tool layer made no check, which is not the same as saying nothing.
enum class Authz : std::uint8_t { absent, passed, refused, refused_with_reason, none, other };

// Set by the sanitizer alone: some of the event is unscanned, which is not clean.
enum class Scan : std::uint8_t { absent, cut };

struct EventFields {
  EventType type = EventType::step;
  std::optional<EventTime> time;

  std::array<std::string_view, string_slot_count> strings{};
  std::array<std::int64_t, number_field_count> numbers{};
  std::array<std::uint8_t, enum_field_count> enums{};
  StringMask strings_present = 0;
  std::uint32_t numbers_present = 0;

  bool has(StringField field) const { return (strings_present & bit_of(field)) != 0; }
  bool has(NumberField field) const { return (numbers_present >> static_cast<unsigned>(field)) & 1U; }

  // Empty where absent.
  std::string_view get(StringField field) const { return strings[static_cast<std::size_t>(field)]; }

  std::optional<std::int64_t> get(NumberField field) const {
    if (!has(field)) return std::nullopt;
    return numbers[static_cast<std::size_t>(field)];
  }
  std::int64_t get_or(NumberField field, std::int64_t otherwise) const {
    return has(field) ? numbers[static_cast<std::size_t>(field)] : otherwise;
  }

  void set(StringField field, std::string_view value) {
    strings[static_cast<std::size_t>(field)] = value;
    strings_present |= bit_of(field);
  }
  void set(NumberField field, std::int64_t value) {
    numbers[static_cast<std::size_t>(field)] = value;
    numbers_present |= 1U << static_cast<unsigned>(field);
  }
  void set(EnumField field, std::uint8_t value) { enums[static_cast<std::size_t>(field)] = value; }

  Outcome outcome() const { return static_cast<Outcome>(enums[static_cast<std::size_t>(EnumField::outcome)]); }
  Authz authz() const { return static_cast<Authz>(enums[static_cast<std::size_t>(EnumField::authz)]); }
  StepType step_type() const { return static_cast<StepType>(enums[static_cast<std::size_t>(EnumField::step_type)]); }
};

// Beyond it (a billion dollars, 31 years, a quadrillion tokens) sums of a day could overflow.
inline constexpr std::int64_t largest_number = 1'000'000'000'000'000;

// No label may hold a NUL, which joins the labels of a group, nor what is no text.
bool may_be_label(std::string_view text);

// Names as the native format and the rule language spell them.
std::string_view name_of(EventType type);
std::string_view name_of(StringField field);  // "attribute" of a deployment's own
std::string_view name_of(NumberField field);  // rule names: "cost", "latency", "ttft"; no units
std::string_view name_of(EnumField field);
std::string_view name_of(Outcome outcome);
std::string_view name_of(StepType step_type);
std::string_view name_of(Authz authz);

std::optional<EventType> event_type_named(std::string_view name);
std::optional<StringField> string_field_named(std::string_view name);
std::vector<std::string_view> string_field_names();  // of ours, in the order of StringField
std::optional<NumberField> number_field_named(std::string_view name);
std::optional<EnumField> enum_field_named(std::string_view name);

// The number of a word in a closed set; nothing for a word it does not hold. "absent" is a word of `authz` only.
std::optional<std::uint8_t> enum_value_named(EnumField field, std::string_view word);
std::string_view enum_word(EnumField field, std::uint8_t value);
std::vector<std::string_view> enum_words(EnumField field);  // all, in the order of their numbers, from 1

}  // namespace tocsin
