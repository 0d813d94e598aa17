#include "core/rule/rule_values.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace tocsin {

namespace {

using namespace std::chrono_literals;
using Kind = Expression::Kind;

constexpr std::size_t most_named = 8;
constexpr std::size_t most_hidden = 16;

const std::vector<std::string_view>& measure_names() {
  static const std::vector<std::string_view> names{
      "count", "sum", "rate", "per_minute", "per_hour", "per_day", "ratio", "distinct", "avg",  "min",
      "max",   "p50", "p75",  "p90",        "p95",      "p99",     "p999",  "quantile", "share"};
  return names;
}

bool is_arithmetic(const Expression& e) {
  return e.kind == Kind::call && (e.text == "abs" || ((e.text == "min" || e.text == "max") && e.children.size() > 1));
}

// "p95" is 0.95, "p999" 0.999.
std::optional<double> percentile_of(std::string_view name) {
  if (name.size() < 3 || name[0] != 'p' ||
      !std::all_of(name.begin() + 1, name.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return std::nullopt;
  }
  double q = 0, unit = 1;
  for (const char digit : name.substr(1)) q += (digit - '0') * (unit /= 10);
  return q;
}

std::vector<std::string_view> number_field_names() {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < number_field_count; ++i) names.push_back(name_of(static_cast<NumberField>(i)));
  return names;
}

// A measure as it is written, for people.
std::string spell(const Expression& e) {
  if (e.kind != Kind::call) return e.text;
  std::string text = e.text + "(";
  for (const Expression& one : e.children)
    text += (text.back() == '(' ? "" : ", ") + (one.text.empty() ? "..." : spell(one));
  return text + ")";
}

class ValueLoader {
 public:
  ValueLoader(const std::vector<GroupField>& group_by, std::shared_ptr<const OwnAttributes> own,
              const std::string& file, Diagnostics& diagnostics)
      : group_by_(group_by), own_(std::move(own)), file_(file), diagnostics_(diagnostics) {}

  void add(const std::string& name, const YamlNode& name_node, const YamlNode& node) {
    node_ = &node;
    const bool fits =
        !name.empty() && !(name[0] >= '0' && name[0] <= '9') && std::all_of(name.begin(), name.end(), [](char c) {
          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        });
    const std::vector<std::string_view> taken{"samples", "hits",   "baseline", "spec",
                                              "elapsed", "silent", "low",      "high"};
    if (!fits || std::find(taken.begin(), taken.end(), name) != taken.end()) {
      diagnostics_.error(file_, name_node.at, "bad-name",
                         fits ? "'" + name + "' means something of its own in a condition; call the value otherwise"
                              : "a value's name has letters, digits and '_' only");
      return;
    }
    if (!node.is_scalar()) {
      diagnostics_.error(file_, node.at, "wrong-type", "an expression is needed here");
      return;
    }
    ExpressionError error;
    auto parsed = parse_expression(node.scalar, error);
    if (!parsed) return report(error, "bad-expression");
    Draft draft;
    draft.node = &node;
    draft.measured.value.name = name;
    if (parsed->kind == Kind::call && !is_arithmetic(*parsed) && parsed->text != "share") {
      auto measured = measure(*parsed);
      if (!measured) return;
      measured->value.name = name;
      draft.measured = std::move(*measured);
    } else {
      draft.measured.value.view = NamedValue::View::derived;
      has_measure_ = false;
      if (!take_measures(*parsed)) return;
      if (!has_measure_) {
        return fail(parsed->offset, "a measure is needed here, such as count(), per_hour(cost) or ratio(...)");
      }
      draft.expression = std::move(*parsed);
    }
    named_.push_back(std::move(draft));
  }

  RuleValues finish() {
    RuleValues values;
    values.named = named_.size();
    ConditionScope scope;
    for (const Draft& draft : named_) scope.values.push_back(scope_of(draft.measured.value, false));
    for (std::size_t i = 0; i < hidden_.size(); ++i) {
      scope.values.push_back(scope_of(hidden_[i].value, true));
      scope.values.back().name = hidden_name(i);
    }
    for (std::size_t i = 0; i < named_.size(); ++i) {
      if (!named_[i].expression) continue;
      compile(i, scope);
      scope.values[i].unit = named_[i].measured.value.unit;
    }
    for (Draft& draft : named_) values.list.push_back(std::move(draft.measured));
    for (Measured& measured : hidden_) values.list.push_back(std::move(measured));
    return values;
  }

 private:
  struct Draft {
    Measured measured;
    const YamlNode* node = nullptr;
    std::optional<Expression> expression;  // of derived values
  };

  void report(const ExpressionError& error, std::string_view code) {
    diagnostics_.error(file_, position_in(*node_, error.offset), code, error.message);
  }
  void fail(std::uint32_t offset, std::string message) { report({offset, std::move(message)}, "bad-value"); }
  std::nullopt_t no_measure(std::uint32_t offset, std::string message) {
    fail(offset, std::move(message));
    return std::nullopt;
  }

  static std::string hidden_name(std::size_t number) { return "$" + std::to_string(number); }

  static ConditionScope::Value scope_of(const NamedValue& value, bool is_hidden) {
    ConditionScope::Value scope;
    scope.name = value.name;
    scope.unit = value.unit;
    scope.is_ratio = value.view == NamedValue::View::ratio;
    scope.is_hidden = is_hidden;
    return scope;
  }

  std::string add_hidden(Measured measured) {
    hidden_.push_back(std::move(measured));
    has_measure_ = true;
    return hidden_name(hidden_.size() - 1);
  }

  // Puts names in the places of measures.
  bool take_measures(Expression& e) {
    if (e.kind == Kind::call && e.text == "share") return take_share(e);
    if (e.kind == Kind::call && !is_arithmetic(e)) {
      if (hidden_.size() >= most_hidden) {
        fail(e.offset, "a rule has at most " + std::to_string(most_hidden) + " measures within its values");
        return false;
      }
      auto measured = measure(e);
      if (!measured) return false;
      measured->value.name = spell(e);
      e.text = add_hidden(std::move(*measured));
      e.kind = Kind::name;
      e.children.clear();
      return true;
    }
    if (e.kind == Kind::name) {
      const auto known = std::find_if(named_.begin(), named_.end(),
                                      [&](const Draft& draft) { return draft.measured.value.name == e.text; });
      has_measure_ = has_measure_ || known != named_.end();
      if (known == named_.end() && number_field_named(e.text)) {
        fail(e.offset, "'" + e.text + "' is a field of events: measure it, as sum(" + e.text + ")");
        return false;
      }
    }
    return std::all_of(e.children.begin(), e.children.end(), [&](Expression& child) { return take_measures(child); });
  }

  // share(MEASURE, of: [LABELS]) is MEASURE divided by the same over all groups that have these labels in common.
  bool take_share(Expression& e) {
    const bool has_form = e.children.size() == 2 && e.children[0].kind == Kind::call &&
                          e.children[1].kind == Kind::named && e.children[1].text == "of";
    if (!has_form) {
      fail(e.offset, "share() takes a measure and what it is a share of: share(sum(cost), of: [env])");
      return false;
    }
    auto part = measure(e.children[0]);
    if (!part) return false;
    const bool adds_up = part->value.view == NamedValue::View::total || part->value.view == NamedValue::View::rate;
    if (!adds_up) {
      fail(e.children[0].offset, "a share is of what adds up: count(), sum(...) or a rate");
      return false;
    }
    Measured whole = *part;
    whole.aggregate.is_whole = true;
    whole.value.labels.emplace();
    for (const Expression& item : e.children[1].children[0].children) {
      const auto field = string_field_named(item.text, own_.get());
      const auto place = std::find_if(group_by_.begin(), group_by_.end(),
                                      [&](const GroupField& group) { return field && group.field == field; });
      if (place == group_by_.end()) {
        fail(item.offset, "'" + item.text + "' is not in the rule's group_by: a share is of groups of this rule");
        return false;
      }
      whole.of.push_back(*field);
      whole.value.labels->push_back(static_cast<std::uint32_t>(place - group_by_.begin()));
    }
    if (whole.of.size() >= group_by_.size()) {
      fail(e.children[1].offset, "a share of all its labels is always 1; leave one of group_by out");
      return false;
    }
    part->value.name = spell(e.children[0]);
    whole.value.name = "all " + part->value.name;
    Expression divided;
    divided.kind = Kind::binary;
    divided.op = Expression::Operator::divide;
    divided.offset = e.offset;
    for (Measured* measured : {&*part, &whole}) {
      Expression name;
      name.kind = Kind::name;
      name.offset = e.offset;
      name.text = add_hidden(std::move(*measured));
      divided.children.push_back(std::move(name));
    }
    e = std::move(divided);
    return true;
  }

  void compile(std::size_t place, const ConditionScope& scope) {
    Draft& draft = named_[place];
    node_ = draft.node;
    NamedValue& value = draft.measured.value;
    ExpressionError error;
    if (!Condition::compile(*draft.expression, scope, true, value.formula, error)) return report(error, "bad-value");
    value.unit = value.formula.unit();
    std::optional<std::size_t> first;
    for (const Variable& variable : value.formula.variables()) {
      if (variable.kind != Variable::Kind::value) {
        return fail(draft.expression->offset,
                    "a value is made of measures; what is compared with it belongs into when:");
      }
      if (variable.index >= place && variable.index < named_.size()) {
        return fail(draft.expression->offset, "'" + named_[variable.index].measured.value.name +
                                                  "' stands further down: a value is made of those above it");
      }
      if (first) continue;
      const bool is_derived = variable.index < named_.size() && named_[variable.index].expression.has_value();
      first = is_derived ? named_[variable.index].measured.first_measure : variable.index;
    }
    draft.measured.first_measure = first.value_or(0);
    draft.measured.aggregate =
        *first < named_.size() ? named_[*first].measured.aggregate : hidden_[*first - named_.size()].aggregate;
  }

  std::optional<Measured> measure(const Expression& e) {
    const std::string& function = e.text;
    const auto percentile = percentile_of(function);
    const auto& names = measure_names();
    if (!percentile && std::find(names.begin(), names.end(), function) == names.end()) {
      const std::string meant = did_you_mean(function, names);
      return no_measure(e.offset,
                        "'" + function + "' measures nothing" +
                            (meant.empty() ? "; there are count, sum, avg, min, max, rate, per_minute, per_hour, "
                                             "per_day, ratio, distinct, p50 to p999, quantile and share"
                                           : meant));
    }
    Measured measured;
    const auto& arguments = e.children;
    if (function == "count") {
      if (!arguments.empty()) return no_measure(e.offset, "count() takes nothing; use where: to select events");
      return measured;
    }
    if (function == "quantile") return quantile(e);
    if (arguments.size() != 1) return no_measure(e.offset, function + "() takes one argument");
    if (function == "ratio") {
      measured.aggregate.kind = Aggregate::Kind::hits;
      measured.value.view = NamedValue::View::ratio;
      ExpressionError error;
      if (!Predicate::compile(arguments[0], false, measured.aggregate.hit, error, own_)) {
        report(error, "bad-value");
        return std::nullopt;
      }
      return measured;
    }
    if (function == "distinct") {
      const auto field = string_field_named(arguments[0].text, own_.get());
      if (arguments[0].kind != Kind::name || !field) {
        return no_measure(arguments[0].offset, "distinct() takes the name of a text field" +
                                                   did_you_mean(arguments[0].text, string_field_names(own_.get())));
      }
      measured.aggregate.kind = Aggregate::Kind::distinct;
      measured.aggregate.string = *field;
      measured.value.view = NamedValue::View::distinct;
      return measured;
    }
    if (percentile) return distribution(e, NamedValue::View::quantile, *percentile);
    if (function == "min") return distribution(e, NamedValue::View::least, 0);
    if (function == "max") return distribution(e, NamedValue::View::greatest, 1);
    return sum(e);
  }

  std::optional<Measured> quantile(const Expression& e) {
    const auto& arguments = e.children;
    const bool has_form = arguments.size() == 2 && arguments[0].kind == Kind::number && arguments[0].number >= 0 &&
                          arguments[0].number <= 1;
    if (!has_form) {
      return no_measure(e.offset, "quantile() takes a part between 0 and 1 and a field: quantile(0.95, latency)");
    }
    Expression of_field = e;
    of_field.children.erase(of_field.children.begin());
    return distribution(of_field, NamedValue::View::quantile, arguments[0].number);
  }

  std::optional<Measured> distribution(const Expression& e, NamedValue::View view, double q) {
    Measured measured;
    if (!take_number_field(e, measured)) return std::nullopt;
    measured.aggregate.kind = Aggregate::Kind::distribution;
    measured.value.view = view;
    measured.value.q = q;
    return measured;
  }

  bool take_number_field(const Expression& e, Measured& measured) {
    const Expression& argument = e.children[0];
    const auto field = argument.kind == Kind::name ? number_field_named(argument.text) : std::nullopt;
    if (!field) {
      fail(argument.offset,
           e.text + "() takes the name of a number field" + did_you_mean(argument.text, number_field_names()));
      return false;
    }
    measured.aggregate.number = *field;
    if (name_of(*field).starts_with("cost")) measured.value.unit = Unit::money;
    measured.value.in_millionths = *field == NumberField::score;
    if (*field == NumberField::latency || *field == NumberField::ttft || *field == NumberField::generation) {
      measured.value.unit = Unit::duration;
    }
    return true;
  }

  std::optional<Measured> sum(const Expression& e) {
    const Expression& argument = e.children[0];
    const bool counts = argument.kind == Kind::call && argument.text == "count" && argument.children.empty();
    Measured measured;
    if (!counts) {
      if (!take_number_field(e, measured)) return std::nullopt;
      measured.aggregate.kind = Aggregate::Kind::sum;
    }
    if (e.text == "sum") return measured;
    if (e.text == "avg") {
      if (counts) {
        return no_measure(argument.offset,
                          "avg() takes the name of a number field; of how many per time, use per_minute(count())");
      }
      measured.value.view = NamedValue::View::mean;
      return measured;
    }
    measured.value.view = NamedValue::View::rate;
    measured.value.per = 1s;
    if (e.text == "per_minute") measured.value.per = 1min;
    if (e.text == "per_hour") measured.value.per = 1h;
    if (e.text == "per_day") measured.value.per = 24h;
    return measured;
  }

  const std::vector<GroupField>& group_by_;
  std::shared_ptr<const OwnAttributes> own_;
  const std::string& file_;
  Diagnostics& diagnostics_;
  const YamlNode* node_ = nullptr;
  bool has_measure_ = false;
  std::vector<Draft> named_;
  std::vector<Measured> hidden_;
};

}  // namespace

RuleValues load_rule_values(const YamlNode* one, const YamlNode* many, const std::vector<GroupField>& group_by,
                            std::shared_ptr<const OwnAttributes> own, const std::string& file,
                            Diagnostics& diagnostics) {
  ValueLoader loader(group_by, std::move(own), file, diagnostics);
  if (one != nullptr) {
    loader.add("value", *one, *one);
  } else if (!many->is_map() || many->items.empty() || many->items.size() > most_named) {
    diagnostics.error(file, many->at, "wrong-type",
                      "'values' must be a map of one to eight names to what they measure");
  } else {
    for (std::size_t i = 0; i < many->items.size(); ++i) {
      loader.add(many->keys[i].scalar, many->keys[i], many->items[i]);
    }
  }
  return loader.finish();
}

}  // namespace tocsin
