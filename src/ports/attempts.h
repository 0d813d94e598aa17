// What of the work on single records outlives a process that dies of it: for each source partition the record that
// is being worked on, and at which records a process has died, how often.
//
// A record that ends every process that reads it would stop its partition for good. After `most_deaths` at one
// offset it is passed over, until the partition's position is behind it for good. Implemented by edge/disk.
//
// Thread: a mark belongs to whoever owns its partition; attempts may be asked from any thread.

#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

namespace tocsin {

// Plain memory, so that it may lie in a file.
class AttemptMark {
 public:
  static constexpr std::int64_t none = -1;
  static constexpr std::int64_t most_deaths = 3;

  void begin(std::int64_t offset) { under_way_.store(offset, std::memory_order_relaxed); }
  void end() { under_way_.store(none, std::memory_order_relaxed); }

  // The work that was begun came to no end: its process died, or threw.
  void note_death() {
    const std::int64_t offset = under_way_.exchange(none, std::memory_order_relaxed);
    if (offset == none) return;
    Suspect* least = suspects_.data();  // the one to give way where there is no room
    for (Suspect& one : suspects_) {
      if (one.offset == offset) {
        ++one.deaths;
        return;
      }
      if (one.deaths < least->deaths) least = &one;
    }
    *least = {offset, 1};
  }
  // Everything before `next_offset` is done for good.
  void note_committed(std::int64_t next_offset) {
    for (Suspect& one : suspects_) {
      if (one.offset < next_offset) one = {};
    }
  }
  // The first record from `offset` on that is not to be tried again.
  std::int64_t given_up_from(std::int64_t offset) const {
    std::int64_t first = none;
    for (const Suspect& one : suspects_) {
      if (one.deaths < most_deaths || one.offset < offset) continue;
      if (first == none || one.offset < first) first = one.offset;
    }
    return first;
  }
  std::int64_t deaths_at(std::int64_t offset) const {
    for (const Suspect& one : suspects_) {
      if (one.offset == offset) return one.deaths;
    }
    return 0;
  }

 private:
  struct Suspect {
    std::int64_t offset = none;
    std::int64_t deaths = 0;
  };
  // Relaxed: nobody else looks while the process lives; what counts is that each store reaches the memory.
  std::atomic<std::int64_t> under_way_{none};
  std::array<Suspect, 16> suspects_;
};

class Attempts {
 public:
  virtual ~Attempts() = default;
  // The mark of a partition of a topic of the cluster, for as long as this lives; null where there is no room.
  virtual AttemptMark* mark_of(const std::string& topic, std::int32_t partition) = 0;
};

}  // namespace tocsin
