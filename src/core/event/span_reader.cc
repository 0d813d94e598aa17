#include "core/event/span_reader.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstring>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "core/event/decimal.h"
#include "core/event/dialect.h"
#include "core/event/dialects/tables.h"
#include "core/event/hand_over.h"

namespace tocsin {

namespace {

constexpr std::size_t longest_label = 1'024;
constexpr std::int64_t ns_per_ms = 1'000'000;
constexpr std::int64_t ns_per_us = 1'000;
constexpr int most_levels_up = 32;
constexpr std::string_view genai_prefix = "gen_ai.";
constexpr std::string_view event_name = "event.name";

constexpr std::string_view exception_type = "exception.type";

// Who says no by rule; what a person says is a person's own.
constexpr std::string_view deciders[] = {"config", "hook"};

// Events of a span that mark its first token.
constexpr std::string_view first_token_events[] = {"First Token Stream Event", "ai.stream.firstChunk",
                                                   "gen_ai.content.completion.chunk", "new_token"};

// Of each meaning the attribute that says it, of several the one of the lowest rank; behind the meanings the same of
// a deployment's own attributes.
struct Found {
  std::array<const SpanAttribute*, meaning_count + most_own_attributes> attributes{};
  std::array<std::uint16_t, meaning_count + most_own_attributes> ranks{};

  void offer(std::size_t slot, const SpanAttribute* attribute, std::uint16_t rank) {
    if (attribute == nullptr || (attributes[slot] != nullptr && ranks[slot] <= rank)) return;
    attributes[slot] = attribute;
    ranks[slot] = rank;
  }
};

struct Reading {
  SpanKind kind = SpanKind::other;
  bool is_ours = false;  // of a log record: whether it is about an agent
  bool is_root = false;
  bool waits = false;                // it stopped for a person's answer, which is no failure
  bool inner_failed = false;         // another span of the same call says so
  const Dialect* dialect = nullptr;  // that says what kind it is
  Found* found = nullptr;            // null: nothing is said
  std::string_view service;          // what the resource is called

  const SpanAttribute* get(Meaning meaning) const {
    return found == nullptr ? nullptr : found->attributes[static_cast<std::size_t>(meaning)];
  }
  const SpanAttribute* get_own(std::size_t i) const {
    return found == nullptr ? nullptr : found->attributes[meaning_count + i];
  }
};

// What the spans of one resource share.
struct Resource {
  std::uint32_t begin = 0, end = 0;
  bool is_read = false;
  Found found;
  std::string_view service;  // its name, where that says something
};

struct Planned {
  std::uint32_t span = 0;
  EventType type = EventType::step;
  int order = 1;
  std::int64_t time_ns = 0;
  bool has_text = false;      // the span's, which stands in one of its events
  bool has_resource = false;  // the same of its resource
};

std::optional<std::int64_t> scaled(const SpanAttribute* attribute, int scale) {
  if (attribute == nullptr) return std::nullopt;
  const AttributeValue& value = attribute->value;
  std::int64_t number = 0;
  switch (value.kind) {
    case AttributeValue::Kind::integer:
      number = value.integer;
      for (int i = 0; i < scale; ++i) {
        if (number > largest_number || number < 0) return std::nullopt;
        number *= 10;
      }
      break;
    case AttributeValue::Kind::number: {
      const double product = value.number * std::pow(10.0, scale);
      if (!(product >= 0) || product > static_cast<double>(largest_number)) return std::nullopt;
      number = std::llround(product);
      break;
    }
    case AttributeValue::Kind::text: {
      const ScaledDecimal decimal = parse_scaled_decimal(value.text, scale);
      if (decimal.error != DecimalError::none) return std::nullopt;
      number = decimal.value;
      break;
    }
    default:
      return std::nullopt;
  }
  if (number < 0 || number > largest_number) return std::nullopt;
  return number;
}

std::string_view text_of(const SpanAttribute* attribute) {
  return attribute != nullptr && attribute->value.kind == AttributeValue::Kind::text ? attribute->value.text
                                                                                     : std::string_view{};
}

std::optional<bool> flag_of(const SpanAttribute* attribute) {
  if (attribute == nullptr) return std::nullopt;
  if (attribute->value.kind == AttributeValue::Kind::flag) return attribute->value.integer != 0;
  if (text_of(attribute) == "true") return true;
  if (text_of(attribute) == "false") return false;
  return std::nullopt;
}

// Of "gpt-4o" and "gpt-4o-2024-05-13" the version is what the second has more.
std::string_view version_of(std::string_view asked, std::string_view answered) {
  if (!asked.empty() && answered.size() > asked.size() + 1 && answered.starts_with(asked) &&
      answered[asked.size()] == '-') {
    return answered.substr(asked.size() + 1);
  }
  return answered == asked ? std::string_view{} : answered;
}

StepType step_type_of(std::string_view reason) {
  if (reason.find("tool") != std::string_view::npos || reason == "function_call") return StepType::tool_call;
  return reason.empty() ? StepType::absent : StepType::final;
}

// In microseconds; nothing where the span does not say both of its times.
std::optional<std::int64_t> length_of(const Span& span) {
  if (span.start_ns <= 0 || span.end_ns < span.start_ns) return std::nullopt;
  return (span.end_ns - span.start_ns) / ns_per_us;
}

// What a text of figures says, as Langfuse carries them. Two shapes: that of OpenAI, where the prompt's tokens hold
// the cached ones, and one where each kind of input and output stands for itself.
struct Usage {
  std::optional<std::int64_t> in, out, cached;
};

Usage usage_of(std::string_view text) {
  Usage usage;
  if (text.size() > 16'384) return usage;
  thread_local simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(text.data(), text.size()).get(root)) return usage;
  simdjson::dom::object object;
  if (root.get(object)) return usage;
  std::optional<std::int64_t> apart_in, apart_out;
  std::int64_t written = 0;
  bool is_apart = false;  // Anthropic's names: input_tokens are without the cached ones
  const auto add = [](std::optional<std::int64_t>& to, std::int64_t number) { to = to.value_or(0) + number; };
  const auto usable = [](std::int64_t number) { return number >= 0 && number <= largest_number; };
  for (const auto field : object) {
    std::int64_t number = 0;
    simdjson::dom::object details;
    if (!field.value.get(details)) {
      std::int64_t cached = 0;
      const bool is_of_prompt = field.key == "prompt_tokens_details" || field.key == "input_tokens_details";
      if (is_of_prompt && !details["cached_tokens"].get(cached) && usable(cached)) usage.cached = cached;
      continue;
    }
    if (field.value.get(number) || !usable(number)) continue;
    if (field.key == "prompt_tokens" || field.key == "input_tokens") usage.in = number;
    if (field.key == "completion_tokens" || field.key == "output_tokens") usage.out = number;
    const bool is_cached = field.key == "input_cached_tokens" || field.key == "input_cache_read" ||
                           field.key == "cache_read_input_tokens" || field.key == "input_cached";
    if (is_cached) usage.cached = number;
    if (field.key == "cache_creation_input_tokens") written = number;
    if (field.key == "cache_read_input_tokens") is_apart = true;
    if (field.key == "prompt_details.cache_read") usage.cached = number;  // included, as OpenInference has it
    const auto is_part_of = [&](std::string_view whole, std::string_view sum) {
      return field.key == whole ||
             (field.key.starts_with(whole) && field.key[whole.size()] == '_' && !field.key.starts_with(sum));
    };
    if (is_part_of("input", "input_tokens") || is_cached) add(apart_in, number);
    if (is_part_of("output", "output_tokens")) add(apart_out, number);
  }
  if (usage.in && is_apart) usage.in = *usage.in + usage.cached.value_or(0) + written;
  if (!usage.in) usage.in = apart_in;
  if (!usage.out) usage.out = apart_out;
  return usage;
}

// "{'audio': 0, 'cache_read': 1024}": the one figure of interest, whatever quotes there are.
std::optional<std::int64_t> cached_in(std::string_view details) {
  constexpr std::string_view name = "cache_read";
  const std::size_t at = details.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  details.remove_prefix(at + name.size());
  if (!details.empty() && (details.front() == '\'' || details.front() == '"')) details.remove_prefix(1);
  const std::size_t first = details.find_first_not_of(": ");
  if (first == std::string_view::npos || first == 0) return std::nullopt;
  const ScaledDecimal number =
      parse_scaled_decimal(details.substr(first, details.find_first_of(",} ", first) - first), 0);
  if (number.error != DecimalError::none || number.value < 0 || number.value > largest_number) return std::nullopt;
  return number.value;
}

// What stands under several names of one span, all of which count.
bool may_be_several(Meaning meaning) {
  return meaning == Meaning::content || meaning == Meaning::argument || meaning == Meaning::content_ref ||
         meaning == Meaning::arguments_ref;
}

}  // namespace

struct SpanReader::State {
  std::shared_ptr<const DialectIndex> index = DialectIndex::shipped();
  const SpanBatch* batch = nullptr;
  std::string_view key;
  Resource resource;  // the one that was looked at last
  std::vector<Reading> readings;
  std::deque<Found> founds;  // of those that say something; the first `founds_used`
  std::size_t founds_used = 0;
  std::vector<Planned> planned;
  std::vector<std::uint32_t> roots;  // by their traces
  std::vector<std::uint32_t> calls;
  std::vector<std::uint32_t> by_id;
  std::vector<bool> is_repeated;  // by what another span says
  std::size_t at = 0;
  std::vector<std::uint32_t> by_resource;  // the planned, to find the first of each resource
  AgentEvent event;
  std::vector<char> text;
  std::size_t text_end = 0;

  // Spans of one resource are neighbours.
  void look_at_resource(const Span& span) {
    if (resource.is_read && resource.begin == span.resource_begin && resource.end == span.resource_end) return;
    resource = Resource{};
    resource.is_read = true;
    resource.begin = span.resource_begin;
    resource.end = span.resource_end;
    for (const SpanAttribute& one : batch->attributes_of(span.resource_begin, span.resource_end)) {
      if (one.is_part || one.value.kind == AttributeValue::Kind::none) continue;
      if (one.name == "service.name" && !text_of(&one).starts_with("unknown_service"))
        resource.service = text_of(&one);
      const DialectIndex::Entry* const entry = index->find(one.name);
      if (entry == nullptr) continue;
      if (entry->own_end > 0) offer_own(resource.found, *entry, one, true);
      const Meaning meaning = entry->row->meaning;
      if (meaning == Meaning::span_kind || meaning == Meaning::pending) continue;
      resource.found.offer(static_cast<std::size_t>(meaning), &one, entry->rank);
    }
  }

  // What a span says counts before what its resource says.
  void offer_own(Found& found, const DialectIndex::Entry& entry, const SpanAttribute& attribute,
                 bool is_of_resource) const {
    if (attribute.value.kind == AttributeValue::Kind::text && attribute.value.text.empty()) return;
    for (const DialectIndex::OwnSource& source : index->own_sources(entry)) {
      if (source.of_resource && !is_of_resource) continue;
      found.offer(meaning_count + source.attribute, &attribute,
                  static_cast<std::uint16_t>(2 * source.rank + (is_of_resource ? 1 : 0)));
    }
  }

  std::size_t own_count() const { return index->own_attributes() == nullptr ? 0 : index->own_attributes()->size(); }

  Found& found_of(Reading& reading) {
    if (reading.found != nullptr) return *reading.found;
    if (founds_used == founds.size()) founds.emplace_back();
    reading.found = &founds[founds_used++];
    *reading.found = Found{};
    return *reading.found;
  }

  // Of a log record what it says.
  std::string_view body_of(const Span& span) const {
    if (!span.is_log) return {};
    for (const SpanAttribute& one : batch->attributes_of(span.begin, span.end)) {
      if (!one.is_part && one.name == log_body_name) return text_of(&one);
    }
    return {};
  }

  // An event's name says little; the log record's text has the dialect's name before it.
  static bool is_event_of(const Dialect& dialect, std::string_view body) {
    return body.size() > dialect.name.size() && body.starts_with(dialect.name) && body[dialect.name.size()] == '.';
  }

  Reading read(const Span& span) {
    Reading reading;
    reading.is_root = span.parent_span_id.empty();
    std::uint16_t kind_rank = UINT16_MAX;
    bool is_pending = false, is_genai = false;
    std::optional<std::string_view> body;
    for (const SpanAttribute& attribute : batch->attributes_of(span.begin, span.end)) {
      if (attribute.is_part || attribute.value.kind == AttributeValue::Kind::none) continue;
      const DialectIndex::Entry* const entry = index->find(attribute.name);
      if (entry == nullptr) continue;
      if (entry->own_end > 0) offer_own(found_of(reading), *entry, attribute, false);
      const Meaning meaning = entry->row->meaning;
      is_genai = is_genai || attribute.name.starts_with(genai_prefix);
      if (meaning == Meaning::pending) is_pending = is_pending || text_of(&attribute) == "pending_span";
      if (meaning == Meaning::span_kind) {
        const SpanKind kind = DialectIndex::kind_of(*entry->dialect, attribute.name, text_of(&attribute));
        if (kind == SpanKind::other || entry->rank >= kind_rank) continue;
        if (attribute.name == event_name) {
          if (!body) body = body_of(span);
          if (!is_event_of(*entry->dialect, *body)) continue;
        }
        kind_rank = entry->rank;
        reading.kind = kind;
        reading.dialect = entry->dialect;
      }
      found_of(reading).offer(static_cast<std::size_t>(meaning), &attribute, entry->rank);
    }
    if (span.is_metric) reading.kind = SpanKind::other;
    if (span.is_log && !span.is_metric && reading.kind == SpanKind::other) read_kind_of_event(span, reading);
    // Tokens of a model on a span that does not say what it is.
    const bool has_model =
        reading.get(Meaning::request_model) != nullptr || reading.get(Meaning::response_model) != nullptr;
    if (reading.kind == SpanKind::other && !is_pending && !span.is_log && has_model && has_tokens(reading)) {
      reading.kind = SpanKind::model_call;
    }
    if (span.is_log) {
      reading.is_root = false;
      reading.is_ours =
          reading.kind != SpanKind::other || is_genai || span.is_metric || span.name.starts_with(genai_prefix);
    }
    if (reading.kind != SpanKind::other || reading.is_root || reading.is_ours) {
      look_at_resource(span);
      reading.service = resource.service;
      for (std::size_t slot = 0; slot < meaning_count + own_count(); ++slot) {
        if (resource.found.attributes[slot] == nullptr) continue;
        found_of(reading).offer(slot, resource.found.attributes[slot], resource.found.ranks[slot]);
      }
    }
    if (is_pending) {
      reading.kind = SpanKind::other;
      reading.is_root = false;
    }
    if (reading.kind != SpanKind::other || reading.is_root) reading.waits = waits_for_person(span, reading);
    return reading;
  }

  // Newer log records are called what their event is, older ones say so in an attribute.
  void read_kind_of_event(const Span& span, Reading& reading) const {
    const auto kind_named = [](std::string_view name) {
      return DialectIndex::kind_of(dialect::otel_genai, event_name, name);
    };
    SpanKind kind = kind_named(span.name);
    for (const SpanAttribute& one : batch->attributes_of(span.begin, span.end)) {
      if (kind == SpanKind::other && !one.is_part && one.name == event_name) kind = kind_named(text_of(&one));
    }
    if (kind == SpanKind::other) return;
    reading.kind = kind;
    reading.dialect = &dialect::otel_genai;
  }

  bool waits_for_person(const Span& span, const Reading& reading) const {
    if (is_pause(text_of(reading.get(Meaning::error_type)))) return true;
    for (std::uint32_t e = span.events_begin; e < span.events_end; ++e) {
      for (const SpanAttribute& one : batch->attributes_of(batch->events[e].begin, batch->events[e].end)) {
        if (!one.is_part && one.name == exception_type && is_pause(text_of(&one))) return true;
      }
    }
    const bool is_around = reading.kind == SpanKind::agent || reading.kind == SpanKind::workflow || reading.is_root;
    if (!is_around) return false;
    for (const SpanAttribute& one : batch->attributes_of(span.begin, span.end)) {
      if (one.is_part && one.name == interrupt_key) return true;
      const bool is_output = !one.is_part && one.name.find("output") != std::string_view::npos;
      if (is_output && (one.name.ends_with(interrupt_key) || has_interrupt(text_of(&one)))) return true;
    }
    return false;
  }

  static bool has_tokens(const Reading& reading) {
    return reading.get(Meaning::tokens_in) != nullptr || reading.get(Meaning::tokens_out) != nullptr ||
           reading.get(Meaning::tokens_in_uncached) != nullptr || reading.get(Meaning::usage_json) != nullptr;
  }

  // A framework and the client inside it report one call by spans one below the other: of a model's the innermost
  // counts, unless only an outer one knows tokens; of a tool's, whose client and server have one each, the outermost,
  // which is what its agent sees. A tool, an agent or a workflow in between begins something new.
  void count_calls_once() {
    calls.clear();
    std::size_t of_tools = 0;
    for (std::uint32_t i = 0; i < readings.size(); ++i) {
      const SpanKind kind = readings[i].kind;
      if ((kind != SpanKind::model_call && kind != SpanKind::tool_call) || batch->spans[i].is_log) continue;
      calls.push_back(i);
      of_tools += kind == SpanKind::tool_call ? 1 : 0;
    }
    if (of_tools < 2 && calls.size() - of_tools < 2) return;
    by_id.resize(batch->spans.size());
    for (std::uint32_t i = 0; i < by_id.size(); ++i) by_id[i] = i;
    std::sort(by_id.begin(), by_id.end(), [&](std::uint32_t a, std::uint32_t b) { return id_of(a) < id_of(b); });
    is_repeated.assign(readings.size(), false);
    for (const std::uint32_t call : calls) {
      if (!is_repeated[call]) look_above(call);
    }
    for (const std::uint32_t call : calls) {
      if (is_repeated[call]) readings[call].kind = SpanKind::workflow;
    }
  }

  std::pair<std::string_view, std::string_view> id_of(std::uint32_t i) const {
    return {batch->spans[i].trace_id, batch->spans[i].span_id};
  }

  void look_above(std::uint32_t call) {
    const SpanKind kind = readings[call].kind;
    std::uint32_t up = call;
    for (int steps = 0; steps < most_levels_up && !batch->spans[up].parent_span_id.empty(); ++steps) {
      const auto parent = std::pair(batch->spans[up].trace_id, batch->spans[up].parent_span_id);
      const auto found = std::lower_bound(by_id.begin(), by_id.end(), parent,
                                          [&](std::uint32_t i, const auto& id) { return id_of(i) < id; });
      if (found == by_id.end() || id_of(*found) != parent || *found == call) return;
      up = *found;
      if (readings[up].kind == SpanKind::other) continue;
      if (readings[up].kind != kind) return;
      if (kind == SpanKind::tool_call && is_repeated[up]) continue;  // what counts is further up
      if (kind == SpanKind::tool_call) {
        if (!is_same_tool(tool_of(call), tool_of(up))) return;
        is_repeated[call] = true;
        return tell_outer(readings[call], batch->spans[call], readings[up]);
      }
      const bool inner_counts = has_tokens(readings[call]) || !has_tokens(readings[up]);
      is_repeated[inner_counts ? up : call] = true;
      if (!inner_counts) return;
    }
  }

  // A client may have the server's name before that of the tool.
  static bool is_same_tool(std::string_view inner, std::string_view outer) {
    if (inner.empty() || !outer.ends_with(inner)) return false;
    if (outer.size() == inner.size()) return true;
    const auto before = static_cast<unsigned char>(outer[outer.size() - inner.size() - 1]);
    return std::isalnum(before) == 0;
  }

  // What only the inner span of a call knows.
  void tell_outer(const Reading& inner, const Span& span, Reading& outer) {
    outer.inner_failed = outer.inner_failed || inner.inner_failed || has_failed(span, inner);
    for (const Meaning meaning :
         {Meaning::authz, Meaning::authz_reason, Meaning::side_effect, Meaning::call_id, Meaning::error_type}) {
      const auto slot = static_cast<std::size_t>(meaning);
      if (outer.get(meaning) != nullptr || inner.get(meaning) == nullptr) continue;
      found_of(outer).offer(slot, inner.get(meaning), inner.found->ranks[slot]);
    }
  }

  std::string_view tool_of(std::uint32_t call) const { return tool_of(batch->spans[call], readings[call]); }
  static std::string_view tool_of(const Span& span, const Reading& reading) {
    std::string_view tool = text_of(reading.get(Meaning::tool));
    if (!tool.empty()) return tool;
    tool = span.name;
    for (const std::string_view before : {std::string_view("execute_tool "), std::string_view("tools/call ")}) {
      if (tool.starts_with(before)) tool.remove_prefix(before.size());
    }
    return tool;
  }

  static EventType type_of_evaluation(const Reading& reading) {
    return reading.get(Meaning::accepted) != nullptr ? EventType::review : EventType::eval_result;
  }

  static bool is_refused(const Reading& reading) {
    const std::string_view decider = text_of(reading.get(Meaning::decided_by));
    return text_of(reading.get(Meaning::decision)) == "reject" &&
           std::find(std::begin(deciders), std::end(deciders), decider) != std::end(deciders);
  }

  // In a trace there are spans that say the same, and are counted.
  static EventType type_of_log(const Span& span, const Reading& reading) {
    const bool has_trace = !span.trace_id.empty();
    if (span.is_metric) return EventType::system;
    if (reading.kind == SpanKind::evaluation) return type_of_evaluation(reading);
    if (!has_trace && text_of(reading.get(Meaning::turn_id)).empty()) return EventType::system;  // of no task
    if (reading.kind == SpanKind::decision && is_refused(reading)) return EventType::tool_call;
    if (reading.kind == SpanKind::agent) return EventType::task_started;
    if (!has_trace && reading.kind == SpanKind::model_call) return EventType::step;
    if (!has_trace && reading.kind == SpanKind::tool_call) return EventType::tool_call;
    return EventType::task_heartbeat;
  }

  void plan() {
    readings.clear();
    founds_used = 0;
    planned.clear();
    roots.clear();
    resource = Resource{};
    at = 0;
    for (std::uint32_t i = 0; i < batch->spans.size(); ++i) {
      readings.push_back(read(batch->spans[i]));
      if (readings.back().is_root) roots.push_back(i);
    }
    std::stable_sort(roots.begin(), roots.end(), [&](std::uint32_t a, std::uint32_t b) {
      return batch->spans[a].trace_id < batch->spans[b].trace_id;
    });
    count_calls_once();
    for (std::uint32_t i = 0; i < readings.size(); ++i) {
      const Reading& reading = readings[i];
      const Span& span = batch->spans[i];
      if (span.is_log) {
        if (!reading.is_ours) continue;
        const EventType type = type_of_log(span, reading);
        planned.push_back({i, type, type == EventType::task_started ? 0 : 1, span.end_ns, true});
        continue;
      }
      const bool is_ours = reading.kind != SpanKind::other;
      if (reading.is_root && is_ours && span.start_ns > 0) {
        planned.push_back({i, EventType::task_started, 0, span.start_ns, span.is_open});
      }
      if (span.is_open) {
        if (is_ours && !reading.is_root) planned.push_back({i, EventType::task_heartbeat, 1, span.start_ns, true});
        continue;
      }
      if (reading.kind == SpanKind::model_call) planned.push_back({i, EventType::step, 1, span.end_ns, true});
      if (reading.kind == SpanKind::evaluation) {
        planned.push_back({i, type_of_evaluation(reading), 1, span.end_ns, true});
        continue;
      }
      if (reading.kind == SpanKind::tool_call) planned.push_back({i, EventType::tool_call, 1, span.end_ns, true});
      if (reading.kind == SpanKind::hand_over) planned.push_back({i, EventType::step, 1, span.end_ns, true});
      const bool is_around = reading.kind == SpanKind::agent || reading.kind == SpanKind::workflow;
      if (is_around && !reading.is_root) planned.push_back({i, EventType::task_heartbeat, 1, span.end_ns, true});
      if (reading.is_root) planned.push_back({i, EventType::task_finished, 2, span.end_ns, is_around});
    }
    std::stable_sort(planned.begin(), planned.end(), [](const Planned& a, const Planned& b) {
      return a.order != b.order ? a.order < b.order : a.time_ns < b.time_ns;
    });
    by_resource.resize(planned.size());
    for (std::uint32_t i = 0; i < by_resource.size(); ++i) by_resource[i] = i;
    const auto resource_of = [&](std::uint32_t i) { return batch->spans[planned[i].span].resource_begin; };
    std::sort(by_resource.begin(), by_resource.end(), [&](std::uint32_t a, std::uint32_t b) {
      return resource_of(a) != resource_of(b) ? resource_of(a) < resource_of(b) : a < b;
    });
    for (std::size_t i = 0; i < by_resource.size(); ++i) {
      planned[by_resource[i]].has_resource = i == 0 || resource_of(by_resource[i - 1]) != resource_of(by_resource[i]);
    }
  }

  // ---- one event ----

  std::string_view keep(std::string_view bytes, TextPlace place, std::uint8_t field = 0) {
    const std::size_t needed = text_end + bytes.size() + 1;
    if (needed > text.size()) return {};  // never: begin_event() made room for everything
    char* const to = text.data() + text_end;
    if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
    const auto begin = static_cast<std::uint32_t>(text_end);
    text_end += bytes.size();
    event.pieces.push_back({begin, static_cast<std::uint32_t>(text_end), place, field});
    text[text_end++] = '\0';
    return {to, bytes.size()};
  }

  void set(StringField field, std::string_view value) {
    if (value.size() > longest_label || !may_be_label(value)) return;
    event.fields.set(field, keep(value, TextPlace::field, static_cast<std::uint8_t>(field)));
  }
  // Numbers and truths as JSON writes them. What it is called may say that it is a secret, so it stands before it.
  void set_own(StringField field, const SpanAttribute& attribute) {
    const AttributeValue& value = attribute.value;
    std::array<char, 32> digits;
    char* end = digits.data();
    switch (value.kind) {
      case AttributeValue::Kind::integer:
        end = std::to_chars(digits.data(), digits.data() + digits.size(), value.integer).ptr;
        break;
      case AttributeValue::Kind::number:
        end = std::to_chars(digits.data(), digits.data() + digits.size(), value.number).ptr;
        break;
      case AttributeValue::Kind::flag:
        return set(field, std::string_view(value.integer != 0 ? "true" : "false"));
      default:
        if (value.text.size() > longest_label || !may_be_label(value.text)) return;
        keep(attribute.name, TextPlace::key);
        return set(field, value.text);
    }
    set(field, std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())));
  }
  void set(NumberField field, std::optional<std::int64_t> value) {
    if (value && *value >= 0 && *value <= largest_number) event.fields.set(field, *value);
  }
  void set(EnumField field, std::string_view word) {
    if (word.empty()) return;
    event.fields.set(field, enum_value_named(field, word).value_or(*enum_value_named(field, "other")));
  }

  void begin_event(const Span& span, bool has_resource) {
    event.fields = EventFields{};
    event.pieces.clear();
    event.argument_scalars = 0;
    event.needs_open_task = false;
    event.agent_is_guess = event.user_is_raw = event.outcome_is_guess = false;
    text_end = 0;
    std::size_t most = span.name.size() + span.status_message.size() + key.size() + 64 * longest_label;
    const auto add = [&](std::uint32_t begin, std::uint32_t end) {
      for (const SpanAttribute& one : batch->attributes_of(begin, end)) {
        most += 2 * (one.name.size() + one.value.text.size() + 2);
      }
    };
    add(span.begin, span.end);
    if (has_resource) add(span.resource_begin, span.resource_end);
    for (std::uint32_t e = span.events_begin; e < span.events_end; ++e) {
      most += batch->events[e].name.size() + 2;
      add(batch->events[e].begin, batch->events[e].end);
    }
    if (text.size() < most) text.resize(2 * most);
  }

  // The root of the span's trace, where it stands in the same record.
  const Span* root_of(const Span& span) const {
    const auto found =
        std::lower_bound(roots.begin(), roots.end(), span.trace_id,
                         [&](std::uint32_t root, auto trace) { return batch->spans[root].trace_id < trace; });
    if (found == roots.end() || batch->spans[*found].trace_id != span.trace_id) return nullptr;
    return &batch->spans[*found];
  }

  static std::string_view agent_name(const Reading& reading, const Span& span) {
    if (const std::string_view name = text_of(reading.get(Meaning::agent)); !name.empty()) return name;
    // Some name an agent by its span, or by the root of all.
    const bool is_around = reading.kind == SpanKind::agent || (reading.is_root && reading.kind == SpanKind::workflow);
    return is_around && reading.dialect != nullptr && reading.dialect->names_agents_by_span ? span.name
                                                                                            : std::string_view{};
  }

  void set_common(const Span& span, const Reading& reading) {
    std::string_view task = text_of(reading.get(Meaning::task_id));
    if (task.empty()) task = span.trace_id;
    if (task.empty()) task = text_of(reading.get(Meaning::turn_id));
    set(StringField::correlation_id, task.empty() ? key : task);
    // A log record names the span that it came from: but for the one that begins it, it is another thing.
    if (!span.is_log || event.fields.type == EventType::task_started) set(StringField::span_id, span.span_id);
    set(StringField::parent_span_id, span.parent_span_id);
    // Sent again, such a log is known by all that it says.
    if (span.is_log && span.trace_id.empty()) set_identity(span);
    std::string_view agent = agent_name(reading, span);
    if (agent.empty()) {
      if (const Span* const root = root_of(span)) {
        agent = agent_name(readings[static_cast<std::size_t>(root - batch->spans.data())], *root);
      }
    }
    set(StringField::agent, agent);
    for (const auto& [field, meaning] :
         {std::pair(StringField::env, Meaning::env), std::pair(StringField::agent_version, Meaning::agent_version),
          std::pair(StringField::spec, Meaning::spec), std::pair(StringField::spec_version, Meaning::spec_version),
          std::pair(StringField::session_id, Meaning::session_id),
          std::pair(StringField::model_tier, Meaning::model_tier)}) {
      const SpanAttribute* const attribute = reading.get(meaning);
      if (attribute != nullptr && attribute->value.kind == AttributeValue::Kind::integer) {
        set(field, std::to_string(attribute->value.integer));  // versions of prompts are numbers
      } else {
        set(field, text_of(attribute));
      }
    }
    for (std::size_t i = 0; i < own_count(); ++i) {
      if (const SpanAttribute* const attribute = reading.get_own(i)) set_own(own_attribute(i), *attribute);
    }
    if (const std::string_view user = text_of(reading.get(Meaning::user)); !user.empty()) {
      set(StringField::user_hash, user);
      event.user_is_raw = true;
    }
    if (agent.empty() && !reading.service.empty()) {
      set(StringField::agent, reading.service);
      event.agent_is_guess = true;
    }
  }

  void set_identity(const Span& span) {
    std::uint64_t hash = mix(hash64(span.name), static_cast<std::uint64_t>(span.end_ns));
    const auto add = [&](std::uint32_t begin, std::uint32_t end) {
      for (const SpanAttribute& one : batch->attributes_of(begin, end)) {
        hash = mix(mix(hash, hash64(one.name)), hash64(one.value.text));
        hash =
            mix(hash, static_cast<std::uint64_t>(one.value.integer) ^ std::bit_cast<std::uint64_t>(one.value.number));
      }
    };
    add(span.begin, span.end);
    if (span.is_metric) add(span.resource_begin, span.resource_end);  // two processes may say the same at once
    const std::string id = to_hex(Hash128{hash, mix(hash, 1)});
    set(StringField::event_id, id);
  }

  void set_model(const Reading& reading) {
    const std::string_view asked = text_of(reading.get(Meaning::request_model));
    const std::string_view answered = text_of(reading.get(Meaning::response_model));
    set(StringField::model, asked.empty() ? answered : asked);
    if (!asked.empty()) set(StringField::model_version, version_of(asked, answered));
  }

  static bool has_failed(const Span& span, const Reading& reading) {
    if (reading.waits) return false;
    if (span.is_error || reading.inner_failed || !text_of(reading.get(Meaning::error_type)).empty()) return true;
    if (flag_of(reading.get(Meaning::is_success)) == false || flag_of(reading.get(Meaning::is_error)) == true)
      return true;
    return text_of(reading.get(Meaning::level)) == "ERROR";
  }
  void set_error(const Span& span, const Reading& reading) {
    if (!has_failed(span, reading)) return;
    const std::string_view type = text_of(reading.get(Meaning::error_type));
    set(StringField::error_type, type.empty() ? "error" : type);
  }

  void set_call(const Span& span, const Reading& reading) {
    set_model(reading);
    set_error(span, reading);
    auto in = scaled(reading.get(Meaning::tokens_in), 0);
    auto out = scaled(reading.get(Meaning::tokens_out), 0);
    auto cached = scaled(reading.get(Meaning::tokens_cached), 0);
    if (!in) {
      if (const auto uncached = scaled(reading.get(Meaning::tokens_in_uncached), 0)) {
        in = *uncached + cached.value_or(0) + scaled(reading.get(Meaning::tokens_cache_write), 0).value_or(0);
      }
    }
    if (const std::string_view figures = text_of(reading.get(Meaning::usage_json)); !figures.empty()) {
      const Usage usage = usage_of(figures);
      if (!in) in = usage.in;
      if (!out) out = usage.out;
      if (!cached) cached = usage.cached;
    }
    if (!cached) cached = cached_in(text_of(reading.get(Meaning::input_details)));
    set(NumberField::tokens_in, in);
    set(NumberField::tokens_out, out);
    set(NumberField::tokens_cached, cached);
    set(NumberField::tokens_cache_write, scaled(reading.get(Meaning::tokens_cache_write), 0));
    set(NumberField::cost, scaled(reading.get(Meaning::cost), 6));
    const auto ttft = first_token(span, reading);
    set(NumberField::ttft, ttft);
    if (const auto duration = length_of(span)) {
      set(NumberField::generation, std::max<std::int64_t>(0, *duration - ttft.value_or(0)));
    }
    event.fields.set(EnumField::step_type,
                     static_cast<std::uint8_t>(step_type_of(text_of(reading.get(Meaning::finish_reason)))));
  }

  std::optional<std::int64_t> first_token(const Span& span, const Reading& reading) const {
    if (const SpanAttribute* const known = reading.get(Meaning::ttft)) {
      return scaled(known, index->find(known->name)->row->unit == TimeUnit::milliseconds ? 3 : 6);
    }
    for (std::uint32_t e = span.events_begin; e < span.events_end; ++e) {
      const SpanEvent& one = batch->events[e];
      if (std::find(std::begin(first_token_events), std::end(first_token_events), one.name) ==
          std::end(first_token_events))
        continue;
      if (one.time_ns >= span.start_ns && span.start_ns > 0) return (one.time_ns - span.start_ns) / ns_per_us;
    }
    return std::nullopt;
  }

  void set_tool(const Span& span, const Reading& reading) {
    const std::string_view tool = tool_of(span, reading);
    set(StringField::tool, tool);
    set(StringField::call_id, text_of(reading.get(Meaning::call_id)));
    if (reading.kind == SpanKind::decision) {
      set(EnumField::authz, "refused");
      set(StringField::authz_reason, text_of(reading.get(Meaning::decided_by)));
      return;
    }
    set_error(span, reading);
    set(NumberField::latency, length_of(span));
    set(EnumField::authz, text_of(reading.get(Meaning::authz)));
    if (index->hands_over(tool)) mark_hand_over();
    set(StringField::authz_reason, text_of(reading.get(Meaning::authz_reason)));
    set(StringField::side_effect, text_of(reading.get(Meaning::side_effect)));
  }

  // The task waits for a person, or is theirs from here on.
  void mark_hand_over() { event.fields.set(EnumField::step_type, static_cast<std::uint8_t>(StepType::surface)); }

  void set_evaluation(const Reading& reading) {
    set(StringField::suite, text_of(reading.get(Meaning::suite)));
    set(NumberField::score, scaled(reading.get(Meaning::score), 6));
    const SpanAttribute* const verdict = reading.get(Meaning::accepted);
    if (verdict == nullptr) return;
    const auto flag = flag_of(verdict);
    const auto number = scaled(verdict, 0);
    if (flag) set(NumberField::accepted, *flag ? 1 : 0);
    if (!flag && number) set(NumberField::accepted, *number != 0 ? 1 : 0);
  }

  void set_started(const Reading& reading) {
    set(NumberField::budget_wall_clock, scaled(reading.get(Meaning::budget_wall_clock), 6));
    set(NumberField::budget_tokens, scaled(reading.get(Meaning::budget_tokens), 0));
    set(NumberField::budget_cost, scaled(reading.get(Meaning::budget_cost), 6));
  }

  void set_finished(const Span& span, const Reading& reading) {
    const std::string_view outcome = text_of(reading.get(Meaning::outcome));
    const bool failed = has_failed(span, reading);
    set(EnumField::outcome, !outcome.empty() ? outcome
                            : failed         ? "errored"
                            : reading.waits  ? "surfaced"
                                             : "completed");
    event.outcome_is_guess = outcome.empty() && !failed && !reading.waits;
    set(StringField::surface_reason, text_of(reading.get(Meaning::surface_reason)));
    if (failed) set_error(span, reading);
    if (span.start_ns > 0) set(NumberField::started_at, span.start_ns / ns_per_ms);
    event.needs_open_task = reading.kind == SpanKind::other;
  }

  // What of arguments is no text.
  void note_argument(const SpanAttribute& one) {
    std::uint64_t scalar = 0;
    switch (one.value.kind) {
      case AttributeValue::Kind::integer:
      case AttributeValue::Kind::flag:
        scalar = static_cast<std::uint64_t>(one.value.integer);
        break;
      case AttributeValue::Kind::number:
        scalar = std::bit_cast<std::uint64_t>(one.value.number);
        break;
      case AttributeValue::Kind::text:
      case AttributeValue::Kind::none:
        return;
    }
    event.argument_scalars = mix(mix(event.argument_scalars, hash64(one.name)), scalar);
  }

  void keep_attributes(std::uint32_t begin, std::uint32_t end) {
    TextPlace place = TextPlace::unknown;
    std::uint8_t of_arguments = 0;
    for (const SpanAttribute& one : batch->attributes_of(begin, end)) {
      if (!one.is_part) {
        const DialectIndex::Entry* const entry = index->find(one.name);
        const Meaning meaning = entry == nullptr ? Meaning::span_kind : entry->row->meaning;
        const bool is_arguments_ref = meaning == Meaning::arguments_ref;
        place = meaning == Meaning::content                           ? TextPlace::content
                : meaning == Meaning::argument                        ? TextPlace::argument
                : meaning == Meaning::content_ref || is_arguments_ref ? TextPlace::reference
                                                                      : TextPlace::unknown;
        of_arguments = is_arguments_ref ? 1 : 0;
        const bool has_meaning = entry != nullptr && meaning != Meaning::own_attribute;
        if (!has_meaning && !one.name.empty()) keep(one.name, TextPlace::key);
      } else if (!one.name.empty()) {
        keep(one.name, TextPlace::key);
      }
      const bool has_text = one.value.kind == AttributeValue::Kind::text && !one.value.text.empty() && !one.is_lent;
      if (has_text) keep(one.value.text, place, of_arguments);
      if (place == TextPlace::argument) note_argument(one);
    }
  }

  void keep_texts(const Span& span) {
    keep(span.name, TextPlace::unknown);
    if (!span.status_message.empty()) keep(span.status_message, TextPlace::unknown);
    keep_attributes(span.begin, span.end);
    for (std::uint32_t e = span.events_begin; e < span.events_end; ++e) {
      keep(batch->events[e].name, TextPlace::unknown);
      keep_attributes(batch->events[e].begin, batch->events[e].end);
    }
  }

  const AgentEvent* build(const Planned& one) {
    const Span& span = batch->spans[one.span];
    const Reading& reading = readings[one.span];
    begin_event(span, one.has_resource);
    event.fields.type = one.type;
    if (one.time_ns > 0) event.fields.time = EventTime{Duration{one.time_ns / ns_per_ms}};
    set_common(span, reading);
    switch (one.type) {
      case EventType::step:
        if (reading.kind == SpanKind::hand_over) {
          mark_hand_over();
        } else {
          set_call(span, reading);
        }
        break;
      case EventType::tool_call:
        set_tool(span, reading);
        break;
      case EventType::task_started:
        set_started(reading);
        break;
      case EventType::system:
        set(NumberField::concurrent_tasks, scaled(reading.get(Meaning::concurrent_tasks), 0));
        set(NumberField::queue_depth, scaled(reading.get(Meaning::queue_depth), 0));
        set(NumberField::cost_per_hour, scaled(reading.get(Meaning::cost_per_hour), 6));
        break;
      case EventType::review:
      case EventType::eval_result:
        set_evaluation(reading);
        break;
      case EventType::task_finished:
        set_finished(span, reading);
        break;
      default:
        break;
    }
    if (reading.waits && one.type != EventType::task_started && one.type != EventType::task_finished)
      mark_hand_over();
    if (one.has_text) keep_texts(span);
    // What a resource says stands in the first event of each: a command line may hold a key.
    if (one.has_resource) keep_attributes(span.resource_begin, span.resource_end);
    event.text = {text.data(), text_end};
    return &event;
  }
};

SpanReader::SpanReader() : state_(std::make_unique<State>()) {}
SpanReader::~SpanReader() = default;

void SpanReader::know(std::shared_ptr<const DialectIndex> names) {
  state_->event.own = names->own_attributes().get();
  state_->index = std::move(names);
}

void SpanReader::begin(const SpanBatch& batch, std::string_view key, std::size_t record_bytes) {
  state_->batch = &batch;
  state_->key = key;
  state_->event.record_bytes = static_cast<std::uint32_t>(record_bytes);
  state_->plan();
}

std::optional<EventTime> SpanReader::latest() const {
  std::int64_t latest = 0;
  for (const Planned& one : state_->planned) latest = std::max(latest, one.time_ns);
  return latest > 0 ? std::optional(EventTime{Duration{latest / ns_per_ms}}) : std::nullopt;
}

std::vector<SpanExplanation> SpanReader::explain() const {
  std::vector<SpanExplanation> list;
  const State& state = *state_;
  for (std::size_t i = 0; i < state.readings.size(); ++i) {
    const Reading& reading = state.readings[i];
    SpanExplanation one;
    one.span = &state.batch->spans[i];
    one.kind = reading.kind;
    if (reading.dialect != nullptr) one.dialect = reading.dialect->name;
    for (std::size_t slot = 0; slot < meaning_count; ++slot) {
      const auto meaning = static_cast<Meaning>(slot);
      const SpanAttribute* const attribute = reading.get(meaning);
      if (attribute == nullptr || may_be_several(meaning) || meaning == Meaning::own_attribute) continue;
      const DialectIndex::Entry* const entry = state.index->find(attribute->name);
      one.given.push_back({meaning, attribute->name, entry == nullptr ? "" : entry->dialect->name});
    }
    for (std::size_t slot = 0; slot < state.own_count(); ++slot) {
      const SpanAttribute* const attribute = reading.get_own(slot);
      if (attribute == nullptr) continue;
      one.given.push_back(
          {Meaning::own_attribute, attribute->name, "own", (*state.index->own_attributes())[slot].name});
    }
    for (const SpanAttribute& attribute : state.batch->attributes_of(one.span->begin, one.span->end)) {
      if (attribute.is_part) continue;
      const DialectIndex::Entry* const entry = state.index->find(attribute.name);
      if (entry == nullptr) {
        one.unknown.push_back(attribute.name);
      } else if (may_be_several(entry->row->meaning)) {
        one.given.push_back({entry->row->meaning, attribute.name, entry->dialect->name});
      }
    }
    list.push_back(std::move(one));
  }
  return list;
}

const AgentEvent* SpanReader::next() {
  if (state_->at == state_->planned.size()) return nullptr;
  return state_->build(state_->planned[state_->at++]);
}

}  // namespace tocsin
