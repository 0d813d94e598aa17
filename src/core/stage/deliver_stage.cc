#include "core/stage/deliver_stage.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"

namespace tocsin {

void DeliveryFigures::add(const DeliveryFigures& other) {
  delivered += other.delivered;
  failed_attempts += other.failed_attempts;
  parked += other.parked;
  left_to_fallback += other.left_to_fallback;
  pending += other.pending;
  disabled = disabled || other.disabled;
}

bool DeliverStage::offer(OutboxPage page, Duration now) {
  if (alert_of_page_.contains(page.page_id)) return true;
  if (!has_room()) return false;
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

OutboxPage DeliverStage::finish(const std::string& alert_key) {
  const auto queue = by_alert_.find(alert_key);
  OutboxPage page = std::move(queue->second.front().page);
  offsets_.erase(page.offset);
  alert_of_page_.erase(page.page_id);
  queue->second.pop_front();
  if (queue->second.empty()) by_alert_.erase(queue);
  return page;
}

// What is in flight is settled when its answer comes.
void DeliverStage::park_the_rest(std::vector<OutboxPage>& parked) {
  for (auto& [key, queue] : by_alert_) {
    while (!queue.empty() && !queue.back().in_flight) {
      ++figures_.parked;
      offsets_.erase(queue.back().page.offset);
      alert_of_page_.erase(queue.back().page.page_id);
      parked.push_back(std::move(queue.back().page));
      queue.pop_back();
    }
  }
  std::erase_if(by_alert_, [](const auto& entry) { return entry.second.empty(); });
  std::sort(parked.begin(), parked.end(),
            [](const OutboxPage& a, const OutboxPage& b) { return a.offset < b.offset; });
}

std::vector<OutboxPage> DeliverStage::settle(const DeliveryResult& result, Duration now) {
  std::vector<OutboxPage> parked;
  const auto alert = alert_of_page_.find(result.page_id);
  if (alert == alert_of_page_.end()) return parked;
  const std::string key = alert->second;
  Pending& head = by_alert_.find(key)->second.front();
  if (!head.in_flight || head.page.page_id != result.page_id) return parked;
  head.in_flight = false;
  --in_flight_;
  DeliveryOutcome outcome = result.outcome;
  // Nothing is tried again at a receiver that said no while this was on its way.
  if (figures_.disabled && outcome == DeliveryOutcome::retry) outcome = DeliveryOutcome::rejected;
  switch (outcome) {
    case DeliveryOutcome::delivered:
      ++figures_.delivered;
      finish(key);
      break;
    case DeliveryOutcome::rejected:
      ++figures_.parked;
      parked.push_back(finish(key));
      break;
    case DeliveryOutcome::gone:
      figures_.disabled = true;
      ++figures_.parked;
      parked.push_back(finish(key));
      park_the_rest(parked);
      break;
    case DeliveryOutcome::retry: {
      ++figures_.failed_attempts;
      const Duration asked = std::min(result.retry_after.value_or(Duration{0}), policy_.longest_retry_after);
      head.due = now + std::max(asked, delay_after(head));
      break;
    }
  }
  return parked;
}

const OutboxPage* DeliverStage::find(const std::string& page_id) const {
  const auto alert = alert_of_page_.find(page_id);
  if (alert == alert_of_page_.end()) return nullptr;
  for (const Pending& pending : by_alert_.find(alert->second)->second) {
    if (pending.page.page_id == page_id) return &pending.page;
  }
  return nullptr;
}

bool DeliverStage::leave(const std::string& page_id) {
  const auto alert = alert_of_page_.find(page_id);
  if (alert == alert_of_page_.end()) return false;
  const auto queue = by_alert_.find(alert->second);
  const auto found = std::find_if(queue->second.begin(), queue->second.end(),
                                  [&](const Pending& pending) { return pending.page.page_id == page_id; });
  if (found == queue->second.end() || found->in_flight) return false;
  ++figures_.left_to_fallback;
  offsets_.erase(found->page.offset);
  queue->second.erase(found);
  if (queue->second.empty()) by_alert_.erase(queue);
  alert_of_page_.erase(alert);
  return true;
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
