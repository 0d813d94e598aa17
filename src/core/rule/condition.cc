#include "core/rule/condition.h"

#include <boost/math/special_functions/beta.hpp>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/diagnostic.h"

namespace tocsin {

namespace {

using Kind = Expression::Kind;
using Operator = Expression::Operator;

constexpr double no = 0, yes = 1;  // truth values on the evaluation stack; unknown is unknown_number

std::string_view name_of(Unit unit) {
  switch (unit) {
    case Unit::money:
      return "dollars";
    case Unit::duration:
      return "a duration";
    case Unit::plain:
      break;
  }
  return "a plain number";
}

}  // namespace

class Condition::Compiler {
 public:
  Compiler(Condition& out, const ConditionScope& scope, ExpressionError& error)
      : out_(out), scope_(scope), error_(error) {}

  // A compiled part: a truth value, or a number with its unit. A bare literal takes the unit beside it.
  struct Part {
    std::uint16_t node = 0;
    bool is_truth = false;
    bool is_literal = false;
    Unit unit = Unit::plain;
  };
  using Maybe = std::optional<Part>;

  Maybe compile(const Expression& e) {
    switch (e.kind) {
      case Kind::number:
        return literal(e.number, Unit::plain, true);
      case Kind::duration:
        return literal(e.number, Unit::duration, false);
      case Kind::name:
        return name(e);
      case Kind::call:
        return call(e);
      case Kind::negate:
        return negate(e);
      case Kind::not_: {
        const Maybe inner = truth(e.children[0]);
        if (!inner) return std::nullopt;
        return add(Op::not_, inner->node, 0, {0, true, false, Unit::plain});
      }
      case Kind::binary:
        return binary(e);
      case Kind::text:
      case Kind::boolean:
      case Kind::list:
      case Kind::named:
        break;
    }
    return fail(e, "a number is needed here");
  }

  Maybe truth(const Expression& e) {
    const Maybe part = compile(e);
    if (part && !part->is_truth) return fail(e, "a condition is needed here; compare this with <, > or ==");
    return part;
  }

  Maybe number(const Expression& e) {
    const Maybe part = compile(e);
    if (part && part->is_truth) return fail(e, "a number is needed here, not a condition");
    return part;
  }

 private:
  std::nullopt_t fail(const Expression& at, std::string message) {
    if (error_.message.empty()) error_ = {at.offset, std::move(message)};
    return std::nullopt;
  }

  Part add(Op op, std::uint16_t left, std::uint16_t right, Part part, double literal_value = 0) {
    out_.nodes_.push_back({op, left, right, literal_value});
    part.node = static_cast<std::uint16_t>(out_.nodes_.size() - 1);
    return part;
  }

  Part literal(double value, Unit unit, bool adapts) {
    return add(Op::literal, 0, 0, {0, false, adapts, unit}, value);
  }

  Part input(Variable variable, Unit unit) {
    auto found = std::find(out_.variables_.begin(), out_.variables_.end(), variable);
    if (found == out_.variables_.end()) found = out_.variables_.insert(found, variable);
    const auto index = static_cast<std::uint16_t>(found - out_.variables_.begin());
    return add(Op::input, index, 0, {0, false, false, unit});
  }

  std::optional<std::uint8_t> value_named(std::string_view name) const {
    for (std::size_t i = 0; i < scope_.values.size(); ++i) {
      if (scope_.values[i].name == name) return static_cast<std::uint8_t>(i);
    }
    return std::nullopt;
  }

  std::vector<std::string_view> known_names() const {
    std::vector<std::string_view> names{"samples",       "hits",         "window",  "baseline", "baseline.stdev",
                                        "baseline.peak", "baseline.age", "elapsed", "silent"};
    for (const auto& value : scope_.values) {
      if (!value.is_hidden) names.push_back(value.name);
    }
    return names;
  }

  Maybe name(const Expression& e) {
    if (const auto index = value_named(e.text))
      return input({Variable::Kind::value, *index}, scope_.values[*index].unit);
    if (e.text.starts_with("spec.")) return spec(e);
    if (e.text == "elapsed" || e.text == "silent") {
      if (!scope_.of_task) return fail(e, "'" + e.text + "' exists only in rules with mode: task");
      return input({e.text == "elapsed" ? Variable::Kind::elapsed : Variable::Kind::silent, 0}, Unit::duration);
    }
    if (scope_.values.empty()) {
      return fail(e, "'" + e.text + "' has no meaning in this rule" + did_you_mean(e.text, known_names()));
    }
    if (e.text == "samples") return input({Variable::Kind::samples, 0}, Unit::plain);
    if (e.text == "window" && !scope_.of_task) return input({Variable::Kind::window, 0}, Unit::duration);
    if (e.text == "hits") {
      if (!scope_.values[0].is_ratio) return fail(e, "'hits' exists only for ratio(...)");
      return input({Variable::Kind::hits, 0}, Unit::plain);
    }
    if (e.text == "baseline" || e.text.starts_with("baseline.")) return baseline(e);
    return fail(e, "'" + e.text + "' has no meaning here" + did_you_mean(e.text, known_names()));
  }

  Maybe spec(const Expression& e) {
    const std::string path = e.text.substr(5);
    const auto bound = spec_bound_named(path);
    if (!bound) {
      return fail(e, "'" + path + "' is no bound of a spec" + did_you_mean(path, spec_bound_names()));
    }
    Unit unit = Unit::money;
    if (*bound == SpecBound::wall_clock) unit = Unit::duration;
    if (*bound == SpecBound::surface_rate_min || *bound == SpecBound::surface_rate_max) unit = Unit::plain;
    return input({Variable::Kind::spec, static_cast<std::uint8_t>(*bound)}, unit);
  }

  // baseline, baseline.stdev, baseline.peak, baseline.age, baseline.NAME
  Maybe baseline(const Expression& e) {
    std::uint8_t index = 0;
    const bool deviation = e.text == "baseline.stdev";
    const bool peak = e.text == "baseline.peak", age = e.text == "baseline.age";
    if (!deviation && !peak && !age && e.text != "baseline") {
      const auto named = value_named(std::string_view(e.text).substr(9));
      if (!named) return fail(e, "'" + e.text + "' has no meaning here" + did_you_mean(e.text, known_names()));
      index = *named;
    }
    const auto& value = scope_.values[index];
    if (!value.has_baseline) return fail(e, "this rule has no baseline; add one, such as baseline: {range: 24h}");
    if (deviation && !value.has_deviation) {
      return fail(e, "'baseline.stdev' needs blocks: baseline: {range: 24h, block: 1h}");
    }
    if ((peak || age) && !value.has_peak) {
      return fail(e, "'" + e.text +
                         "' needs blocks of one measure, and none of a quantile or of distinct(): "
                         "baseline: {range: 24h, block: 1h}");
    }
    if (age) return input({Variable::Kind::age, index}, Unit::duration);
    if (peak) return input({Variable::Kind::peak, index}, value.unit);
    return input({deviation ? Variable::Kind::deviation : Variable::Kind::baseline, index}, value.unit);
  }

  Maybe call(const Expression& e) {
    if (e.text == "low" || e.text == "high") {
      if (e.children.size() != 1 || e.children[0].kind != Kind::name) {
        return fail(e, e.text + "() takes the name of one value");
      }
      std::string_view name = e.children[0].text;
      const bool of_baseline = name == "baseline" || name.starts_with("baseline.");
      if (of_baseline && scope_.values.empty()) return fail(e, "this rule has no baseline");
      if (of_baseline) name = name == "baseline" ? std::string_view(scope_.values[0].name) : name.substr(9);
      const auto index = value_named(name);
      if (of_baseline && index && !scope_.values[*index].has_baseline) return baseline(e.children[0]);
      if (!index || !scope_.values[*index].is_ratio) {
        return fail(e.children[0], e.text + "() is the bound of a ratio(...); '" + e.children[0].text + "' is none");
      }
      const bool low = e.text == "low";
      if (of_baseline) {
        return input({low ? Variable::Kind::baseline_low : Variable::Kind::baseline_high, *index}, Unit::plain);
      }
      return input({low ? Variable::Kind::low : Variable::Kind::high, *index}, Unit::plain);
    }
    if (e.text == "forecast") {
      const auto index =
          e.children.size() == 1 && e.children[0].kind == Kind::name ? value_named(e.children[0].text) : std::nullopt;
      if (!index) return fail(e, "forecast() takes the name of one value");
      if (!scope_.values[*index].has_forecast) {
        return fail(e, "forecast() is of a sum or a count in a calendar window, such as window: {calendar: month}");
      }
      return input({Variable::Kind::forecast, *index}, scope_.values[*index].unit);
    }
    if (e.text == "abs") {
      if (e.children.size() != 1) return fail(e, "abs() takes one number");
      const Maybe inner = number(e.children[0]);
      if (!inner) return std::nullopt;
      return add(Op::absolute, inner->node, 0, *inner);
    }
    if (e.text == "min" || e.text == "max") {
      if (e.children.size() < 2) return fail(e, e.text + "() takes two numbers or more");
      Maybe result = number(e.children[0]);
      for (std::size_t i = 1; result && i < e.children.size(); ++i) {
        const Maybe next = number(e.children[i]);
        if (!next) return std::nullopt;
        const auto unit = common_unit(e, *result, *next);
        if (!unit) return std::nullopt;
        result = add(e.text == "min" ? Op::minimum : Op::maximum, result->node, next->node,
                     {0, false, result->is_literal && next->is_literal, *unit});
      }
      return result;
    }
    return fail(e, "'" + e.text + "' is no function here" +
                       did_you_mean(e.text, {"low", "high", "min", "max", "abs", "forecast"}));
  }

  Maybe negate(const Expression& e) {
    const Maybe inner = number(e.children[0]);
    if (!inner) return std::nullopt;
    return add(Op::negate, inner->node, 0, *inner);
  }

  std::optional<Unit> common_unit(const Expression& e, const Part& left, const Part& right) {
    if (left.unit == right.unit) return left.unit;
    // A bare number beside dollars is dollars. Beside a duration it would be a guess.
    if (left.is_literal && right.unit == Unit::money) return right.unit;
    if (right.is_literal && left.unit == Unit::money) return left.unit;
    if (left.is_literal || right.is_literal) {
      fail(e, "a duration needs a unit beside it: write 30s, 15m or 2h");
    } else {
      fail(e, std::string(name_of(left.unit)) + " and " + std::string(name_of(right.unit)) + " can't stand " +
                  (e.kind == Kind::call ? "in one " + e.text + "()"
                                        : "on both sides of '" + std::string(symbol_of(e.op)) + "'"));
    }
    return std::nullopt;
  }

  Maybe binary(const Expression& e) {
    switch (e.op) {
      case Operator::and_:
      case Operator::or_: {
        const Maybe left = truth(e.children[0]);
        const Maybe right = left ? truth(e.children[1]) : std::nullopt;
        if (!right) return std::nullopt;
        return add(e.op == Operator::and_ ? Op::and_ : Op::or_, left->node, right->node,
                   {0, true, false, Unit::plain});
      }
      case Operator::in:
        return fail(e, "'in' belongs into where:, which looks at events; compare numbers here");
      default:
        break;
    }
    const Maybe left = number(e.children[0]);
    const Maybe right = left ? number(e.children[1]) : std::nullopt;
    if (!right) return std::nullopt;
    return e.op == Operator::multiply || e.op == Operator::divide ? product(e, *left, *right)
                                                                  : sum_or_comparison(e, *left, *right);
  }

  Maybe product(const Expression& e, const Part& left, const Part& right) {
    const bool divides = e.op == Operator::divide;
    Unit unit = left.unit;
    if (divides && left.unit == right.unit) {
      unit = Unit::plain;
    } else if (!divides && left.unit == Unit::plain) {
      unit = right.unit;
    } else if (right.unit != Unit::plain) {
      return fail(e, std::string(name_of(left.unit)) + (divides ? " divided by " : " times ") +
                         std::string(name_of(right.unit)) + " has no meaning");
    }
    return add(divides ? Op::divide : Op::multiply, left.node, right.node,
               {0, false, left.is_literal && right.is_literal, unit});
  }

  Maybe sum_or_comparison(const Expression& e, const Part& left, const Part& right) {
    const auto unit = common_unit(e, left, right);
    if (!unit) return std::nullopt;
    const auto comparison = [&](Op op) { return add(op, left.node, right.node, {0, true, false, Unit::plain}); };
    const auto sum = [&](Op op) {
      return add(op, left.node, right.node, {0, false, left.is_literal && right.is_literal, *unit});
    };
    switch (e.op) {
      case Operator::add:
        return sum(Op::add);
      case Operator::subtract:
        return sum(Op::subtract);
      case Operator::less:
        return comparison(Op::less);
      case Operator::less_equal:
        return comparison(Op::less_equal);
      case Operator::greater:
        return comparison(Op::greater);
      case Operator::greater_equal:
        return comparison(Op::greater_equal);
      case Operator::equal:
        return comparison(Op::equal);
      default:
        return comparison(Op::unequal);
    }
  }

  Condition& out_;
  const ConditionScope& scope_;
  ExpressionError& error_;
};

bool Condition::compile(const Expression& expression, const ConditionScope& scope, bool wants_number, Condition& out,
                        ExpressionError& error) {
  Condition condition;
  Compiler compiler(condition, scope, error);
  const auto root = wants_number ? compiler.number(expression) : compiler.truth(expression);
  if (!root) return false;
  condition.root_ = root->node;
  condition.unit_ = root->unit;
  out = std::move(condition);
  return true;
}

bool Condition::uses(Variable::Kind kind) const {
  return std::any_of(variables_.begin(), variables_.end(), [&](const Variable& v) { return v.kind == kind; });
}

double Condition::evaluate(std::uint16_t index, const double* inputs) const {
  const Node& node = nodes_[index];
  if (node.op == Op::literal) return node.literal;
  if (node.op == Op::input) return inputs[node.left];
  const double left = evaluate(node.left, inputs);
  switch (node.op) {
    case Op::negate:
      return -left;
    case Op::absolute:
      return std::fabs(left);
    case Op::not_:
      return is_unknown(left) ? left : left == no ? yes : no;
    case Op::and_: {
      if (left == no) return no;
      const double right = evaluate(node.right, inputs);
      return right == no ? no : is_unknown(left) ? left : right;
    }
    case Op::or_: {
      if (left == yes) return yes;
      const double right = evaluate(node.right, inputs);
      return right == yes ? yes : is_unknown(left) ? left : right;
    }
    default:
      break;
  }
  const double right = evaluate(node.right, inputs);
  if (is_unknown(left) || is_unknown(right)) return unknown_number;
  const auto truth = [](bool holds) { return holds ? yes : no; };
  switch (node.op) {
    case Op::add:
      return left + right;
    case Op::subtract:
      return left - right;
    case Op::multiply:
      return left * right;
    case Op::divide:
      return right == 0 ? unknown_number : left / right;
    case Op::minimum:
      return std::min(left, right);
    case Op::maximum:
      return std::max(left, right);
    case Op::less:
      return truth(left < right);
    case Op::less_equal:
      return truth(left <= right);
    case Op::greater:
      return truth(left > right);
    case Op::greater_equal:
      return truth(left >= right);
    case Op::equal:
      return truth(left == right);
    case Op::unequal:
      return truth(left != right);
    default:
      return unknown_number;
  }
}

std::string number_text(double number) {
  if (is_unknown(number)) return "unknown";
  constexpr double six_digits = 999'999.5, exact_below = 1e15;
  const bool is_large = std::abs(number) >= six_digits && std::abs(number) < exact_below;  // no exponent
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number,
                                 is_large ? std::chars_format::fixed : std::chars_format::general, is_large ? 0 : 6)
                       .ptr;
  return {digits.data(), end};
}

std::string Condition::text(const double* inputs) const {
  return nodes_.empty() ? std::string{} : spell(root_, inputs);
}

std::string Condition::spell(std::uint16_t index, const double* inputs) const {
  const Node& node = nodes_[index];
  const auto joined = [&](std::string_view sign) {
    return "(" + spell(node.left, inputs) + " " + std::string(sign) + " " + spell(node.right, inputs) + ")";
  };
  const auto compared = [&](std::string_view sign) {
    const double truth = evaluate(index, inputs);
    return joined(sign) + (is_unknown(truth) ? " [unknown]" : truth != 0 ? " [yes]" : " [no]");
  };
  switch (node.op) {
    case Op::literal:
      return number_text(node.literal);
    case Op::input:
      return number_text(inputs[node.left]);
    case Op::add:
      return joined("+");
    case Op::subtract:
      return joined("-");
    case Op::multiply:
      return joined("*");
    case Op::divide:
      return joined("/");
    case Op::negate:
      return "-" + spell(node.left, inputs);
    case Op::minimum:
      return "min(" + spell(node.left, inputs) + ", " + spell(node.right, inputs) + ")";
    case Op::maximum:
      return "max(" + spell(node.left, inputs) + ", " + spell(node.right, inputs) + ")";
    case Op::absolute:
      return "abs(" + spell(node.left, inputs) + ")";
    case Op::less:
      return compared("<");
    case Op::less_equal:
      return compared("<=");
    case Op::greater:
      return compared(">");
    case Op::greater_equal:
      return compared(">=");
    case Op::equal:
      return compared("==");
    case Op::unequal:
      return compared("!=");
    case Op::and_:
      return joined("&&");
    case Op::or_:
      return joined("||");
    case Op::not_:
      return "!" + spell(node.left, inputs);
  }
  return {};
}

Truth Condition::holds(const double* inputs) const {
  const double result = evaluate(root_, inputs);
  if (is_unknown(result)) return Truth::unknown;
  return result == yes ? Truth::yes : Truth::no;
}

double Condition::number(const double* inputs) const {
  return evaluate(root_, inputs);
}

template <class Is>
bool Condition::mentions(std::uint16_t index, Is is) const {
  const Node& node = nodes_[index];
  if (node.op == Op::literal) return false;
  if (node.op == Op::input) return is(node.left);
  const bool unary = node.op == Op::negate || node.op == Op::absolute || node.op == Op::not_;
  return mentions(node.left, is) || (!unary && mentions(node.right, is));
}

bool Condition::mentions_time(std::uint16_t index) const {
  return mentions(index, [&](std::uint16_t variable) {
    const Variable::Kind kind = variables_[variable].kind;
    return kind == Variable::Kind::elapsed || kind == Variable::Kind::silent;
  });
}

bool Condition::can_be(bool truth, std::uint16_t index, const double* inputs) const {
  const Node& node = nodes_[index];
  switch (node.op) {
    case Op::not_:
      return can_be(!truth, node.left, inputs);
    case Op::and_:
    case Op::or_: {
      const bool left = can_be(truth, node.left, inputs), right = can_be(truth, node.right, inputs);
      return truth == (node.op == Op::and_) ? left && right : left || right;
    }
    default:
      return !mentions(index, [&](std::uint16_t variable) {
        return variables_[variable].kind == Variable::Kind::spec && is_unknown(inputs[variable]);
      });
  }
}

bool Condition::collect_thresholds(std::uint16_t index, const double* inputs, std::vector<Threshold>& out) const {
  const Node& node = nodes_[index];
  if (node.op == Op::and_) {
    return collect_thresholds(node.left, inputs, out) && collect_thresholds(node.right, inputs, out);
  }
  const bool greater = node.op == Op::greater || node.op == Op::greater_equal;
  const bool less = node.op == Op::less || node.op == Op::less_equal;
  if (!greater && !less) return !mentions_time(index);
  const std::uint16_t time_side = greater ? node.left : node.right;
  const std::uint16_t other_side = greater ? node.right : node.left;
  if (!mentions_time(index)) return true;
  if (nodes_[time_side].op != Op::input || !mentions_time(time_side) || mentions_time(other_side)) return false;
  out.push_back({variables_[nodes_[time_side].left].kind, evaluate(other_side, inputs)});
  return true;
}

bool Condition::thresholds(const double* inputs, std::vector<Threshold>& out) const {
  out.clear();
  return collect_thresholds(root_, inputs, out) && !out.empty();
}

Interval wilson_interval(double hits, double samples, double z) {
  if (!(samples > 0)) return {};
  const double p = hits / samples;
  const double z2 = z * z;
  const double denominator = 1 + z2 / samples;
  const double centre = p + z2 / (2 * samples);
  const double margin = z * std::sqrt(p * (1 - p) / samples + z2 / (4 * samples * samples));
  return {std::max(0.0, (centre - margin) / denominator), std::min(1.0, (centre + margin) / denominator)};
}

Interval exact_interval(double hits, double samples, double confidence) {
  if (!(samples > 0)) return {};
  const double tail = (1 - confidence) / 2;
  Interval interval{0, 1};
  if (hits > 0) interval.low = boost::math::ibeta_inv(hits, samples - hits + 1, tail);
  if (hits < samples) interval.high = boost::math::ibetac_inv(hits + 1, samples - hits, tail);
  return interval;
}

double z_of_confidence(double confidence) {
  // The normal distribution's quantile by bisection of erfc: done once a rule, exact to the last digits.
  const double tail = (1 - confidence) / 2;
  double low = 0, high = 40;
  for (int i = 0; i < 200; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(middle / std::sqrt(2.0)) / 2 > tail ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace tocsin
