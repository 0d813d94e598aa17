#include "app/run_command.h"

#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "app/embedded.h"
#include "app/kafka_service.h"
#include "app/topics_command.h"
#include "edge/kafka/source_numbers.h"

namespace tocsin {

namespace {

void log_delivery(const std::string& receiver, const DeliveryResult& result) {
  switch (result.outcome) {
    case DeliveryOutcome::delivered:
      spdlog::info("page {} delivered to {}", result.page_id, receiver);
      break;
    case DeliveryOutcome::retry:
      spdlog::warn("page {} not delivered to {}: {}; it will be tried again", result.page_id, receiver,
                   result.reason);
      break;
    case DeliveryOutcome::rejected:
      spdlog::error("page {} refused by {} (status {}); it is parked", result.page_id, receiver, result.status);
      break;
    case DeliveryOutcome::gone:
      spdlog::error("{} answered 410 and wants no more pages; it is disabled until the next start", receiver);
      break;
  }
}

void say_rules(const Config& config, const RulesAndPatterns& loaded) {
  spdlog::info("{} rules, {} specs; halts: {}", loaded.rules->rules.size(), loaded.rules->specs.size(),
               config.halts.enforce ? "enforce" : "dry_run");
}

void log_line(LogLevel level, const std::string& line) {
  constexpr std::array levels{spdlog::level::debug, spdlog::level::info, spdlog::level::warn, spdlog::level::err};
  spdlog::log(levels[static_cast<std::size_t>(level)], "{}", line);
}

// Names each model once whose calls say no cost and that has no price.
class UnpricedModels {
 public:
  void look_at(const ServiceView& service) {
    if (turn_++ % turns_between != 0) return;
    for (const auto& [model, count] : service.ingest().totals.unpriced) {
      if (!said_.insert(model).second) continue;
      const std::string who = model == "_other" ? std::string("more models") : "the model '" + in_print(model) + "'";
      spdlog::warn("calls of {} say no cost, and no price is known: give one in a file with the key 'prices'", who);
    }
  }

 private:
  // A name comes from outside: nothing in it may look like a line of ours.
  static std::string in_print(std::string name) {
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    return name;
  }

  static constexpr int turns_between = 10;
  int turn_ = 0;
  std::set<std::string> said_;
};

// SIGHUP reads the rule files again; the other signals stop. `is_over` ends the wait as well.
void wait_until_stopped(const ServiceView& service, RuleFiles* files, const std::function<bool()>& is_over) {
  UnpricedModels unpriced;
  while (!is_over()) {
    unpriced.look_at(service);
    const int signal = signal_within(std::chrono::milliseconds{500});
    if (signal == SIGHUP && files != nullptr) files->reload("SIGHUP");
    if (signal == SIGHUP && files == nullptr) spdlog::warn("rules can't be changed while events drive the clock");
    if (signal != 0 && signal != SIGHUP) return;
  }
}

int run_embedded(const Config& config, const OwnRules& own, const Fingerprinter& key) {
  const SayLine say = [](bool is_fault, const std::string& line) {
    log_line(is_fault ? LogLevel::error : LogLevel::info, line);
  };
  auto embedded = Embedded::start(config, own, key, log_delivery, say);
  if (!embedded) {
    std::cerr << "tocsin run: " << embedded.error() << '\n';
    return 2;
  }
  say_rules(config, own.loaded);
  spdlog::info("listening on {}: POST /v1/events, /metrics, /healthz", embedded.value()->url());
  RuleFiles* const files = embedded.value()->rule_files();
  if (files != nullptr) files->watch();
  wait_until_stopped(embedded.value()->service(), files, [] { return false; });
  spdlog::info("stopping");
  embedded.value().reset();
  spdlog::info("stopped");
  return 0;
}

// What the cluster's topics look like, once it answers; nothing where a stop came first, or where they are not good.
std::optional<TopicNames> wait_for_topics(const RunOptions& options, const KafkaSettings& settings, int& status) {
  for (bool said = false;; said = true) {
    TopicReport report = check_topics(settings, log_line);
    if (report.reachable()) {
      const bool none_stops = std::all_of(report.problems.begin(), report.problems.end(),
                                          [](const TopicProblem& problem) { return problem.is_of_added; });
      Result<bool, std::string> was_read = success(false);
      if (none_stops) was_read = number_sources(settings, report.names, log_line);
      if (!was_read) {
        if (!said) spdlog::warn("the positions of ingest can't be read: {}; trying again", was_read.error());
        if (stop_signal_within(std::chrono::seconds{2})) return std::nullopt;
        continue;
      }
      if (was_read.value()) {
        report.warnings.insert(report.warnings.end(), report.problems.begin(), report.problems.end());
        report.problems.clear();
      }
      for (const TopicProblem& warning : report.warnings) spdlog::warn("{}", to_text(warning, options.config));
      if (report.problems.empty()) return std::move(report.names);
      for (const TopicProblem& problem : report.problems) std::cerr << to_text(problem, options.config) << '\n';
      std::cerr << "tocsin run: not started; mend what is listed above (tocsin topics --config " << options.config
                << " shows it again, and --create makes what is missing)\n";
      status = 2;
      return std::nullopt;
    }
    if (!said) spdlog::warn("{}; waiting for it", unreachable_text(settings, report));
    if (stop_signal_within(std::chrono::seconds{2})) return std::nullopt;
  }
}

// Ends the process where an orderly stop takes too long, because Kafka or a receiver does not answer. Nothing is
// lost: what was not committed is done again after the next start, as after a kill -9.
class StopDeadline {
 public:
  explicit StopDeadline(int status) : thread_([this, status] { watch(status); }) {}
  ~StopDeadline() {
    {
      const std::lock_guard lock(mutex_);
      is_over_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

 private:
  // Supervisors kill after 10 s at the soonest.
  static constexpr std::chrono::seconds within{8};

  void watch(int status) {
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, within, [this] { return is_over_; })) return;
    spdlog::warn(
        "stopped without waiting any longer for Kafka or a receiver that does not answer; what was under way "
        "is done again after the next start");
    spdlog::default_logger()->flush();
    std::_Exit(status);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_over_ = false;
  std::thread thread_;
};

// Each Kafka client keeps connections to every broker; where they can't be made, librdkafka only waits.
constexpr rlim_t least_descriptors = 256, enough_descriptors = 65'536;

// Takes what the hard limit allows. False, and says so, where that is too little.
bool has_descriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return true;
  if (limit.rlim_cur < enough_descriptors && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = std::min(limit.rlim_max, enough_descriptors);
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  if (limit.rlim_cur >= least_descriptors) return true;
  std::cerr << "tocsin run: this process may open " << limit.rlim_cur
            << " files, which is too few for the connections to "
            << "Kafka: allow " << least_descriptors
            << " at least, better 1024 (ulimit -n 1024, or LimitNOFILE=1024 in a "
            << "systemd unit)\n";
  return false;
}

int run_on_kafka(const RunOptions& options, const Config& config, const OwnRules& own, const Fingerprinter& key) {
  if (!has_descriptors()) return 2;
  int status = 0;
  auto names = wait_for_topics(options, *config.kafka, status);
  if (!names) return status;
  const auto has = [&](const char* stage) {
    return options.stages.empty() ||
           std::find(options.stages.begin(), options.stages.end(), stage) != options.stages.end();
  };
  const Stages stages{has("ingest"), has("evaluate"), has("deliver"), has("receive"), has("rekey")};
  // The main thread is woken as by a person's stop: it waits for the signal alone.
  std::atomic<bool> is_replaced{false};
  const auto on_replaced = [&is_replaced] {
    is_replaced = true;
    kill(getpid(), SIGTERM);
  };
  bool is_told_to_stop = false;  // while it started
  auto service = KafkaService::start(
      config, stages, *std::move(names), own, key, log_delivery, log_line,
      [&] { return is_told_to_stop = is_told_to_stop || stop_signal_within(std::chrono::milliseconds{0}); },
      on_replaced);
  if (!service) {
    if (is_told_to_stop) return 0;
    std::cerr << "tocsin run: " << service.error() << '\n';
    return 2;
  }
  say_rules(config, own.loaded);
  spdlog::info("listening on {}: /metrics, /readyz, /v1/status", service.value()->url());
  service.value()->rule_files().watch();
  wait_until_stopped(service.value()->service(), &service.value()->rule_files(),
                     [&] { return !service.value()->fatal().empty(); });
  const std::string fatal = service.value()->fatal();
  if (is_replaced) {
    spdlog::critical(
        "another process has started with this one's name, 'kafka.instance: {}', and this one, the older, ends; give "
        "each process a name of its own",
        config.kafka->instance);
    status = 1;
  }
  spdlog::info("stopping");
  const StopDeadline deadline(status);
  service.value().reset();
  spdlog::info("stopped");
  if (fatal.empty()) return status;
  std::cerr << "tocsin run: " << fatal << '\n';
  return 1;
}

}  // namespace

int signal_within(Duration time) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  const timespec within{time.count() / 1'000, (time.count() % 1'000) * 1'000'000};
  return std::max(0, sigtimedwait(&signals, nullptr, &within));
}

bool stop_signal_within(Duration time) {
  const int signal = signal_within(time);
  return signal != 0 && signal != SIGHUP;  // there is nothing to read again yet
}

void block_stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

void wait_for_stop_signal() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  int received = 0;
  sigwait(&signals, &received);
}

int run_service(const RunOptions& options) {
  Diagnostics diagnostics;
  Config config;
  if (!options.config.empty()) config = load_config_file(options.config, diagnostics);
  if (options.port) config.http_port = *options.port;
  if (!options.halts.empty()) {
    config.halts.enforce = options.halts == "enforce";
    config.has_halt_mode = true;
  }
  if (!options.clock.empty()) config.clock = options.clock == "events" ? ClockMode::events : ClockMode::wall;
  if (!config.has_halt_mode) {
    diagnostics.error(options.config.empty() ? "command line" : options.config, {}, "missing-key",
                      "say what a halt does: 'halts: {mode: dry_run}' writes WOULD HALT, 'enforce' stops agents "
                      "(or --halts dry_run); there is no default");
  }
  if (!options.embedded && !config.kafka) {
    diagnostics.error(options.config.empty() ? "command line" : options.config, {}, "missing-key",
                      "say where events come from: 'kafka: {brokers: ..., sources: [...]}' in the configuration, or "
                      "--embedded for a bus in memory");
  }
  if (options.embedded && !options.stages.empty()) {
    diagnostics.error("command line", {}, "bad-value",
                      "--stages is for Kafka: the embedded bus has all in one process");
  }
  if (!options.embedded && config.clock == ClockMode::events) {
    diagnostics.error("command line", {}, "bad-value", "'clock: events' is for the embedded bus");
  }
  if (config.clock == ClockMode::events) config.partitions = 1;
  const OwnRules own = load_own_rules(config.rules, diagnostics);
  const auto key = read_fingerprint_keys(config.fingerprint_key_file, diagnostics);
  if (print(diagnostics)) {
    std::cerr << "tocsin run: not started; mend what is listed above\n";
    return 2;
  }

  spdlog::set_default_logger(spdlog::stderr_logger_mt("tocsin"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  spdlog::set_level(spdlog::level::from_str(config.log_level));
  if (config.fingerprint_key_file.empty()) {
    spdlog::warn("no fingerprint_key_file: fingerprints are made with a key that everybody knows");
  }
  if (config.receivers.empty()) spdlog::warn("no receivers: pages go to the topic 'outbox' and wake nobody");
  block_stop_signals();
  return options.embedded ? run_embedded(config, own, key) : run_on_kafka(options, config, own, key);
}

}  // namespace tocsin
