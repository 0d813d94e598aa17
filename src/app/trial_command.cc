#include "app/trial_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "app/config.h"
#include "app/files.h"
#include "app/kafka_input.h"
#include "app/progress.h"
#include "app/report.h"
#include "app/rule_coverage.h"
#include "app/shipped_files.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/time_text.h"
#include "core/event/record_decoder.h"
#include "runtime/joined_stages.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_open_tasks = 1'000'000;
constexpr std::size_t most_durations = 200'000;  // of an agent; a p99 needs no more
constexpr std::size_t most_listed = 20;

// The day as those see it who are woken: local time of this machine.
struct LocalTime {
  int hour = 0;
  std::string day;
};
LocalTime local(RecordTime time) {
  const std::time_t seconds = time.since_epoch.count() / 1000;
  std::tm parts{};
  localtime_r(&seconds, &parts);
  return {parts.tm_hour, fmt::format("{:04}-{:02}-{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday)};
}
bool is_night(RecordTime time) {
  const int hour = local(time).hour;
  return hour >= 22 || hour < 8;
}

std::string minute_of(RecordTime time) {
  return to_rfc3339(time).substr(0, 16).replace(10, 1, " ");
}

// What one agent, under one version of its spec, was seen to do.
struct AgentSeen {
  std::string env, agent, spec, spec_version;
  std::int64_t events = 0, tasks = 0, surfaced = 0, failed = 0;
  std::vector<double> durations;                      // seconds
  std::map<std::int64_t, std::int64_t> cost_of_hour;  // micro-dollars
  bool has_cost = false;
  RecordTime last{};
};

double quantile(std::vector<double> values, double q) {
  if (values.empty()) return unknown_number;
  const auto at = static_cast<std::ptrdiff_t>(
      std::min(static_cast<double>(values.size()) - 1, std::ceil(q * static_cast<double>(values.size())) - 1));
  std::nth_element(values.begin(), values.begin() + std::max<std::ptrdiff_t>(at, 0), values.end());
  return values[static_cast<std::size_t>(std::max<std::ptrdiff_t>(at, 0))];
}

// What people can read and compare: 90 s, 7 m, 1 h 15 m.
Duration rounded_up(double seconds) {
  const auto exact = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  const Duration grain = exact <= 2min ? Duration{10s} : exact <= 1h ? Duration{1min} : Duration{15min};
  return (exact + grain - Duration{1}) / grain * grain;
}

class Coverage {
 public:
  void add(const Json& event) {
    seen.add(event);
    const auto text = [&](const char* name) { return text_of(event, name); };
    const auto time = parse_rfc3339(text("time"));
    const std::string type = text("type");
    const std::string agent = text("agent");
    if (!time || agent.empty()) return;
    const RecordTime at = as_record_time(*time);
    const std::tuple key(text("env"), agent, text("spec"), text("spec_version"));
    AgentSeen& own = agents[key];
    std::tie(own.env, own.agent, own.spec, own.spec_version) = key;
    ++own.events;
    own.last = std::max(own.last, at);
    if (const auto cost = event.find("cost_usd"); type == "step" && cost != event.end() && cost->is_number()) {
      own.cost_of_hour[floor_to(at, 1h).since_epoch.count()] += std::llround(cost->get<double>() * 1e6);
      own.has_cost = true;
    }
    const std::string task = text("correlation_id");
    if (type == "task.started" && open_.size() < most_open_tasks) open_.try_emplace(task, at);
    if (type != "task.finished") return;
    ++own.tasks;
    const std::string outcome = text("outcome");
    own.surfaced += outcome == "surfaced" ? 1 : 0;
    own.failed += outcome == "errored" || outcome == "timed_out" ? 1 : 0;
    if (const auto begun = open_.find(task); begun != open_.end()) {
      if (own.durations.size() < most_durations && at >= begun->second) {
        own.durations.push_back(static_cast<double>((at - begun->second).count()) / 1e3);
      }
      open_.erase(begun);
    }
  }

  SeenFields seen;
  std::map<std::tuple<std::string, std::string, std::string, std::string>, AgentSeen> agents;

 private:
  std::map<std::string, RecordTime> open_;
};

// A spec as this telemetry suggests it, each bound with what speaks for it.
struct Suggestion {
  std::string name, version;
  std::string yaml;  // empty: too little was seen
};

Suggestion suggest(const std::vector<const AgentSeen*>& seen) {
  constexpr std::int64_t least_tasks = 30;
  Suggestion suggestion;
  suggestion.name = seen.front()->spec.empty() ? seen.front()->agent : seen.front()->spec;
  suggestion.version = seen.front()->spec_version;
  AgentSeen all;
  std::set<std::string> agents;
  for (const AgentSeen* one : seen) {
    agents.insert(one->agent);
    all.tasks += one->tasks;
    all.surfaced += one->surfaced;
    all.durations.insert(all.durations.end(), one->durations.begin(), one->durations.end());
    for (const auto& [hour, cost] : one->cost_of_hour) all.cost_of_hour[hour] += cost;
  }
  std::string bounds;
  if (static_cast<std::int64_t>(all.durations.size()) >= least_tasks) {
    const double p99 = quantile(all.durations, 0.99);
    bounds += fmt::format(
        "  # 99 of 100 tasks took at most {}, of {} that began and ended; a task past twice the wall clock pages.\n  "
        "wall_clock: {}\n",
        to_text(rounded_up(p99)), all.durations.size(), to_text(std::max<Duration>(rounded_up(p99), 10s)));
  }
  if (all.tasks >= least_tasks) {
    const auto tasks = static_cast<double>(all.tasks);
    const Interval band = wilson_interval(static_cast<double>(all.surfaced), tasks, z_of_confidence(0.99));
    const double least = std::floor(std::max(0.0, band.low * 0.6) * 100) / 100;
    const double most = std::ceil(std::min(1.0, std::max(band.high * 1.5, 0.05)) * 100) / 100;
    bounds += fmt::format(
        "  # {} of {} tasks were handed to people ({:.1f} %); the band leaves room around it.\n  surface_rate: "
        "{{min: {:.2f}, max: {:.2f}}}\n",
        all.surfaced, all.tasks, 100 * static_cast<double>(all.surfaced) / tasks, least, most);
  }
  if (all.cost_of_hour.size() >= 6) {
    double sum = 0;
    std::vector<double> hours;
    for (const auto& [hour, cost] : all.cost_of_hour) {
      hours.push_back(static_cast<double>(cost) / 1e6);
      sum += hours.back();
    }
    const double mean = sum / static_cast<double>(hours.size());
    bounds += fmt::format(
        "  # ${:.2f} in an hour with traffic, over {} hours; the dearest took ${:.2f}.\n  cost: {{per_hour: "
        "{:.2f}}}\n",
        mean, hours.size(), *std::max_element(hours.begin(), hours.end()),
        std::max(0.01, std::ceil(mean * 100) / 100));
  }
  if (bounds.empty()) return suggestion;
  std::string list;
  for (const std::string& agent : agents) list += (list.empty() ? "" : ", ") + agent;
  suggestion.yaml = fmt::format("- name: {}\n  version: {}\n  # Seen of {}.\n", dump(suggestion.name),
                                dump(suggestion.version), list) +
                    bounds;
  return suggestion;
}

struct TrialPage {
  RecordTime at;
  AlertChange change;
};

// What a pass over the records leads to.
struct Pass {
  Coverage coverage;
  std::vector<TrialPage> pages;
  std::vector<HaltRecord> halts;
  std::map<std::string, std::int64_t> forms, refused;
  std::int64_t records = 0;
  std::optional<RecordTime> first, last;
  std::vector<RuleSight> sight;
};

const char* form_in_words(std::string_view record) {
  switch (form_of(record)) {
    case RecordForm::otlp_json:
      return "OpenTelemetry spans, JSON";
    case RecordForm::otlp_protobuf:
      return "OpenTelemetry spans, protobuf";
    case RecordForm::native:
      break;
  }
  return "Tocsin's own events";
}

// The error is for people.
std::optional<std::string> read(const TrialOptions& options, const std::optional<KafkaSettings>& kafka,
                                const RulesAndPatterns& loaded, const Fingerprinter& key, bool covers,
                                const std::string& what, Pass& pass) {
  auto reader = open_input({options.input, options.from, options.to}, kafka);
  if (!reader) return reader.error();
  IngestOptions ingest;
  ingest.deployment = "trial";
  ingest.halts.enforce = false;
  ingest.publish_events = covers;
  EvaluateOptions evaluate;
  evaluate.deployment = "trial";
  JoinedStages stages(ingest, evaluate, loaded.rules, loaded.patterns, key);
  JoinedStages::Output out;
  Progress progress;
  while (const auto line = reader.value()->next()) {
    out.clear();
    stages.apply(raw_record(*line), out);
    ++pass.records;
    if (covers) {
      ++pass.forms[form_in_words(line->value)];
      for (const PublishedEvent& event : out.ingest.published) {
        const auto json = parse_json(event.value);
        if (json.is_object()) pass.coverage.add(json);
      }
    }
    for (const DeadLetter& letter : out.ingest.dead_letters) ++pass.refused[std::string(name_of(letter.reason))];
    for (const HaltRecord& halt : out.ingest.halts) {
      if (halt.count == 1) pass.halts.push_back(halt);
    }
    for (const auto* list : {&out.by_time, &out.at_once}) {
      for (const AlertChange& change : *list) {
        if (change.firing && change.sends_page) pass.pages.push_back({change.at, change});
      }
    }
    if ((pass.records & 1023) == 0) {
      progress.show([&] { return what + "  " + how_far(*reader.value(), pass.records); });
    }
    const RecordTime now = stages.ingest().log_time();
    if (!pass.first) pass.first = now;
    pass.last = now;
  }
  progress.clear();
  if (const auto problem = reader.value()->error()) return problem;
  pass.sight = stages.evaluate().sight();
  return std::nullopt;
}

std::string counted(std::size_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string ids_of(const AlertChange& change) {
  std::string ids;
  for (const AlertExample& example : change.examples) ids += (ids.empty() ? "" : " ") + example.correlation_id;
  return ids;
}

class Report {
 public:
  Report(const TrialOptions& options, const RulesAndPatterns& loaded, const Pass& covered, const Pass& judged,
         const std::vector<Suggestion>& suggestions)
      : options_(options), loaded_(loaded), covered_(covered), judged_(judged), suggestions_(suggestions) {}

  void print() const {
    print_coverage();
    print_rules();
    print_week();
    print_next();
  }

  Json json() const {
    Json agents = Json::array();
    for (const auto& [key, one] : covered_.coverage.agents) {
      agents.push_back({{"env", one.env},
                        {"agent", one.agent},
                        {"spec", one.spec},
                        {"spec_version", one.spec_version},
                        {"events", one.events},
                        {"tasks", one.tasks},
                        {"surfaced", one.surfaced},
                        {"failed", one.failed}});
    }
    Json rules = Json::array();
    for (const Rule& rule : loaded_.rules->rules) {
      rules.push_back({{"alert", rule.name},
                       {"lacks", lacks_of(rule, *loaded_.rules, covered_.coverage.seen)},
                       {"pages", pages_of(rule.name).size()}});
    }
    Json pages = Json::array();
    for (const TrialPage& page : judged_.pages) {
      Json ids = Json::array();
      for (const AlertExample& example : page.change.examples) ids.push_back(example.correlation_id);
      Json labels = Json::object();
      for (const auto& [name, value] : page.change.labels) labels[name] = value;
      pages.push_back({{"time", to_rfc3339(page.at)},
                       {"alert", page.change.alert},
                       {"labels", labels},
                       {"night", is_night(page.at)},
                       {"correlation_ids", ids}});
    }
    Json halts = Json::array();
    for (const HaltRecord& halt : judged_.halts) {
      halts.push_back({{"time", to_rfc3339(halt.last_at)},
                       {"scope", halt.scope},
                       {"pattern", halt.pattern},
                       {"fingerprint", halt.fingerprint}});
    }
    Json specs = Json::array();
    for (const Suggestion& one : suggestions_)
      specs.push_back({{"name", one.name}, {"version", one.version}, {"yaml", one.yaml}});
    return {{"records", covered_.records},
            {"from", covered_.first ? Json(to_rfc3339(*covered_.first)) : Json(nullptr)},
            {"to", covered_.last ? Json(to_rfc3339(*covered_.last)) : Json(nullptr)},
            {"forms", covered_.forms},
            {"not_read", covered_.refused},
            {"agents", agents},
            {"rules", rules},
            {"suggested_specs", specs},
            {"pages", pages},
            {"halts", halts}};
  }

 private:
  static void heading(std::string_view text) { fmt::print("\n{}\n{}\n", text, std::string(text.size(), '=')); }

  std::vector<const TrialPage*> pages_of(const std::string& alert) const {
    std::vector<const TrialPage*> pages;
    for (const TrialPage& page : judged_.pages) {
      if (page.change.alert == alert) pages.push_back(&page);
    }
    return pages;
  }

  double days() const {
    if (!covered_.first || *covered_.first >= *covered_.last) return 1;
    return std::max(1.0 / 24, static_cast<double>((*covered_.last - *covered_.first).count()) / 86'400e3);
  }

  void print_coverage() const {
    heading("What was seen");
    fmt::print("{} records", covered_.records);
    if (covered_.first) fmt::print(" from {} to {} (UTC)", minute_of(*covered_.first), minute_of(*covered_.last));
    fmt::print("\n");
    for (const auto& [form, count] : covered_.forms) fmt::print("  {:>10}  {}\n", count, form);
    for (const auto& [reason, count] : covered_.refused) fmt::print("  {:>10}  not read: {}\n", count, reason);
    fmt::print("\n  {:<44} {:<10} {:>9} {:>8} {:>9} {:>9} {:>10}\n", "agent", "env", "events", "tasks", "handed on",
               "failed", "cost");
    std::size_t listed = 0;
    for (const auto& entry : covered_.coverage.agents) {
      const AgentSeen& one = entry.second;
      if (++listed > most_listed) break;
      double cost = 0;
      for (const auto& [hour, micro] : one.cost_of_hour) cost += static_cast<double>(micro) / 1e6;
      const auto share = [&](std::int64_t count) {
        return one.tasks > 0
                   ? fmt::format("{:.1f} %", 100.0 * static_cast<double>(count) / static_cast<double>(one.tasks))
                   : std::string("-");
      };
      fmt::print("  {:<44} {:<10} {:>9} {:>8} {:>9} {:>9} {:>10}\n",
                 one.agent + (one.spec.empty() ? "" : " (" + one.spec + " " + one.spec_version + ")"),
                 one.env.empty() ? "-" : one.env, one.events, one.tasks, share(one.surfaced), share(one.failed),
                 one.has_cost ? fmt::format("${:.2f}", cost) : std::string("unknown"));
    }
    if (covered_.coverage.agents.size() > most_listed)
      fmt::print("  and {} more\n", covered_.coverage.agents.size() - most_listed);
  }

  void print_rules() const {
    heading("What the rules would see");
    for (const Rule& rule : loaded_.rules->rules) {
      fmt::print("{}", coverage_text(rule, *loaded_.rules, covered_.coverage.seen));
    }
  }

  void print_week() const {
    heading("What would have been");
    std::size_t night = 0;
    for (const TrialPage& page : judged_.pages) night += is_night(page.at) ? 1 : 0;
    fmt::print(
        "{} in {:.1f} days ({:.1f} a day): {} by day, {} by night (22 to 8 o'clock here). {} would have been "
        "halted.\n",
        counted(judged_.pages.size(), "page"), days(), static_cast<double>(judged_.pages.size()) / days(),
        judged_.pages.size() - night, night, counted(judged_.halts.size(), "task"));
    for (const Rule& rule : loaded_.rules->rules) {
      const auto pages = pages_of(rule.name);
      if (pages.empty()) continue;
      std::size_t by_night = 0;
      for (const TrialPage* page : pages) by_night += is_night(page->at) ? 1 : 0;
      fmt::print("\n  {}: {}, {} by night\n", rule.name, counted(pages.size(), "page"), by_night);
      for (std::size_t i = 0; i < std::min<std::size_t>(pages.size(), 5); ++i) {
        const AlertChange& change = pages[i]->change;
        std::string summary;
        for (const auto& [name, text] : change.annotations) {
          if (name == "summary") summary = text;
        }
        fmt::print("    {}  {}\n{:>22}tasks {}\n", minute_of(pages[i]->at), summary, "", ids_of(change));
      }
      if (pages.size() > 5) fmt::print("    and {} more\n", pages.size() - 5);
    }
    if (!judged_.halts.empty()) fmt::print("\n  halts that would have been:\n");
    for (std::size_t i = 0; i < std::min(judged_.halts.size(), most_listed); ++i) {
      const HaltRecord& halt = judged_.halts[i];
      fmt::print("    {}  {}  {} (fingerprint {})\n", minute_of(as_record_time(halt.last_at)), halt.scope,
                 halt.pattern, halt.fingerprint);
    }
    for (const RuleSight& sight : judged_.sight) {
      if (sight.warming + sight.blind + sight.undeclared == 0) continue;
      fmt::print(
          "\n  {} could not see all of its groups: {} live, {} warming, {} with too few samples, {} without a "
          "declared bound",
          sight.alert, sight.live, sight.warming, sight.blind, sight.undeclared);
    }
    fmt::print("\n");
  }

  void print_next() const {
    heading("What to do next");
    std::size_t written = 0;
    for (const Suggestion& one : suggestions_) written += one.yaml.empty() ? 0 : 1;
    if (written > 0)
      fmt::print("{} specs are suggested in {}/specs: read them, they were in force above.\n", written, options_.out);
    for (const Suggestion& one : suggestions_) {
      if (!one.yaml.empty() && one.version.empty()) {
        fmt::print(
            "'{}' is no spec that its events name: say `spec` and `spec_version` in the telemetry, or its bounds "
            "hold for nobody.\n",
            one.name);
        break;
      }
    }
    if (is_topic(options_.input)) {
      fmt::print(
          "\nThis makes it real, with halts as a dry run:\n\n    tocsin topics --config {0}/tocsin.yaml --create && "
          "tocsin run --config {0}/tocsin.yaml\n",
          options_.out);
    } else {
      fmt::print("\nThe same with rules of your own:\n\n    tocsin trial --rules YOUR-RULES {}\n", options_.input);
    }
  }

  const TrialOptions& options_;
  const RulesAndPatterns& loaded_;
  const Pass& covered_;
  const Pass& judged_;
  const std::vector<Suggestion>& suggestions_;
};

// The first line of what is written, by which a later run knows whether people have changed the rest.
std::string mark_of(std::string_view text) {
  return fmt::format("# Written by `tocsin trial` ({:016x}); a later run replaces it, unless it was changed.\n",
                     hash64(text));
}

// The error is for people.
std::optional<std::string> write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path);
  if (file << mark_of(text) << text << std::flush) return std::nullopt;
  return path.string() + " cannot be written";
}

bool is_changed(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) return false;
  std::ostringstream all;
  all << file.rdbuf();
  const std::string text = all.str();
  if (text.empty()) return false;
  const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
  return text.substr(0, end) != mark_of(std::string_view(text).substr(end));
}

// What would be written over something that people wrote; the error is for them.
std::optional<std::string> find_changed(const TrialOptions& options) {
  for (const char* const name : {"specs/suggested.yaml", "tocsin.yaml"}) {
    const std::filesystem::path path = std::filesystem::path(options.out) / name;
    const bool is_written = std::string_view(name) != "tocsin.yaml" || is_topic(options.input);
    if (!is_written || !is_changed(path)) continue;
    return path.string() + " was changed since a trial wrote it: move it, or name another folder with --out";
  }
  return std::nullopt;
}

// Writes what is suggested; the error is for people.
std::optional<std::string> write(const TrialOptions& options, const std::string& specs) {
  std::error_code error;
  const std::filesystem::path folder(options.out);
  std::filesystem::create_directories(folder / "specs", error);
  if (error) return "the folder " + options.out + " cannot be made: " + error.message();
  auto problem =
      write_file(folder / "specs/suggested.yaml", "# Suggested from " + options.input + ".\nspecs:\n" + specs);
  if (problem || !is_topic(options.input)) return problem;
  const auto address = parse_topic_address(options.input);
  if (!address) return address.error();
  std::string own;
  for (const std::string& path : options.rules) own += ", " + dump(std::filesystem::absolute(path).string());
  return write_file(folder / "tocsin.yaml",
                    "# deploy/tocsin.yaml explains every key; add `receivers` for pages.\n"
                    "halts: {mode: dry_run}\nrules: [specs" +
                        own + "]\nkafka:\n  brokers: " + dump(address.value().brokers) + "\n  sources: [" +
                        dump(address.value().topic) + "]\n");
}

}  // namespace

int run_trial(const TrialOptions& options) {
  const auto fail = [](const std::string& why) {
    std::cerr << "tocsin trial: " << why << '\n';
    return 2;
  };
  if (options.input == "-") return fail("its input is read twice: name a file or a topic, kafka://HOST:PORT/TOPIC");
  if (const auto problem = find_changed(options)) return fail(*problem);
  Diagnostics diagnostics;
  const OwnRules own = load_own_rules(options.rules, diagnostics);
  Config config;
  if (!options.config.empty()) config = load_config_file(options.config, diagnostics);
  const auto key = read_fingerprint_keys(config.fingerprint_key_file, diagnostics);
  if (tocsin::print(diagnostics)) return 2;

  Pass covered;
  if (const auto problem = read(options, config.kafka, own.loaded, key, true, "looking at what there is", covered))
    return fail(*problem);
  if (covered.records == 0)
    return fail("there is no record in " + options.input + (options.from.empty() ? "" : " since " + options.from));
  std::int64_t refused = 0;
  std::string reasons;
  for (const auto& [reason, count] : covered.refused) {
    refused += count;
    reasons += (reasons.empty() ? "" : ", ") + reason;
  }
  if (refused == covered.records) {
    return fail(
        fmt::format("not one of the {} records in {} could be read ({}): `tocsin inspect {}` shows what they are",
                    refused, options.input, reasons, options.input));
  }

  // By spec and version; agents without a spec by their own name.
  std::map<std::pair<std::string, std::string>, std::vector<const AgentSeen*>> by_spec;
  for (const auto& [name, one] : covered.coverage.agents) {
    const bool is_declared = own.loaded.rules->specs.find(one.spec, one.spec_version) != nullptr;
    if (!is_declared) by_spec[{one.spec.empty() ? one.agent : one.spec, one.spec_version}].push_back(&one);
  }
  std::vector<Suggestion> suggestions;
  std::string specs;
  for (const auto& [name, seen] : by_spec) {
    suggestions.push_back(suggest(seen));
    specs += suggestions.back().yaml;
  }
  // Once more, with what is suggested in force.
  RulesAndPatterns loaded = own.loaded;
  Pass second;
  if (!specs.empty()) {
    if (const auto problem = write(options, specs)) return fail(*problem);
    std::vector<NamedText> files = own.files;
    files.push_back({"suggested", "specs:\n" + specs});
    loaded = load_rules_and_patterns(files, diagnostics, shipped_patterns());
    if (tocsin::print(diagnostics)) return 2;
    if (const auto problem = read(options, config.kafka, loaded, key, false, "playing it through the rules", second))
      return fail(*problem);
  }

  const Report report(options, loaded, covered, specs.empty() ? covered : second, suggestions);
  if (options.output == "json") {
    std::cout << dump(report.json(), 2) << '\n';
  } else {
    report.print();
  }
  return 0;
}

}  // namespace tocsin
