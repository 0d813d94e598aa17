// The halts that one source partition has ordered: what makes the ninth arrival of one secret a count, and the
// twenty-first secret of ten minutes a question to a person.
//
// Thread: the shard that owns the partition.

#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/units.h"
#include "core/halt/halt_record.h"

namespace tocsin {

struct HaltPolicy {
  bool enforce = false;         // else a dry run
  std::uint32_t per_agent = 5;  // new halts of one agent within `within`
  std::uint32_t in_all = 20;    // of one source partition
  Duration within = std::chrono::minutes{10};
  Duration task_halt_expires = std::chrono::hours{168};
};

class HaltLedger {
 public:
  explicit HaltLedger(HaltPolicy policy) : policy_(policy) {}

  struct Entry {
    HaltRecord record;
    bool is_new = false;
    bool storm_begins = false;  // the first that is held after a time in which none was
  };

  // Enters one arrival at log time `now`, fills in state, count, first_at and expires_at, and returns the record
  // as it is to be written. What is new counts against the limits, what repeats does not.
  Entry enter(HaltRecord record, RecordTime now);

  std::size_t size() const { return known_.size(); }
  const HaltPolicy& policy() const { return policy_; }

  // What is remembered of one halt.
  struct Known {
    HaltState state = HaltState::dry_run;
    std::uint64_t count = 0;
    EventTime first_at{};
    EventTime expires_at{};
    RecordTime entered_at;
    bool is_counted = false;  // against the limits, while it is recent
    std::string agent;
  };

  // Calls visit(id, const Known*) for each halt that changed since the last call; null: it is forgotten. An id that
  // was forgotten and came again is visited twice, in that order.
  template <class Visit>
  void take_changes(Visit visit) {
    for (const std::string& id : forgotten_) visit(id, static_cast<const Known*>(nullptr));
    forgotten_.clear();
    for (Entries::value_type* entry : changed_) {
      entry->second.change = none;
      entry->second.is_stored = true;
      visit(entry->first, static_cast<const Known*>(&entry->second));
    }
    changed_.clear();
  }
  RecordTime last_held() const { return last_held_; }

  // Takes back a halt as it was stored, or forgets it again; then, after the last one, resume() goes on.
  void restore(const std::string& id, Known halt);
  void restore_forgotten(const std::string& id) { known_.erase(id); }
  void resume(RecordTime last_held);

 private:
  static constexpr std::size_t none = SIZE_MAX;

  struct Remembered : Known {
    std::size_t change = none;  // its place in `changed_`
    bool is_stored = false;
  };
  using Entries = std::unordered_map<std::string, Remembered>;

  void forget(RecordTime now);
  void note_change(Entries::value_type& entry);
  struct Recent {
    RecordTime at;
    std::string agent;
  };

  HaltPolicy policy_;
  Entries known_;
  std::vector<Entries::value_type*> changed_;
  std::vector<std::string> forgotten_;                        // of those that were stored
  std::deque<std::pair<RecordTime, std::string>> by_expiry_;  // halt ids in the order in which they expire
  std::deque<Recent> recent_;
  std::map<std::string, std::uint32_t> recent_by_agent_;
  RecordTime last_held_{Duration{INT64_MIN / 2}};
};

}  // namespace tocsin
