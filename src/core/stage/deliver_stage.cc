#include "core/stage/deliver_stage.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"

namespace tocsin {

bool DeliverStage::offer(OutboxPage page, Duration now) {
  if (alert_of_page_.contains(page.page_id)) return true;
  if (alert_of_page_.size() >= policy_.most_pending) return false;
  if (figures_.disabled) {
    ++figures_.parked;
    return true;
  }
  alert_of_page_[page.page_id] = page.alert_key;
  offsets_.insert(page.offset);
  Pending pending;
  pending.due = now;
  std::string key = page.alert_key;
  pending.page = std::move(page);
  by_alert_[std::move(key)].push_back(std::move(pending));
  return true;
}

std::optional<Delivery> DeliverStage::next(Duration now) {
  if (in_flight_ >= policy_.most_in_flight) return std::nullopt;
  // The page that has waited longest goes first; only the first of an alert may go.
  Pending* best = nullptr;
  for (auto& [key, queue] : by_alert_) {
    Pending& head = queue.front();
    if (head.in_flight || head.due > now) continue;
    if (best == nullptr || head.due < best->due || (head.due == best->due && head.page.offset < best->page.offset)) {
      best = &head;
    }
  }
  if (best == nullptr) return std::nullopt;
  best->in_flight = true;
  ++best->attempts;
  ++in_flight_;
  return Delivery{best->page.page_id, best->page.body};
}

Duration DeliverStage::delay_after(const Pending& pending) const {
  const int doublings = std::min(pending.attempts - 1, 20);
  const Duration base = std::min(policy_.longest_retry, policy_.first_retry * (1 << doublings));
  // Half of it is jitter, so that pages that failed together do not come back together. From the page's id: the
  // core has no randomness.
  const std::uint64_t noise = mix(hash64(pending.page.page_id), static_cast<std::uint64_t>(pending.attempts));
  return base / 2 + Duration{static_cast<std::int64_t>(noise % static_cast<std::uint64_t>(base.count() / 2 + 1))};
}

void DeliverStage::finish(const std::string& alert_key) {
  const auto queue = by_alert_.find(alert_key);
  const Pending& head = queue->second.front();
  offsets_.erase(head.page.offset);
  alert_of_page_.erase(head.page.page_id);
  queue->second.pop_front();
  if (queue->second.empty()) by_alert_.erase(queue);
}

// What is in flight is settled when its answer comes.
void DeliverStage::park_the_rest() {
  for (auto& [key, queue] : by_alert_) {
    while (!queue.empty() && !queue.back().in_flight) {
      ++figures_.parked;
      offsets_.erase(queue.back().page.offset);
      alert_of_page_.erase(queue.back().page.page_id);
      queue.pop_back();
    }
  }
  std::erase_if(by_alert_, [](const auto& entry) { return entry.second.empty(); });
}

void DeliverStage::settle(const DeliveryResult& result, Duration now) {
  const auto alert = alert_of_page_.find(result.page_id);
  if (alert == alert_of_page_.end()) return;
  const std::string key = alert->second;
  Pending& head = by_alert_.find(key)->second.front();
  if (!head.in_flight || head.page.page_id != result.page_id) return;
  head.in_flight = false;
  --in_flight_;
  switch (result.outcome) {
    case DeliveryOutcome::delivered:
      ++figures_.delivered;
      finish(key);
      return;
    case DeliveryOutcome::rejected:
      ++figures_.parked;
      finish(key);
      return;
    case DeliveryOutcome::gone:
      figures_.disabled = true;
      ++figures_.parked;
      finish(key);
      park_the_rest();
      return;
    case DeliveryOutcome::retry: {
      ++figures_.failed_attempts;
      const Duration asked = std::min(result.retry_after.value_or(Duration{0}), policy_.longest_retry_after);
      head.due = now + std::max(asked, delay_after(head));
      return;
    }
  }
}

std::optional<Duration> DeliverStage::next_due() const {
  std::optional<Duration> due;
  if (in_flight_ >= policy_.most_in_flight) return due;
  for (const auto& [key, queue] : by_alert_) {
    if (!queue.front().in_flight && (!due || queue.front().due < *due)) due = queue.front().due;
  }
  return due;
}

std::int64_t DeliverStage::committed(std::int64_t end) const {
  return offsets_.empty() ? end : *offsets_.begin();
}

DeliveryFigures DeliverStage::figures() const {
  DeliveryFigures figures = figures_;
  figures.pending = alert_of_page_.size();
  return figures;
}

}  // namespace tocsin
