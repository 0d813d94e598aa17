#include "app/rule_coverage.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/event/dialect.h"
#include "core/sanitize/sanitized_event_json.h"

namespace tocsin {

namespace {

using Needs = std::map<std::string, std::set<std::string>>;

void add_predicate(std::set<std::string>& to, const Predicate& predicate, const OwnAttributes* own) {
  if (predicate.always()) return;
  for (std::size_t i = 0; i < string_slot_count; ++i) {
    const auto field = static_cast<StringField>(i);
    if ((predicate.strings_read() & bit_of(field)) != 0) to.emplace(name_of(field, own));
  }
  for (std::size_t i = 0; i < enum_field_count; ++i) {
    if ((predicate.enums_read() >> i) & 1U) to.emplace(name_of(static_cast<EnumField>(i)));
  }
  for (std::size_t i = 0; i < number_field_count; ++i) {
    if ((predicate.numbers_read() >> i) & 1U) to.insert(wire_name(static_cast<NumberField>(i)));
  }
}

void add_group(std::set<std::string>& to, const std::vector<GroupField>& group) {
  for (const GroupField& field : group) {
    if (field.field && *field.field != StringField::env) to.insert(label_name(field));
  }
}

// The name of our own for it: the first table is ours.
std::string own_name(Meaning meaning) {
  for (const DialectRow& row : dialects().front()->rows) {
    if (row.meaning == meaning) return std::string(row.name);
  }
  return {};
}

std::string advice_for(const std::string& field, const OwnAttributes* own) {
  if (const auto slot = own != nullptr ? own->named(field) : std::nullopt) {
    const auto& sources = (*own)[static_cast<std::size_t>(*slot) - string_field_count].sources;
    std::string list;
    for (std::size_t i = OwnAttributes::built_in_sources; i < sources.size(); ++i) {
      list += (list.empty() ? "" : ", ") + to_text(sources[i]);
    }
    return "nothing of it is there: " + list;
  }
  if (field == "cost_usd") return "the telemetry says no cost, and the table of prices knows no price of its models";
  if (field == "authz") return "say " + own_name(Meaning::authz) + " (passed, refused, ...) on the spans of tools";
  if (field == "outcome") return "say " + own_name(Meaning::outcome) + " on the root";
  if (field == "budget.wall_clock_s") {
    return "say " + own_name(Meaning::budget_wall_clock) +
           " on the root, or write a spec with wall_clock for the agent";
  }
  if (field == "agent") return "say " + own_name(Meaning::agent) + ", or service.name on the resource";
  if (field == "spec") return "say " + own_name(Meaning::spec);
  if (field == "spec_version") return "say " + own_name(Meaning::spec_version);
  return "nothing gives it";
}

}  // namespace

void SeenFields::add(const Json& event) {
  const std::string type = event.value("type", "");
  ++events_[type];
  for (const auto& [name, value] : event.items()) {
    ++fields_[{type, name}];
    if (name != "attributes" && name != "budget") continue;
    const std::string prefix = name == "budget" ? "budget." : "";
    for (const auto& [part, unused] : value.items()) ++fields_[{type, prefix + part}];
  }
}

Needs needs_of(const Rule& rule, const RuleSet& rules) {
  Needs needs;
  const auto own = rules.own_attributes();
  if (rule.count) {
    auto& fields = needs[std::string(name_of(rule.from))];
    add_predicate(fields, rule.where, own.get());
    for (const GroupField& field : rule.count->per) fields.emplace(label_name(field));
    if (rule.count->sum) fields.insert(wire_name(*rule.count->sum));
    add_group(fields, rule.page_by);
  } else if (rule.mode == RuleMode::task) {
    auto& fields = needs[std::string(name_of(EventType::task_started))];
    fields.insert(wire_name(NumberField::budget_wall_clock));
    add_group(fields, rule.page_by);
  }
  if (rule.mode == RuleMode::event && !rule.where.reads_finding() && !rule.from_any) {
    auto& fields = needs[std::string(name_of(rule.from))];
    add_predicate(fields, rule.where, own.get());
    add_group(fields, rule.group_by);
  }
  for (const NamedValue& value : rule.values) {
    const Aggregate& aggregate = rules.aggregates[value.aggregate];
    if (aggregate.from_any) continue;  // whatever comes
    auto& fields = needs[std::string(name_of(aggregate.from))];
    add_predicate(fields, aggregate.where, own.get());
    add_predicate(fields, aggregate.hit, own.get());
    const bool reads_number =
        aggregate.kind == Aggregate::Kind::sum || aggregate.kind == Aggregate::Kind::distribution;
    if (reads_number) fields.insert(wire_name(aggregate.number));
    if (aggregate.kind == Aggregate::Kind::distinct) fields.emplace(name_of(aggregate.string, own.get()));
    add_group(fields, rule.group_by);
  }
  return needs;
}

std::vector<std::string> lacks_of(const Rule& rule, const RuleSet& rules, const SeenFields& seen) {
  std::vector<std::string> lacks;
  for (const auto& [type, fields] : needs_of(rule, rules)) {
    const std::int64_t events = seen.events(type);
    if (events == 0) {
      lacks.push_back("no " + type + " event was seen");
      continue;
    }
    for (const std::string& field : fields) {
      const std::int64_t with = seen.with(type, field);
      if (with == events) continue;
      lacks.push_back(with == 0 ? fmt::format("no {} event has {}: {}", type, field,
                                              advice_for(field, rules.own_attributes().get()))
                                : fmt::format("{} of {} {} events have {}", with, events, type, field));
    }
  }
  return lacks;
}

namespace {

std::string sight_in_words(const Rule& rule, const RuleSet& rules, const SeenFields& seen) {
  std::int64_t events = 0;
  for (const auto& [type, fields] : needs_of(rule, rules)) events += seen.events(type);
  if (events == 0) return rule.absence ? "hears every event" : "looks at every text";
  const bool has_where =
      !rule.where.always() || std::any_of(rule.values.begin(), rule.values.end(), [&](const NamedValue& value) {
        return !rules.aggregates[value.aggregate].where.always();
      });
  return fmt::format("sees {} events{}", events, has_where ? "; its `where` takes some of them" : "");
}

}  // namespace

std::string coverage_text(const Rule& rule, const RuleSet& rules, const SeenFields& seen) {
  std::vector<std::string> said = lacks_of(rule, rules, seen);
  if (said.empty()) said.push_back(sight_in_words(rule, rules, seen));
  std::string text;
  for (std::size_t i = 0; i < said.size(); ++i) {
    text += fmt::format("  {:<28} {}\n", i == 0 ? std::string_view(rule.name) : std::string_view{}, said[i]);
  }
  return text;
}

}  // namespace tocsin
