#include "app/replay_command.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>

#include "app/config.h"
#include "app/files.h"
#include "app/record_reader.h"
#include "app/report.h"
#include "base/time_text.h"
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

std::string summary_line(const StreamTotals& totals) {
  return Json{{"kind", "summary"},
              {"records", totals.records},
              {"events", totals.events},
              {"dead_letters", totals.all_dead_letters()},
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

// A line on the terminal while a long file is read; nothing where nobody looks.
class Progress {
 public:
  void show(const RecordReader& reader, std::int64_t records) {
    if (!is_terminal_ || (records & 1023) != 0) return;
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    next_ = now + std::chrono::milliseconds{500};
    const auto part = reader.progress();
    std::cerr << '\r' << (part ? fmt::format("{:3.0f} %", *part * 100) : std::string{}) << "  " << records
              << " records " << std::flush;
    shown_ = true;
  }
  void clear() {
    if (shown_) std::cerr << "\r\033[K" << std::flush;
  }

 private:
  bool is_terminal_ = isatty(STDERR_FILENO) != 0;
  bool shown_ = false;
  std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now() + std::chrono::milliseconds{500};
};

}  // namespace

int run_replay(const ReplayOptions& options) {
  // Each record tells its form itself; the words are there for scripts.
  if (options.input_format != "auto" && options.input_format != "native" && options.input_format != "otlp") {
    std::cerr << "tocsin replay: --input-format " << options.input_format
              << " can't be read yet; this version reads native JSON events and OTLP traces\n";
    return 2;
  }
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
  const auto key = read_fingerprint_key(config.fingerprint_key_file, diagnostics);
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
  JoinedStages stages(ingest, evaluate, loaded.rules, loaded.patterns, Fingerprinter(key));

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
  while (const auto line = reader.value()->next()) {
    RawRecord record;
    record.key = line->key;
    record.value = line->value;
    record.offset = line->number;
    out.clear();
    stages.apply(record, out);
    for (const AlertChange& change : out.by_time) give(change);
    for (const DeadLetter& letter : out.ingest.dead_letters) {
      if (as_json) {
        print_line(dead_letter_line(letter));
      } else {
        report.add(letter);
      }
    }
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
    progress.show(*reader.value(), stages.ingest().totals().records);
  }
  progress.clear();
  if (as_json) {
    print_line(summary_line(stages.ingest().totals()));
  } else {
    report.finish(stages.ingest().totals(), stages.evaluate().sight());
    std::fputs(report.text().c_str(), stdout);
  }
  std::fflush(stdout);
  return options.fail_on_alert && alerted ? 1 : 0;
}

}  // namespace tocsin
