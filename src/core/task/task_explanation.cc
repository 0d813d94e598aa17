#include "core/task/task_explanation.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/time_text.h"
#include "core/alert/group_labels.h"
#include "core/task/task_tracker.h"

namespace tocsin {

namespace {

constexpr std::size_t most_keys_listed = 10;

std::string values_text(const TaskCount& count, const CountedKey& key) {
  std::string text = to_text(all_labels_of_group(count.per, key.values));
  if (count.per_arguments) text += text.empty() ? "the same arguments" : " and the same arguments";
  return text.empty() ? "all" : text;
}

std::string life_text(const Task& task, EventTime at) {
  std::string text = "  task      started " + to_rfc3339(task.started) + ", ran " + to_text(task.elapsed(at));
  if (task.paused_for > Duration{}) text += "; pauses of " + to_text(task.paused_for) + " are left out";
  text += "\n            last event " + to_rfc3339(task.last_event) + "\n";
  if (task.paused) text += "            paused since " + to_rfc3339(*task.paused) + ": it is not judged meanwhile\n";
  if (task.ended) text += "            ended " + to_rfc3339(*task.ended) + "\n";
  if (task.is_unkeyed) text += "            events of it may be in other partitions: it is never judged\n";
  return text;
}

}  // namespace

std::optional<TaskExplanation> TaskTracker::explain(std::string_view alert, const Labels& labels,
                                                    RecordTime grid) const {
  const auto rule = std::find_if(task_rules_.begin(), task_rules_.end(),
                                 [&](const TaskRule& one) { return one.compiled->name == alert; });
  if (rule == task_rules_.end()) return std::nullopt;
  const auto labels_of = [&](const Task& task) {
    return all_labels_of_group(rule->compiled->group_by, group_for(*rule, task));
  };
  const Task* found = nullptr;
  tasks_.for_each([&](TaskTable::Slot slot) {
    const Task& one = tasks_[slot];
    if (found != nullptr && found->correlation_id < one.correlation_id) return;
    if (has_labels(labels_of(one), labels)) found = &one;
  });
  if (found == nullptr) return std::nullopt;
  const Task& task = *found;
  const Rule& compiled = *rule->compiled;
  const EventTime at = as_event_time(grid);
  std::string text = compiled.name + " for " + to_text(labels_of(task)) + " at " + to_rfc3339(grid) + "\n";
  text += life_text(task, task.ended ? std::min(at, *task.ended) : at);

  double counted = 0;
  if (compiled.count) {
    // The condition is about the key that comes closest.
    std::vector<std::pair<double, const CountedKey*>> keys;
    for (const CountedKey& key : task.counted) {
      if (key.rule == rule->counting)
        keys.emplace_back(amount_at(key, *compiled.count, std::max(at, key.latest)), &key);
    }
    std::stable_sort(keys.begin(), keys.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    text += "  counted   " + std::string(compiled.count->sum ? name_of(*compiled.count->sum) : "events") + " of " +
            std::string(name_of(compiled.from));
    if (compiled.count->window) text += ", within " + to_text(*compiled.count->window);
    text += keys.empty() ? ": none\n" : "\n";
    for (std::size_t i = 0; i < keys.size() && i < most_keys_listed; ++i) {
      const auto& [amount, key] = keys[i];
      text += "    " + values_text(*compiled.count, *key) + ": " + number_text(amount) + ", the last at " +
              to_rfc3339(key->latest) + "\n";
    }
    if (keys.size() > most_keys_listed)
      text += "    and " + std::to_string(keys.size() - most_keys_listed) + " more\n";
    if (!keys.empty()) counted = keys.front().first;
  }

  std::vector<double> inputs;
  read_inputs(*rule, task, at, counted, inputs);
  const auto& variables = compiled.when.variables();
  for (std::size_t i = 0; i < variables.size(); ++i) {
    text += "  " + name_of(variables[i], compiled) + " = " + number_text(inputs[i]);
    const bool is_budget = variables[i].kind == Variable::Kind::spec &&
                           static_cast<SpecBound>(variables[i].index) == SpecBound::wall_clock;
    if (is_budget && task.wall_clock) text += "   (of the task itself)";
    if (is_unknown(inputs[i]) && variables[i].kind == Variable::Kind::spec) text += "   (nothing declares it)";
    text += "\n";
  }
  text += "  when      " + compiled.when_text + "\n         =  " + compiled.when.text(inputs.data()) + "\n";
  const Truth truth = compiled.when.holds(inputs.data());
  text += std::string("  so it ") + (task.paused || task.is_unkeyed ? "is not judged"
                                     : truth == Truth::yes          ? "holds"
                                     : truth == Truth::no           ? "does not hold"
                                                                    : "is unknown");
  TaskExplanation explanation{labels_of_group(compiled.group_by, group_for(*rule, task)), std::move(text), {}};
  const auto due = compiled.count || task.ended ? std::nullopt : due_at(*rule, task);
  if (due && as_record_time(*due) + grace > grid) {
    explanation.outlook =
        "  it holds after " + to_rfc3339(*due) + " and is looked at " + to_text(grace) + " later, unless the task " +
        (compiled.when.uses(Variable::Kind::silent) ? "says something" : "ends or pauses") + " before\n";
  }
  return explanation;
}

}  // namespace tocsin
