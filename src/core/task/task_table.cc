#include "core/task/task_table.h"

namespace tocsin {

TaskTable::Slot TaskTable::find(std::uint64_t hash, std::string_view correlation_id) const {
  for (std::size_t at = bucket_of(hash); buckets_[at] != none; at = (at + 1) & (buckets_.size() - 1)) {
    const Task& task = tasks_[buckets_[at]];
    if (task.hash == hash && task.correlation_id == correlation_id) return buckets_[at];
  }
  return none;
}

TaskTable::Slot TaskTable::insert(std::uint64_t hash, std::string_view correlation_id) {
  if (2 * (size_ + 1) > buckets_.size()) grow();
  Slot slot = 0;
  if (free_.empty()) {
    slot = static_cast<Slot>(tasks_.size());
    tasks_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  Task& task = tasks_[slot];
  task.correlation_id.assign(correlation_id);
  task.hash = hash;
  for (std::string& field : task.fields) field.clear();
  for (TaskAttribute& attribute : task.attributes) attribute.value.clear();
  task.started = task.last_event = {};
  task.ended.reset();
  task.paused.reset();
  task.paused_for = {};
  task.wall_clock.reset();
  task.forget_at = {};
  task.fired_rules = 0;
  task.agent_slot = 0;
  task.saw_start = false;
  task.forget_more();
  task.held_slice = 0;
  task.is_unkeyed = false;
  task.is_stored = false;

  std::size_t at = bucket_of(hash);
  while (buckets_[at] != none) at = (at + 1) & (buckets_.size() - 1);
  buckets_[at] = slot;
  ++size_;
  return slot;
}

void TaskTable::remove(Slot slot) {
  const std::size_t mask = buckets_.size() - 1;
  std::size_t hole = bucket_of(tasks_[slot].hash);
  while (buckets_[hole] != slot) hole = (hole + 1) & mask;
  // Close the hole, so that no search ends early: each later entry of the run moves up unless it would pass
  // its own bucket.
  for (std::size_t at = (hole + 1) & mask; buckets_[at] != none; at = (at + 1) & mask) {
    const std::size_t home = bucket_of(tasks_[buckets_[at]].hash);
    if (((at - home) & mask) < ((at - hole) & mask)) continue;
    buckets_[hole] = buckets_[at];
    hole = at;
  }
  buckets_[hole] = none;
  free_.push_back(slot);
  --size_;
}

void TaskTable::grow() {
  std::vector<Slot> before = std::move(buckets_);
  buckets_.assign(2 * before.size(), none);
  for (const Slot slot : before) {
    if (slot == none) continue;
    std::size_t at = bucket_of(tasks_[slot].hash);
    while (buckets_[at] != none) at = (at + 1) & (buckets_.size() - 1);
    buckets_[at] = slot;
  }
}

}  // namespace tocsin
