#include "core/halt/halt_ledger.h"

#include <algorithm>
#include <utility>

namespace tocsin {

void HaltLedger::forget(RecordTime now) {
  while (!by_expiry_.empty() && by_expiry_.front().first <= now) {
    const auto expired = known_.find(by_expiry_.front().second);
    if (const std::size_t change = expired->second.change; change != none) {
      changed_[change] = changed_.back();
      changed_[change]->second.change = change;
      changed_.pop_back();
    }
    if (expired->second.is_stored) forgotten_.push_back(expired->first);
    known_.erase(expired);
    by_expiry_.pop_front();
  }
  // What lies ahead was entered before the log had a time.
  while (!recent_.empty() && (recent_.front().at + policy_.within <= now || recent_.front().at > now)) {
    const auto counted = recent_by_agent_.find(recent_.front().agent);
    if (--counted->second == 0) recent_by_agent_.erase(counted);
    recent_.pop_front();
  }
}

void HaltLedger::note_change(Entries::value_type& entry) {
  if (entry.second.change != none) return;
  entry.second.change = changed_.size();
  changed_.push_back(&entry);
}

HaltLedger::Entry HaltLedger::enter(HaltRecord record, RecordTime now) {
  forget(now);
  Entry entry;
  auto [known, is_new] = known_.try_emplace(record.id);
  entry.is_new = is_new;
  if (is_new) {
    known->second.entered_at = now;
    known->second.agent = record.agent;
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
      known->second.is_counted = true;
      recent_.push_back({now, record.agent});
      ++recent_by_agent_[record.agent];
    }
  }
  ++known->second.count;
  note_change(*known);
  record.state = known->second.state;
  record.count = known->second.count;
  record.first_at = known->second.first_at;
  record.expires_at = known->second.expires_at;
  entry.record = std::move(record);
  return entry;
}

void HaltLedger::restore(const std::string& id, Known halt) {
  Remembered remembered{std::move(halt)};
  remembered.is_stored = true;
  known_.insert_or_assign(id, std::move(remembered));
}

void HaltLedger::resume(RecordTime last_held) {
  last_held_ = last_held;
  for (const auto& [id, halt] : known_) {
    by_expiry_.emplace_back(as_record_time(halt.expires_at), id);
    if (!halt.is_counted) continue;
    recent_.push_back({halt.entered_at, halt.agent});
    ++recent_by_agent_[halt.agent];
  }
  std::sort(by_expiry_.begin(), by_expiry_.end());
  std::sort(recent_.begin(), recent_.end(), [](const Recent& a, const Recent& b) { return a.at < b.at; });
}

}  // namespace tocsin
