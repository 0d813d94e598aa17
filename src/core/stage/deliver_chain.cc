#include "core/stage/deliver_chain.h"

#include <algorithm>
#include <string_view>

namespace tocsin {

namespace {

constexpr std::size_t most_incidents = 10'000;  // some 100 bytes each
constexpr std::string_view resolution = ":resolved";

bool is_resolution(const OutboxPage& page) {
  return page.page_id.ends_with(resolution);
}

// Alert id and episode: what a trigger and its resolution share.
std::string incident_of(const OutboxPage& page) {
  return page.page_id.substr(0, page.page_id.rfind(':'));
}

}  // namespace

DeliverChain::DeliverChain(std::vector<DeliverLane> lanes, DeliveryPolicy policy) : policy_(policy) {
  for (DeliverLane& lane : lanes) lanes_.emplace_back(std::move(lane), policy);
}

bool DeliverChain::offer(OutboxPage page, Duration now) {
  return offer_to(0, std::move(page), now);
}

bool DeliverChain::offer_to(std::size_t at, OutboxPage page, Duration now) {
  Lane& lane = lanes_[at];
  if (lane.stage.find(page.page_id) != nullptr) return true;
  if (lane.stage.disabled() && has_next(at)) {
    // Not past those that are still on their way here, or wait for the next lane.
    if (lane.stage.figures().pending > 0 || !lane.held.empty() || !hand_on(at, page, now)) return false;
    return lane.stage.offer(std::move(page), now);  // which parks it
  }
  if (!lane.stage.has_room()) make_room(lane);
  if (lane.stage.figures().pending + lane.held.size() >= policy_.most_pending) return false;
  const std::string page_id = page.page_id;
  const std::int64_t offset = page.offset;
  const bool follows = is_resolution(page) && lane.handed_on.contains(incident_of(page));
  if (!lane.stage.offer(std::move(page), now)) return false;
  if (has_next(at)) set_deadline(lane, page_id, offset, follows ? now : now + lane.fallback_after);
  return true;
}

bool DeliverChain::hand_on(std::size_t from, OutboxPage page, Duration now) {
  Lane& lane = lanes_[from];
  const std::string incident = incident_of(page);
  const std::int64_t offset = page.offset;
  const bool resolves = is_resolution(page);
  if (!offer_to(from + 1, std::move(page), now)) {
    lane.next_is_full = true;
    return false;
  }
  if (resolves) {
    lane.handed_on.erase(incident);
    return true;
  }
  lane.handed_on[incident] = offset;
  if (lane.handed_on.size() > most_incidents) {
    lane.handed_on.erase(std::min_element(lane.handed_on.begin(), lane.handed_on.end(),
                                          [](const auto& a, const auto& b) { return a.second < b.second; }));
  }
  const auto waiting = lane.deadline_of.find(incident + std::string(resolution));
  if (waiting != lane.deadline_of.end()) {
    const auto [deadline, its_offset] = waiting->second;
    set_deadline(lane, waiting->first, its_offset, std::min(deadline, now));
  }
  return true;
}

bool DeliverChain::hand_on_what_is_due(std::size_t at, Duration now) {
  Lane& lane = lanes_[at];
  bool any = false;
  if (!has_next(at) || lane.next_is_full) return any;
  while (!lane.held.empty() && hand_on(at, lane.held.front(), now)) {
    lane.held.pop_front();
    any = true;
  }
  while (!lane.next_is_full && !lane.deadlines.empty() && lane.deadlines.begin()->first.first <= now) {
    const std::string page_id = lane.deadlines.begin()->second;
    if (!hand_on(at, *lane.stage.find(page_id), now)) break;
    clear_deadline(lane, page_id);
    any = true;
  }
  if (any && at > 0) lanes_[at - 1].next_is_full = false;
  return any;
}

void DeliverChain::make_room(Lane& lane) {
  for (auto page = lane.taken_later.begin(); page != lane.taken_later.end(); ++page) {
    if (!lane.stage.leave(page->second)) continue;  // in flight
    lane.taken_later.erase(page);
    return;
  }
}

void DeliverChain::set_deadline(Lane& lane, const std::string& page_id, std::int64_t offset, Duration deadline) {
  const std::string id = page_id;  // it may be a key of what is cleared
  clear_deadline(lane, id);
  lane.deadline_of[id] = {deadline, offset};
  lane.deadlines[{deadline, offset}] = id;
}

bool DeliverChain::clear_deadline(Lane& lane, const std::string& page_id) {
  const auto found = lane.deadline_of.find(page_id);
  if (found == lane.deadline_of.end()) return false;
  lane.deadlines.erase(found->second);
  lane.deadline_of.erase(found);
  return true;
}

std::optional<DeliveryAttempt> DeliverChain::next(Duration now) {
  // A page may be due in the lane that it is handed to, and a lane that hands on has room for the one before it.
  for (bool any = true; any;) {
    any = false;
    for (std::size_t at = 0; at < lanes_.size(); ++at) any = hand_on_what_is_due(at, now) || any;
  }
  for (std::size_t at = 0; at < lanes_.size(); ++at) {
    if (auto delivery = lanes_[at].stage.next(now)) return DeliveryAttempt{at, std::move(*delivery)};
  }
  return std::nullopt;
}

void DeliverChain::settle(std::size_t at, const DeliveryResult& result, Duration now) {
  Lane& lane = lanes_[at];
  for (Lane& any : lanes_) any.next_is_full = false;
  const OutboxPage* const page = lane.stage.find(result.page_id);
  if (page == nullptr) return;
  const std::int64_t offset = page->offset;
  std::vector<OutboxPage> parked = lane.stage.settle(result, now);
  if (lane.stage.find(result.page_id) == nullptr) {
    lane.taken_later.erase({offset, result.page_id});
    if (result.outcome == DeliveryOutcome::delivered) {
      clear_deadline(lane, result.page_id);
      for (std::size_t before = 0; before < at; ++before) {
        if (const OutboxPage* same = lanes_[before].stage.find(result.page_id)) {
          lanes_[before].taken_later.emplace(same->offset, same->page_id);
        }
      }
    }
  }
  for (OutboxPage& one : parked) {
    lane.taken_later.erase({one.offset, one.page_id});
    // Without a deadline the next lane has it already, or there is none.
    if (clear_deadline(lane, one.page_id)) lane.held.push_back(std::move(one));
  }
}

std::optional<Duration> DeliverChain::next_due() const {
  std::optional<Duration> due;
  const auto consider = [&due](Duration at) {
    if (!due || at < *due) due = at;
  };
  for (const Lane& lane : lanes_) {
    if (const auto own = lane.stage.next_due()) consider(*own);
    if (lane.next_is_full) continue;
    if (!lane.held.empty()) consider(Duration{0});
    if (!lane.deadlines.empty()) consider(lane.deadlines.begin()->first.first);
  }
  return due;
}

std::int64_t DeliverChain::committed(std::int64_t end) const {
  std::int64_t lowest = end;
  for (const Lane& lane : lanes_) {
    lowest = std::min(lowest, lane.stage.committed(end));
    for (const OutboxPage& page : lane.held) lowest = std::min(lowest, page.offset);
  }
  return lowest;
}

DeliveryFigures DeliverChain::figures(std::size_t lane) const {
  DeliveryFigures figures = lanes_[lane].stage.figures();
  if (lane > 0) figures.pending += lanes_[lane - 1].held.size();
  return figures;
}

}  // namespace tocsin
