// What the names of attributes mean, dialect by dialect: the tables under core/event/dialects/, one file each, and
// the index that finds a name in all of them at once.
//
// Of several names that say the same of one span, the one of the earliest dialect counts, and within a dialect the
// earliest row: own names, then OpenTelemetry's newest, its older ones, OpenInference, OpenLLMetry, frameworks, and
// last what the resource says.

#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/event/own_attributes.h"

namespace tocsin {

// What a span is; `other` is none of ours.
enum class SpanKind : std::uint8_t {
  other,
  model_call,
  tool_call,
  agent,
  workflow,
  evaluation,
  decision,   // whether a tool may be called
  hand_over,  // a person is asked
};

// What a name says. Money in dollars, durations as the row's unit says.
enum class Meaning : std::uint8_t {
  span_kind,  // by the words of the row's dialect
  env,
  agent,
  agent_version,
  spec,
  spec_version,
  session_id,
  user,
  task_id,
  turn_id,  // the task of a log record that has no trace
  request_model,
  response_model,
  model_tier,
  tool,
  call_id,
  error_type,
  is_error,  // a flag; and its opposite
  is_success,
  level,    // ERROR says that it failed
  pending,  // the word pending_span: it will come again when it ends
  outcome,
  surface_reason,
  authz,
  authz_reason,
  decision,
  decided_by,
  side_effect,
  finish_reason,
  tokens_in,           // with the cached ones
  tokens_in_uncached,  // without
  usage_json,          // a JSON text with figures of its own; its keys tell whether the cached ones are included
  tokens_cached,
  tokens_cache_write,  // among the input tokens, but for tokens_in_uncached
  input_details,       // a text, of JSON or Python, in which cache_read stands
  tokens_out,
  cost,
  ttft,
  suite,  // what an evaluation is called
  score,
  accepted,  // a verdict: a flag, or 0 and 1
  budget_wall_clock,
  budget_tokens,
  budget_cost,
  concurrent_tasks,  // of metrics: of an agent as a whole
  queue_depth,
  cost_per_hour,
  content,
  argument,
  content_ref,  // where the deployment's own store has it
  arguments_ref,
  own_attribute,  // of a deployment's own, and nothing else
};
inline constexpr std::size_t meaning_count = 51;

enum class TimeUnit : std::uint8_t { none, seconds, milliseconds };

struct DialectRow {
  std::string_view name;
  Meaning meaning = Meaning::content;
  TimeUnit unit = TimeUnit::none;
  std::string_view since = {};  // the version that brought the name; empty: always there
};

struct KindWord {
  std::string_view name;  // of the attribute
  std::string_view word;
  SpanKind kind = SpanKind::other;
};

struct Dialect {
  std::string_view name;
  std::string_view source;  // where its names are defined
  std::span<const DialectRow> rows;
  std::span<const KindWord> kinds;
  bool names_agents_by_span = false;  // the span of an agent, or a root's, is called what the agent is
};

// As people read them: "model call", "tokens in".
std::string_view name_of(SpanKind kind);
std::string_view name_of(Meaning meaning);

// All of them, in the order in which they count.
std::span<const Dialect* const> dialects();

// A deployment's own name for what a field says: it counts before all others.
struct OwnName {
  std::string name;
  Meaning meaning = Meaning::content;
  TimeUnit unit = TimeUnit::none;
};

struct OwnNames {
  std::vector<OwnName> fields;
  std::vector<std::string> hand_over_tools;  // beside those of core/event/hand_over.h
};

// Thread: any; immutable.
class DialectIndex {
 public:
  // `attributes` null: there are none.
  explicit DialectIndex(OwnNames own = {}, std::shared_ptr<const OwnAttributes> attributes = nullptr);
  DialectIndex(const DialectIndex&) = delete;
  DialectIndex& operator=(const DialectIndex&) = delete;

  struct Entry {
    const Dialect* dialect = nullptr;
    const DialectRow* row = nullptr;
    std::uint16_t rank = 0;                   // the lower one counts
    std::uint8_t own_begin = 0, own_end = 0;  // see own_sources()
  };
  // An attribute of a deployment's own that a name gives, besides what it means.
  struct OwnSource {
    std::uint8_t attribute = 0;
    std::uint16_t rank = 0;    // the lower one counts
    bool of_resource = false;  // alone
  };

  static const std::shared_ptr<const DialectIndex>& shipped();

  // Null where no dialect has the name. That most have none is seen by their lengths and first letters.
  const Entry* find(std::string_view name) const { return may_know(name) ? look_up(name) : nullptr; }
  std::span<const OwnSource> own_sources(const Entry& entry) const {
    return {own_sources_.data() + entry.own_begin, own_sources_.data() + entry.own_end};
  }
  const std::shared_ptr<const OwnAttributes>& own_attributes() const { return attributes_; }
  // What such a span is; `other` where the word says nothing.
  static SpanKind kind_of(const Dialect& dialect, std::string_view name, std::string_view word);
  // Whether a call of this tool hands the task to a person.
  bool hands_over(std::string_view tool) const;

 private:
  static constexpr std::size_t gate_bits = 4'096;

  static std::size_t gate_of(std::string_view name) {
    std::uint32_t first = 0;
    if (name.size() >= sizeof first) {
      std::memcpy(&first, name.data(), sizeof first);
    } else {
      for (const char c : name) first = first << 8 | static_cast<unsigned char>(c);
    }
    return ((first + static_cast<std::uint32_t>(name.size()) * 0x9e3779b1U) * 0x85ebca6bU) >> 20;
  }
  bool may_know(std::string_view name) const {
    const std::size_t bit = gate_of(name);
    return ((gate_[bit / 64] >> (bit % 64)) & 1U) != 0;
  }
  const Entry* look_up(std::string_view name) const;
  std::size_t slot_of(std::string_view name) const;
  void add(const Dialect& dialect, std::uint16_t& rank);
  void add_own_sources();

  OwnNames own_;
  std::vector<DialectRow> own_rows_;  // views into own_
  Dialect own_dialect_{};
  std::shared_ptr<const OwnAttributes> attributes_;
  std::vector<DialectRow> attribute_rows_;  // views into *attributes_
  Dialect attribute_dialect_{};
  std::vector<OwnSource> own_sources_;
  std::array<std::uint64_t, gate_bits / 64> gate_{};
  std::vector<Entry> slots_;  // open addressing, a power of two, at most a quarter full
};

}  // namespace tocsin
