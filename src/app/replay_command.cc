#include "app/replay_command.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <iostream>
#include <map>
#include <memory>

#include "app/config.h"
#include "app/files.h"
#include "app/http_recording.h"
#include "app/progress.h"
#include "app/record_reader.h"
#include "app/report.h"
#include "base/time_text.h"
#include "core/stage/receive_stage.h"
#include "runtime/joined_stages.h"

namespace tocsin {

namespace {

using Json = nlohmann::ordered_json;

void print_line(const std::string& line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
}

std::string halt_line(const HaltRecord& halt) {
  return Json{{"kind", "halt"},
              {"time", to_rfc3339(halt.last_at)},
              {"halt_id", halt.id},
              {"scope", halt.scope},
              {"state", name_of(halt.state)},
              {"reason", halt.reason},
              {"labels",
               {{"env", halt.env},
                {"agent", halt.agent},
                {"correlation_id", halt.correlation_id},
                {"secret_pattern", halt.pattern}}}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string dead_letter_line(const DeadLetter& letter) {
  return Json{{"kind", "dead_letter"}, {"record", letter.offset}, {"reason", name_of(letter.reason)}}.dump();
}

// `refused`: uploads, or events in them, that a door would have refused.
std::string summary_line(const StreamTotals& totals, std::uint64_t refused) {
  return Json{{"kind", "summary"},
              {"records", totals.records},
              {"events", totals.events},
              {"dead_letters", totals.all_dead_letters() + refused},
              {"tasks", totals.tasks},
              {"model_calls", totals.model_calls},
              {"tokens_in", totals.tokens_in},
              {"tokens_cached", totals.tokens_cached},
              {"tokens_out", totals.tokens_out},
              {"tool_calls", totals.tool_calls},
              {"tool_errors", totals.tool_errors},
              {"cost_usd", totals.cost_known ? Json(static_cast<double>(totals.cost) / 1e6) : Json(nullptr)},
              {"surfaces", totals.surfaces},
              {"findings", totals.findings}}
      .dump();
}

}  // namespace

int run_replay(const ReplayOptions& options) {
  // Each record tells its form itself; the words are there for scripts.
  const bool is_http = options.input_format == "http";
  if (options.input.starts_with("kafka://")) {
    std::cerr << "tocsin replay: reading from Kafka is not there yet; export the topic to a file\n";
    return 2;
  }
  Diagnostics diagnostics;
  std::vector<std::string> paths = options.rules;
  paths.insert(paths.end(), options.specs.begin(), options.specs.end());
  const RulesAndPatterns loaded = load_rules_and_patterns(paths, diagnostics);
  Config config;
  if (!options.config.empty()) config = load_config_file(options.config, diagnostics);
  const auto key = read_fingerprint_keys(config.fingerprint_key_file, diagnostics);
  if (print(diagnostics)) return 2;
  auto reader = RecordReader::open(options.input);
  if (!reader) {
    std::cerr << "tocsin replay: " << reader.error() << '\n';
    return 2;
  }

  IngestOptions ingest;
  ingest.deployment = config.deployment();
  ingest.halts = config.halts;
  EvaluateOptions evaluate;
  evaluate.deployment = config.deployment();
  JoinedStages stages(ingest, evaluate, loaded.rules, loaded.patterns, key);

  const bool as_json = options.output == "json";
  ReplayReport report;
  JoinedStages::Output out;
  Progress progress;
  bool alerted = false;
  const auto give = [&](const AlertChange& change) {
    alerted = alerted || change.firing;
    if (as_json) {
      print_line(to_replay_json(change));
    } else {
      report.add(change);
    }
  };
  const auto give_letter = [&](const DeadLetter& letter) {
    if (as_json) {
      print_line(dead_letter_line(letter));
    } else {
      report.add(letter);
    }
  };
  const auto apply = [&](const RawRecord& record) {
    out.clear();
    stages.apply(record, out);
    for (const AlertChange& change : out.by_time) give(change);
    for (const DeadLetter& letter : out.ingest.dead_letters) give_letter(letter);
    for (const HaltRecord& halt : out.ingest.halts) {
      alerted = true;
      if (halt.count > 1) continue;  // one secret arrives many times in a task: one halt
      if (as_json) {
        print_line(halt_line(halt));
      } else {
        report.add(halt);
      }
    }
    for (const AlertChange& change : out.at_once) give(change);
  };
  // What a door does with a request: its records, or why there are none.
  ReceiveStage door(loaded.patterns, key, longest_recording);
  door.know(loaded.rules->names, loaded.patterns);
  std::uint64_t refused = 0;
  const auto receive = [&](const RecordLine& line) {
    const auto recording = HttpRecording::parse(line.value);
    if (!recording) {
      ++refused;
      return give_letter({line.number, DecodeError::unknown_form, line.value.size()});
    }
    if (recording->method == "GET") return;
    recording->with_upload([&](const Upload& upload) {
      const Received& received = door.apply(upload);
      if (const auto why = received.error ? received.error : received.refused_for) {
        refused += std::max<std::uint64_t>(1, received.refused);
        give_letter({line.number, *why, upload.body.size()});
      }
      for (const ReceivedRecord& one : received.records) {
        RawRecord record;
        record.key = one.key;
        record.value = one.value;
        record.offset = line.number;
        apply(record);
      }
    });
  };
  while (const auto line = reader.value()->next()) {
    if (is_http) {
      receive(*line);
    } else {
      RawRecord record;
      record.key = line->key;
      record.value = line->value;
      record.offset = line->number;
      apply(record);
    }
    const std::int64_t records = stages.ingest().totals().records;
    if ((records & 1023) == 0) {
      progress.show([&] {
        const auto part = reader.value()->progress();
        return (part ? fmt::format("{:3.0f} %", *part * 100) : std::string{}) + fmt::format("  {} records", records);
      });
    }
  }
  progress.clear();
  if (as_json) {
    print_line(summary_line(stages.ingest().totals(), refused));
  } else {
    report.finish(stages.ingest().totals(), stages.evaluate().sight());
    std::fputs(report.text().c_str(), stdout);
  }
  std::fflush(stdout);
  return options.fail_on_alert && alerted ? 1 : 0;
}

}  // namespace tocsin
