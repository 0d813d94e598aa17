// One alert rule, compiled: what it measures, over which windows, compared with what, and what it does.

#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/diagnostic.h"
#include "base/time_zone.h"
#include "base/units.h"
#include "base/weekly_hours.h"
#include "core/event/event_fields.h"
#include "core/event/own_attributes.h"
#include "core/rule/condition.h"
#include "core/rule/predicate.h"
#include "core/rule/template_text.h"
#include "core/window/history.h"

namespace tocsin {

enum class RuleMode : std::uint8_t {
  window,   // a figure over a group's recent past, looked at every 10 s
  event,    // one event decides, at once
  task,     // one running task, while it says nothing
  absence,  // of files: a window rule that looks at how long nothing came (Rule::absence)
};

// A label of a rule's groups: a field of the event, or the pattern of a finding.
struct GroupField {
  std::optional<StringField> field;  // absent: secret.pattern
  std::string attribute = {};        // what it is called, where it is a deployment's own
  friend bool operator==(const GroupField&, const GroupField&) = default;
};

// As Prometheus spells it: "secret_pattern", no dots.
std::string label_name(GroupField field);

// A day, week or month by the clock of a place.
struct CalendarWindow {
  CalendarUnit unit = CalendarUnit::month;
  TimeZone zone;
  friend bool operator==(const CalendarWindow&, const CalendarWindow&) = default;
};

// What is added up for one group, once for all rules that need it.
struct Aggregate {
  enum class Kind : std::uint8_t {
    count,         // samples
    sum,           // of a number field
    hits,          // samples, and those of them for which `hit` holds
    distinct,      // different values of a string field
    distribution,  // of the values of a number field
  };
  Kind kind = Kind::count;
  EventType from = EventType::step;
  Predicate where;
  Predicate hit;
  NumberField number = NumberField::cost;
  StringField string = StringField::correlation_id;
  bool keeps_quarters = false;             // of distinct values: for a baseline, or windows beyond an hour
  bool is_whole = false;                   // what shares are of: every evaluate partition has it
  bool from_any = false;                   // of the types by which an agent shows that it lives, in place of `from`
  std::optional<CalendarWindow> calendar;  // added up for a day, week or month, too
  std::vector<StringField> group_by;
  std::shared_ptr<const OwnAttributes> own;  // by which it calls attributes; null: there are none

  // Bounds of what is kept, over all rules that share it.
  std::uint32_t max_series = 0;
  HistoryReach reach = HistoryReach::day;
  Duration minutes = few_minutes;  // for how long these are told apart

  bool is_of_cells() const { return kind == Kind::distinct || kind == Kind::distribution; }  // of more than sums
  std::string canonical() const;  // the identity: equal for aggregates that add up the same
};

// How what a window holds becomes the number that the condition sees.
struct NamedValue {
  enum class View : std::uint8_t { total, rate, ratio, distinct, mean, quantile, least, greatest, derived };
  std::string name;
  std::uint32_t aggregate = 0;  // of derived values, of the first measure in it
  View view = View::total;
  Duration per{};  // of rates
  double q = 0;    // of quantiles
  Unit unit = Unit::plain;
  bool in_millionths = false;  // what is added up, where no unit says so: scores
  bool has_baseline = false;   // one is made of it
  Condition formula;           // of derived values: over the values before it in the list and the measures behind it
  // What a share is of: the places in group_by of the labels that this series has. Nothing: all of them.
  std::optional<std::vector<std::uint32_t>> labels;
  bool is_previous = false;  // of the version before the group's own (Rule::compare)
};

// The versions of one agent side by side: each group has a version, and looks at the one before it as well.
struct Comparison {
  std::uint32_t label = 0;  // its place in group_by
  StringField by = StringField::model_version;
  Duration over{};  // how far back the version before is looked at
};

// mode: absence. A group that was seen is expected to be seen again.
struct Absence {
  Duration after{};
  Duration seen{};                    // for so long; then it is not expected any more
  std::optional<WeeklyHours> active;  // only this time counts
  std::vector<std::string> always;    // groups (keys) that are expected without having been seen
};

struct Baseline {
  enum class Empty : std::uint8_t { skip, zero };
  enum class Stat : std::uint8_t { mean, median };  // of the blocks
  enum class SameTime : std::uint8_t { no, yesterday, last_week };
  Duration range{};
  Duration block{};  // zero: pooled over the whole range
  Stat stat = Stat::mean;
  SameTime same_time = SameTime::no;  // the window as it was then, in place of a range
  Empty empty = Empty::skip;
  std::int64_t min_blocks = 1;
  std::int64_t min_samples = 0;
  std::optional<double> floor;
  std::optional<SpecBound> declared;
  std::vector<StringField> reset_on;
  Duration peak{};  // how far back the highest block is looked for; zero: nobody asks
};

// What a rule of mode task counts of each task: events, or what a number field of theirs adds up to.
struct TaskCount {
  std::vector<GroupField> per;  // each combination of their values is counted by itself,
  bool per_arguments = false;   // and so are other arguments
  std::optional<NumberField> sum;
  Unit unit = Unit::plain;
  bool in_millionths = false;      // what is added up
  std::optional<Duration> window;  // absent: since the task began
};

// Of its two named values: `value` and, in texts, `threshold`.
inline constexpr std::uint8_t threshold_number = 1;

enum class HaltScope : std::uint8_t { none, task, agent };

struct Actions {
  bool page = false;
  bool investigate = false;
  bool spec_gap = false;
  bool eval_candidate = false;
  HaltScope halt = HaltScope::none;
};

enum class NoData : std::uint8_t { hold, resolve, fire };

// Rules of mode task: each task keeps one bit for each.
inline constexpr std::size_t most_task_rules = 32;
// Those of them that count: what is stored of a task stays below what a record of a topic may have.
inline constexpr std::size_t most_counting_rules = 8;

struct Rule {
  std::string name;
  std::string file;
  SourcePosition at;
  RuleMode mode = RuleMode::window;
  std::vector<GroupField> group_by;

  // mode: window
  std::vector<NamedValue> values;  // those with names, and behind them the measures that they are made of
  std::size_t named_values = 0;
  std::vector<Duration> windows;       // one, or those it grows through; rising
  bool holds_in_every_window = false;  // the condition must hold in each of them: burn rates
  bool holds_in_any_window = false;    // or in one that holds min_samples, rather than in the least of these
  std::int64_t min_samples = 0;
  std::optional<Baseline> baseline;
  std::optional<CalendarWindow> calendar;  // in place of windows
  std::optional<Comparison> compare;
  std::optional<Absence> absence;
  std::vector<std::string> inhibited_by;  // alerts of the same agent, while which it does not begin to fire
  double z = 2.5758;
  double confidence = 0.99;
  bool has_exact_intervals = false;  // low() and high() by Clopper and Pearson, else by Wilson
  Duration hold_for{};
  Duration keep_firing_for{};
  Duration learn_after{};
  NoData no_data = NoData::resolve;
  Duration no_data_after{};

  // mode: event, and of mode task where it counts
  EventType from = EventType::step;
  bool from_any = true;
  Predicate where;
  bool resolve_manually = false;

  // mode: task
  std::optional<TaskCount> count;
  std::vector<GroupField> page_by;
  Duration expire{};

  Condition when;
  std::string when_text;
  std::optional<Condition> keep;  // while this holds an alert that fires goes on, although `when` does not
  Actions actions;
  std::vector<std::pair<std::string, TemplateText>> labels;  // beside the group's, whose values may stand in them
  std::vector<std::pair<std::string, TemplateText>> annotations;
  std::vector<std::pair<std::string, TemplateText>> links;
  std::uint32_t max_series = 0;
};

// A variable of a rule's condition as the condition writes it: "baseline.per_task".
std::string name_of(const Variable& variable, const Rule& rule);

}  // namespace tocsin
