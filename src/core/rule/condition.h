// `when`, and the arithmetic of templates: compiled, typed, and evaluated over what a rule measured.
//
// A condition has three values. Every input may be unknown (too few samples, an absent bound), and what can't be
// decided without it is unknown; `hits >= 4 && value > 3 * baseline` is false at three hits whatever the
// baseline is (Kleene's logic).

#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/rule/expression.h"
#include "core/rule/predicate.h"
#include "core/rule/spec_book.h"

namespace tocsin {

enum class Unit : std::uint8_t { plain, money, duration };  // money in dollars, durations in seconds

// What a condition can ask for. `index` tells a rule's named values apart.
struct Variable {
  enum class Kind : std::uint8_t {
    value,
    baseline,
    deviation,
    peak,          // the highest of the baseline's blocks
    age,           // how long ago the first sample came
    baseline_low,  // the ends of what a ratio's baseline can be
    baseline_high,
    samples,
    hits,
    window,  // how long it is: of those of a range the one that is looked at
    low,
    high,
    elapsed,
    silent,
    spec,
    forecast,  // of a total: at the end of its calendar window
  };
  Kind kind = Kind::value;
  std::uint8_t index = 0;  // of the named value; of spec bounds the SpecBound
  friend bool operator==(const Variable&, const Variable&) = default;
};

constexpr bool is_of_baseline(Variable::Kind kind) {
  return kind >= Variable::Kind::baseline && kind <= Variable::Kind::baseline_high;
}

// What names mean in one rule.
struct ConditionScope {
  struct Value {
    std::string name;
    Unit unit = Unit::plain;
    bool is_ratio = false;
    bool has_baseline = false;
    bool has_deviation = false;
    bool has_peak = false;
    bool has_forecast = false;
    bool is_hidden = false;  // a measure within a value: nobody can name it
  };
  std::vector<Value> values;  // the first is the one that `baseline`, `samples` and `hits` belong to
  bool of_task = false;       // elapsed and silent exist
};

inline constexpr double unknown_number = std::numeric_limits<double>::quiet_NaN();
// Six digits of it, for people, or "unknown".
std::string number_text(double number);
inline bool is_unknown(double number) {
  return std::isnan(number);
}

class Condition {
 public:
  // Compiles a condition, or with `wants_number` an arithmetic expression. Reports the first mistake.
  static bool compile(const Expression& expression, const ConditionScope& scope, bool wants_number, Condition& out,
                      ExpressionError& error);

  // The inputs, in the order in which evaluate() takes them.
  const std::vector<Variable>& variables() const { return variables_; }
  bool uses(Variable::Kind kind) const;
  // Whether it could hold for some values of the others while the bounds of specs that are unknown in `inputs` are.
  bool can_hold_without_bounds(const double* inputs) const { return can_be(true, root_, inputs); }

  // Requires: `inputs` has a number, or unknown_number, for each of variables().
  Truth holds(const double* inputs) const;
  double number(const double* inputs) const;  // of an arithmetic expression
  // The condition with numbers in the places of names, and what each comparison comes to, for people.
  std::string text(const double* inputs) const;
  Unit unit() const { return unit_; }

  // For conditions of running tasks: the thresholds above which `elapsed` (or `silent`) must lie for this to
  // hold at all, in seconds. False where the condition has another form than `elapsed > X && ...`.
  struct Threshold {
    Variable::Kind kind = Variable::Kind::elapsed;
    double seconds = 0;  // unknown_number where a bound is missing
  };
  bool thresholds(const double* inputs, std::vector<Threshold>& out) const;

 private:
  enum class Op : std::uint8_t {
    literal,
    input,
    add,
    subtract,
    multiply,
    divide,
    negate,
    minimum,
    maximum,
    absolute,
    less,
    less_equal,
    greater,
    greater_equal,
    equal,
    unequal,
    and_,
    or_,
    not_
  };
  struct Node {
    Op op = Op::literal;
    std::uint16_t left = 0, right = 0;
    double literal = 0;
  };
  class Compiler;

  double evaluate(std::uint16_t index, const double* inputs) const;
  std::string spell(std::uint16_t index, const double* inputs) const;
  bool collect_thresholds(std::uint16_t index, const double* inputs, std::vector<Threshold>& out) const;
  template <class Is>
  bool mentions(std::uint16_t index, Is is) const;
  bool mentions_time(std::uint16_t index) const;
  bool can_be(bool truth, std::uint16_t index, const double* inputs) const;

  std::vector<Node> nodes_;
  std::vector<Variable> variables_;
  std::uint16_t root_ = 0;
  Unit unit_ = Unit::plain;
};

// The Wilson score interval of `hits` among `samples` at `z` standard deviations (Wilson 1927): {low, high}.
struct Interval {
  double low = unknown_number;
  double high = unknown_number;
};
Interval wilson_interval(double hits, double samples, double z);

// The exact interval of Clopper and Pearson (1934): each end is wrong with a chance of (1 - confidence) / 2 at most,
// however rare the hits are. Costs some microseconds.
Interval exact_interval(double hits, double samples, double confidence);

// z of a two-sided confidence: 0.99 gives 2.5758.
// Requires: 0 < confidence < 1.
double z_of_confidence(double confidence);

}  // namespace tocsin
