#include "core/halt/halt_ledger.h"

#include <utility>

namespace tocsin {

void HaltLedger::forget(RecordTime now) {
  while (!by_expiry_.empty() && by_expiry_.front().first <= now) {
    known_.erase(by_expiry_.front().second);
    by_expiry_.pop_front();
  }
  while (!recent_.empty() && recent_.front().at + policy_.within <= now) {
    const auto counted = recent_by_agent_.find(recent_.front().agent);
    if (--counted->second == 0) recent_by_agent_.erase(counted);
    recent_.pop_front();
  }
}

HaltLedger::Entry HaltLedger::enter(HaltRecord record, RecordTime now) {
  forget(now);
  Entry entry;
  auto [known, is_new] = known_.try_emplace(record.id);
  entry.is_new = is_new;
  if (is_new) {
    known->second.first_at = record.last_at;
    known->second.expires_at = as_event_time(now + policy_.task_halt_expires);
    by_expiry_.emplace_back(now + policy_.task_halt_expires, record.id);
    const auto of_agent = recent_by_agent_.find(record.agent);
    const bool too_many = recent_.size() >= policy_.in_all ||
                          (of_agent != recent_by_agent_.end() && of_agent->second >= policy_.per_agent);
    known->second.state = !policy_.enforce ? HaltState::dry_run : too_many ? HaltState::held : HaltState::enforced;
    if (too_many && policy_.enforce) {
      entry.storm_begins = now - last_held_ > policy_.within;
      last_held_ = now;
    } else if (!too_many) {
      recent_.push_back({now, record.agent});
      ++recent_by_agent_[record.agent];
    }
  }
  ++known->second.count;
  record.state = known->second.state;
  record.count = known->second.count;
  record.first_at = known->second.first_at;
  record.expires_at = known->second.expires_at;
  entry.record = std::move(record);
  return entry;
}

}  // namespace tocsin
