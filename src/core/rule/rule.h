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
#include "base/units.h"
#include "core/event/event_fields.h"
#include "core/rule/condition.h"
#include "core/rule/predicate.h"
#include "core/rule/template_text.h"
#include "core/window/history.h"

namespace tocsin {

enum class RuleMode : std::uint8_t {
  window,  // a figure over a group's recent past, looked at every 10 s
  event,   // one event decides, at once
  task,    // one running task, while it says nothing
};

// A label of a rule's groups: a field of the event, or the pattern of a finding.
struct GroupField {
  std::optional<StringField> field;  // absent: secret.pattern
  friend bool operator==(const GroupField&, const GroupField&) = default;
};

// As Prometheus spells it: "secret_pattern", no dots.
std::string label_name(GroupField field);

// What is added up for one group, once for all rules that need it.
struct Aggregate {
  enum class Kind : std::uint8_t {
    count,     // samples
    sum,       // of a number field
    hits,      // samples, and those of them for which `hit` holds
    distinct,  // different values of a string field
  };
  Kind kind = Kind::count;
  EventType from = EventType::step;
  Predicate where;
  Predicate hit;
  NumberField number = NumberField::cost;
  StringField string = StringField::correlation_id;
  std::vector<StringField> group_by;

  // Bounds of what is kept, over all rules that share it.
  std::uint32_t max_series = 0;
  HistoryReach reach = HistoryReach::day;

  std::string canonical() const;  // the identity: equal for aggregates that add up the same
};

// How a window's sum becomes the number that the condition sees.
struct NamedValue {
  enum class View : std::uint8_t { total, rate, ratio, distinct, mean };
  std::string name;
  std::uint32_t aggregate = 0;
  View view = View::total;
  Duration per{};  // of rates
  Unit unit = Unit::plain;
  bool in_millionths = false;  // what is added up, where no unit says so: scores
};

struct Baseline {
  enum class Empty : std::uint8_t { skip, zero };
  Duration range{};
  Duration block{};  // zero: pooled over the whole range
  Empty empty = Empty::skip;
  std::int64_t min_blocks = 1;
  std::int64_t min_samples = 0;
  std::optional<double> floor;
  std::optional<SpecBound> declared;
  std::vector<StringField> reset_on;
};

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

struct Rule {
  std::string name;
  std::string file;
  SourcePosition at;
  RuleMode mode = RuleMode::window;
  std::vector<GroupField> group_by;

  // mode: window
  std::vector<NamedValue> values;
  std::vector<Duration> windows;       // one, or those it grows through; rising
  bool holds_in_every_window = false;  // the condition must hold in each of them: burn rates
  std::int64_t min_samples = 0;
  std::optional<Baseline> baseline;
  double z = 2.5758;
  Duration hold_for{};
  Duration keep_firing_for{};
  Duration learn_after{};
  NoData no_data = NoData::resolve;
  Duration no_data_after{};

  // mode: event
  EventType from = EventType::step;
  bool from_any = true;
  Predicate where;
  bool resolve_manually = false;

  // mode: task
  std::vector<GroupField> page_by;
  Duration expire{};

  Condition when;
  std::string when_text;
  Actions actions;
  std::vector<std::pair<std::string, std::string>> labels;
  std::vector<std::pair<std::string, TemplateText>> annotations;
  std::vector<std::pair<std::string, TemplateText>> links;
  std::uint32_t max_series = 0;
};

}  // namespace tocsin
