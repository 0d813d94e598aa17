#include "app/rule_test/rule_test_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "app/record_reader.h"
#include "app/report.h"
#include "base/diagnostic.h"
#include "base/json.h"
#include "base/time_text.h"
#include "core/event/event_fields.h"
#include "core/event/native_decoder.h"
#include "core/stage/evaluate_stage.h"
#include "core/stage/ingest_stage.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

struct TimedRecord {
  RecordTime time;
  std::string key;
  std::string value;
  bool is_restart = false;
};

// A word of an input line as JSON: numbers and truths as they are, all else is text. "ab"*3 is ababab.
Json json_of(const std::string& word) {
  const std::size_t star = word.rfind("\"*");
  if (word.starts_with('"') && star != std::string::npos && star > 0) {
    constexpr std::int64_t most_bytes = 1 << 20;
    const Json text = parse_json(word.substr(0, star + 1));
    const Json times = parse_json(word.substr(star + 2));
    if (text.is_string() && times.is_number_unsigned()) {
      std::string all;
      const auto piece = text.get<std::string>();
      for (std::int64_t i = 0; i < times.get<std::int64_t>() && static_cast<std::int64_t>(all.size()) < most_bytes;
           ++i) {
        all += piece;
      }
      return all;
    }
  }
  if (word.starts_with('"') || word == "true" || word == "false") {
    Json value = parse_json(word);
    if (!value.is_discarded()) return value;
  }
  Json number = parse_json(word);
  return number.is_number() ? number : Json(word);
}

void put(Json& event, const std::string& path, Json value) {
  Json* at = &event;
  std::size_t from = 0;
  for (std::size_t dot = path.find('.'); dot != std::string::npos; dot = path.find('.', from)) {
    at = &(*at)[path.substr(from, dot - from)];
    from = dot + 1;
  }
  (*at)[path.substr(from)] = std::move(value);
}

// What is wrong with the fields of an input line; empty: nothing. Names with a point in them lie below what may hold
// anything, such as content.output.
std::string mistake_in(const TestInput& line, const OwnAttributes* own) {
  for (const auto& [name, word] : line.fields) {
    if (name == "lasts" && line.kind == TestInput::Kind::task) {
      if (!parse_duration(word)) return "'lasts' takes a duration, such as 90s";
      continue;
    }
    const bool is_known = name.find('.') != std::string::npos || NativeDecoder::has_field(name);
    if (!is_known && (own == nullptr || !own->named(name))) {
      return "'" + name + "' is no field of events" + did_you_mean(name, NativeDecoder::field_names()) +
             "; what is only to be scanned goes below content: content." + name;
    }
    const auto field = enum_field_named(name);
    const Json value = json_of(word);
    if (!field || !value.is_string() || enum_value_named(*field, value.get<std::string>())) continue;
    return "'" + word + "' is no value of " + name + nearest_or_all(word, enum_words(*field));
  }
  return {};
}

class Input {
 public:
  // `own`: attributes that a line may name as fields; null: none.
  Input(const RuleTest& test, std::shared_ptr<const OwnAttributes> own) : start_(test.start), own_(std::move(own)) {}

  // Nothing, or why it can't be read.
  std::string read(const TestInput& line, std::size_t number, const std::string& folder) {
    if (std::string mistake = mistake_in(line, own_.get()); !mistake.empty()) return mistake;
    if (line.kind == TestInput::Kind::file) return read_file((std::filesystem::path(folder) / line.file).string());
    std::int64_t i = 0;
    for (Duration at = line.at; at < line.at + std::max(line.length, Duration{1});
         at += std::max(line.every, Duration{1})) {
      if (line.kind == TestInput::Kind::restart) {
        records.push_back({start_ + at, {}, {}, true});
      } else if (line.kind == TestInput::Kind::task) {
        add_task(line, at, "task-" + std::to_string(number) + "-" + std::to_string(++i));
      } else {
        add(line.type, line, at, "t-" + std::to_string(number) + "-" + std::to_string(++i));
      }
      if (line.every == Duration{}) break;
    }
    return {};
  }

  // By time; what is said at the same time, in the order in which it was said.
  void sort() {
    std::stable_sort(records.begin(), records.end(),
                     [](const TimedRecord& a, const TimedRecord& b) { return a.time < b.time; });
  }

  std::vector<TimedRecord> records;

 private:
  void add(const std::string& type, const TestInput& line, Duration at, const std::string& id) {
    Json event{{"type", type}, {"time", to_rfc3339(start_ + at)}, {"correlation_id", id}, {"env", "prod"}};
    for (const auto& [name, word] : line.fields) {
      const bool is_of_end = name == "outcome" && type == "task.started";
      if (name == "lasts" || is_of_end) continue;
      put(event, own_ && own_->named(name) ? "attributes." + name : name, json_of(word));
    }
    records.push_back({start_ + at,
                       event["correlation_id"].is_string() ? event["correlation_id"].get<std::string>() : id,
                       dump(event), false});
  }

  void add_task(const TestInput& line, Duration at, const std::string& id) {
    Duration lasts = 1s;
    for (const auto& [name, word] : line.fields) {
      if (name == "lasts") lasts = parse_duration(word).value_or(lasts);
    }
    add("task.started", line, at, id);
    add("task.finished", line, at + lasts, id);
  }

  std::string read_file(const std::string& path) {
    auto reader = RecordReader::open(path);
    if (!reader) return reader.error();
    while (const auto line = reader.value()->next()) {
      const Json event = parse_json(line->value);
      const auto time = event.is_object() ? event.find("time") : event.end();
      const auto parsed = event.is_object() && time != event.end() && time->is_string()
                              ? parse_rfc3339(time->get_ref<const std::string&>())
                              : std::nullopt;
      if (!parsed) return path + " holds a line that is no event with a time; tests take native events";
      records.push_back({as_record_time(*parsed), std::string(line->key), std::string(line->value), false});
    }
    return {};
  }

  RecordTime start_;
  std::shared_ptr<const OwnAttributes> own_;
};

struct SeenHalt {
  Duration at{};
  std::string scope;
};

// The two stages, and what stands in their topics: so that they can be ended and begun again.
class Process {
 public:
  Process(const RuleTest& test, const RulesAndPatterns& loaded, bool restarts)
      : test_(test), loaded_(loaded), restarts_(restarts) {
    begin();
  }

  void apply(const TimedRecord& record) {
    RawRecord raw;
    raw.key = record.key;
    raw.value = record.value;
    raw.time = record.time;
    raw.offset = next_offset_;
    if (restarts_) {
      ingest_->close_before(record.time, false, out_);
      take();
      since_cut_.push_back(&record);
    }
    ++next_offset_;
    ingest_->apply(raw, out_);
    take();
  }

  void close_until(RecordTime time) {
    ingest_->close_until(time, out_);
    take();
  }

  // What was applied since the last cut comes again, as after a crash.
  void restart() {
    begin();
    for (const auto& [key, value] : tasks_) ingest_->restore(key, value);
    if (!ingest_position_.empty()) ingest_->resume(ingest_position_, cut_offset_);
    for (const auto& [key, value] : states_) evaluate_->restore(key, value);
    if (!evaluate_position_.empty()) {
      evaluate_->begin_resume(evaluate_position_);
      for (const Block& block : blocks_) {
        if (block.grid > evaluate_->needs_blocks_after()) evaluate_->resume(block);
      }
      evaluate_->end_resume(changes);
    }
    next_offset_ = cut_offset_;
    for (const TimedRecord* record : std::exchange(since_cut_, {})) apply(*record);
  }

  std::vector<RuleSight> sight() const { return evaluate_->sight(); }
  std::int64_t dead_letters() const { return dead_letters_; }

  std::vector<AlertChange> changes;
  std::vector<SeenHalt> halts;

 private:
  void begin() {
    IngestOptions ingest;
    ingest.deployment = "test";
    ingest.halts.enforce = test_.enforce_halts;
    EvaluateOptions evaluate;
    evaluate.deployment = "test";
    evaluate.keeps_state = restarts_;
    ingest_ = std::make_unique<IngestPartition>(ingest, loaded_.rules, loaded_.patterns,
                                                Fingerprinter({FingerprintKey{{}, "a key for tests of rules"}}));
    evaluate_ = std::make_unique<EvaluatePartition>(evaluate, loaded_.rules);
  }

  static void store(const std::vector<StateRecord>& records, std::map<std::string, std::string>& topic) {
    for (const StateRecord& record : records) {
      if (record.value.empty())
        topic.erase(record.key);
      else
        topic[record.key] = record.value;
    }
  }

  void take() {
    const bool is_cut = !out_.cuts.empty();
    for (Cut& cut : out_.cuts) {
      if (restarts_) blocks_.push_back(cut.block);
      evaluate_->apply(std::move(cut.block), changes);
    }
    for (const HaltRecord& halt : out_.halts) {
      if (halt.count == 1) halts.push_back({as_record_time(halt.last_at) - test_.start, halt.scope});
    }
    for (const UrgentFinding& finding : out_.findings) evaluate_->apply(finding, changes);
    dead_letters_ += static_cast<std::int64_t>(out_.dead_letters.size());
    out_.clear();
    if (!is_cut || !restarts_) return;
    std::vector<StateRecord> records;
    ingest_->take_changes(records);
    store(records, tasks_);
    ingest_position_ = ingest_->position();
    records.clear();
    evaluate_->take_changes(records);
    store(records, states_);
    evaluate_position_ = evaluate_->position();
    cut_offset_ = next_offset_;
    since_cut_.clear();
    std::erase_if(blocks_, [&](const Block& block) { return block.grid <= evaluate_->needs_blocks_after(); });
  }

  const RuleTest& test_;
  const RulesAndPatterns& loaded_;
  bool restarts_;
  std::unique_ptr<IngestPartition> ingest_;
  std::unique_ptr<EvaluatePartition> evaluate_;
  IngestOutput out_;
  std::int64_t next_offset_ = 0;
  std::int64_t dead_letters_ = 0;
  // What stands in the topics at the last cut.
  std::map<std::string, std::string> tasks_, states_;
  std::vector<Block> blocks_;
  std::string ingest_position_, evaluate_position_;
  std::int64_t cut_offset_ = 0;
  std::vector<const TimedRecord*> since_cut_;
};

std::string text_of(Duration at) {
  return at == Duration{} ? "0s" : to_text(at);
}
std::string text_of(const TimeRange& range) {
  return range.from == range.to ? text_of(range.from) : text_of(range.from) + ".." + text_of(range.to);
}

class Judge {
 public:
  Judge(const RuleTest& test, const Process& process) : test_(test) {
    for (const AlertChange& change : process.changes) {
      const bool is_asked =
          test.alerts.empty() || std::find(test.alerts.begin(), test.alerts.end(), change.alert) != test.alerts.end();
      if (is_asked) changes_.push_back(change);
    }
    halts_ = process.halts;
    sight_ = process.sight();
  }

  std::vector<std::string> failures() {
    for (const TestExpectation& expected : test_.expect) {
      switch (expected.kind) {
        case TestExpectation::Kind::episode:
          judge_episode(expected);
          break;
        case TestExpectation::Kind::firing:
          judge_firing(expected);
          break;
        case TestExpectation::Kind::halt:
          judge_halt(expected);
          break;
        case TestExpectation::Kind::quiet:
          judge_quiet(expected);
          break;
        case TestExpectation::Kind::pages:
          judge_pages(expected);
          break;
      }
    }
    return std::move(failures_);
  }

 private:
  Duration time_of(const AlertChange& change) const { return change.at - test_.start; }

  static bool is_near(double seen, double expected) {
    constexpr double tolerance = 0.001;
    return std::fabs(seen - expected) <= tolerance * std::max(1.0, std::fabs(expected));
  }

  static bool has(const Labels& all, const Labels& wanted) {
    return std::all_of(wanted.begin(), wanted.end(),
                       [&](const auto& one) { return std::find(all.begin(), all.end(), one) != all.end(); });
  }

  static bool fits(const AlertChange& change, const ExpectedAlert& expected) {
    return change.alert == expected.alert && has(change.labels, expected.labels) &&
           has(change.annotations, expected.annotations) &&
           (!expected.value || is_near(change.value, *expected.value)) &&
           (!expected.baseline || is_near(change.baseline, *expected.baseline)) &&
           (!expected.samples || change.samples == *expected.samples);
  }

  static std::string name_of(const ExpectedAlert& alert) {
    std::string text = alert.alert;
    if (!alert.labels.empty()) text += "{" + to_text(alert.labels) + "}";
    if (alert.value) text += fmt::format(" with value {:.6g}", *alert.value);
    if (alert.baseline) text += fmt::format(" with baseline {:.6g}", *alert.baseline);
    if (alert.samples) text += fmt::format(" with {} samples", *alert.samples);
    for (const auto& [name, value] : alert.annotations) text += " with " + name + " '" + value + "'";
    return text;
  }

  std::string seen(const AlertChange& change) const {
    std::string text = fmt::format("    seen: {} {} at {}: value {:.6g}", change.alert,
                                   change.firing ? "fired" : "resolved", text_of(time_of(change)), change.value);
    if (!is_unknown(change.baseline)) text += fmt::format(", baseline {:.6g}", change.baseline);
    text += fmt::format(", {} samples ({}; {})\n", change.samples, to_text(change.labels), change.reason);
    if (change.firing) {
      for (const auto& [name, value] : change.annotations) text += "          " + name + ": " + value + "\n";
    }
    return text;
  }

  // As much of it as a person reads.
  static std::string beginning_of(const std::string& lines) {
    constexpr int most = 30;
    std::size_t end = 0;
    for (int i = 0; i < most && end != std::string::npos; ++i) end = lines.find('\n', end == 0 ? 0 : end + 1);
    if (end == std::string::npos || end + 1 == lines.size()) return lines;
    return lines.substr(0, end + 1) +
           fmt::format("    and {} lines more\n",
                       std::count(lines.begin() + static_cast<std::ptrdiff_t>(end) + 1, lines.end(), '\n'));
  }

  void fail(const TestExpectation& expected, const std::string& what, const std::string& around) {
    failures_.push_back(fmt::format("  line {}: {}\n{}", expected.position.line, what, beginning_of(around)));
  }

  // What the rule did instead: its changes, or why it could not see.
  std::string around(const std::string& alert) const {
    std::string text;
    constexpr int most = 12;
    int count = 0;
    for (const AlertChange& change : changes_) {
      if (change.alert == alert && ++count <= most) text += seen(change);
    }
    if (count > most) text += fmt::format("    and {} changes more\n", count - most);
    if (count > 0) return text;
    for (const RuleSight& sight : sight_) {
      if (sight.alert != alert) continue;
      return fmt::format(
          "    seen: it never fired. Its groups at the end: {} live ({} pending), {} whose baseline is warming, {} "
          "with too "
          "few samples, {} without a declared bound\n",
          sight.live, sight.pending, sight.warming, sight.blind, sight.undeclared);
    }
    return "    there is no such alert among the rules of this test\n";
  }

  void judge_episode(const TestExpectation& expected) {
    for (std::size_t i = 0; i < changes_.size(); ++i) {
      const AlertChange& change = changes_[i];
      if (!change.firing || !fits(change, expected.alert) || !expected.fires ||
          !expected.fires->holds(time_of(change)))
        continue;
      if (!expected.resolves) return;
      for (std::size_t k = i + 1; k < changes_.size(); ++k) {
        const AlertChange& end = changes_[k];
        if (end.firing || end.alert_id != change.alert_id) continue;
        if (expected.resolves->holds(time_of(end))) return;
        break;
      }
      return fail(expected, name_of(expected.alert) + " was to resolve at " + text_of(*expected.resolves),
                  around(expected.alert.alert));
    }
    fail(expected,
         name_of(expected.alert) + " was to fire" +
             (expected.fires ? " at " + text_of(*expected.fires) : std::string{}),
         around(expected.alert.alert));
  }

  void judge_firing(const TestExpectation& expected) {
    std::map<std::string, const AlertChange*> firing;
    for (const AlertChange& change : changes_) {
      if (time_of(change) > expected.at) break;
      if (change.firing)
        firing[change.alert_id] = &change;
      else
        firing.erase(change.alert_id);
    }
    std::string missing;
    for (const ExpectedAlert& alert : expected.all) {
      const auto found =
          std::find_if(firing.begin(), firing.end(), [&](const auto& one) { return fits(*one.second, alert); });
      if (found == firing.end())
        missing += "    " + name_of(alert) + " does not fire\n" + around(alert.alert);
      else
        firing.erase(found);
    }
    for (const auto& [id, change] : firing) missing += "    not expected:\n" + seen(*change);
    if (!missing.empty())
      fail(expected, "at " + text_of(expected.at) + " these alerts were to fire and no others", missing);
  }

  void judge_halt(const TestExpectation& expected) {
    std::string all;
    for (const SeenHalt& halt : halts_) {
      if (halt.scope == expected.scope && (!expected.fires || expected.fires->holds(halt.at))) return;
      all += "    seen: a halt of " + halt.scope + " at " + text_of(halt.at) + "\n";
    }
    fail(expected,
         "a halt of " + expected.scope + " was to go out" +
             (expected.fires ? " at " + text_of(*expected.fires) : std::string{}),
         all.empty() ? "    seen: no halt\n" : all);
  }

  void judge_quiet(const TestExpectation& expected) {
    std::string loud;
    for (const AlertChange& change : changes_) {
      if (change.firing && expected.fires && expected.fires->holds(time_of(change))) loud += seen(change);
    }
    if (!loud.empty()) fail(expected, "nothing was to fire", loud);
  }

  void judge_pages(const TestExpectation& expected) {
    std::string all;
    std::int64_t pages = 0;
    for (const AlertChange& change : changes_) {
      if (!change.firing || !change.sends_page) continue;
      ++pages;
      all += seen(change);
    }
    if (pages != expected.pages)
      fail(expected, fmt::format("{} pages were expected, {} were sent", expected.pages, pages), all);
  }

  const RuleTest& test_;
  std::vector<AlertChange> changes_;
  std::vector<SeenHalt> halts_;
  std::vector<RuleSight> sight_;
  std::vector<std::string> failures_;
};

// Of the alerts that a test is about the first that no rule, and nothing of Tocsin's own, is called; empty: all are
// known.
std::string unknown_alert(const RuleTest& test, const RuleSet& rules) {
  std::vector<std::string_view> names{"SeriesOverflow"};
  for (std::int64_t i = 0; i < notice_count; ++i) {
    if (const auto name = name_of(static_cast<Notice>(i)); !name.empty()) names.push_back(name);
  }
  for (const Rule& rule : rules.rules) names.push_back(rule.name);
  for (const std::string& alert : test.alerts) {
    if (std::find(names.begin(), names.end(), alert) != names.end()) continue;
    return "no rule is called '" + alert + "'" + did_you_mean(alert, names);
  }
  return {};
}

Duration end_of(const RuleTest& test) {
  Duration end{};
  for (const TestExpectation& expected : test.expect) {
    end = std::max(end, expected.at);
    for (const auto& range : {expected.fires, expected.resolves}) {
      const bool is_whole = expected.kind == TestExpectation::Kind::quiet && range && range->from == Duration{};
      if (range && !is_whole) end = std::max(end, range->to);
    }
  }
  return end;
}

}  // namespace

RuleTestResult run_rule_test(const RuleTest& test, const RulesAndPatterns& loaded, const std::string& folder) {
  RuleTestResult result;
  if (const std::string mistake = unknown_alert(test, *loaded.rules); !mistake.empty()) {
    result.failures.push_back(fmt::format("  line {}: {}\n", test.position.line, mistake));
    return result;
  }
  Input input(test, loaded.rules->own_attributes());
  for (std::size_t i = 0; i < test.input.size(); ++i) {
    const std::string problem = input.read(test.input[i], i + 1, folder);
    if (problem.empty()) continue;
    result.failures.push_back(fmt::format("  line {}: {}\n", test.input[i].position.line, problem));
    return result;
  }
  input.sort();
  const bool restarts =
      std::any_of(input.records.begin(), input.records.end(), [](const TimedRecord& one) { return one.is_restart; });
  Process process(test, loaded, restarts);
  for (const TimedRecord& record : input.records) {
    if (record.is_restart) {
      process.restart();
    } else {
      process.apply(record);
      ++result.events;
    }
  }
  RecordTime end = test.start + end_of(test);
  if (!input.records.empty()) end = std::max(end, input.records.back().time);
  process.close_until(ceil_to(end, slice_length) + slice_length);
  result.failures = Judge(test, process).failures();
  if (process.dead_letters() > 0) {
    result.failures.push_back(fmt::format("  {} events of the input could not be read\n", process.dead_letters()));
  }
  return result;
}

}  // namespace tocsin
