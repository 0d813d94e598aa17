#include "core/sanitize/sanitized_event_json.h"

#include "base/json_text.h"
#include "base/time_text.h"

namespace tocsin {

namespace {

// The wire's name and unit of a number field: micro-units go back to dollars and milliseconds.
struct WireNumber {
  NumberField field;
  const char* name;
  int decimals;
};
constexpr WireNumber wire_numbers[] = {
    {NumberField::tokens_in, "tokens_in", 0},
    {NumberField::tokens_out, "tokens_out", 0},
    {NumberField::tokens_cached, "tokens_cached", 0},
    {NumberField::tokens_cache_write, "tokens_cache_write", 0},
    {NumberField::cost, "cost_usd", 6},
    {NumberField::cost_input, "cost_input_usd", 6},
    {NumberField::cost_cached, "cost_cached_usd", 6},
    {NumberField::cost_output, "cost_output_usd", 6},
    {NumberField::ttft, "ttft_ms", 3},
    {NumberField::generation, "generation_ms", 3},
    {NumberField::latency, "latency_ms", 3},
    {NumberField::result_bytes, "result_bytes", 0},
    {NumberField::tasks, "tasks", 0},
    {NumberField::concurrent_tasks, "concurrent_tasks", 0},
    {NumberField::queue_depth, "queue_depth", 0},
    {NumberField::cost_per_hour, "cost_per_hour", 6},
    {NumberField::score, "score", 6},
};

constexpr WireNumber budget_numbers[] = {{NumberField::budget_wall_clock, "wall_clock_s", 6},
                                         {NumberField::budget_tokens, "tokens", 0},
                                         {NumberField::budget_cost, "cost_usd", 6}};

void add_flag(JsonText& json, std::string_view name, bool flag) {
  if (!flag) return;
  json.name(name);
  json.flag(true);
}

void add_reference(JsonText& json, std::string_view name, const std::optional<ContentReference>& reference) {
  if (!reference) return;
  json.name(name);
  json.begin_object();
  if (!reference->hash.empty()) {
    json.member("hash", reference->hash);
    json.member("bytes", static_cast<std::int64_t>(reference->bytes));
  }
  json.member("retention", reference->retention);
  if (!reference->uris.empty()) {
    json.name("uris");
    json.begin_array();
    for (const std::string& uri : reference->uris) json.text(uri);
    json.end_array();
  }
  if (reference->text) json.member("text", *reference->text);
  add_flag(json, "cut", reference->text && reference->text_is_cut);
  json.end_object();
}

void add_number(JsonText& json, std::string_view name, const EventFields& fields, NumberField field, int decimals) {
  const auto value = fields.get(field);
  if (!value) return;
  json.name(name);
  json.decimal(*value, decimals);
}

void add_budget(JsonText& json, const EventFields& fields) {
  if (!fields.get(NumberField::budget_wall_clock) && !fields.get(NumberField::budget_tokens) &&
      !fields.get(NumberField::budget_cost)) {
    return;
  }
  json.name("budget");
  json.begin_object();
  for (const WireNumber& number : budget_numbers)
    add_number(json, number.name, fields, number.field, number.decimals);
  json.end_object();
}

void add_finding(JsonText& json, const Finding& finding) {
  json.begin_object();
  json.member("pattern", finding.pattern);
  json.member("tier", to_text(finding.tier));
  json.member("fingerprint", finding.fingerprint);
  json.member("place", place_of(finding));
  json.member("times", static_cast<std::int64_t>(finding.times));
  json.end_object();
}

// A record stays small whatever an agent has spilled: of very many findings the gravest tell it all.
void add_findings(JsonText& json, const SanitizedEvent& event) {
  constexpr std::size_t most = 256;
  if (event.findings().empty()) return;
  json.name("findings");
  json.begin_array();
  std::size_t count = 0;
  for (const Tier tier : {Tier::halt, Tier::page, Tier::count}) {
    for (const Finding& finding : event.findings()) {
      if (finding.tier == tier && count++ < most) add_finding(json, finding);
    }
  }
  json.end_array();
}

void add_own_attributes(JsonText& json, const SanitizedEvent& event) {
  const EventFields& fields = event.fields();
  if (event.own_attributes() == nullptr || fields.strings_present < bit_of(own_attribute(0))) return;
  json.name("attributes");
  json.begin_object();
  for (std::size_t i = 0; i < event.own_attributes()->size(); ++i) {
    const StringField field = own_attribute(i);
    if (fields.has(field)) json.member((*event.own_attributes())[i].name, fields.get(field));
  }
  json.end_object();
}

std::string write(const SanitizedEvent& event, const std::optional<ContentReference>& content,
                  const std::optional<ContentReference>& arguments, bool for_ingest) {
  const EventFields& fields = event.fields();
  JsonText json;
  json.begin_object();
  json.member("type", name_of(fields.type));
  if (fields.time) json.member("time", to_rfc3339(*fields.time));
  for (std::size_t i = 0; i < string_field_count; ++i) {
    const auto field = static_cast<StringField>(i);
    if (fields.has(field)) json.member(name_of(field), fields.get(field));
  }
  add_own_attributes(json, event);
  for (std::size_t i = 0; i < enum_field_count; ++i) {
    const auto field = static_cast<EnumField>(i);
    if (field == EnumField::scan) continue;  // the flag "unscanned" says it
    if (fields.enums[i] != 0) json.member(name_of(field), enum_word(field, fields.enums[i]));
  }
  for (const WireNumber& number : wire_numbers) add_number(json, number.name, fields, number.field, number.decimals);
  if (const auto accepted = fields.get(NumberField::accepted)) {
    json.name("accepted");
    json.flag(*accepted != 0);
  }
  if (const auto started = fields.get(NumberField::started_at)) {
    json.member("started_at", to_rfc3339(EventTime{Duration{*started}}));
  }
  if (event.cost_is_computed()) json.member("cost_source", "prices");
  add_budget(json, fields);
  add_reference(json, "content_ref", content);
  add_reference(json, "arguments_ref", arguments);
  add_findings(json, event);
  if (event.redactions() > 0) json.member("redactions", static_cast<std::int64_t>(event.redactions()));
  add_flag(json, "unscanned", event.is_unscanned());
  add_flag(json, "agent_is_guess", for_ingest && event.agent_is_guess());
  add_flag(json, "needs_open_task", for_ingest && event.needs_open_task());
  add_flag(json, "outcome_is_guess", for_ingest && event.outcome_is_guess());
  json.end_object();
  return json.take();
}

}  // namespace

std::string wire_name(NumberField field) {
  for (const WireNumber& number : wire_numbers) {
    if (number.field == field) return number.name;
  }
  for (const WireNumber& number : budget_numbers) {
    if (number.field == field) return std::string("budget.") + number.name;
  }
  return std::string(name_of(field));
}

std::string to_json(const SanitizedEvent& event, const std::optional<ContentReference>& content,
                    const std::optional<ContentReference>& arguments) {
  return write(event, content, arguments, false);
}

std::string to_source_json(const SanitizedEvent& event, const std::optional<ContentReference>& content,
                           const std::optional<ContentReference>& arguments) {
  return write(event, content, arguments, true);
}

}  // namespace tocsin
