#include "runtime/service.h"

#include <algorithm>
#include <utility>

namespace tocsin {

namespace {

void join_all(std::vector<std::thread>& threads) {
  for (std::thread& thread : threads) thread.join();
  threads.clear();
}

}  // namespace

Service::Service(Options options, Log& log, const Clock& clock, RuleSource& rules, const Fingerprinter& fingerprinter,
                 const std::vector<std::vector<DeliverLane>>& chains, const ReceiversByName& receivers,
                 const DeliverLoop::OnResult& on_result)
    : options_(std::move(options)),
      log_(log),
      rules_(rules),
      evaluate_({options_.deployment, options_.partitions, options_.command_url}, options_.clock_of_events, log,
                clock, rules_) {
  for (const std::vector<DeliverLane>& lanes : chains) {
    chains_.push_back(std::make_unique<DeliverLoop>(lanes, options_.delivery, log, clock, receivers, on_result));
  }
  const std::int32_t shard_count = std::min(options_.shards, options_.partitions);
  for (std::int32_t shard = 0; shard < shard_count; ++shard) {
    IngestLoop::Options own;
    own.ingest.deployment = options_.deployment;
    own.ingest.halts = options_.halts;
    own.ingest.publish_events = options_.publish_events;
    own.closes_when_idle = !options_.clock_of_events;
    for (std::int32_t p = shard; p < options_.partitions; p += shard_count) own.partitions.push_back(p);
    shards_.push_back(std::make_unique<IngestLoop>(std::move(own), log, clock, rules_, fingerprinter));
  }
  for (auto& chain : chains_) {
    deliver_threads_.emplace_back([this, loop = chain.get()] { loop->run(stop_deliver_); });
  }
  evaluate_threads_.emplace_back([this] { evaluate_.run(stop_evaluate_); });
  for (auto& shard : shards_) {
    ingest_threads_.emplace_back([this, loop = shard.get()] { loop->run(stop_ingest_); });
  }
}

Service::~Service() {
  stop();
}

void Service::stop() {
  stop_ingest_ = true;
  log_.wake();
  join_all(ingest_threads_);
  stop_evaluate_ = true;
  log_.wake();
  join_all(evaluate_threads_);
  stop_deliver_ = true;
  log_.wake();
  join_all(deliver_threads_);
}

IngestView Service::ingest() const {
  IngestView all;
  for (const auto& shard : shards_) {
    const auto view = shard->view();
    all.totals.add(view->totals);
    merge_agents(all.agents, view->agents);
    all.next_offsets.insert(all.next_offsets.end(), view->next_offsets.begin(), view->next_offsets.end());
    all.log_times.insert(all.log_times.end(), view->log_times.begin(), view->log_times.end());
    all.open_tasks += view->open_tasks;
    all.groups += view->groups;
    all.cuts += view->cuts;
    all.halts += view->halts;
  }
  for (std::int32_t p = 0; p < options_.partitions; ++p) all.waiting += waiting(p);
  return all;
}

std::int64_t Service::waiting(std::int32_t partition) const {
  return log_.end(Topic::source, partition) - log_.position("ingest", Topic::source, partition);
}

std::shared_ptr<const EvaluateView> Service::evaluate() const {
  auto view = std::make_shared<EvaluateView>(*evaluate_.view());
  view->blocks_waiting = log_.end(Topic::blocks, 0) - view->blocks_next;
  view->findings_waiting = log_.end(Topic::findings, 0) - view->findings_next;
  return view;
}

std::optional<std::string> Service::not_ready() const {
  constexpr std::int64_t most_waiting = 1'000'000;
  for (std::int32_t p = 0; p < options_.partitions; ++p) {
    if (waiting(p) > most_waiting) return "ingest is behind";
  }
  return std::nullopt;
}

std::vector<ReceiverView> Service::receivers() const {
  std::vector<ReceiverView> all;
  for (const auto& chain : chains_) {
    const auto view = chain->view();
    for (std::size_t lane = 0; lane < view->lanes.size(); ++lane) {
      const ReceiverView& one = view->lanes[lane];
      ReceiverView seen = one;
      if (lane == 0) {
        seen.figures.pending += static_cast<std::size_t>(log_.end(Topic::outbox, 0) - view->outbox_next);
      }
      add_receiver(all, seen);
    }
  }
  return all;
}

bool Service::is_idle() const {
  // Front to back: what one stage has finished with stands in the next one's log before it says so.
  for (std::int32_t p = 0; p < options_.partitions; ++p) {
    if (waiting(p) != 0) return false;
  }
  const auto evaluated = evaluate_.view();
  if (evaluated->blocks_next != log_.end(Topic::blocks, 0)) return false;
  if (evaluated->findings_next != log_.end(Topic::findings, 0)) return false;
  if (evaluated->halts_next != log_.end(Topic::halts, 0)) return false;
  if (evaluated->silences_next != log_.end(Topic::silences, 0)) return false;
  for (const auto& chain : chains_) {
    if (chain->view()->committed != log_.end(Topic::outbox, 0)) return false;
  }
  return true;
}

}  // namespace tocsin
