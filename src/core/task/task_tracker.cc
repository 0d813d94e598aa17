#include "core/task/task_tracker.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "base/hash.h"
#include "base/time_text.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

// How long an ended task is remembered: stragglers and reordered starts arrive within minutes.
constexpr Duration remembered = 10min;

constexpr Duration default_expire = 24h;

// Of an event's own time before log time, where it is counted: one broken clock shall not empty a window for good.
constexpr Duration furthest_ahead = 1min;

constexpr std::int64_t tick_of(RecordTime grid) {
  return grid.since_epoch / slice_length;
}

bool opens_task(EventType type) {
  switch (type) {
    case EventType::task_started:
    case EventType::task_heartbeat:
    case EventType::task_paused:
    case EventType::task_resumed:
    case EventType::task_finished:
    case EventType::step:
    case EventType::tool_call:
      return true;
    default:
      return false;
  }
}

double seconds(Duration duration) {
  return static_cast<double>(duration.count()) / 1'000;
}

// In seconds.
double silent_at(const Task& task, EventTime at) {
  return seconds(std::max(Duration{0}, at - task.last_event));
}

std::uint64_t grouping_of(const Rule& rule) {
  std::string labels;
  for (const GroupField& field : rule.group_by) labels += label_name(field) + "/";
  return hash_parts({rule.name, labels}).low;
}

GroupKey group_of(const std::vector<GroupField>& fields, const Task& task) {
  GroupKey key;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) key += '\0';
    if (fields[i].field == StringField::correlation_id) {
      key += task.correlation_id;
    } else if (!fields[i].attribute.empty()) {
      key += task.attribute(fields[i].attribute);
    } else if (fields[i].field) {
      key += task.field(*fields[i].field);
    }
  }
  return key;
}

}  // namespace

TaskTracker::TaskTracker(const RuleSet& rules, std::size_t most_tasks)
    : rules_(&rules), expire_(default_expire), tasks_(most_tasks) {
  read_rules();
}

void TaskTracker::read_rules() {
  own_ = rules_->own_attributes();
  task_rules_.clear();
  counted_types_ = types_by_arguments_ = 0;
  expire_ = default_expire;
  Duration longest{0};
  for (std::uint32_t i = 0; i < rules_->rules.size(); ++i) {
    const Rule& rule = rules_->rules[i];
    if (rule.mode != RuleMode::task || task_rules_.size() == most_task_rules) continue;
    task_rules_.push_back({i, &rule, hash64(rule.name), grouping_of(rule), 0, false});
    if (rule.count) {
      task_rules_.back().waits = rule.when.uses(Variable::Kind::elapsed);
      const std::uint32_t type = 1U << static_cast<unsigned>(rule.from);
      task_rules_.back().counting = count_identity(rule);
      counted_types_ |= type;
      if (rule.count->per_arguments) types_by_arguments_ |= type;
    }
    longest = std::max(longest, rule.expire);
  }
  if (longest > 0s) expire_ = longest;
}

void TaskTracker::change_rules(const RuleSet& rules) {
  const std::vector<TaskRule> before = std::move(task_rules_);
  rules_ = &rules;
  read_rules();
  tasks_.for_each([&](TaskTable::Slot slot) {
    Task& task = tasks_[slot];
    std::uint32_t kept = 0;
    int lost = std::popcount(task.fired_rules);
    for (std::size_t old = 0; old < before.size(); ++old) {
      if (((task.fired_rules >> old) & 1U) == 0) continue;
      for (std::size_t i = 0; i < task_rules_.size(); ++i) {
        if (task_rules_[i].name_hash != before[old].name_hash) continue;
        kept |= 1U << i;
        --lost;
      }
    }
    task.fired_rules = kept;
    std::erase_if(task.attributes, [&](const TaskAttribute& one) { return !own_ || !own_->named(one.name); });
    if (drop_unknown(task)) lost = 1;
    if (lost > 0) note_change(slot);  // what is stored names rules that are gone, which may come again
    schedule(slot);
  });
}

TaskTracker::Note TaskTracker::apply(const EventFields& event, RecordTime now, bool is_unkeyed) {
  Note note;
  const std::string_view correlation_id = event.get(StringField::correlation_id);
  if (correlation_id.empty()) return note;
  const EventTime at = event.time.value_or(as_event_time(now));
  const std::uint64_t hash = hash64(correlation_id);
  TaskTable::Slot slot = tasks_.find(hash, correlation_id);
  if (slot == TaskTable::none) {
    if (!opens_task(event.type)) return note;
    slot = tasks_.add(hash, correlation_id);
    if (slot == TaskTable::none) {
      note.not_tracked = true;
      return note;
    }
    note.opened = true;
    ++open_;
    tasks_[slot].started = tasks_[slot].last_event = at;
  }
  Task& task = tasks_[slot];
  note.task = &task;
  note_change(slot);
  task.is_unkeyed = task.is_unkeyed || is_unkeyed;
  bool says_more = note.opened;
  for (std::size_t i = 0; i < task_fields.size(); ++i) {
    if (!task.fields[i].empty() || !event.has(task_fields[i])) continue;
    task.fields[i].assign(event.get(task_fields[i]));
    says_more = true;  // a spec, for one, has bounds
  }
  note_attributes(task, event, false);
  task.last_event = std::max(task.last_event, at);
  if (task.session.empty()) task.session.assign(event.get(StringField::session_id));
  task.was_handed_over = task.was_handed_over || event.step_type() == StepType::surface;
  switch (event.type) {
    case EventType::task_started:
      start(task, event, at);
      break;
    case EventType::task_paused:
      if (!task.paused && !task.ended) task.paused = at;
      break;
    case EventType::task_resumed:
      if (task.paused) task.paused_for += std::max(Duration{0}, at - *task.paused);
      task.paused.reset();
      break;
    case EventType::task_finished:
      note.repeated = task.ended.has_value();
      if (note.repeated) {
        if (says_more) schedule(slot);
        return note;
      }
      if (note.opened) {
        if (const auto started = event.get(NumberField::started_at)) task.started = EventTime{Duration{*started}};
      }
      note.ended = true;
      finish(task, at, now);
      for (const TaskRule& rule : task_rules_) {
        const auto bit = 1U << (&rule - task_rules_.data());
        if ((task.fired_rules & bit) == 0) continue;
        news_.push_back(news_of(rule, task, TaskNews::Kind::ended, at));
        news_.back().outcome = event.outcome();
      }
      break;
    default:
      if (!says_more) return note;
  }
  schedule(slot);
  return note;
}

void TaskTracker::start(Task& task, const EventFields& event, EventTime at) {
  if (task.saw_start) return;
  task.saw_start = true;
  task.started = at;
  for (std::size_t i = 0; i < task_fields.size(); ++i) {
    if (event.has(task_fields[i])) task.fields[i].assign(event.get(task_fields[i]));
  }
  note_attributes(task, event, true);
  if (const auto budget = event.get(NumberField::budget_wall_clock)) {
    task.wall_clock = std::chrono::duration_cast<Duration>(std::chrono::microseconds{*budget});
  }
}

void TaskTracker::note_attributes(Task& task, const EventFields& event, bool again) const {
  if (own_ == nullptr) return;
  for (std::size_t i = 0; i < own_->size(); ++i) {
    const StringField field = own_attribute(i);
    if (event.has(field)) task.note_attribute(own_->name_of(field), event.get(field), again);
  }
}

void TaskTracker::finish(Task& task, EventTime at, RecordTime now) {
  if (task.paused) task.paused_for += std::max(Duration{0}, at - *task.paused);
  task.paused.reset();
  task.ended = at;
  task.forget_at = now + remembered;
  --open_;
}

bool TaskTracker::is_open(std::string_view correlation_id) const {
  const TaskTable::Slot slot = tasks_.find(hash64(correlation_id), correlation_id);
  return slot != TaskTable::none && !tasks_[slot].ended;
}

bool TaskTracker::was_handed_over(std::string_view correlation_id) const {
  const TaskTable::Slot slot = tasks_.find(hash64(correlation_id), correlation_id);
  return slot != TaskTable::none && tasks_[slot].was_handed_over;
}

void TaskTracker::lose_track() {
  tasks_.for_each([&](TaskTable::Slot slot) {
    if (tasks_[slot].ended || tasks_[slot].is_unkeyed) return;
    tasks_[slot].is_unkeyed = true;
    note_change(slot);
    schedule(slot);
  });
}

double TaskTracker::wall_clock_of(const Task& task) const {
  if (task.wall_clock) return seconds(*task.wall_clock);
  const auto bound = rules_->specs.bound(task.field(StringField::spec), task.field(StringField::spec_version),
                                         SpecBound::wall_clock);
  return bound.value_or(unknown_number);
}

std::vector<double> TaskTracker::inputs_of(const TaskRule& rule, const Task& task, EventTime at) const {
  std::vector<double> inputs;
  read_inputs(rule, task, at, unknown_number, inputs);
  return inputs;
}

void TaskTracker::read_inputs(const TaskRule& rule, const Task& task, EventTime at, double counted,
                              std::vector<double>& inputs) const {
  inputs.clear();
  for (const Variable& variable : rule.compiled->when.variables()) {
    double value = unknown_number;
    if (variable.kind == Variable::Kind::value) {
      value = counted;
    } else if (variable.kind == Variable::Kind::elapsed) {
      value = seconds(task.elapsed(task.ended ? std::min(at, *task.ended) : at));
    } else if (variable.kind == Variable::Kind::silent) {
      value = silent_at(task, at);
    } else if (variable.kind == Variable::Kind::spec) {
      const auto bound = static_cast<SpecBound>(variable.index);
      value = bound == SpecBound::wall_clock
                  ? wall_clock_of(task)
                  : rules_->specs.bound(task.field(StringField::spec), task.field(StringField::spec_version), bound)
                        .value_or(unknown_number);
    }
    inputs.push_back(value);
  }
}

std::optional<EventTime> TaskTracker::due_at(const TaskRule& rule, const Task& task) const {
  if (task.paused || task.is_unkeyed) return std::nullopt;
  const std::vector<double> inputs = inputs_of(rule, task, task.last_event);
  std::vector<Condition::Threshold> thresholds;
  if (!rule.compiled->when.thresholds(inputs.data(), thresholds)) return std::nullopt;
  EventTime due = task.started;
  for (const Condition::Threshold& threshold : thresholds) {
    if (is_unknown(threshold.seconds)) return std::nullopt;
    const Duration length = duration_of_seconds(threshold.seconds);
    due = std::max(due, threshold.kind == Variable::Kind::elapsed ? task.started + task.paused_for + length
                                                                  : task.last_event + length);
  }
  if (task.ended && *task.ended <= due) return std::nullopt;
  return due;
}

bool TaskTracker::holds(const TaskRule& rule, const Task& task, const CountedKey& key, EventTime at) {
  read_inputs(rule, task, at, amount_at(key, *rule.compiled->count, at), inputs_);
  return rule.compiled->when.holds(inputs_.data()) == Truth::yes;
}

void TaskTracker::count(Task& task, const EventFields& event, RecordTime now, std::uint64_t arguments) {
  if (task.ended || task.is_unkeyed) return;
  const EventTime at = std::min(event.time.value_or(as_event_time(now)), as_event_time(now) + furthest_ahead);
  for (std::size_t i = 0; i < task_rules_.size(); ++i) {
    const TaskRule& rule = task_rules_[i];
    if (!rule.compiled->count || rule.compiled->from != event.type) continue;
    const TaskCount& what = *rule.compiled->count;
    const bool has_fired = ((task.fired_rules >> i) & 1U) != 0;
    if (has_fired && !what.window) continue;  // it holds until the task ends
    if (!rule.compiled->where.holds(event)) continue;
    const auto amount = what.sum ? event.get(*what.sum) : std::optional<std::int64_t>(1);
    if (!amount || *amount < 0) continue;
    std::uint64_t key = what.per_arguments ? arguments : 0;
    values_.clear();
    for (std::size_t part = 0; part < what.per.size(); ++part) {
      const std::string_view value = event.get(*what.per[part].field);
      if (part > 0) values_ += '\0';
      values_ += value;
      key = mix(key, hash64(value));
    }
    CountedKey& counted = counted_key(task.counted, rule.counting, key, values_);
    add(counted, what, at, *amount);
    const bool was_held = task.held_slice == slice_ && ((task.held_rules >> i) & 1U) != 0;
    if (was_held) continue;
    // Where a time was waited for and has passed, the task has reached it, whatever this event's own time is.
    const auto due = rule.waits ? due_at(rule, task) : std::nullopt;
    const bool is_past = due && as_record_time(*due) + grace <= floor_to(now, slice_length);
    const EventTime until = std::max(counted.latest, is_past ? *due + grace : counted.latest);
    if (holds(rule, task, counted, until)) fire_counted(i, task, counted, until);
  }
}

// `value` of which the condition begins to hold, by halving: it holds for more and not for less.
double TaskTracker::limit_of(const TaskRule& rule) {
  const auto& variables = rule.compiled->when.variables();
  const auto place =
      static_cast<std::size_t>(std::find_if(variables.begin(), variables.end(),
                                            [](const Variable& one) { return one.kind == Variable::Kind::value; }) -
                               variables.begin());
  double low = 0, high = inputs_[place];
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    inputs_[place] = middle;
    (rule.compiled->when.holds(inputs_.data()) == Truth::yes ? high : low) = middle;
  }
  return std::round(high * 1e6) / 1e6;
}

void TaskTracker::fire_counted(std::size_t number, Task& task, const CountedKey& key, EventTime at) {
  const TaskRule& rule = task_rules_[number];
  if (task.held_slice != slice_) task.held_rules = 0;
  task.held_slice = slice_;
  task.held_rules |= 1U << number;
  TaskNews news = news_of(rule, task, TaskNews::Kind::over, at);
  news.value = amount_at(key, *rule.compiled->count, at);
  news.limit = limit_of(rule);
  news.per = key.values;
  note_said(number, task, news.group);
  news_.push_back(std::move(news));
}

void TaskTracker::note_said(std::size_t number, Task& task, const GroupKey& group) const {
  task.fired_rules |= 1U << number;
  const std::uint64_t grouping = task_rules_[number].grouping;
  const bool is_known = std::any_of(task.said.begin(), task.said.end(),
                                    [&](const Task::SaidGroup& said) { return said.rule == grouping; });
  if (!is_known) task.said.push_back({grouping, group});
}

GroupKey TaskTracker::group_for(const TaskRule& rule, const Task& task) const {
  for (const Task::SaidGroup& said : task.said) {
    if (said.rule == rule.grouping) return said.group;
  }
  return group_of(rule.compiled->group_by, task);
}

bool TaskTracker::drop_unknown(Task& task) const {
  const auto is_unknown_to_all = [&](const auto& one, std::uint64_t TaskRule::*identity) {
    return std::none_of(task_rules_.begin(), task_rules_.end(),
                        [&](const TaskRule& rule) { return rule.*identity == one.rule; });
  };
  const auto counted =
      std::erase_if(task.counted, [&](const CountedKey& one) { return is_unknown_to_all(one, &TaskRule::counting); });
  const auto said = std::erase_if(
      task.said, [&](const Task::SaidGroup& one) { return is_unknown_to_all(one, &TaskRule::grouping); });
  return counted + said > 0;
}

void TaskTracker::schedule(TaskTable::Slot slot, RecordTime closed) {
  const Task& task = tasks_[slot];
  RecordTime next = task.ended ? task.forget_at : as_record_time(task.last_event) + expire_;
  for (std::size_t i = 0; i < task_rules_.size(); ++i) {
    if ((task.fired_rules >> i) & 1U) continue;
    const auto due = due_at(task_rules_[i], task);
    if (!due || (task_rules_[i].compiled->count && as_record_time(*due) + grace <= closed)) continue;
    next = std::min(next, as_record_time(*due) + grace);
  }
  wheel_.set(slot, tick_of(ceil_to(next, slice_length)));
}

TaskNews TaskTracker::news_of(const TaskRule& rule, const Task& task, TaskNews::Kind kind, EventTime at) const {
  TaskNews news;
  news.kind = kind;
  news.rule = rule.rule;
  news.group = group_for(rule, task);
  news.started = task.started;
  news.elapsed = task.elapsed(task.ended ? std::min(at, *task.ended) : at);
  news.wall_clock = wall_clock_of(task);
  if (!rule.compiled->count) news.value = silent_at(task, at);
  const std::vector<double> inputs = inputs_of(rule, task, at);
  std::vector<Condition::Threshold> thresholds;
  if (rule.compiled->when.thresholds(inputs.data(), thresholds)) news.limit = thresholds.front().seconds;
  return news;
}

void TaskTracker::note_change(TaskTable::Slot slot) {
  if (tasks_[slot].is_changed) return;
  tasks_[slot].is_changed = true;
  changed_.push_back(slot);
}

void TaskTracker::remove(TaskTable::Slot slot) {
  if (tasks_[slot].is_stored) {
    if (removed_count_ == removed_.size()) removed_.emplace_back();
    removed_[removed_count_++].assign(tasks_[slot].correlation_id);
  }
  tasks_.remove(slot);
}

void TaskTracker::restore(std::string_view correlation_id, Task task, const std::vector<std::uint64_t>& fired_rules) {
  const std::uint64_t hash = hash64(correlation_id);
  TaskTable::Slot slot = tasks_.find(hash, correlation_id);
  if (slot == TaskTable::none) slot = tasks_.insert(hash, correlation_id);
  task.correlation_id.assign(correlation_id);
  task.hash = hash;
  task.is_stored = true;
  task.fired_rules = 0;
  for (std::size_t i = 0; i < task_rules_.size(); ++i) {
    const bool fired =
        std::find(fired_rules.begin(), fired_rules.end(), task_rules_[i].name_hash) != fired_rules.end();
    if (fired) task.fired_rules |= 1U << i;
  }
  drop_unknown(task);
  tasks_[slot] = std::move(task);
}

void TaskTracker::restore_removed(std::string_view correlation_id) {
  const TaskTable::Slot slot = tasks_.find(hash64(correlation_id), correlation_id);
  if (slot != TaskTable::none) tasks_.remove(slot);
}

void TaskTracker::fire_first_counted(std::size_t number, Task& task, EventTime at) {
  const TaskRule& rule = task_rules_[number];
  for (const CountedKey& key : task.counted) {
    const EventTime until = std::max(at, key.latest);
    if (key.rule != rule.counting || !holds(rule, task, key, until)) continue;
    fire_counted(number, task, key, until);
    if (task.ended) news_.push_back(news_of(rule, task, TaskNews::Kind::ended, *task.ended));
    return;
  }
}

void TaskTracker::fire_due(TaskTable::Slot slot, RecordTime grid) {
  Task& task = tasks_[slot];
  const EventTime now = as_event_time(grid);
  for (std::size_t i = 0; i < task_rules_.size(); ++i) {
    if ((task.fired_rules >> i) & 1U) continue;
    const auto due = due_at(task_rules_[i], task);
    if (!due || as_record_time(*due) + grace > grid) continue;
    if (task_rules_[i].compiled->count) {
      fire_first_counted(i, task, *due + grace);
      if (((task.fired_rules >> i) & 1U) != 0) note_change(slot);
      continue;
    }
    if (task_rules_[i].compiled->when.holds(inputs_of(task_rules_[i], task, now).data()) != Truth::yes) continue;
    note_change(slot);
    news_.push_back(news_of(task_rules_[i], task, TaskNews::Kind::over, now));
    note_said(i, task, news_.back().group);
    if (task.ended) news_.push_back(news_of(task_rules_[i], task, TaskNews::Kind::ended, *task.ended));
  }
}

void TaskTracker::close(RecordTime grid, std::vector<TaskNews>& news, std::vector<Task>& closed) {
  due_.clear();
  wheel_.advance(tick_of(grid), due_);
  for (const TimingWheel::Id slot : due_) {
    fire_due(slot, grid);
    const Task& task = tasks_[slot];
    const bool lost = !task.ended && as_record_time(task.last_event) + expire_ <= grid;
    const bool forgotten = task.ended && task.forget_at <= grid;
    if (!lost && !forgotten) {
      schedule(slot, grid);
      continue;
    }
    if (lost) {
      --open_;
      for (std::size_t i = 0; i < task_rules_.size(); ++i) {
        if ((task.fired_rules >> i) & 1U) {
          news_.push_back(news_of(task_rules_[i], task, TaskNews::Kind::lost, as_event_time(grid)));
        }
      }
      closed.push_back(task);
    }
    remove(slot);
  }
  std::stable_sort(news_.begin(), news_.end(), [](const TaskNews& a, const TaskNews& b) {
    return a.rule != b.rule ? a.rule < b.rule : a.group < b.group;
  });
  news.insert(news.end(), std::make_move_iterator(news_.begin()), std::make_move_iterator(news_.end()));
  news_.clear();
  ++slice_;
}

}  // namespace tocsin
