#include "app/inspect_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <map>
#include <set>

#include "app/config.h"
#include "app/files.h"
#include "app/http_recording.h"
#include "app/kafka_input.h"
#include "app/record_reader.h"
#include "app/rule_coverage.h"
#include "base/json.h"
#include "core/event/hand_over.h"
#include "core/event/record_decoder.h"
#include "core/sanitize/redaction.h"
#include "core/sanitize/sanitized_event_json.h"
#include "core/sanitize/scanner.h"
#include "core/stage/ingest_stage.h"
#include "core/stage/receive_stage.h"

namespace tocsin {

namespace {

constexpr std::size_t longest_name = 100;

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
      const Json event = parse_json(published.value);
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
    for (const Rule& rule : loaded_.rules->rules) fmt::print("{}", coverage_text(rule, *loaded_.rules, seen_));
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
      fmt::print("    {:<28} {}\n", given.own.empty() ? name_of(given.meaning) : given.own, clean(given.attribute));
    }
    if (one.unknown.empty()) return;
    std::string list;
    for (const std::string_view name : one.unknown) list += (list.empty() ? "" : ", ") + clean(name);
    fmt::print("    not used                     {}\n", list);
  }

  const RulesAndPatterns& loaded_;
  std::int64_t most_ = 0;
  std::int64_t number_ = 0, refused_ = 0, offset_ = 0;
  Scanner scanner_;
  Fingerprinter fingerprinter_;
  IngestPartition ingest_;
  IngestOutput out_;
  SeenFields seen_;
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
  Config config;
  if (!options.config.empty()) config = load_config_file(options.config, diagnostics);
  if (print(diagnostics)) return 2;
  auto reader = open_input({options.input, options.from, options.to}, config.kafka);
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
  if (const auto error = reader.value()->error()) {
    std::fflush(stdout);
    std::cerr << "tocsin inspect: " << *error << '\n';
    return 2;
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
                               Meaning::content_ref,
                               Meaning::arguments_ref,
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
