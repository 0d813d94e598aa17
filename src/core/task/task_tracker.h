// Follows the tasks of one source partition from their events, and tells when one runs past a rule's limit.
//
// A deadline is by the task's own clock, and is looked at when the log's time passes it: it fires in the first
// grid time at least 5 s after it, unless an end in time was read before. So a backlog that holds both the start
// and the end of a task never fires, however late it is read.
//
// Thread: the shard that owns the partition.

#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/rule/rule_set.h"
#include "core/stage/block.h"
#include "core/task/task_explanation.h"
#include "core/task/task_table.h"
#include "core/task/timing_wheel.h"

namespace tocsin {

class TaskTracker {
 public:
  // How long after a deadline it is looked at: the end of a task may be on its way.
  static constexpr Duration grace = std::chrono::seconds{5};

  // What an event means to its task.
  struct Note {
    Task* task = nullptr;  // null where the event belongs to none, or the table is full
    bool opened = false;
    bool ended = false;        // this event ended it
    bool repeated = false;     // an end of a task that had ended: it counts nowhere
    bool not_tracked = false;  // the table is full
  };

  // Requires: `rules` lives longer than this.
  TaskTracker(const RuleSet& rules, std::size_t most_tasks);

  // `now`: log time, and the event's time where it has none. `is_unkeyed`: the record did not have the correlation
  // id as its key, so that other events of the task may be in another partition. From then on the task is never
  // said to be over a limit.
  Note apply(const EventFields& event, RecordTime now, bool is_unkeyed = false);

  // Whether rules count events of this type within tasks, and whether by their arguments.
  bool counts(EventType type) const { return ((counted_types_ >> static_cast<unsigned>(type)) & 1U) != 0; }
  bool counts_arguments(EventType type) const {
    return ((types_by_arguments_ >> static_cast<unsigned>(type)) & 1U) != 0;
  }
  // Counts an event in its task, once it says all that is known of it. `arguments`: a keyed hash; 0 where it has
  // none. Requires: counts(event.type); apply() gave `task` for this event.
  void count(Task& task, const EventFields& event, RecordTime now, std::uint64_t arguments);

  // Looks at every deadline that has come at grid time `grid`, and appends what became of tasks since the last
  // call, by rule and group. `closed` gets the tasks that were given up; valid until the next call.
  void close(RecordTime grid, std::vector<TaskNews>& news, std::vector<Task>& closed);

  // The limits of other rules hold from now on; what a rule that stays has said of a task is not said again.
  // Requires: nothing was applied since the last close(); `rules` lives longer than this.
  void change_rules(const RuleSet& rules);

  // Events of the open tasks may be elsewhere: none of them is said to be over a limit from now on.
  void lose_track();

  std::size_t open_tasks() const { return open_; }
  bool is_open(std::string_view correlation_id) const;
  // Whether an event of this task has said that a person has it.
  bool was_handed_over(std::string_view correlation_id) const;

  // How a rule's condition stands at grid time `grid` for a task of these labels (of its group, or correlation_id),
  // with every number, for people; of several tasks the first by id. Nothing where there is no such rule or task.
  std::optional<TaskExplanation> explain(std::string_view alert, const Labels& labels, RecordTime grid) const;

  // Calls visit(correlation_id, const Task*, fired_rules) for each task that changed since the last call; null: it is
  // removed. `fired_rules`: hashes of their names. A task that was removed and came again is visited twice, in that
  // order. Requires: nothing was applied since the last close().
  template <class Visit>
  void take_changes(Visit visit) {
    std::vector<std::uint64_t> fired_rules;
    for (std::size_t i = 0; i < removed_count_; ++i) {
      visit(removed_[i], static_cast<const Task*>(nullptr), fired_rules);
    }
    removed_count_ = 0;
    for (const TaskTable::Slot slot : changed_) {
      Task& task = tasks_[slot];
      task.is_changed = false;
      if (tasks_.find(task.hash, task.correlation_id) != slot) continue;  // removed since
      task.is_stored = true;
      fired_rules.clear();
      for (std::size_t i = 0; i < task_rules_.size(); ++i) {
        if ((task.fired_rules >> i) & 1U) fired_rules.push_back(task_rules_[i].name_hash);
      }
      visit(task.correlation_id, static_cast<const Task*>(&task), fired_rules);
    }
    changed_.clear();
  }

  // Takes back a task as it was stored, in the place of an earlier one, or removes it again. Then, after the last
  // one, resume() sets the timers and calls visit(Task&) for each open task.
  void restore(std::string_view correlation_id, Task task, const std::vector<std::uint64_t>& fired_rules);
  void restore_removed(std::string_view correlation_id);
  template <class Visit>
  void resume(Visit visit) {
    open_ = 0;
    tasks_.for_each([&](TaskTable::Slot slot) {
      schedule(slot);
      if (tasks_[slot].ended) return;
      ++open_;
      visit(tasks_[slot]);
    });
  }

 private:
  struct TaskRule {
    std::uint32_t rule = 0;  // index into RuleSet::rules
    const Rule* compiled = nullptr;
    std::uint64_t name_hash = 0;
    std::uint64_t grouping = 0;  // as Task::SaidGroup::rule
    std::uint64_t counting = 0;  // count_identity(), where it counts
    bool waits = false;          // for a time too
  };

  void start(Task& task, const EventFields& event, EventTime at);
  void finish(Task& task, EventTime at, RecordTime now);
  void note_attributes(Task& task, const EventFields& event, bool again) const;
  // `closed`: the grid time whose deadlines were looked at just now; nothing waits for those of counting rules again.
  void schedule(TaskTable::Slot slot, RecordTime closed = before_all);
  void note_change(TaskTable::Slot slot);
  void remove(TaskTable::Slot slot);
  // When the rule's condition becomes true for the task as things stand; nothing where it can't.
  std::optional<EventTime> due_at(const TaskRule& rule, const Task& task) const;
  // `counted`: the rule's `value`.
  void read_inputs(const TaskRule& rule, const Task& task, EventTime at, double counted,
                   std::vector<double>& inputs) const;
  std::vector<double> inputs_of(const TaskRule& rule, const Task& task, EventTime at) const;
  double wall_clock_of(const Task& task) const;
  TaskNews news_of(const TaskRule& rule, const Task& task, TaskNews::Kind kind, EventTime at) const;
  void fire_due(TaskTable::Slot slot, RecordTime grid);
  void fire_first_counted(std::size_t rule, Task& task, EventTime at);
  double limit_of(const TaskRule& rule);  // after holds() has read the inputs of the rule
  void note_said(std::size_t rule, Task& task, const GroupKey& group) const;
  void fire_counted(std::size_t rule, Task& task, const CountedKey& key, EventTime at);
  // Whether the condition holds for what was counted under this key.
  bool holds(const TaskRule& rule, const Task& task, const CountedKey& key, EventTime at);
  // The labels under which a rule has spoken of the task, else as they are now.
  GroupKey group_for(const TaskRule& rule, const Task& task) const;
  // From what other rules left; true where there was some.
  bool drop_unknown(Task& task) const;

  void read_rules();

  const RuleSet* rules_;
  std::shared_ptr<const OwnAttributes> own_;  // null: there are none
  std::vector<TaskRule> task_rules_;
  Duration expire_;
  TaskTable tasks_;
  TimingWheel wheel_;
  std::vector<TimingWheel::Id> due_;
  std::uint32_t counted_types_ = 0, types_by_arguments_ = 0;  // by EventType
  std::uint64_t slice_ = 1;                                   // how often close() was called, and one
  std::vector<double> inputs_;  // of holds(), and values_ of count(): they keep their memory
  std::string values_;
  std::vector<TaskNews> news_;
  std::vector<Task> closed_;
  std::size_t open_ = 0;
  std::vector<TaskTable::Slot> changed_;  // each once, since the last take_changes()
  std::vector<std::string> removed_;      // the first `removed_count_`; the others keep their memory
  std::size_t removed_count_ = 0;
};

}  // namespace tocsin
