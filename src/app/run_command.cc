#include "app/run_command.h"

#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <iostream>

#include "app/embedded.h"

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

}  // namespace

void block_stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
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
  if (!options.embedded) {
    std::cerr << "tocsin run: this version has the embedded bus only; add --embedded\n";
    return 2;
  }
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
  if (config.clock == ClockMode::events) config.partitions = 1;
  const RulesAndPatterns loaded = load_rules_and_patterns(config.rules, diagnostics);
  const auto key = read_fingerprint_key(config.fingerprint_key_file, diagnostics);
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
  auto embedded = Embedded::start(config, loaded, key, log_delivery);
  if (!embedded) {
    std::cerr << "tocsin run: " << embedded.error() << '\n';
    return 2;
  }
  spdlog::info("{} rules, {} specs; halts: {}", loaded.rules->rules.size(), loaded.rules->specs.size(),
               config.halts.enforce ? "enforce" : "dry_run");
  spdlog::info("listening on {}: POST /v1/events, /metrics, /healthz", embedded.value()->url());
  wait_for_stop_signal();
  spdlog::info("stopping");
  embedded.value().reset();
  spdlog::info("stopped");
  return 0;
}

}  // namespace tocsin
