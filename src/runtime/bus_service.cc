#include "runtime/bus_service.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <typeinfo>
#include <utility>

namespace tocsin {

namespace {

template <class Workers>
void stop_all(std::atomic<bool>& stop, Workers& workers, std::vector<std::thread>& threads) {
  stop = true;
  for (auto& worker : workers) worker->wake();
  for (std::thread& thread : threads) thread.join();
  threads.clear();
}

// The type alone: what() may hold bytes of a record.
std::string type_of(const std::exception& error) {
  int status = 0;
  char* const name = abi::__cxa_demangle(typeid(error).name(), nullptr, nullptr, &status);
  std::string text = name != nullptr ? name : typeid(error).name();
  std::free(name);
  return text;
}

template <class Worker>
void run_until(const std::atomic<bool>& stop, Worker& worker, const std::string& name, const SayLine& say) {
  for (;;) {
    std::string why = "an error of an unknown type";
    try {
      return worker.run(stop);
    } catch (const std::exception& error) {
      why = "an error of type " + type_of(error);
    } catch (...) {
    }
    say(true, name + " stopped at " + why + "; it drops its partitions and begins anew");
    worker.give_up(why);
    if (stop) return;
  }
}

}  // namespace

BusService::BusService(Options options, Bus& bus, const Clock& clock, RuleSource& rules,
                       const Fingerprinter& fingerprinter, const DeliverLoop::OnResult& on_result, const SayLine& say)
    : options_(std::move(options)), bus_(bus), clock_(clock), rules_(rules) {
  if (options_.stages.deliver) {
    for (DeliverWorker::Options& receiver : options_.receivers) {
      deliver_.push_back(std::make_unique<DeliverWorker>(std::move(receiver), bus, clock, on_result, say));
    }
  }
  // More threads than partitions would only wait.
  const std::int32_t evaluate_threads = std::min(options_.threads, bus.partitions(Topic::blocks));
  for (std::int32_t i = 0; options_.stages.evaluate && i < evaluate_threads; ++i) {
    EvaluateWorker::Options own;
    own.name = "evaluate-" + std::to_string(i);
    own.pages_stalls = options_.closes_when_idle;
    own.evaluate = {options_.deployment, bus.partitions(Topic::source), options_.command_url, true};
    evaluate_.push_back(std::make_unique<EvaluateWorker>(std::move(own), bus, clock, rules_, say));
  }
  const std::int32_t ingest_threads = std::min(options_.threads, bus.partitions(Topic::source));
  for (std::int32_t i = 0; options_.stages.ingest && i < ingest_threads; ++i) {
    IngestWorker::Options own;
    own.name = "ingest-" + std::to_string(i);
    own.ingest.deployment = options_.deployment;
    own.ingest.halts = options_.halts;
    own.ingest.publish_events = options_.publish_events;
    own.ingest.publish_spans = options_.publish_spans;
    own.closes_when_idle = options_.closes_when_idle;
    own.heartbeat_every = options_.heartbeat_every;
    own.attempts = options_.attempts;
    if (bus.partitions(Topic::unkeyed) > 0) own.complete_until = &complete_until_;
    ingest_.push_back(std::make_unique<IngestWorker>(std::move(own), bus, clock, rules_, fingerprinter, say));
  }
  const std::int32_t rekey_threads = std::min(options_.threads, bus.partitions(Topic::unkeyed));
  for (std::int32_t i = 0; options_.stages.rekey && i < rekey_threads; ++i) {
    RekeyWorker::Options own{"rekey-" + std::to_string(i), options_.deployment, options_.attempts};
    rekey_.push_back(std::make_unique<RekeyWorker>(std::move(own), bus, clock, rules_, fingerprinter, say));
  }
  const auto start = [&say](auto& workers, const char* name, const std::atomic<bool>& stop,
                            std::vector<std::thread>& threads) {
    for (auto& worker : workers) {
      threads.emplace_back([&stop, name, say, w = worker.get()] { run_until(stop, *w, name, say); });
    }
  };
  start(deliver_, "a deliver worker", stop_deliver_, deliver_threads_);
  start(evaluate_, "an evaluate worker", stop_evaluate_, evaluate_threads_);
  start(ingest_, "an ingest worker", stop_ingest_, ingest_threads_);
  start(rekey_, "a rekey worker", stop_rekey_, rekey_threads_);
  lag_thread_ = std::thread([this] { watch_lag(); });
}

void BusService::watch_lag() {
  for (int turn = 0; !stop_lag_; ++turn) {
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
    if (turn % 10 != 0) continue;
    std::vector<TopicPartition> asked;
    std::vector<std::int64_t> next;
    for (const auto& worker : ingest_) {
      const auto view = worker->view();
      for (const std::int32_t p : view->partitions) asked.push_back({Topic::source, p});
      next.insert(next.end(), view->next_offsets.begin(), view->next_offsets.end());
    }
    ask_lag(asked, next, waiting_);
    if (bus_.partitions(Topic::unkeyed) == 0) continue;
    if (const auto until = bus_.unkeyed_read_until("rekey", clock_.now())) {
      complete_until_ = until->since_epoch.count();
    }
    RekeyView unkeyed;
    for (const auto& worker : rekey_) unkeyed.add(*worker->view());
    ask_lag(unkeyed.partitions, unkeyed.next_offsets, unkeyed_waiting_);
  }
}

void BusService::ask_lag(const std::vector<TopicPartition>& of, const std::vector<std::int64_t>& next,
                         std::atomic<std::int64_t>& waiting) const {
  const auto ends = of.empty() ? std::optional(std::vector<std::int64_t>{}) : bus_.ends(of);
  if (!ends) return;
  std::int64_t count = 0;
  for (std::size_t i = 0; i < ends->size(); ++i) {
    count += std::max<std::int64_t>(0, (*ends)[i] - std::max<std::int64_t>(0, next[i]));
  }
  waiting = count;
}

std::optional<RekeyView> BusService::rekey() const {
  if (rekey_.empty()) return std::nullopt;
  RekeyView all;
  for (const auto& worker : rekey_) all.add(*worker->view());
  all.waiting = unkeyed_waiting_;
  return all;
}

void BusService::wake() {
  for (auto& worker : rekey_) worker->wake();
  for (auto& worker : ingest_) worker->wake();
  for (auto& worker : evaluate_) worker->wake();
}

BusService::~BusService() {
  stop();
}

void BusService::stop() {
  stop_lag_ = true;
  if (lag_thread_.joinable()) lag_thread_.join();
  stop_all(stop_rekey_, rekey_, rekey_threads_);
  stop_all(stop_ingest_, ingest_, ingest_threads_);
  stop_all(stop_evaluate_, evaluate_, evaluate_threads_);
  stop_all(stop_deliver_, deliver_, deliver_threads_);
}

IngestView BusService::ingest() const {
  IngestView all;
  for (const auto& worker : ingest_) {
    const auto view = worker->view();
    all.totals.add(view->totals);
    merge_agents(all.agents, view->agents);
    all.next_offsets.insert(all.next_offsets.end(), view->next_offsets.begin(), view->next_offsets.end());
    all.log_times.insert(all.log_times.end(), view->log_times.begin(), view->log_times.end());
    all.open_tasks += view->open_tasks;
    all.groups += view->groups;
    all.cuts += view->cuts;
    all.halts += view->halts;
  }
  all.waiting = waiting_;
  return all;
}

std::shared_ptr<const EvaluateView> BusService::evaluate() const {
  auto all = std::make_shared<EvaluateView>();
  all->owns_any = false;
  all->partitions = 0;
  bool is_first = true;
  for (const auto& worker : evaluate_) {
    const auto view = worker->view();
    if (view->owns_any) {
      all->evaluated = is_first ? view->evaluated : std::min(all->evaluated, view->evaluated);
      is_first = false;
    }
    all->owns_any = all->owns_any || view->owns_any;
    all->partitions += view->partitions;
    add_sight(all->sight, view->sight);
    all->active.insert(all->active.end(), view->active.begin(), view->active.end());
    all->recent.insert(all->recent.end(), view->recent.begin(), view->recent.end());
    all->series.used += view->series.used;
    all->series.cap += view->series.cap;
    all->series.bytes += view->series.bytes;
    all->blocks_waiting += view->blocks_waiting;
    all->findings_waiting += view->findings_waiting;
    all->blocks_refused += view->blocks_refused;
    all->pages_withheld += view->pages_withheld;
    all->partitions_stalled = std::max(all->partitions_stalled, view->partitions_stalled);
    all->alerts_fired += view->alerts_fired;
    all->alerts_resolved += view->alerts_resolved;
  }
  all->has_all = all->partitions == static_cast<std::size_t>(bus_.partitions(Topic::blocks));
  std::stable_sort(all->recent.begin(), all->recent.end(),
                   [](const AlertChange& a, const AlertChange& b) { return a.at < b.at; });
  if (all->recent.size() > kept_changes) {
    all->recent.erase(all->recent.begin(), all->recent.end() - static_cast<std::ptrdiff_t>(kept_changes));
  }
  return all;
}

std::vector<ReceiverView> BusService::receivers() const {
  std::vector<ReceiverView> all;
  for (const auto& worker : deliver_) {
    for (const ReceiverView& lane : *worker->view()) add_receiver(all, lane);
  }
  return all;
}

bool BusService::is_idle() const {
  std::size_t pages = 0;
  for (const ReceiverView& view : receivers()) pages += view.figures.pending;
  return ingest().waiting == 0 && unkeyed_waiting_ == 0 && pages == 0;
}

std::optional<std::string> BusService::not_ready() const {
  if (!bus_.reachable()) return "Kafka can't be reached";
  const auto all_work = [](const auto& workers) {
    return std::all_of(workers.begin(), workers.end(), [](const auto& worker) { return worker->is_working(); });
  };
  if (!all_work(deliver_)) return "deliver is joining its groups";
  if (!all_work(evaluate_)) return "evaluate is joining its group, or restoring its state";
  if (!all_work(ingest_)) return "ingest is joining its group, or restoring its state";
  if (!all_work(rekey_)) return "rekey is joining its group";
  return std::nullopt;
}

}  // namespace tocsin
