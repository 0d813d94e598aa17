#include "core/sanitize/sanitized_event_json.h"

#include <nlohmann/json.hpp>

#include "base/time_text.h"

namespace tocsin {

namespace {

using Json = nlohmann::ordered_json;

// The wire's name and unit of a number field: micro-units go back to dollars and milliseconds.
struct WireNumber {
  NumberField field;
  const char* name;
  double divisor;
};
constexpr WireNumber wire_numbers[] = {
    {NumberField::tokens_in, "tokens_in", 1},
    {NumberField::tokens_out, "tokens_out", 1},
    {NumberField::tokens_cached, "tokens_cached", 1},
    {NumberField::cost, "cost_usd", 1e6},
    {NumberField::ttft, "ttft_ms", 1e3},
    {NumberField::generation, "generation_ms", 1e3},
    {NumberField::latency, "latency_ms", 1e3},
    {NumberField::result_bytes, "result_bytes", 1},
    {NumberField::tasks, "tasks", 1},
    {NumberField::concurrent_tasks, "concurrent_tasks", 1},
    {NumberField::queue_depth, "queue_depth", 1},
    {NumberField::cost_per_hour, "cost_per_hour", 1e6},
    {NumberField::score, "score", 1e6},
};

Json reference_json(const ContentReference& reference) {
  return {{"hash", reference.hash}, {"bytes", reference.bytes}};
}

}  // namespace

std::string to_json(const SanitizedEvent& event, const std::optional<ContentReference>& content,
                    const std::optional<ContentReference>& arguments) {
  const EventFields& fields = event.fields();
  Json json{{"type", name_of(fields.type)}};
  if (fields.time) json["time"] = to_rfc3339(*fields.time);
  for (std::size_t i = 0; i < string_field_count; ++i) {
    const auto field = static_cast<StringField>(i);
    if (fields.has(field)) json[std::string(name_of(field))] = fields.get(field);
  }
  for (std::size_t i = 0; i < enum_field_count; ++i) {
    const auto field = static_cast<EnumField>(i);
    if (fields.enums[i] != 0) json[std::string(name_of(field))] = enum_word(field, fields.enums[i]);
  }
  for (const WireNumber& number : wire_numbers) {
    const auto value = fields.get(number.field);
    if (!value) continue;
    if (number.divisor == 1) {
      json[number.name] = *value;
    } else {
      json[number.name] = static_cast<double>(*value) / number.divisor;
    }
  }
  if (const auto accepted = fields.get(NumberField::accepted)) json["accepted"] = *accepted != 0;
  if (const auto started = fields.get(NumberField::started_at)) {
    json["started_at"] = to_rfc3339(EventTime{Duration{*started}});
  }
  Json budget;
  if (const auto value = fields.get(NumberField::budget_wall_clock)) {
    budget["wall_clock_s"] = static_cast<double>(*value) / 1e6;
  }
  if (const auto value = fields.get(NumberField::budget_tokens)) budget["tokens"] = *value;
  if (const auto value = fields.get(NumberField::budget_cost)) budget["cost_usd"] = static_cast<double>(*value) / 1e6;
  if (!budget.empty()) json["budget"] = budget;
  if (content) json["content_ref"] = reference_json(*content);
  if (arguments) json["arguments_ref"] = reference_json(*arguments);
  if (!event.findings().empty()) {
    Json findings = Json::array();
    for (const Finding& finding : event.findings()) {
      findings.push_back({{"pattern", finding.pattern},
                          {"tier", to_text(finding.tier)},
                          {"fingerprint", finding.fingerprint},
                          {"times", finding.times}});
    }
    json["findings"] = findings;
  }
  if (event.redactions() > 0) json["redactions"] = event.redactions();
  if (event.is_unscanned()) json["unscanned"] = true;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tocsin
