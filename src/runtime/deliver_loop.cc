#include "runtime/deliver_loop.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace tocsin {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t batch_records = 64;

// The page's id, from its body; empty where it is no page of ours.
std::string page_id_of(const std::string& body) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  const auto data = json.is_object() ? json.find("data") : json.end();
  if (!json.is_object() || data == json.end() || !data->is_object()) return {};
  return data->value("page_id", std::string{});
}

}  // namespace

DeliverLoop::DeliverLoop(std::string name, DeliveryPolicy policy, Log& log, const Clock& clock, Receiver& receiver,
                         OnResult on_result)
    : name_(std::move(name)),
      log_(log),
      clock_(clock),
      receiver_(receiver),
      on_result_(std::move(on_result)),
      stage_(policy),
      next_(log.position("deliver/" + name_, Topic::outbox, 0)) {}

bool DeliverLoop::take_results() {
  std::vector<DeliveryResult> list;
  {
    const std::lock_guard lock(results_->mutex);
    list.swap(results_->list);
  }
  for (const DeliveryResult& result : list) {
    stage_.settle(result, clock_.monotonic());
    on_result_(name_, result);
  }
  return !list.empty();
}

bool DeliverLoop::read_outbox() {
  while (!refused_.empty()) {
    if (!stage_.offer(refused_.back(), clock_.monotonic())) return false;
    refused_.pop_back();
  }
  std::vector<LogRecord> batch;
  next_ = log_.fetch(Topic::outbox, 0, next_, batch_records, batch);
  for (LogRecord& record : batch) {
    OutboxPage page{record.offset, page_id_of(record.value), std::move(record.key), std::move(record.value)};
    if (page.page_id.empty()) continue;
    if (!stage_.offer(page, clock_.monotonic())) refused_.insert(refused_.begin(), std::move(page));
  }
  return !batch.empty();
}

bool DeliverLoop::start_attempts() {
  bool any = false;
  while (auto delivery = stage_.next(clock_.monotonic())) {
    any = true;
    receiver_.attempt(std::move(*delivery), [results = results_, &log = log_](DeliveryResult result) {
      {
        const std::lock_guard lock(results->mutex);
        results->list.push_back(std::move(result));
      }
      log.wake();
    });
  }
  return any;
}

void DeliverLoop::run(const std::atomic<bool>& stop) {
  std::uint64_t seen = 0;
  publish();
  while (!stop.load(std::memory_order_relaxed)) {
    bool any = take_results();
    any = read_outbox() || any;
    any = start_attempts() || any;
    if (any) {
      log_.commit({}, {{"deliver/" + name_, Topic::outbox, 0, stage_.committed(next_)}});
      publish();
      continue;
    }
    Duration timeout = 1s;
    if (const auto due = stage_.next_due()) timeout = std::clamp(*due - clock_.monotonic(), Duration{1}, timeout);
    seen = log_.wait(seen, timeout);
  }
  publish();
}

void DeliverLoop::publish() {
  view_.put({name_, stage_.figures(), next_, stage_.committed(next_)});
}

}  // namespace tocsin
