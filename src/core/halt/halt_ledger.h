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

 private:
  void forget(RecordTime now);

  struct Known {
    HaltState state = HaltState::dry_run;
    std::uint64_t count = 0;
    EventTime first_at{};
    EventTime expires_at{};
  };
  struct Recent {
    RecordTime at;
    std::string agent;
  };

  HaltPolicy policy_;
  std::unordered_map<std::string, Known> known_;
  std::deque<std::pair<RecordTime, std::string>> by_expiry_;  // halt ids in the order in which they expire
  std::deque<Recent> recent_;
  std::map<std::string, std::uint32_t> recent_by_agent_;
  RecordTime last_held_{Duration{INT64_MIN / 2}};
};

}  // namespace tocsin
