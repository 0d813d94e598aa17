// Timers by grid time: a hierarchical timing wheel (Varghese and Lauck 1987) whose tick is one slice.
//
// Two wheels of 512 slots: 85 minutes of slices, then 30 days of those; what lies further waits in the last slot
// of the second and is put again. Setting, moving and cancelling cost a few nanoseconds and no allocation once
// the highest id has been seen. One timer an id.

#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace tocsin {

class TimingWheel {
 public:
  using Id = std::uint32_t;

  // Sets the timer of `id` to `tick`, in place of an earlier one. A tick that has passed fires at the next.
  void set(Id id, std::int64_t tick);
  void cancel(Id id);

  // Moves on to `tick`, and appends to `due` every id whose timer has come, in no particular order.
  // Requires: `tick` does not go back.
  void advance(std::int64_t tick, std::vector<Id>& due);

  std::size_t size() const { return size_; }

 private:
  static constexpr std::int64_t slots = 512;
  static constexpr Id none = UINT32_MAX;

  struct Node {
    Id next = none;
    Id previous = none;
    std::int32_t slot = -1;  // 0..511 first wheel, 512..1023 second, 1024 before time begins; -1: no timer
    std::int64_t tick = 0;
  };

  void begin(std::int64_t tick);
  void link(Id id, std::int32_t slot);
  void unlink(Id id);
  void place(Id id);

  std::int64_t now_ = INT64_MIN;
  std::size_t size_ = 0;
  std::vector<Node> nodes_;
  std::array<Id, 2 * slots + 1> heads_ = [] {
    std::array<Id, 2 * slots + 1> heads{};
    heads.fill(none);
    return heads;
  }();
};

}  // namespace tocsin
