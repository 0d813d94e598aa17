#include "runtime/deliver_loop.h"

#include <algorithm>
#include <utility>

namespace tocsin {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_outbox_fetched = 64;

}  // namespace

DeliverLoop::DeliverLoop(const std::vector<DeliverLane>& lanes, DeliveryPolicy policy, Log& log, const Clock& clock,
                         const ReceiversByName& receivers, OnResult on_result)
    : group_("deliver/" + lanes.front().receiver),
      log_(log),
      clock_(clock),
      chain_(lanes, policy),
      on_result_(std::move(on_result)),
      next_(log.position(group_, Topic::outbox, 0)) {
  for (const DeliverLane& lane : lanes) receivers_.push_back(receivers.at(lane.receiver));
}

bool DeliverLoop::take_results() {
  std::vector<LaneResult> list;
  {
    const std::lock_guard lock(results_->mutex);
    list.swap(results_->list);
  }
  for (const LaneResult& one : list) {
    chain_.settle(one.lane, one.result, clock_.monotonic());
    on_result_(chain_.receiver(one.lane), one.result);
  }
  return !list.empty();
}

bool DeliverLoop::read_outbox() {
  while (!refused_.empty()) {
    if (!chain_.offer(refused_.front(), clock_.monotonic())) return false;
    refused_.pop_front();
  }
  std::vector<LogRecord> batch;
  next_ = log_.fetch(Topic::outbox, 0, next_, most_outbox_fetched, batch);
  for (LogRecord& record : batch) {
    OutboxPage page{record.offset, page_id_in(record.value), std::move(record.key), std::move(record.value)};
    if (page.page_id.empty()) continue;
    // Behind one that is refused all are, to keep their order.
    if (!refused_.empty() || !chain_.offer(page, clock_.monotonic())) refused_.push_back(std::move(page));
  }
  return !batch.empty();
}

bool DeliverLoop::start_attempts() {
  bool any = false;
  while (auto attempt = chain_.next(clock_.monotonic())) {
    any = true;
    const std::size_t lane = attempt->lane;
    receivers_[lane]->attempt(std::move(attempt->delivery),
                              [lane, results = results_, &log = log_](DeliveryResult result) {
                                {
                                  const std::lock_guard lock(results->mutex);
                                  results->list.push_back({lane, std::move(result)});
                                }
                                log.wake();
                              });
  }
  return any;
}

std::int64_t DeliverLoop::committed() const {
  return chain_.committed(refused_.empty() ? next_ : refused_.front().offset);
}

void DeliverLoop::run(const std::atomic<bool>& stop) {
  std::uint64_t seen = 0;
  publish();
  while (!stop.load(std::memory_order_relaxed)) {
    bool any = take_results();
    any = read_outbox() || any;
    any = start_attempts() || any;
    if (any) {
      log_.commit({}, {{group_, Topic::outbox, 0, committed()}});
      publish();
      continue;
    }
    Duration timeout = 1s;
    if (const auto due = chain_.next_due()) timeout = std::clamp(*due - clock_.monotonic(), Duration{1}, timeout);
    seen = log_.wait(seen, timeout);
  }
  publish();
}

void DeliverLoop::publish() {
  DeliverView view;
  for (std::size_t lane = 0; lane < chain_.lanes(); ++lane) {
    view.lanes.push_back({chain_.receiver(lane), chain_.figures(lane)});
  }
  view.lanes.front().figures.pending += refused_.size();
  view.outbox_next = next_;
  view.committed = committed();
  view_.put(std::move(view));
}

}  // namespace tocsin
