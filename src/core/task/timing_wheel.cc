#include "core/task/timing_wheel.h"

#include <algorithm>

namespace tocsin {

void TimingWheel::set(Id id, std::int64_t tick) {
  if (id >= nodes_.size()) nodes_.resize(std::max<std::size_t>(id + 1, 2 * nodes_.size()));
  if (nodes_[id].slot >= 0) unlink(id);
  nodes_[id].tick = tick;
  // Where the wheel stands is known from the first advance() on.
  if (now_ == INT64_MIN) {
    link(id, static_cast<std::int32_t>(2 * slots));
  } else {
    place(id);
  }
}

void TimingWheel::cancel(Id id) {
  if (id < nodes_.size() && nodes_[id].slot >= 0) unlink(id);
}

void TimingWheel::place(Id id) {
  const std::int64_t tick = std::max(nodes_[id].tick, now_ + 1);
  if (tick - now_ <= slots) {
    link(id, static_cast<std::int32_t>(((tick % slots) + slots) % slots));
    return;
  }
  // The second wheel turns once every 512 ticks; an item waits there for the turn before its own.
  const std::int64_t turn = std::min((tick - 1) / slots, now_ / slots + slots - 1);
  link(id, static_cast<std::int32_t>(slots + ((turn % slots) + slots) % slots));
}

void TimingWheel::begin(std::int64_t tick) {
  now_ = tick - 1;
  for (Id id = heads_[2 * slots]; id != none;) {
    const Id next = nodes_[id].next;
    unlink(id);
    place(id);
    id = next;
  }
}

void TimingWheel::advance(std::int64_t tick, std::vector<Id>& due) {
  if (now_ == INT64_MIN) begin(tick);
  while (now_ < tick && size_ > 0) {
    ++now_;
    // Before the turn of the second wheel, whose timers may go into this very slot, 512 ticks from now.
    const auto slot = static_cast<std::size_t>(((now_ % slots) + slots) % slots);
    for (Id id = heads_[slot]; id != none;) {
      const Id next = nodes_[id].next;
      unlink(id);
      due.push_back(id);
      id = next;
    }
    if (now_ % slots == 0) {
      const auto turn = static_cast<std::size_t>(slots + (((now_ / slots) % slots) + slots) % slots);
      for (Id id = heads_[turn]; id != none;) {
        const Id next = nodes_[id].next;
        unlink(id);
        if (nodes_[id].tick <= now_) {
          due.push_back(id);
        } else {
          place(id);
        }
        id = next;
      }
    }
  }
  now_ = std::max(now_, tick);
}

void TimingWheel::link(Id id, std::int32_t slot) {
  Node& node = nodes_[id];
  node.slot = slot;
  node.previous = none;
  node.next = heads_[static_cast<std::size_t>(slot)];
  if (node.next != none) nodes_[node.next].previous = id;
  heads_[static_cast<std::size_t>(slot)] = id;
  ++size_;
}

void TimingWheel::unlink(Id id) {
  Node& node = nodes_[id];
  if (node.previous != none) {
    nodes_[node.previous].next = node.next;
  } else {
    heads_[static_cast<std::size_t>(node.slot)] = node.next;
  }
  if (node.next != none) nodes_[node.next].previous = node.previous;
  node.slot = -1;
  --size_;
}

}  // namespace tocsin
