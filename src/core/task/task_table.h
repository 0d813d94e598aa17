// The open tasks of one source partition, by correlation id, and those that ended a little while ago.
//
// A task opens with task.started, else with the first event that only a task can send. It is remembered for ten
// minutes of log time after its end, so that stragglers find it, an end that came twice counts once, and an end
// that came before its start is not taken for a task that never ends.
//
// Slots are reused with their strings' memory, so that steady traffic allocates nothing.

#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "core/event/event_fields.h"
#include "core/task/task_counts.h"

namespace tocsin {

// What events of a task may leave out, because the task has said it.
inline constexpr std::array<StringField, 7> task_fields{
    StringField::env,          StringField::agent, StringField::agent_version, StringField::spec,
    StringField::spec_version, StringField::model, StringField::model_version};

// One of a deployment's own, by its name: it outlives rule sets.
struct TaskAttribute {
  std::string name;
  std::string value;  // empty: the task has not said it
};

struct Task {
  std::string correlation_id;
  std::uint64_t hash = 0;
  std::array<std::string, task_fields.size()> fields;
  std::vector<TaskAttribute> attributes;

  EventTime started{};              // by its own clock: of task.started, else of its first event
  std::optional<EventTime> ended;   // by its own clock
  std::optional<EventTime> paused;  // since when, while it declares a pause
  Duration paused_for{};            // pauses that are over
  EventTime last_event{};
  std::optional<Duration> wall_clock;  // its own budget, which overrides its spec's
  RecordTime forget_at{};              // of log time; of an ended task
  std::uint32_t fired_rules = 0;       // by number of the rule among those of mode task
  std::uint32_t agent_slot = 0;        // of its agent's figures
  bool saw_start = false;
  bool was_handed_over = false;  // to a person
  std::string session;           // some name it in one event of the task only
  // What its model calls add up to; nothing where none says so.
  std::optional<std::int64_t> tokens_in, tokens_out, tokens_cached, cost;

  std::vector<CountedKey> counted;
  // Under which labels a rule has said something of it: what it says later goes to the same alert, although the task
  // may have told more of itself in between.
  struct SaidGroup {
    std::uint64_t rule = 0;  // hash of its name and the names of its labels
    std::string group;       // GroupKey
  };
  std::vector<SaidGroup> said;
  std::uint64_t held_slice = 0;  // in which a bit of held_rules means that its condition held; not stored
  std::uint32_t held_rules = 0;

  void forget_more() {
    was_handed_over = false;
    session.clear();
    counted.clear();
    said.clear();
    for (auto* const sum : {&tokens_in, &tokens_out, &tokens_cached, &cost}) sum->reset();
  }

  void add_call(const EventFields& call) {
    const auto add = [&](std::optional<std::int64_t>& sum, NumberField field) {
      const auto more = call.get(field);
      if (more) sum = std::min(sum.value_or(0) + *more, largest_number);
    };
    add(tokens_in, NumberField::tokens_in);
    add(tokens_out, NumberField::tokens_out);
    add(tokens_cached, NumberField::tokens_cached);
    add(cost, NumberField::cost);
  }

  bool is_unkeyed = false;  // some of its events may be in another partition: nothing is said about its end
  bool is_stored = false;   // in the partition's state: its removal is a change
  bool is_changed = false;  // of the slot: it stands in the tracker's list of changes

  std::string_view field(StringField name) const {
    for (std::size_t i = 0; i < task_fields.size(); ++i) {
      if (task_fields[i] == name) return fields[i];
    }
    return {};
  }
  std::string_view attribute(std::string_view name) const {
    for (const TaskAttribute& one : attributes) {
      if (one.name == name) return one.value;
    }
    return {};
  }
  // `again`: what it said before counts no more.
  void note_attribute(std::string_view name, std::string_view value, bool again) {
    auto known = std::find_if(attributes.begin(), attributes.end(),
                              [&](const TaskAttribute& one) { return one.name == name; });
    if (known == attributes.end()) known = attributes.insert(known, TaskAttribute{std::string(name), {}});
    if (known->value.empty() || again) known->value.assign(value);
  }

  // How long it has run until `at`, pauses left out.
  Duration elapsed(EventTime at) const {
    const EventTime until = paused ? std::min(*paused, at) : at;
    return std::max(Duration{0}, until - started - paused_for);
  }
};

class TaskTable {
 public:
  using Slot = std::uint32_t;
  static constexpr Slot none = UINT32_MAX;

  explicit TaskTable(std::size_t most_tasks) : most_tasks_(most_tasks) { buckets_.assign(64, none); }

  Slot find(std::uint64_t hash, std::string_view correlation_id) const;

  // Adds a task that is not there; `none` when the table is full.
  Slot add(std::uint64_t hash, std::string_view correlation_id) {
    return size_ < most_tasks_ ? insert(hash, correlation_id) : none;
  }
  // The same for a task that has been in it before, which is not lost because the table was larger then.
  Slot insert(std::uint64_t hash, std::string_view correlation_id);
  void remove(Slot slot);

  Task& operator[](Slot slot) { return tasks_[slot]; }
  const Task& operator[](Slot slot) const { return tasks_[slot]; }

  std::size_t size() const { return size_; }

  template <class Visit>
  void for_each(Visit visit) const {
    for (const Slot slot : buckets_) {
      if (slot != none) visit(slot);
    }
  }

 private:
  void grow();
  std::size_t bucket_of(std::uint64_t hash) const { return hash & (buckets_.size() - 1); }

  std::size_t most_tasks_;
  std::size_t size_ = 0;
  std::vector<Task> tasks_;
  std::vector<Slot> free_;
  std::vector<Slot> buckets_;  // open addressing with linear probing; a power of two, at most half full
};

}  // namespace tocsin
