#include "runtime/deliver_worker.h"

#include <algorithm>
#include <utility>

#include "base/safeguard.h"
#include "runtime/page_status.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_outbox_read = 64;
constexpr Duration settled_within = 2s;

}  // namespace

DeliverWorker::DeliverWorker(Options options, Bus& bus, const Clock& clock, DeliverLoop::OnResult on_result,
                             SayLine say)
    : options_(std::move(options)),
      bus_(bus),
      clock_(clock),
      on_result_(std::move(on_result)),
      say_(say),
      membership_("deliver-" + options_.lanes[0].receiver, {Topic::outbox}, "deliver-" + options_.lanes[0].receiver,
                  bus, clock, std::move(say)),
      figures_before_(options_.lanes.size()) {}

void DeliverWorker::run(const std::atomic<bool>& stop) {
  {
    const std::lock_guard lock(results_->mutex);
    results_->owner = this;
  }
  membership_.before_revoke([this] { settle_what_is_under_way(); });
  std::vector<Assigned> assigned;
  Duration published{-1h};
  while (!stop.load(std::memory_order_relaxed)) {
    bool is_new = false;
    const bool has_member = membership_.serve(assigned, is_new);
    if (!has_member || is_new) drop_all();
    if (has_member && is_new && !adopt(assigned, stop)) continue;
    const Duration now = clock_.monotonic();
    if (now - published >= publish_every) {
      publish();
      published = now;
    }
    if (!has_member) {
      membership_.wait(100ms);
      continue;
    }
    bool any = take_results();
    for (Owned& owned : owned_) {
      any = read_some(owned) || any;
      any = start_attempts(owned) || any;
    }
    if (!commit()) continue;
    if (any) continue;
    Duration timeout = 500ms;
    for (const Owned& owned : owned_) {
      if (const auto due = owned.chain->next_due()) {
        timeout = std::clamp(*due - clock_.monotonic(), Duration{1}, timeout);
      }
    }
    membership_.wait(may_act_ ? timeout : 100ms);
  }
  if (!owned_.empty()) settle_what_is_under_way();
  publish();
  {
    const std::lock_guard lock(results_->mutex);
    results_->owner = nullptr;
  }
  membership_.close();
}

void DeliverWorker::drop_all() {
  for (const Owned& owned : owned_) {
    for (std::size_t lane = 0; lane < options_.lanes.size(); ++lane) {
      DeliveryFigures figures = owned.chain->figures(lane);
      figures.pending = 0;
      figures.disabled = false;
      figures_before_[lane].add(figures);
    }
  }
  owned_.clear();
  statuses_.clear();
  under_way_ = 0;
  ++assignment_;
}

bool DeliverWorker::adopt(const std::vector<Assigned>& assigned, const std::atomic<bool>& stop) {
  for (const Assigned& one : assigned) {
    Owned owned;
    owned.number = one.of.partition;
    owned.next = owned.committed = one.next_offset.value_or(0);
    owned.chain = std::make_unique<DeliverChain>(options_.lanes, options_.policy);
    if (!read_statuses(owned, stop)) {
      if (!stop.load(std::memory_order_relaxed) && !membership_.member().assignment_changed()) {
        membership_.leave("what became of earlier pages can't be read");
      }
      drop_all();
      return false;
    }
    owned_.push_back(std::move(owned));
  }
  return true;
}

bool DeliverWorker::read_statuses(Owned& owned, const std::atomic<bool>& stop) {
  if (!holds(Safeguard::statuses_read)) return true;
  const std::string& name = options_.lanes[0].receiver;
  std::map<std::string, std::int64_t> parked;
  const auto outcome = bus_.read_to_end(
      {Topic::page_status, owned.number}, 0,
      [&](const BusRecord& record) {
        const auto status = page_status_from(record.key, record.value);
        // One of an earlier page may have the same id: its alert was long forgotten, and began to count anew.
        if (!status || status->receiver != name || status->offset < owned.committed) return;
        // One that its own receiver parked is settled once a fallback has it.
        if (status->lane == name && !status->delivered && options_.lanes.size() > 1) {
          parked[status->page_id] = status->offset;
        } else if (status->lane == name || parked.contains(status->page_id)) {
          owned.settled[status->page_id] = status->offset;
        }
      },
      [&] { return membership_.still_ours(stop); });
  return outcome == ReadOutcome::complete;
}

bool DeliverWorker::take_results() {
  std::vector<Result> list;
  {
    const std::lock_guard lock(results_->mutex);
    list.swap(results_->list);
  }
  for (Result& one : list) {
    const DeliverLane& lane = options_.lanes[one.lane];
    on_result_(lane.receiver, one.result);
    if (one.assignment != assignment_) continue;
    --under_way_;
    const auto owned =
        std::find_if(owned_.begin(), owned_.end(), [&](const Owned& known) { return known.number == one.partition; });
    if (owned == owned_.end()) continue;
    owned->chain->settle(one.lane, one.result, clock_.monotonic());
    if (one.result.outcome == DeliveryOutcome::retry) continue;
    const auto page = owned->under_way.find(one.result.page_id);
    if (page != owned->under_way.end() && one.result.outcome == DeliveryOutcome::delivered && one.lane == 0) {
      delay_sum_ += clock_.now() - page->second.decided;
    }
    const PageStatus status{options_.lanes[0].receiver, lane.receiver, one.result.page_id,
                            one.result.outcome == DeliveryOutcome::delivered,
                            page != owned->under_way.end() ? page->second.offset : owned->committed};
    statuses_.push_back(
        {Topic::page_status, owned->number, status.key(), to_json(status, as_event_time(clock_.now()))});
  }
  return !list.empty();
}

bool DeliverWorker::read_some(Owned& owned) {
  while (!owned.refused.empty()) {
    if (!owned.chain->offer(owned.refused.front(), clock_.monotonic())) return false;
    owned.next = owned.refused.front().offset + 1;
    owned.refused.pop_front();
  }
  const TopicPartition from{Topic::outbox, owned.number};
  const std::size_t count = membership_.member().read(from, most_outbox_read, [&](const BusRecord& record) {
    if (record.key == heartbeat_key) {
      // Old ones, after a pause, say nothing about now.
      if (options_.on_heartbeat && clock_.now() - record.time < 2min) options_.on_heartbeat();
      return;
    }
    OutboxPage page{record.offset, page_id_in(record.value), std::string(record.key), std::string(record.value)};
    if (page.page_id.empty()) return;
    const auto settled = owned.settled.find(page.page_id);
    if (settled != owned.settled.end() && page.offset <= settled->second) return;
    owned.under_way[page.page_id] = {record.time, page.offset};
    if (!owned.refused.empty() || !owned.chain->offer(page, clock_.monotonic())) {
      owned.refused.push_back(std::move(page));
    }
  });
  if (owned.refused.empty()) owned.next = std::max(owned.next, membership_.member().reached(from));
  return count > 0;
}

bool DeliverWorker::start_attempts(Owned& owned) {
  // Nobody else may have this partition: an attempt can't be taken back. Asked before each, as the whole process may
  // have stood still since the one before.
  const auto may_act = [&] {
    may_act_ = membership_.member().may_act() || !holds(Safeguard::attempts_by_owner_only);
    return may_act_;
  };
  bool any = false;
  while (may_act()) {
    auto attempt = owned.chain->next(clock_.monotonic());
    if (!attempt) break;
    any = true;
    ++under_way_;
    options_.receivers[attempt->lane]->attempt(
        std::move(attempt->delivery), [results = results_, partition = owned.number, assignment = assignment_,
                                       lane = attempt->lane](DeliveryResult result) {
          const std::lock_guard lock(results->mutex);
          results->list.push_back({partition, assignment, lane, std::move(result)});
          if (results->owner != nullptr) results->owner->wake();
        });
  }
  return any;
}

void DeliverWorker::settle_what_is_under_way() {
  for (const Duration until = clock_.monotonic() + settled_within; under_way_ > 0 && clock_.monotonic() < until;) {
    if (!take_results()) clock_.sleep(5ms);
  }
  try_commit();
}

bool DeliverWorker::commit() {
  if (try_commit()) return true;
  membership_.leave(membership_.member().lost().value_or("a transaction failed"));
  drop_all();
  return false;
}

bool DeliverWorker::try_commit() {
  std::vector<BusPosition> positions;
  for (Owned& owned : owned_) {
    const std::int64_t next =
        holds(Safeguard::delivered_before_position) ? owned.chain->committed(owned.next) : owned.next;
    if (next <= owned.committed && statuses_.empty()) continue;
    positions.push_back({{Topic::outbox, owned.number}, std::max(next, owned.committed), {}});
  }
  if (positions.empty()) return true;
  Member& member = membership_.member();
  for (NewRecord& status : statuses_) member.send(std::move(status));
  statuses_.clear();
  if (!member.commit(positions)) return false;
  for (const BusPosition& position : positions) {
    for (Owned& owned : owned_) {
      if (owned.number != position.of.partition) continue;
      owned.committed = position.next_offset;
      // What lies before it is settled for good.
      std::erase_if(owned.under_way, [&](const auto& page) { return page.second.offset < owned.committed; });
      std::erase_if(owned.settled, [&](const auto& page) { return page.second < owned.committed; });
    }
  }
  return true;
}

void DeliverWorker::publish() {
  std::vector<ReceiverView> views(options_.lanes.size());
  for (std::size_t lane = 0; lane < views.size(); ++lane) {
    views[lane].receiver = options_.lanes[lane].receiver;
    views[lane].figures = figures_before_[lane];
    if (lane == 0) views[lane].delay_sum = delay_sum_;
    for (const Owned& owned : owned_) {
      views[lane].figures.add(owned.chain->figures(lane));
      if (lane == 0) views[lane].figures.pending += owned.refused.size();
    }
  }
  view_.put(std::move(views));
}

}  // namespace tocsin
