#include "simulation/simulation.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <tuple>
#include <utility>

#include "base/time_text.h"
#include "core/sanitize/pattern_library.h"
#include "runtime/deliver_worker.h"
#include "runtime/evaluate_worker.h"
#include "runtime/ingest_worker.h"
#include "runtime/rule_control.h"
#include "simulation/sim_bus.h"

namespace tocsin::sim {

namespace {

using namespace std::chrono_literals;

constexpr Duration begins{1'767'571'200'000};  // Monday, 2026-01-05T00:00:00Z
constexpr Duration session_timeout = 10s;
constexpr Duration settles_within = 150s;

std::string text_of_file(const char* path) {
  std::ifstream in(std::string(PROJECT_ROOT) + "/" + path);
  return {std::istreambuf_iterator<char>(in), {}};
}

// What all seeds share. Compiled once: it takes longer than a seed.
struct Shared {
  std::shared_ptr<const RuleSet> rules;
  std::shared_ptr<const PatternLibrary> patterns;
  Fingerprinter fingerprinter{std::array<unsigned char, 4>{1, 2, 3, 4}};
};

const Shared& shared() {
  static const Shared made = [] {
    Shared all;
    Diagnostics diagnostics;
    const std::vector<NamedText> rules{{"rules.yaml", std::string(rules_text)},
                                       {"specs.yaml", std::string(specs_text)}};
    all.rules = load_rules(rules, diagnostics);
    const std::vector<NamedText> patterns{{"cloud.yaml", text_of_file("rules/sanitize/cloud.yaml")}};
    all.patterns = load_patterns(patterns, diagnostics);
    for (const Diagnostic& one : diagnostics.all()) std::fprintf(stderr, "%s\n", to_text(one).c_str());
    if (!all.rules || !all.patterns) std::abort();
    return all;
  }();
  return made;
}

// Rules that give the same answer in other words, and in every other version one rule more.
struct Version {
  std::vector<NamedText> files;
  RulesAndPatterns loaded;
};
constexpr std::size_t version_count = 4;
constexpr std::string_view recent_text = R"(  - alert: Recent
    from: step
    value: count()
    window: 1h
    when: value >= 30
    keep_firing_for: 90s
)";

const std::vector<Version>& versions() {
  static const std::vector<Version> made = [] {
    std::vector<Version> list;
    for (std::size_t i = 0; i < version_count; ++i) {
      std::string rules(rules_text);
      if (i % 2 == 1) rules += recent_text;
      if (i > 0) rules += "# version " + std::to_string(i) + "\n";
      Version version{{{"rules.yaml", rules}, {"specs.yaml", std::string(specs_text)}}, {}};
      Diagnostics diagnostics;
      version.loaded = {load_rules(version.files, diagnostics), shared().patterns};
      for (const Diagnostic& one : diagnostics.all()) std::fprintf(stderr, "%s\n", to_text(one).c_str());
      if (!version.loaded.rules) std::abort();
      list.push_back(std::move(version));
    }
    return list;
  }();
  return made;
}

// A process compiles them anew each time; here that would take longer than a seed.
RulesAndPatterns load_version(std::span<const NamedText> files, Diagnostics&) {
  for (const Version& version : versions()) {
    if (files.size() == version.files.size() && files[0].text == version.files[0].text) return version.loaded;
  }
  return {};
}

// A running service, as runtime/bus_service puts it together, but on fibers.
struct Service {
  ProcessPointer process;
  std::unique_ptr<SimBus> bus;
  std::unique_ptr<SimClock> clock;
  std::unique_ptr<SimReceiver> receiver;
  std::unique_ptr<RuleControl> rules;
  std::vector<std::unique_ptr<IngestWorker>> ingest;
  std::vector<std::unique_ptr<EvaluateWorker>> evaluate;
  std::vector<std::unique_ptr<DeliverWorker>> deliver;
  std::atomic<bool> stop_ingest{false}, stop_evaluate{false}, stop_deliver{false}, stop_rules{false};
  int ingest_running = 0, evaluate_running = 0;
  bool is_ending = false;
};

}  // namespace

Plan plan_of(std::uint64_t seed) {
  Random random(seed ^ 0x5eed);
  Plan plan;
  plan.seed = seed;
  plan.processes = 2 + static_cast<int>(random.below(2));
  plan.threads = random.chance(0.25) ? 2 : 1;
  plan.layout.source = 2 + static_cast<std::int32_t>(random.below(3));
  plan.layout.blocks = 1 + static_cast<std::int32_t>(random.below(3));
  plan.layout.outbox = 1 + static_cast<std::int32_t>(random.below(2));
  plan.is_static = random.chance(0.3);
  plan.length = random.between(45min, 100min);
  plan.is_odd = random.chance(0.8);
  Faults& faults = plan.faults;
  // Each kind in some seeds only, so that none hides what another would show.
  const auto sometimes = [&](double chance, Duration least, Duration most) {
    const Duration mean = random.between(least, most);
    return random.chance(chance) ? mean : 0ms;
  };
  faults.between_kills = sometimes(0.7, 2min, 20min);
  faults.between_stops = sometimes(0.5, 2min, 20min);
  faults.between_restarts = sometimes(0.4, 5min, 30min);
  faults.between_broker_outages = sometimes(0.4, 5min, 30min);
  faults.between_coordinator_outages = sometimes(0.4, 5min, 30min);
  faults.between_pager_moods = sometimes(0.7, 2min, 15min);
  faults.between_slow_commits = sometimes(0.4, 5min, 20min);
  faults.between_clock_steps = sometimes(0.3, 5min, 20min);
  faults.between_copies = sometimes(0.3, 5min, 20min);
  if (random.chance(0.6)) faults.at_points = 0.0004 * random.unit();
  if (random.chance(0.5)) faults.trouble = 0.02 * random.unit();
  if (faults.between_clock_steps > 0ms || random.chance(0.3)) faults.most_clock_error = 20s;
  faults.between_reloads = sometimes(0.4, 3min, 20min);
  faults.between_machine_losses = sometimes(0.3, 5min, 30min);
  if (random.chance(0.3)) plan.leaks = 0.15;
  return plan;
}

Plan hard_plan_of(std::uint64_t seed) {
  Plan plan = plan_of(seed);
  plan.length = 45min;
  plan.faults.between_kills = 3min;
  plan.faults.between_stops = 4min;
  plan.faults.between_pager_moods = 3min;
  plan.faults.between_broker_outages = 6min;
  plan.faults.between_copies = 3min;
  plan.faults.between_machine_losses = 4min;
  plan.leaks = 0.15;
  plan.faults.at_points = 0.0004;
  plan.faults.trouble = 0.02;
  plan.is_odd = true;
  return plan;
}

struct Simulation::State {
  Plan plan;
  Scheduler scheduler;
  SimCluster cluster;
  SimPager pager;
  Watch watch;
  Traffic traffic;
  Duration ends{};
  std::vector<std::unique_ptr<Service>> services;  // all that ever were: what is on its way still refers to them
  std::vector<Service*> places;                    // null: down
  std::vector<bool> stays_down;
  std::vector<std::size_t> versions_of;      // the rule files of each place
  std::map<std::size_t, Duration> down_for;  // after the next end
  std::uint64_t next_identity = 1;
  bool is_healed = false;
  Duration healed_at{};
  Coverage coverage;
  std::function<void(Process&, const std::string&)> hook;

  explicit State(Plan given)
      : plan(std::move(given)),
        scheduler(plan.seed, begins),
        cluster(scheduler, plan.layout, session_timeout),
        pager(scheduler),
        watch(cluster, *shared().rules) {
    scheduler.traces = plan.traces;
    cluster.watch(&watch);
    cluster.take_away(plan.broken);
    cluster.trouble = plan.faults.trouble;
    ends = begins + plan.length;
    traffic = make_traffic({plan.layout.source, begins + 20s, plan.length - 20s, plan.is_odd, plan.leaks}, plan.seed);
    if (plan.edit) plan.edit(traffic);
    watch.expect_secrets(traffic.secrets);
    places.assign(static_cast<std::size_t>(plan.processes), nullptr);
    stays_down.assign(places.size(), false);
    versions_of.assign(places.size(), 0);
    if (plan.faults.between_reloads > 0ms) {
      for (std::size_t& version : versions_of)
        version = static_cast<std::size_t>(scheduler.random().below(version_count));
    }
  }

  Random& random() { return scheduler.random(); }

  void trace(const std::string& line) const { scheduler.trace(line); }

  // ---- processes ----

  void start(int place) {
    if (places[static_cast<std::size_t>(place)] != nullptr) return;
    services.push_back(std::make_unique<Service>());
    Service* const service = services.back().get();
    places[static_cast<std::size_t>(place)] = service;
    const std::string instance = plan.is_static ? "node-" + std::to_string(place) : "";
    service->process = std::make_shared<Process>(scheduler, place, "p" + std::to_string(next_identity++), instance);
    Process& process = *service->process;
    trace("process " + std::to_string(place) + " starts as " + process.identity);
    ++coverage["starts"];
    if (!is_healed) process.clock_error = clock_error();
    process.on_point = [this](Process& at, const char* where) { strike(at, where); };
    process.on_ended = [this, service, place] { note_end(service, place); };
    service->bus = std::make_unique<SimBus>(cluster, service->process);
    service->clock = std::make_unique<SimClock>(process);
    service->receiver = std::make_unique<SimReceiver>(
        pager, service->process, [this](Process& by, const std::string& page) { watch.on_attempt(by, page); });
    RuleControl::Options control;
    control.process = process.identity;
    control.load = load_version;
    const Version& own = versions()[versions_of[static_cast<std::size_t>(place)]];
    service->rules = std::make_unique<RuleControl>(control, control_log_of(*service->bus), *service->clock, own.files,
                                                   own.loaded.rules->hash, say_of(place));
    process.start([this, service] {
      if (!service->rules->wait_for_first([service] { return service->is_ending; })) return;
      make_workers(*service);
      service->rules->run(service->stop_rules);
    });
  }

  SayLine say_of(int place) {
    return [this, place](bool is_fault, const std::string& line) {
      watch.on_line(line);
      trace("  " + std::to_string(place) + (is_fault ? " FAULT: " : ": ") + line);
      if (is_fault) ++coverage["faults that were said"];
    };
  }

  void make_workers(Service& service) {
    const Shared& all = shared();
    const SayLine say = say_of(service.process->number);
    const std::string deployment = "simulation";
    DeliverWorker::Options deliver;
    deliver.lanes = {{"pager", 5min}};
    deliver.receivers = {service.receiver.get()};
    deliver.policy.longest_retry = 8s;
    service.deliver.push_back(std::make_unique<DeliverWorker>(
        std::move(deliver), *service.bus, *service.clock, [](const std::string&, const DeliveryResult&) {}, say));
    for (int i = 0; i < plan.threads; ++i) {
      EvaluateWorker::Options evaluate;
      evaluate.name = "evaluate-" + std::to_string(i);
      evaluate.evaluate = {deployment, plan.layout.source, "", true};
      service.evaluate.push_back(
          std::make_unique<EvaluateWorker>(std::move(evaluate), *service.bus, *service.clock, *service.rules, say));
      IngestWorker::Options ingest;
      ingest.name = "ingest-" + std::to_string(i);
      ingest.ingest.deployment = deployment;
      ingest.ingest.publish_events = random().chance(0.3);
      service.ingest.push_back(std::make_unique<IngestWorker>(std::move(ingest), *service.bus, *service.clock,
                                                              *service.rules, all.fingerprinter, say));
    }
    Process& process = *service.process;
    for (auto& worker : service.deliver) {
      process.start([w = worker.get(), &service] { w->run(service.stop_deliver); });
    }
    for (auto& worker : service.evaluate) {
      ++service.evaluate_running;
      process.start([w = worker.get(), &service] {
        w->run(service.stop_evaluate);
        if (--service.evaluate_running == 0 && service.is_ending) service.stop_deliver = service.stop_rules = true;
      });
    }
    for (auto& worker : service.ingest) {
      ++service.ingest_running;
      process.start([w = worker.get(), &service] {
        w->run(service.stop_ingest);
        if (--service.ingest_running == 0 && service.is_ending) service.stop_evaluate = true;
      });
    }
  }

  void note_end(Service* service, int place) {
    service->ingest.clear();
    service->evaluate.clear();
    service->deliver.clear();
    if (places[static_cast<std::size_t>(place)] == service) places[static_cast<std::size_t>(place)] = nullptr;
    cluster.note_silence(service->process);
    trace("process " + std::to_string(place) + " is gone");
    Duration down = random().chance(0.2) ? random().between(10s, 60s) : random().between(200ms, 8s);
    if (const auto given = down_for.extract(static_cast<std::size_t>(place))) down = given.mapped();
    scheduler.after(down, [this, place] {
      if (!stays_down[static_cast<std::size_t>(place)]) start(place);
    });
  }

  Service* running(int place) { return places[static_cast<std::size_t>(place)]; }

  void kill(int place) {
    Service* const service = running(place);
    if (service == nullptr || !service->process->is_alive()) return;
    trace("process " + std::to_string(place) + " is killed");
    ++coverage["kills"];
    service->process->kill();
  }

  void stop(int place, Duration for_so_long) {
    Service* const service = running(place);
    if (service == nullptr || !service->process->is_running()) return;
    trace("process " + std::to_string(place) + " stands still for " + to_text(for_so_long));
    ++coverage["stops"];
    scheduler.after(for_so_long, [this, service, place] {
      if (!service->process->is_alive() || !service->process->is_stopped()) return;
      trace("process " + std::to_string(place) + " goes on");
      service->process->go_on();
      service->bus->note_return();
    });
    scheduler.after(Duration{0}, [this, process = service->process] {
      if (!process->is_running()) cluster.note_silence(process);
    });
    service->process->stop();
  }

  void end_orderly(int place) {
    Service* const service = running(place);
    if (service == nullptr || service->is_ending) return;
    trace("process " + std::to_string(place) + " is told to end");
    ++coverage["orderly ends"];
    service->is_ending = true;
    service->stop_ingest = true;
    for (auto& worker : service->ingest) worker->wake();
  }

  // ---- faults ----

  Duration clock_error() {
    const Duration most = plan.faults.most_clock_error;
    return most > 0ms ? random().between(-most, most) : 0ms;
  }

  void strike(Process& process, const char* where) {
    if (hook) hook(process, where);
    if (is_healed || !process.is_running() || plan.faults.at_points == 0) return;
    // What happens rarely counts for more.
    const std::string_view name = where;
    const bool is_rare = name != "wait" && name != "serve" && name != "ends";
    if (!random().chance(plan.faults.at_points * (is_rare ? 8 : 1))) return;
    trace("a fault at " + std::string(where));
    ++coverage["faults at " + std::string(where)];
    if (random().chance(0.6)) {
      kill(process.number);
    } else {
      stop(process.number, random().chance(0.5) ? random().between(10ms, 5s) : random().between(5s, 70s));
    }
  }

  void every(Duration mean, const std::function<void()>& action) {
    if (mean == 0ms) return;
    scheduler.after(random().exponential(mean) + 1ms, [this, mean, action] {
      if (is_healed) return;
      action();
      every(mean, action);
    });
  }

  int any_place() { return static_cast<int>(random().below(plan.processes)); }

  void plan_faults() {
    const Faults& faults = plan.faults;
    every(faults.between_kills, [this] { kill(any_place()); });
    every(faults.between_stops,
          [this] { stop(any_place(), random().between(500ms, random().chance(0.1) ? 10min : 80s)); });
    every(faults.between_restarts, [this] { end_orderly(any_place()); });
    every(faults.between_broker_outages, [this] {
      const int broker = static_cast<int>(random().below(3));
      trace("broker " + std::to_string(broker) + " is away");
      ++coverage["broker outages"];
      cluster.take_broker_down(broker, random().between(500ms, 25s));
    });
    every(faults.between_coordinator_outages, [this] {
      trace("the coordinator is away");
      ++coverage["coordinator outages"];
      cluster.take_coordinator_down(random().between(500ms, 35s));
    });
    every(faults.between_machine_losses, [this] {
      const int broker = static_cast<int>(random().below(3));
      trace("a machine is lost, and broker " + std::to_string(broker) + " with it");
      ++coverage["machines lost"];
      const Duration away = random().between(5s, 40s);
      cluster.take_broker_down(broker, away);
      // What the process had for its broker waits in its memory for a while, and is gone then.
      scheduler.after(random().between(0ms, away), [this, place = any_place()] {
        if (!is_healed) kill(place);
      });
    });
    every(faults.between_pager_moods, [this] {
      pager.mood = {random().unit() * 0.7, random().unit() * 0.3, random().unit() * 0.4, random().chance(0.3)};
      scheduler.after(random().between(10s, 4min), [this] { pager.mood = {}; });
    });
    every(faults.between_slow_commits, [this] {
      cluster.commit_delay = random().between(1s, 25s);
      scheduler.after(random().between(1s, 40s), [this] { cluster.commit_delay = 0ms; });
    });
    every(faults.between_clock_steps, [this] {
      Service* const service = running(any_place());
      if (service != nullptr) service->process->clock_error = clock_error();
    });
    every(faults.between_copies, [this] { copy_a_block(); });
    every(faults.between_reloads, [this] { reload(any_place()); });
  }

  void reload(int place) {
    Service* const service = running(place);
    if (service == nullptr || !service->process->is_running()) return;
    const auto number = static_cast<std::size_t>(random().below(version_count));
    versions_of[static_cast<std::size_t>(place)] = number;
    trace("process " + std::to_string(place) + " loads version " + std::to_string(number) + " of its rules");
    ++coverage["reloads"];
    service->rules->reload(versions()[number].files, versions()[number].loaded.rules->hash);
  }

  // All processes have the same rules in force at the same time, as far as they know.
  // Null where that is not so.
  std::shared_ptr<const RuleEpochs> check_rules() {
    std::shared_ptr<const RuleEpochs> longest;
    for (const auto& service : services) {
      const auto epochs = service->rules->epochs();
      if (epochs && (!longest || epochs->newest().number > longest->newest().number)) longest = epochs;
    }
    if (!longest) watch.fail("I11", "no rules are in force");
    if (!longest) return nullptr;
    coverage["rule epochs"] += longest->newest().number;
    for (const auto& service : services) {
      const auto epochs = service->rules->epochs();
      for (std::int64_t number = 0; epochs && number <= epochs->newest().number; ++number) {
        const RuleEpoch* const one = epochs->numbered(number);
        const RuleEpoch* const other = longest->numbered(number);
        const bool is_same = (one == nullptr) == (other == nullptr) &&
                             (one == nullptr || (one->from == other->from && one->rules->hash == other->rules->hash));
        if (is_same) continue;
        watch.fail("I11", "two processes differ in epoch " + std::to_string(number));
        return nullptr;
      }
    }
    return longest;
  }

  // What a copy of the topic does that was made twice in places.
  void copy_a_block() {
    const auto place = static_cast<std::int32_t>(random().below(plan.layout.blocks));
    const PartitionLog& log = cluster.log({Topic::blocks, place});
    if (log.entries().empty()) return;
    const auto back = std::min<std::int64_t>(std::ssize(log.entries()), 1 + random().below(40));
    const Entry entry = log.entries()[static_cast<std::size_t>(std::ssize(log.entries()) - back)];
    if (entry.state != Entry::State::committed) return;
    ++coverage["blocks copied"];
    watch.expect_copy(place, log.end());
    cluster.append({Topic::blocks, place}, entry.key, entry.value, entry.time);
  }

  void keep_house() {
    scheduler.after(random().between(1min, 5min), [this] {
      for (const Topic topic : {Topic::tasks, Topic::states, Topic::page_status}) {
        for (std::int32_t p = 0; p < cluster.partitions(topic); ++p) {
          cluster.log({topic, p}).compact(scheduler.now() - random().between(5min, 60min));
        }
      }
      watch.take_blocks();
      for (std::int32_t q = 0; q < plan.layout.blocks; ++q)
        cluster.log({Topic::blocks, q}).retain(scheduler.now() - 80min);
      for (std::int32_t q = 0; q < plan.layout.blocks; ++q)
        cluster.log({Topic::findings, q}).retain(scheduler.now() - 30min);
      cluster.log({Topic::events, 0}).retain(scheduler.now());
      keep_house();
    });
  }

  // ---- the run ----

  void plan_traffic() {
    // One event for the next record: the list is long.
    deliver_from(0);
  }

  void deliver_from(std::size_t next) {
    if (next == traffic.records.size()) return;
    scheduler.at(traffic.records[next].arrives, [this, next] {
      std::size_t at = next;
      for (; at < traffic.records.size() && traffic.records[at].arrives <= scheduler.now(); ++at) {
        add_source(at);
      }
      deliver_from(at);
    });
  }

  // Behind what its broker's absence holds back already.
  std::array<Duration, 16> source_back{};
  void add_source(std::size_t number) {
    PlannedRecord& record = traffic.records[number];
    const TopicPartition to{Topic::source, record.partition};
    Duration& back = source_back[static_cast<std::size_t>(record.partition)];
    back = std::max(back, cluster.back_at(to));
    if (back > scheduler.now()) {
      scheduler.at(back, [this, number] { add_source(number); });
      return;
    }
    if (record.stamp.since_epoch - scheduler.now() > 60s) ++coverage["stamps ahead"];
    cluster.append(to, record.key, record.value, record.stamp);
  }

  bool is_settled() {
    const auto behind = [&](const std::string& group, TopicPartition of) {
      const auto position = cluster.position(group, of);
      return !position || position->next_offset < cluster.log(of).end();
    };
    for (std::int32_t p = 0; p < plan.layout.source; ++p) {
      const auto position = cluster.position("ingest", {Topic::source, p});
      if (!position || position->next_offset < cluster.log({Topic::source, p}).end()) return false;
    }
    for (std::int32_t o = 0; o < plan.layout.outbox; ++o) {
      if (cluster.log({Topic::outbox, o}).end() > 0 && behind("deliver-pager", {Topic::outbox, o})) return false;
    }
    for (std::int32_t q = 0; q < plan.layout.blocks; ++q) {
      const auto position = cluster.position("evaluate", {Topic::blocks, q});
      if (!position) return false;
      // FROM, the form of what follows, and the grid time that was evaluated last.
      const std::size_t first = position->metadata.find(' '), second = position->metadata.find(' ', first + 1);
      const Duration evaluated{std::atoll(position->metadata.c_str() + second)};
      if (evaluated < ends + 20s) return false;
    }
    return true;
  }

  void heal() {
    is_healed = true;
    healed_at = scheduler.now();
    trace("faults stop");
    cluster.heal();
    pager.mood = {};
    for (int place = 0; place < plan.processes; ++place) {
      Service* const service = running(place);
      if (service == nullptr) {
        if (!stays_down[static_cast<std::size_t>(place)]) start(place);
        continue;
      }
      service->process->clock_error = 0ms;
      if (service->process->is_stopped()) {
        service->process->go_on();
        service->bus->note_return();
      }
    }
  }

  Outcome run() {
    for (int place = 0; place < plan.processes; ++place) {
      scheduler.after(plan.starts_after + random().between(0ms, 3s), [this, place] { start(place); });
    }
    plan_traffic();
    plan_faults();
    keep_house();
    const auto has_failed = [this] { return watch.has_failed(); };
    scheduler.run(ends + 5s, has_failed);
    if (!watch.has_failed()) heal();
    std::uint64_t looked_at = 0;
    bool settled = false;
    scheduler.run(scheduler.now() + settles_within, [&] {
      if (scheduler.steps() >= looked_at + 200) {
        looked_at = scheduler.steps();
        settled = is_settled();
      }
      return settled || watch.has_failed();
    });
    if (!watch.has_failed() && !settled && !is_settled())
      watch.fail("I8", "it does not come to an end: " + what_waits());
    const auto epochs = watch.has_failed() ? nullptr : check_rules();
    if (epochs) watch.check(pager, *epochs, plan.faults.most_clock_error, coverage);
    coverage["rebalances"] += cluster.rebalances;
    coverage["transactions"] += cluster.transactions_committed;
    coverage["transactions aborted"] += cluster.transactions_aborted;
    coverage["producers fenced"] += cluster.fenced;
    coverage["ends of transactions that came late"] += cluster.late_ends;
    coverage["page attempts refused"] += pager.refused;
    coverage["page answers lost"] += pager.answers_lost;
    Outcome outcome{watch.failure(), watch.invariant(), std::move(coverage)};
    for (auto& service : services) {
      if (service->process->is_alive()) {
        service->process->on_ended = nullptr;
        service->process->kill();
      }
    }
    return outcome;
  }

  std::string what_waits() {
    std::string text;
    for (const auto& [group, topic, count] : {std::tuple("ingest", Topic::source, plan.layout.source),
                                              std::tuple("evaluate", Topic::blocks, plan.layout.blocks),
                                              std::tuple("deliver-pager", Topic::outbox, plan.layout.outbox)}) {
      for (std::int32_t p = 0; p < count; ++p) {
        const auto position = cluster.position(group, {topic, p});
        text += std::string(group) + "/" + std::to_string(p) + " " +
                (position ? std::to_string(position->next_offset) + " (" + position->metadata + ")" : "none") +
                " of " + std::to_string(cluster.log({topic, p}).end()) + "; ";
      }
    }
    return text;
  }
};

Simulation::Simulation(Plan plan) : state_(std::make_unique<State>(std::move(plan))) {}
Simulation::~Simulation() {
  for (auto& service : state_->services) service->process->release();
}

void Simulation::at(Duration after, std::function<void(Simulation&)> action) {
  state_->scheduler.at(begins + after, [this, action = std::move(action)] { action(*this); });
}
void Simulation::on_point(std::function<void(Process&, const std::string&)> hook) {
  state_->hook = std::move(hook);
}

Outcome Simulation::run() {
#ifdef TOCSIN_SAFEGUARD_SWITCHES
  removed_safeguard = state_->plan.removed.value_or(static_cast<Safeguard>(safeguard_count));
#endif
  return state_->run();
}

SimCluster& Simulation::cluster() {
  return state_->cluster;
}
SimPager& Simulation::pager() {
  return state_->pager;
}
Watch& Simulation::watch() {
  return state_->watch;
}
Scheduler& Simulation::scheduler() {
  return state_->scheduler;
}
const Plan& Simulation::plan() const {
  return state_->plan;
}
ProcessPointer Simulation::process(int place) {
  Service* const service = state_->running(place);
  return service != nullptr ? service->process : nullptr;
}
void Simulation::kill(int place) {
  state_->kill(place);
}
void Simulation::stop(int place, Duration for_so_long) {
  state_->stop(place, for_so_long);
}
void Simulation::start(int place) {
  state_->start(place);
}
void Simulation::end_orderly(int place) {
  state_->stays_down[static_cast<std::size_t>(place)] = true;
  state_->end_orderly(place);
}
void Simulation::restart_orderly(int place, Duration after) {
  state_->down_for[static_cast<std::size_t>(place)] = after;
  state_->end_orderly(place);
}
int Simulation::owner(const std::string& group, TopicPartition of) {
  const ClientPointer client = state_->cluster.owner(group, of);
  return client ? client->process->number : -1;
}

}  // namespace tocsin::sim
