#include "core/sanitize/sanitized_event_otlp.h"

#include <protozero/pbf_writer.hpp>

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "base/hash.h"

namespace tocsin {

namespace {

using protozero::pbf_writer;

// Field numbers of opentelemetry-proto: trace/v1, resource/v1, common/v1.
namespace field {
constexpr protozero::pbf_tag_type resource_spans = 1, resource = 1, scope_spans = 2, scope = 1, spans = 2;
constexpr protozero::pbf_tag_type resource_attributes = 1, scope_name = 1;
constexpr protozero::pbf_tag_type trace_id = 1, span_id = 2, parent_span_id = 4, name = 5, kind = 6, start = 7,
                                  end = 8, attributes = 9, status = 15;
constexpr protozero::pbf_tag_type status_code = 3;
constexpr protozero::pbf_tag_type key = 1, value = 2;
constexpr protozero::pbf_tag_type text = 1, integer = 3, number = 4, list = 5, list_values = 1;
}  // namespace field

constexpr int kind_internal = 1, kind_client = 3, status_error = 2;
constexpr std::size_t trace_digits = 32, span_digits = 16;

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// The bytes of an id of `digits` hexadecimal digits; empty where the text is none. A UUID is one of 32.
std::string id_in(std::string_view text, std::size_t digits) {
  std::string plain;
  for (const char c : text) {
    if (c != '-') plain += c;
  }
  const bool is_uuid = text.size() == 36 && plain.size() == trace_digits;
  if (plain.size() != digits || (plain.size() != text.size() && !is_uuid)) return {};
  std::string bytes;
  for (std::size_t i = 0; i < plain.size(); i += 2) {
    const int high = digit_of(plain[i]), low = digit_of(plain[i + 1]);
    if (high < 0 || low < 0) return {};
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes.find_first_not_of('\0') == std::string::npos ? std::string() : bytes;
}

std::string bytes_of(std::uint64_t number) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(number >> (8 * i));
  return bytes;
}

std::string trace_id_of(std::string_view correlation_id) {
  const std::string id = id_in(correlation_id, trace_digits);
  if (!id.empty()) return id;
  const std::uint64_t hash = hash64(correlation_id);
  return bytes_of(hash | 1) + bytes_of(mix(hash, 1));
}

std::string span_id_of(std::string_view text) {
  const std::string id = id_in(text, span_digits);
  return id.empty() ? bytes_of(hash64(text) | 1) : id;
}

std::string root_id_of(std::string_view correlation_id) {
  return bytes_of(mix(hash64(correlation_id), 2) | 1);
}

class Attributes {
 public:
  explicit Attributes(std::string& out, protozero::pbf_tag_type tag) : out_(out), tag_(tag) {}

  void text(std::string_view name, std::string_view text) {
    if (!text.empty()) add(name, text_value(text));
  }
  void list(std::string_view name, std::span<const std::string> texts) {
    if (texts.empty()) return;
    std::string values, value;
    for (const std::string& text : texts) pbf_writer(values).add_message(field::list_values, text_value(text));
    pbf_writer(value).add_message(field::list, values);
    add(name, value);
  }
  void integer(std::string_view name, std::optional<std::int64_t> number) {
    if (!number) return;
    std::string value;
    pbf_writer(value).add_int64(field::integer, *number);
    add(name, value);
  }
  // `scale`: what the number is multiplied by in our units.
  void number(std::string_view name, std::optional<std::int64_t> number, double scale) {
    if (!number) return;
    std::string value;
    pbf_writer(value).add_double(field::number, static_cast<double>(*number) / scale);
    add(name, value);
  }

 private:
  static std::string text_value(std::string_view text) {
    std::string value;
    pbf_writer(value).add_string(field::text, text.data(), text.size());
    return value;
  }
  void add(std::string_view name, const std::string& value) {
    std::string pair;
    pbf_writer writer(pair);
    writer.add_string(field::key, name.data(), name.size());
    writer.add_message(field::value, value);
    pbf_writer(out_).add_message(tag_, pair);
  }

  std::string& out_;
  protozero::pbf_tag_type tag_;
};

bool is_model_call(const EventFields& event) {
  return event.type == EventType::step && (event.has(NumberField::tokens_in) || event.has(NumberField::tokens_out) ||
                                           event.has(NumberField::cost) || event.has(NumberField::generation));
}

void add_usage(Attributes& attributes, const EventFields& event) {
  attributes.integer("gen_ai.usage.input_tokens", event.get(NumberField::tokens_in));
  attributes.integer("gen_ai.usage.output_tokens", event.get(NumberField::tokens_out));
  attributes.integer("gen_ai.usage.cache_read.input_tokens", event.get(NumberField::tokens_cached));
  attributes.integer("gen_ai.usage.cache_creation.input_tokens", event.get(NumberField::tokens_cache_write));
  attributes.number("tocsin.cost.usd", event.get(NumberField::cost), 1e6);
}

void add_reference(Attributes& attributes, const std::string& of, const std::optional<ContentReference>& reference) {
  if (!reference) return;
  attributes.text(of + ".hash", reference->hash);
  if (!reference->hash.empty()) attributes.integer(of + ".bytes", static_cast<std::int64_t>(reference->bytes));
  attributes.text(of + ".retention", reference->retention);
  attributes.list(of + "_ref", reference->uris);
}

}  // namespace

std::string to_otlp(const SanitizedEvent& event, std::optional<EventTime> started,
                    const std::optional<ContentReference>& content,
                    const std::optional<ContentReference>& arguments) {
  const EventFields& fields = event.fields();
  const bool is_call = is_model_call(fields), is_tool = fields.type == EventType::tool_call;
  const bool is_root = fields.type == EventType::task_finished;
  if (!is_call && !is_tool && !is_root) return {};
  const std::string_view task = fields.get(StringField::correlation_id);
  constexpr std::int64_t us_per_ms = 1'000, ns_per_us = 1'000;
  // From 1970 to 2262, as nanoseconds of 64 bits have it.
  const auto us_of = [](std::int64_t ms) {
    return std::clamp<std::int64_t>(ms, 0, INT64_MAX / (us_per_ms * ns_per_us)) * us_per_ms;
  };
  const std::int64_t end_us = fields.time ? us_of(fields.time->time_since_epoch().count()) : 0;
  std::int64_t start_us = end_us;
  if (is_call) start_us -= fields.get_or(NumberField::generation, 0) + fields.get_or(NumberField::ttft, 0);
  if (is_tool) start_us -= fields.get_or(NumberField::latency, 0);
  if (is_root) {
    if (started) start_us = us_of(started->time_since_epoch().count());
    if (const auto said = fields.get(NumberField::started_at)) start_us = us_of(*said);
  }
  start_us = std::clamp<std::int64_t>(start_us, 0, end_us);

  std::string span;
  pbf_writer writer(span);
  const std::string_view own = fields.get(StringField::span_id);
  writer.add_bytes(field::trace_id, trace_id_of(task));
  const std::string_view other = fields.get(StringField::event_id);
  const std::string own_id = !own.empty()     ? span_id_of(own)
                             : is_root        ? root_id_of(task)
                             : !other.empty() ? span_id_of(other)
                                              : bytes_of(mix(hash64(task), static_cast<std::uint64_t>(end_us)) | 1);
  writer.add_bytes(field::span_id, own_id);
  const std::string_view parent = fields.get(StringField::parent_span_id);
  const std::string parent_id = !parent.empty() ? span_id_of(parent) : is_root ? std::string() : root_id_of(task);
  if (!parent_id.empty()) writer.add_bytes(field::parent_span_id, parent_id);

  const std::string_view operation = is_call ? "chat" : is_tool ? "execute_tool" : "invoke_agent";
  const std::string_view subject = fields.get(is_call   ? StringField::model
                                              : is_tool ? StringField::tool
                                                        : StringField::agent);
  std::string name(operation);
  if (!subject.empty()) name.append(" ").append(subject);
  writer.add_string(field::name, name);
  writer.add_enum(field::kind, is_call ? kind_client : kind_internal);
  writer.add_fixed64(field::start, static_cast<std::uint64_t>(start_us * ns_per_us));
  writer.add_fixed64(field::end, static_cast<std::uint64_t>(end_us * ns_per_us));

  Attributes attributes(span, field::attributes);
  attributes.text("gen_ai.operation.name", operation);
  attributes.text("gen_ai.agent.name", fields.get(StringField::agent));
  attributes.text("gen_ai.conversation.id", fields.get(StringField::session_id));
  attributes.text("error.type", fields.get(StringField::error_type));
  attributes.text("tocsin.task.id", task);
  attributes.text("tocsin.spec.name", fields.get(StringField::spec));
  attributes.text("tocsin.spec.version", fields.get(StringField::spec_version));
  attributes.text("user.hash", fields.get(StringField::user_hash));
  for (std::size_t i = 0; event.own_attributes() != nullptr && i < event.own_attributes()->size(); ++i) {
    attributes.text(OwnAttributes::wire_name((*event.own_attributes())[i].name), fields.get(own_attribute(i)));
  }
  if (is_call) {
    const std::string_view model = fields.get(StringField::model), version = fields.get(StringField::model_version);
    attributes.text("gen_ai.request.model", model);
    if (!version.empty()) attributes.text("gen_ai.response.model", std::string(model) + "-" + std::string(version));
    add_usage(attributes, fields);
    attributes.number("gen_ai.response.time_to_first_chunk", fields.get(NumberField::ttft), 1e6);
    attributes.text("tocsin.model.tier", fields.get(StringField::model_tier));
    const bool is_final = fields.step_type() == StepType::final;
    if (is_final || fields.step_type() == StepType::tool_call) {
      attributes.list("gen_ai.response.finish_reasons", std::array{std::string(is_final ? "stop" : "tool_calls")});
    }
  }
  if (is_tool) {
    attributes.text("gen_ai.tool.name", fields.get(StringField::tool));
    attributes.text("gen_ai.tool.call.id", fields.get(StringField::call_id));
    if (fields.authz() != Authz::absent) attributes.text("tocsin.tool.authz.outcome", name_of(fields.authz()));
    attributes.text("tocsin.tool.authz.reason", fields.get(StringField::authz_reason));
    attributes.text("tocsin.tool.side_effect", fields.get(StringField::side_effect));
  }
  add_reference(attributes, "tocsin.content", content);
  add_reference(attributes, "tocsin.arguments", arguments);
  if (is_root) {
    attributes.text("tocsin.task.outcome", name_of(fields.outcome()));
    attributes.text("tocsin.task.surface_reason", fields.get(StringField::surface_reason));
  }
  const bool has_failed = is_root ? fields.outcome() == Outcome::errored || fields.outcome() == Outcome::timed_out
                                  : fields.has(StringField::error_type);
  if (has_failed) {
    std::string status;
    pbf_writer(status).add_enum(field::status_code, status_error);
    pbf_writer(span).add_message(field::status, status);
  }

  std::string resource, scope, scope_spans, resource_spans, all;
  Attributes of_resource(resource, field::resource_attributes);
  of_resource.text("service.name", fields.get(StringField::agent));
  of_resource.text("service.version", fields.get(StringField::agent_version));
  of_resource.text("deployment.environment.name", fields.get(StringField::env));
  pbf_writer(scope).add_string(field::scope_name, "tocsin");
  pbf_writer scopes(scope_spans);
  scopes.add_message(field::scope, scope);
  scopes.add_message(field::spans, span);
  pbf_writer resources(resource_spans);
  resources.add_message(field::resource, resource);
  resources.add_message(field::scope_spans, scope_spans);
  pbf_writer(all).add_message(field::resource_spans, resource_spans);
  return all;
}

}  // namespace tocsin
