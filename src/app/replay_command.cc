#include "app/replay_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <optional>

#include "app/config.h"
#include "app/files.h"
#include "app/http_recording.h"
#include "app/kafka_input.h"
#include "app/progress.h"
#include "app/record_reader.h"
#include "app/replay_difference.h"
#include "app/report.h"
#include "base/json.h"
#include "base/time_text.h"
#include "core/alert/group_labels.h"
#include "core/stage/receive_stage.h"
#include "runtime/joined_stages.h"

namespace tocsin {

namespace {

void print_line(const std::string& line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
}

std::string halt_line(const HaltRecord& halt) {
  return dump({{"kind", "halt"},
               {"time", to_rfc3339(halt.last_at)},
               {"halt_id", halt.id},
               {"scope", halt.scope},
               {"state", name_of(halt.state)},
               {"reason", halt.reason},
               {"labels",
                {{"env", halt.env},
                 {"agent", halt.agent},
                 {"correlation_id", halt.correlation_id},
                 {"secret_pattern", halt.pattern}}}});
}

std::string dead_letter_line(const DeadLetter& letter, const std::optional<RecordPlace>& place) {
  Json line{{"kind", "dead_letter"}, {"record", letter.offset}, {"reason", name_of(letter.reason)}};
  if (place) {
    line["partition"] = place->partition;
    line["offset"] = place->offset;
  }
  return dump(line);
}

// The stages number the records of one stream; a record of a topic is found by its place there.
AlertChange pointed_to(AlertChange change, const RecordPlace& place) {
  for (auto& [name, text] : change.annotations) {
    if (name == "record") text = fmt::format("partition {}, offset {}", place.partition, place.offset);
  }
  return change;
}

// `refused`: uploads, or events in them, that a door would have refused.
std::string summary_line(const StreamTotals& totals, std::uint64_t refused) {
  return dump({{"kind", "summary"},
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
               {"findings", totals.findings}});
}

void print_differences(const EpisodeLog& before, const EpisodeLog& after, bool as_json) {
  const auto list = differences(before.episodes(), after.episodes());
  for (const EpisodeDifference& one : list) {
    const bool is_new = one.kind == EpisodeDifference::Kind::added;
    const bool is_gone = one.kind == EpisodeDifference::Kind::gone;
    const Episode& named = is_new ? one.after : one.before;
    if (as_json) {
      Json labels = Json::object();
      for (const auto& [name, value] : named.labels) labels[name] = value;
      print_line(dump({{"kind", "difference"},
                       {"change", name_of(one.kind)},
                       {"alert", named.alert},
                       {"labels", labels},
                       {"before", is_new ? Json(nullptr) : Json(to_rfc3339(one.before.fired))},
                       {"after", is_gone ? Json(nullptr) : Json(to_rfc3339(one.after.fired))}}));
      continue;
    }
    std::string when = to_rfc3339(named.fired);
    if (!is_new && !is_gone) {
      const bool is_later = one.kind == EpisodeDifference::Kind::later;
      const Duration by = is_later ? one.after.fired - one.before.fired : one.before.fired - one.after.fired;
      when += " by " + to_text(by);
    }
    print_line(fmt::format("{:<8} {:<26} {}  {}", name_of(one.kind), named.alert, when, to_text(named.labels)));
  }
  if (as_json) return;
  print_line(fmt::format("{} episodes with these rules, {} with the others, {} differences", before.episodes().size(),
                         after.episodes().size(), list.size()));
}

// What is loaded before anything is read.
struct Loaded {
  RulesAndPatterns rules;
  Config config;
  Fingerprinter key;
};

// Nothing, after it said why, where a file has a mistake.
std::optional<Loaded> load(const ReplayOptions& options) {
  Diagnostics diagnostics;
  std::vector<std::string> paths = options.rules;
  paths.insert(paths.end(), options.specs.begin(), options.specs.end());
  RulesAndPatterns rules = load_rules_and_patterns(paths, diagnostics);
  Config config;
  if (!options.config.empty()) config = load_config_file(options.config, diagnostics);
  Fingerprinter key = read_fingerprint_keys(config.fingerprint_key_file, diagnostics);
  if (print(diagnostics)) return std::nullopt;
  return Loaded{std::move(rules), std::move(config), std::move(key)};
}

// `task`: as the ingest stage knew it at the grid time that was evaluated last.
std::string whole_text(const TaskExplanation& task, const EvaluatePartition& evaluate, const std::string& alert) {
  const auto active = evaluate.active();
  const bool is_firing = std::any_of(active.begin(), active.end(), [&](const ActiveAlert& one) {
    return one.change.alert == alert && has_labels(one.change.labels, task.group);
  });
  return task.text + (is_firing ? "; the alert is firing\n" : "; the alert is not firing\n" + task.outlook);
}

// `replay --explain`: plays until the evaluation that is asked for, and says how it came out.
int explain(const ReplayOptions& options) {
  const auto fail = [](const std::string& why) {
    std::cerr << "tocsin replay: " << why << '\n';
    return 2;
  };
  const std::optional<Loaded> all = load(options);
  if (!all) return 2;
  const auto& [loaded, config, key] = *all;
  const Rule* const rule = loaded.rules->find(options.explain);
  if (rule == nullptr) {
    std::vector<std::string_view> names;
    for (const Rule& one : loaded.rules->rules) names.push_back(one.name);
    return fail("there is no rule '" + options.explain + "'" + did_you_mean(options.explain, names));
  }
  if (rule->mode == RuleMode::event)
    return fail("'" + rule->name + "' is decided by one event alone; `tocsin inspect` prints what an event says");
  const auto at = parse_rfc3339(options.at);
  if (!at) return fail("--at takes a time such as 2026-01-07T12:00:00Z");
  Labels labels;
  for (const std::string& one : options.labels) {
    const std::size_t equals = one.find('=');
    if (equals == std::string::npos) return fail("--labels takes NAME=VALUE, not '" + one + "'");
    labels.emplace_back(one.substr(0, equals), one.substr(equals + 1));
  }
  auto reader = open_input({options.input, options.from, options.to}, config.kafka);
  if (!reader) return fail(reader.error());
  IngestOptions ingest;
  ingest.deployment = config.deployment();
  EvaluateOptions evaluate;
  evaluate.deployment = config.deployment();
  const RecordTime wanted = floor_to(as_record_time(*at), slice_length);
  std::optional<TaskExplanation> task;
  const JoinedStages* playing = nullptr;
  bool was_cut = false;
  ingest.after_cut = [&](RecordTime grid) {
    if (was_cut || grid < wanted) return;
    was_cut = true;
    task = playing->ingest().explain(rule->name, labels, grid);
  };
  JoinedStages stages(ingest, evaluate, loaded.rules, loaded.patterns, key);
  playing = &stages;
  JoinedStages::Output out;
  std::optional<std::string> answer;
  bool is_over = false;
  const auto look = [&] {
    if (is_over || stages.evaluate().evaluated() < wanted) return;
    is_over = true;
    if (rule->mode == RuleMode::window) answer = stages.evaluate().explain(rule->name, labels);
    if (task) answer = whole_text(*task, stages.evaluate(), rule->name);
  };
  while (!is_over) {
    const auto line = reader.value()->next();
    if (!line) break;
    out.clear();
    stages.apply(raw_record(*line), out, look);
  }
  if (const auto error = reader.value()->error()) return fail(*error);
  if (!is_over) return fail("the records end before " + options.at);
  if (!answer) {
    const bool is_task = rule->mode == RuleMode::task;
    return fail((is_task ? "no task is known that has these labels at that time: "
                         : "no group of " + rule->name + " has these labels at that time: ") +
                to_text(labels));
  }
  if (options.output == "json") {
    *answer = dump({{"kind", "explanation"}, {"alert", rule->name}, {"time", to_rfc3339(wanted)}, {"text", *answer}});
    *answer += '\n';
  }
  std::cout << *answer;
  return 0;
}

}  // namespace

int run_replay(const ReplayOptions& options) {
  if (!options.explain.empty()) return explain(options);
  // Each record tells its form itself; the words are there for scripts.
  const bool is_http = options.input_format == "http";
  const std::optional<Loaded> all = load(options);
  if (!all) return 2;
  const auto& [loaded, config, key] = *all;
  auto reader = open_input({options.input, options.from, options.to}, config.kafka);
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

  RulesAndPatterns other;
  std::unique_ptr<JoinedStages> other_stages;
  if (!options.against.empty()) {
    Diagnostics diagnostics;
    other = load_rules_and_patterns(options.against, diagnostics);
    if (print(diagnostics)) return 2;
    other_stages = std::make_unique<JoinedStages>(ingest, evaluate, other.rules, other.patterns, key);
  }
  EpisodeLog episodes, other_episodes;
  JoinedStages::Output other_out;

  const bool as_json = options.output == "json";
  const bool is_quiet = other_stages != nullptr;  // what both say alike is no news
  ReplayReport report;
  JoinedStages::Output out;
  Progress progress;
  bool alerted = false;
  const auto give = [&](const AlertChange& change) {
    alerted = alerted || change.firing;
    episodes.add(change);
    if (is_quiet) {
      // told by the differences
    } else if (as_json) {
      print_line(to_replay_json(change));
    } else {
      report.add(change);
    }
  };
  std::optional<RecordPlace> place;  // of the record that is looked at
  const auto give_letter = [&](const DeadLetter& letter) {
    if (as_json && !is_quiet) {
      print_line(dead_letter_line(letter, place));
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
      if (halt.count > 1 || is_quiet) continue;  // one secret arrives many times in a task: one halt
      if (as_json) {
        print_line(halt_line(halt));
      } else {
        report.add(halt);
      }
    }
    for (const AlertChange& change : out.at_once) give(place ? pointed_to(change, *place) : change);
    if (other_stages == nullptr) return;
    other_out.clear();
    other_stages->apply(record, other_out);
    for (const AlertChange& change : other_out.by_time) other_episodes.add(change);
    for (const AlertChange& change : other_out.at_once) other_episodes.add(change);
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
    place = line->place;
    if (is_http) {
      receive(*line);
    } else {
      apply(raw_record(*line));
    }
    const std::int64_t records = stages.ingest().totals().records;
    if ((records & 1023) == 0) {
      progress.show([&] { return how_far(*reader.value(), records); });
    }
  }
  progress.clear();
  if (const auto error = reader.value()->error()) {
    std::fflush(stdout);
    std::cerr << "tocsin replay: " << *error << '\n';
    return 2;
  }
  if (is_quiet) {
    print_differences(episodes, other_episodes, as_json);
  } else if (as_json) {
    print_line(summary_line(stages.ingest().totals(), refused));
  } else {
    report.finish(stages.ingest().totals(), stages.evaluate().sight());
    std::fputs(report.text().c_str(), stdout);
  }
  std::fflush(stdout);
  const StreamTotals& totals = stages.ingest().totals();
  if (totals.records > 0 && totals.all_dead_letters() == totals.records) {
    std::cerr << "tocsin replay: not one of these records could be read; `tocsin inspect` shows what they are\n";
    return options.fail_on_alert ? 2 : 0;
  }
  return options.fail_on_alert && alerted ? 1 : 0;
}

}  // namespace tocsin
