#include "app/inspect_command.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <map>
#include <set>

#include "app/files.h"
#include "app/http_recording.h"
#include "app/record_reader.h"
#include "core/event/hand_over.h"
#include "core/event/record_decoder.h"
#include "core/sanitize/redaction.h"
#include "core/sanitize/sanitized_event_json.h"
#include "core/sanitize/scanner.h"
#include "core/stage/ingest_stage.h"
#include "core/stage/receive_stage.h"

namespace tocsin {

namespace {

using Json = nlohmann::json;

constexpr std::size_t longest_name = 100;

// What the events that were seen carry.
class Seen {
 public:
  void add(const Json& event) {
    const std::string type = event.value("type", "");
    ++events_[type];
    for (auto member = event.begin(); member != event.end(); ++member) {
      ++fields_[{type, member.key()}];
      if (member.key() != "budget") continue;
      for (auto part = member->begin(); part != member->end(); ++part) ++fields_[{type, "budget." + part.key()}];
    }
  }
  std::int64_t events(const std::string& type) const { return count(events_, type); }
  std::int64_t with(const std::string& type, const std::string& field) const {
    return count(fields_, std::pair(type, field));
  }
  const std::map<std::string, std::int64_t>& all() const { return events_; }

 private:
  template <class Map, class Key>
  static std::int64_t count(const Map& map, const Key& key) {
    const auto found = map.find(key);
    return found == map.end() ? 0 : found->second;
  }
  std::map<std::string, std::int64_t> events_;
  std::map<std::pair<std::string, std::string>, std::int64_t> fields_;
};

// The types of events that a rule looks at, each with the fields that it needs there.
using Needs = std::map<std::string, std::set<std::string>>;

template <class Field>
void add_fields(std::set<std::string>& to, std::uint32_t mask, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if ((mask >> i) & 1U) to.emplace(name_of(static_cast<Field>(i)));
  }
}

void add_predicate(std::set<std::string>& to, const Predicate& predicate) {
  if (predicate.always()) return;
  add_fields<StringField>(to, predicate.strings_read(), string_field_count);
  add_fields<EnumField>(to, predicate.enums_read(), enum_field_count);
  for (std::size_t i = 0; i < number_field_count; ++i) {
    if ((predicate.numbers_read() >> i) & 1U) to.insert(wire_name(static_cast<NumberField>(i)));
  }
}

void add_group(std::set<std::string>& to, const std::vector<GroupField>& group) {
  for (const GroupField& field : group) {
    if (field.field && *field.field != StringField::env) to.emplace(name_of(*field.field));
  }
}

Needs needs_of(const Rule& rule, const RuleSet& rules) {
  Needs needs;
  if (rule.mode == RuleMode::task) {
    auto& fields = needs[std::string(name_of(EventType::task_started))];
    fields.insert(wire_name(NumberField::budget_wall_clock));
    add_group(fields, rule.page_by);
  }
  if (rule.mode == RuleMode::event && !rule.where.reads_finding() && !rule.from_any) {
    auto& fields = needs[std::string(name_of(rule.from))];
    add_predicate(fields, rule.where);
    add_group(fields, rule.group_by);
  }
  for (const NamedValue& value : rule.values) {
    const Aggregate& aggregate = rules.aggregates[value.aggregate];
    auto& fields = needs[std::string(name_of(aggregate.from))];
    add_predicate(fields, aggregate.where);
    add_predicate(fields, aggregate.hit);
    if (aggregate.kind == Aggregate::Kind::sum) fields.insert(wire_name(aggregate.number));
    if (aggregate.kind == Aggregate::Kind::distinct) fields.emplace(name_of(aggregate.string));
    add_group(fields, rule.group_by);
  }
  return needs;
}

// The name of our own for it: the first table is ours.
std::string own_name(Meaning meaning) {
  for (const DialectRow& row : dialects().front()->rows) {
    if (row.meaning == meaning) return std::string(row.name);
  }
  return {};
}

std::string advice_for(const std::string& field) {
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

class Inspection {
 public:
  Inspection(const RulesAndPatterns& loaded, std::int64_t most)
      : loaded_(loaded),
        most_(most),
        scanner_(loaded.patterns),
        fingerprinter_(std::vector<unsigned char>(32, 0)),
        ingest_(options(), loaded.rules, loaded.patterns, fingerprinter_) {}

  void begin(const std::string& what) {
    ++number_;
    if (number_ <= most_) fmt::print("record {}: {}\n", number_, what);
  }

  void refused(DecodeError why) {
    ++refused_;
    if (number_ <= most_) fmt::print("  can't be read: {}\n", name_of(why));
  }

  void spans(const SpanReader* reader) {
    if (reader == nullptr || number_ > most_) return;
    for (const SpanExplanation& one : reader->explain()) span(one);
  }

  // A record as ingest takes it; what it makes of it counts for the rules.
  void apply(std::string_view key, std::string_view value) {
    RawRecord record;
    record.key = key;
    record.value = value;
    record.offset = offset_++;
    ingest_.apply(record, out_);
    for (const PublishedEvent& published : out_.published) {
      const Json event = Json::parse(published.value, nullptr, false);
      if (!event.is_object()) continue;
      seen_.add(event);
      if (number_ <= most_) fmt::print("  -> {}\n", published.value);
    }
    if (number_ <= most_ && out_.published.empty() && out_.dead_letters.empty()) fmt::print("  -> no event\n");
    for (const DeadLetter& letter : out_.dead_letters) refused(letter.reason);
    out_.clear();
  }

  void finish() {
    if (number_ > most_) fmt::print("... and {} records more (--records shows more of them)\n", number_ - most_);
    fmt::print("\n{} records, {} that can't be read. Events:", number_, refused_);
    for (const auto& [type, count] : seen_.all()) fmt::print(" {} {}", count, type);
    fmt::print("{}\n\nrules:\n", seen_.all().empty() ? " none" : "");
    for (const Rule& rule : loaded_.rules->rules) say(rule);
    const auto& unpriced = ingest_.totals().unpriced;
    for (const auto& [model, count] : unpriced) {
      fmt::print("\nmodel {} has no price ({} calls): put a file with the key 'prices' among your rules\n",
                 clean(model), count);
    }
  }

 private:
  static IngestOptions options() {
    IngestOptions options;
    options.deployment = "inspect";
    options.publish_events = true;
    return options;
  }

  std::string clean(std::string_view text) {
    std::string redacted = redact(text.substr(0, longest_name), scanner_, fingerprinter_);
    std::replace_if(
        redacted.begin(), redacted.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
    return redacted;
  }

  void span(const SpanExplanation& one) {
    const char* const what = one.span->is_log ? "log record" : "span";
    fmt::print("  {} \"{}\": {}{}\n", what, clean(one.span->name), name_of(one.kind),
               one.dialect.empty() ? "" : fmt::format(" ({})", one.dialect));
    for (const SpanExplanation::Given& given : one.given) {
      fmt::print("    {:<28} {}\n", name_of(given.meaning), clean(given.attribute));
    }
    if (one.unknown.empty()) return;
    std::string list;
    for (const std::string_view name : one.unknown) list += (list.empty() ? "" : ", ") + clean(name);
    fmt::print("    not used                     {}\n", list);
  }

  void say(const Rule& rule) {
    const Needs needs = needs_of(rule, *loaded_.rules);
    std::vector<std::string> lacks;
    std::int64_t looked_at = 0;
    for (const auto& [type, fields] : needs) {
      const std::int64_t events = seen_.events(type);
      looked_at += events;
      if (events == 0) {
        lacks.push_back("no " + type + " event was seen");
        continue;
      }
      for (const std::string& field : fields) {
        const std::int64_t with = seen_.with(type, field);
        if (with == events) continue;
        lacks.push_back(with == 0 ? fmt::format("no {} event has {}: {}", type, field, advice_for(field))
                                  : fmt::format("{} of {} {} events have {}", with, events, type, field));
      }
    }
    fmt::print("  {:<28} {}\n", rule.name,
               lacks.empty() ? needs.empty() ? "looks at every text" : fmt::format("sees {} events", looked_at)
                             : lacks.front());
    for (std::size_t i = 1; i < lacks.size(); ++i) fmt::print("  {:<28} {}\n", "", lacks[i]);
  }

  const RulesAndPatterns& loaded_;
  std::int64_t most_ = 0;
  std::int64_t number_ = 0, refused_ = 0, offset_ = 0;
  Scanner scanner_;
  Fingerprinter fingerprinter_;
  IngestPartition ingest_;
  IngestOutput out_;
  Seen seen_;
};

std::string form_name(std::string_view record) {
  switch (form_of(record)) {
    case RecordForm::otlp_json:
      return "OTLP JSON";
    case RecordForm::otlp_protobuf:
      return "OTLP protobuf";
    case RecordForm::native:
      break;
  }
  return "JSON";
}

}  // namespace

int run_inspect(const InspectOptions& options) {
  if (options.dialects) {
    std::fputs(dialects_markdown().c_str(), stdout);
    return 0;
  }
  Diagnostics diagnostics;
  const RulesAndPatterns loaded = load_rules_and_patterns(options.rules, diagnostics);
  if (print(diagnostics)) return 2;
  auto reader = RecordReader::open(options.input);
  if (!reader) {
    std::cerr << "tocsin inspect: " << reader.error() << '\n';
    return 2;
  }
  Inspection inspection(loaded, options.records);
  RecordDecoder records;
  records.know(loaded.rules->names);
  UploadDecoder uploads(longest_recording);
  uploads.know(loaded.rules->names);
  records.read_all_spans();
  uploads.read_all_spans();
  ReceiveStage door(loaded.patterns, Fingerprinter(std::vector<unsigned char>(32, 0)), longest_recording);
  door.know(loaded.rules->names, loaded.patterns);
  while (const auto line = reader.value()->next()) {
    if (options.input_format != "http") {
      const auto error = records.begin(line->value, line->key);
      inspection.begin(fmt::format("{}, {} bytes",
                                   error || records.spans() == nullptr          ? form_name(line->value)
                                   : form_of(line->value) == RecordForm::native ? "a vendor's JSON"
                                                                                : form_name(line->value),
                                   line->value.size()));
      if (!error) inspection.spans(records.spans());
      inspection.apply(line->key, line->value);
      continue;
    }
    const auto recording = HttpRecording::parse(line->value);
    if (!recording) {
      inspection.begin("no recorded request");
      inspection.refused(DecodeError::unknown_form);
      continue;
    }
    if (recording->method == "GET") continue;
    inspection.begin(recording->method + " " + recording->path.substr(0, recording->path.find('?')));
    recording->with_upload([&](const Upload& upload) {
      if (const auto error = uploads.begin(upload)) return inspection.refused(*error);
      inspection.spans(uploads.spans());
      for (const ReceivedRecord& one : door.apply(upload).records) inspection.apply(one.key, one.value);
    });
  }
  inspection.finish();
  std::fflush(stdout);
  return 0;
}

std::string dialects_markdown() {
  // What a table of names can say; `kind` and the flags beside it say what a span is.
  constexpr Meaning shown[] = {Meaning::span_kind,
                               Meaning::agent,
                               Meaning::agent_version,
                               Meaning::env,
                               Meaning::session_id,
                               Meaning::user,
                               Meaning::request_model,
                               Meaning::response_model,
                               Meaning::tokens_in,
                               Meaning::tokens_cached,
                               Meaning::tokens_cache_write,
                               Meaning::tokens_out,
                               Meaning::cost,
                               Meaning::ttft,
                               Meaning::finish_reason,
                               Meaning::tool,
                               Meaning::call_id,
                               Meaning::error_type,
                               Meaning::outcome,
                               Meaning::surface_reason,
                               Meaning::authz,
                               Meaning::side_effect,
                               Meaning::suite,
                               Meaning::score,
                               Meaning::accepted,
                               Meaning::budget_wall_clock};
  std::string text;
  for (const Dialect* dialect : dialects()) {
    text +=
        fmt::format("### {}\n\nNames from {}\n\n| field | attributes, the first that is there counts |\n|---|---|\n",
                    dialect->name, dialect->source);
    std::string missing;
    for (const Meaning meaning : shown) {
      std::string names;
      for (const DialectRow& row : dialect->rows) {
        const bool fits =
            row.meaning == meaning ||
            (meaning == Meaning::tokens_in &&
             (row.meaning == Meaning::tokens_in_uncached || row.meaning == Meaning::usage_json)) ||
            (meaning == Meaning::tokens_cached && row.meaning == Meaning::input_details) ||
            (meaning == Meaning::error_type && (row.meaning == Meaning::is_error ||
                                                row.meaning == Meaning::is_success || row.meaning == Meaning::level));
        if (!fits) continue;
        const std::size_t slash = row.name.find('/');
        const std::string_view name = slash == std::string_view::npos || row.name.find(' ') != std::string_view::npos
                                          ? row.name
                                          : row.name.substr(slash + 1);
        names += fmt::format("{}`{}`", names.empty() ? "" : ", ", name);
        if (row.meaning == Meaning::tokens_in_uncached) names += " (without the cached ones, which are added)";
        if (row.meaning == Meaning::usage_json)
          names += " (JSON; its keys tell whether the cached ones are included)";
        if (!row.since.empty()) names += fmt::format(" (since {})", row.since);
      }
      if (names.empty()) {
        missing += fmt::format("{}{}", missing.empty() ? "" : ", ", name_of(meaning));
      } else {
        text += fmt::format("| {} | {} |\n", name_of(meaning), names);
      }
    }
    std::string kinds;
    for (const KindWord& kind : dialect->kinds) {
      if (kind.kind == SpanKind::workflow) continue;
      kinds += fmt::format("{}`{}` {}", kinds.empty() ? "" : ", ", kind.word, name_of(kind.kind));
    }
    if (!kinds.empty()) text += fmt::format("\nKinds: {}.\n", kinds);
    if (dialect->names_agents_by_span) text += "\nAn agent is called what its span is, or the root.\n";
    text += fmt::format("\nIt has no name for: {}.\n\n", missing.empty() ? "nothing" : missing);
  }
  const auto list = [](std::span<const HandOver> words) {
    std::string line;
    for (const HandOver& one : words) line += fmt::format("{}`{}` ({})", line.empty() ? "" : ", ", one.word, one.of);
    return line;
  };
  text += fmt::format(
      "### Handed to a person\n\nA task in which one of these tools was called was surfaced, unless its root says "
      "how it ended or failed: {}.\n\nA run that stops with one of these errors, or with `{}` in its output, waits "
      "for "
      "a person and has not failed: {}.\n",
      list(hand_over_tools()), interrupt_key, list(pauses()));
  return text;
}

}  // namespace tocsin
