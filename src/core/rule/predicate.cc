#include "core/rule/predicate.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "base/diagnostic.h"

namespace tocsin {

namespace {

using Kind = Expression::Kind;
using Operator = Expression::Operator;

// False where there are no such bounds: then `test` is as before.
bool join_bounds(Operator comparison, std::int64_t number, PlainTest& test) {
  switch (comparison) {
    case Operator::equal:
      test.least = test.most = number;
      return true;
    case Operator::less:
      if (number == INT64_MIN) return false;
      test.most = number - 1;
      return true;
    case Operator::less_equal:
      test.most = number;
      return true;
    case Operator::greater:
      if (number == INT64_MAX) return false;
      test.least = number + 1;
      return true;
    case Operator::greater_equal:
      test.least = number;
      return true;
    default:
      return false;
  }
}

// Number fields by what stands beside them in rules: a plain number, dollars, or a duration.
enum class NumberUnit : std::uint8_t { plain, money, duration, time, millionths };

NumberUnit unit_of(NumberField field) {
  switch (field) {
    case NumberField::cost:
    case NumberField::cost_input:
    case NumberField::cost_cached:
    case NumberField::cost_output:
    case NumberField::cost_per_hour:
    case NumberField::budget_cost:
      return NumberUnit::money;
    case NumberField::ttft:
    case NumberField::generation:
    case NumberField::latency:
    case NumberField::budget_wall_clock:
      return NumberUnit::duration;
    case NumberField::started_at:
      return NumberUnit::time;
    case NumberField::score:
      return NumberUnit::millionths;
    default:
      return NumberUnit::plain;
  }
}

std::vector<std::string_view> field_names(bool with_finding, const OwnAttributes* own) {
  std::vector<std::string_view> names = string_field_names(own);
  for (std::size_t i = 0; i < number_field_count; ++i) names.push_back(name_of(static_cast<NumberField>(i)));
  for (std::size_t i = 0; i < enum_field_count; ++i) names.push_back(name_of(static_cast<EnumField>(i)));
  if (with_finding) {
    names.push_back("secret.pattern");
    names.push_back("secret.tier");
  }
  return names;
}

bool is_comparison(Operator op) {
  return op >= Operator::equal && op <= Operator::greater_equal;
}

Truth negate(Truth truth) {
  if (truth == Truth::unknown) return truth;
  return truth == Truth::yes ? Truth::no : Truth::yes;
}

}  // namespace

class Predicate::Compiler {
 public:
  Compiler(Predicate& out, bool with_finding, ExpressionError& error)
      : out_(out), with_finding_(with_finding), error_(error) {}

  std::optional<std::uint16_t> compile(const Expression& e) {
    switch (e.kind) {
      case Kind::boolean: {
        Node node;
        node.number = e.number != 0 ? 1 : 0;
        return add(node);
      }
      case Kind::not_: {
        const auto inner = compile(e.children[0]);
        if (!inner) return std::nullopt;
        Node node;
        node.op = Op::not_;
        node.left = *inner;
        return add(node);
      }
      case Kind::call:
        return has(e);
      case Kind::binary:
        if (e.op == Operator::and_ || e.op == Operator::or_) return junction(e);
        if (e.op == Operator::in || is_comparison(e.op)) return comparison(e);
        break;
      case Kind::name:
        return flag(e);
      default:
        break;
    }
    return fail(e, "a condition is needed here, such as agent == \"support\" or has(error_type)");
  }

 private:
  std::nullopt_t fail(const Expression& at, std::string message) {
    error_ = {at.offset, std::move(message)};
    return std::nullopt;
  }

  std::optional<StringField> text_field_named(std::string_view name) const {
    return string_field_named(name, out_.own_.get());
  }

  std::optional<std::uint16_t> add(Node node) {
    out_.nodes_.push_back(node);
    return static_cast<std::uint16_t>(out_.nodes_.size() - 1);
  }

  std::optional<std::uint16_t> junction(const Expression& e) {
    const auto left = compile(e.children[0]);
    const auto right = left ? compile(e.children[1]) : std::nullopt;
    if (!right) return std::nullopt;
    Node node;
    node.op = e.op == Operator::and_ ? Op::and_ : Op::or_;
    node.left = *left;
    node.right = *right;
    return add(node);
  }

  std::nullopt_t unknown_field(const Expression& at) {
    if (at.text.starts_with("secret.") && !with_finding_) {
      return fail(at, "'" + at.text + "' exists only in rules with mode: event");
    }
    return fail(at, "'" + at.text + "' is no field of an event" +
                        did_you_mean(at.text, field_names(with_finding_, out_.own_.get())));
  }

  bool is_finding(const Expression& e) const {
    return with_finding_ && (e.text == "secret.pattern" || e.text == "secret.tier");
  }

  // A name alone: only flags are conditions of their own.
  std::optional<std::uint16_t> flag(const Expression& e) {
    if (number_field_named(e.text) != NumberField::accepted) {
      if (!number_field_named(e.text) && !text_field_named(e.text) && !enum_field_named(e.text)) {
        return unknown_field(e);
      }
      return fail(e, "'" + e.text + "' is no condition; compare it, or write has(" + e.text + ")");
    }
    Node node;
    node.op = Op::number_compare;
    node.field = static_cast<std::uint8_t>(NumberField::accepted);
    node.comparison = Operator::equal;
    node.number = 1;
    return add(node);
  }

  // starts_with(tool, "db."), or as CEL spells it: tool.startsWith("db.").
  std::optional<std::uint16_t> text_test(const Expression& e) {
    // Both in the order of TextTest.
    constexpr std::array<std::string_view, text_tests.size()> methods{".startsWith", ".endsWith", ".contains",
                                                                      ".matches"};
    for (std::size_t i = 0; i < methods.size(); ++i) {
      const bool is_method = e.text.ends_with(methods[i]);
      if (!is_method && e.text != text_tests[i]) continue;
      const std::string function(text_tests[i]);
      if (e.children.size() != (is_method ? 1 : 2)) {
        return fail(e, function + "() takes a field and a text, such as " + function + "(tool, \"db.\")");
      }
      std::string field_name = is_method ? e.text.substr(0, e.text.size() - methods[i].size()) : e.children[0].text;
      const auto field = text_field_named(field_name);
      if (!field || (!is_method && e.children[0].kind != Kind::name)) {
        return fail(is_method ? e : e.children[0], function + "() takes the name of a text field" +
                                                       did_you_mean(field_name, string_field_names(out_.own_.get())));
      }
      return text_test(*field, static_cast<TextTest>(i), e.children.back());
    }
    std::vector<std::string_view> known{"has"};
    known.insert(known.end(), text_tests.begin(), text_tests.end());
    return fail(e, "'" + e.text +
                       "' is no function of a condition on events; has(field), starts_with, ends_with, contains and "
                       "matches are" +
                       did_you_mean(e.text, known));
  }

  std::optional<std::uint16_t> text_test(StringField field, TextTest test, const Expression& text) {
    if (text.kind != Kind::text) return fail(text, "a text in quotes is needed here");
    Node node;
    node.op = Op::string_test;
    node.field = static_cast<std::uint8_t>(field);
    node.number = static_cast<std::int64_t>(test);
    node.left = static_cast<std::uint16_t>(out_.words_.size());
    if (test == TextTest::matches) {
      re2::RE2::Options options;
      options.set_log_errors(false);
      options.set_max_mem(1 << 20);
      options.set_never_capture(true);
      auto regex = std::make_shared<const re2::RE2>(text.text, options);
      if (!regex->ok()) return fail(text, "no regular expression of RE2: " + regex->error());
      node.right = static_cast<std::uint16_t>(out_.regexes_.size());
      out_.regexes_.push_back(std::move(regex));
    }
    out_.words_.push_back(text.text);
    return add(node);
  }

  std::optional<std::uint16_t> has(const Expression& e) {
    if (e.text != "has") return text_test(e);
    if (e.children.size() != 1 || e.children[0].kind != Kind::name) {
      return fail(e, "has() takes the name of one field");
    }
    const Expression& name = e.children[0];
    Node node;
    if (is_finding(name)) {
      node.op = Op::has_finding;
    } else if (const auto string = text_field_named(name.text)) {
      node.op = Op::has_string;
      node.field = static_cast<std::uint8_t>(*string);
    } else if (const auto number = number_field_named(name.text)) {
      node.op = Op::has_number;
      node.field = static_cast<std::uint8_t>(*number);
    } else if (const auto word = enum_field_named(name.text)) {
      node.op = Op::has_enum;
      node.field = static_cast<std::uint8_t>(*word);
    } else {
      return unknown_field(name);
    }
    return add(node);
  }

  std::optional<std::uint16_t> comparison(const Expression& e) {
    const Expression& name = e.children[0];
    const Expression& other = e.children[1];
    if (name.kind != Kind::name) return fail(name, "the left side of a comparison must be the name of a field");
    if (is_finding(name)) return words(e, Op::finding_in, name.text == "secret.tier" ? 1 : 0);
    if (const auto string = text_field_named(name.text)) {
      return words(e, Op::string_in, static_cast<std::uint8_t>(*string));
    }
    if (const auto word = enum_field_named(name.text)) return enumeration(e, *word);
    if (const auto number = number_field_named(name.text)) return number_comparison(e, *number, other);
    return unknown_field(name);
  }

  // The right side of == or in, as a list of texts; nothing (with an error) where it is something else.
  std::optional<std::vector<const Expression*>> listed(const Expression& e) {
    std::vector<const Expression*> items;
    if (e.op == Operator::in) {
      for (const Expression& item : e.children[1].children) items.push_back(&item);
    } else if (e.op == Operator::equal || e.op == Operator::unequal) {
      items.push_back(&e.children[1]);
    } else {
      fail(e, "'" + std::string(symbol_of(e.op)) + "' does not compare texts; use ==, != or in");
      return std::nullopt;
    }
    for (const Expression* item : items) {
      if (item->kind != Kind::text) {
        fail(*item, "a text in quotes is needed here, as '" + e.children[0].text + "' is text");
        return std::nullopt;
      }
    }
    return items;
  }

  std::optional<std::uint16_t> words(const Expression& e, Op op, std::uint8_t field) {
    const auto items = listed(e);
    if (!items) return std::nullopt;
    Node node;
    node.op = op;
    node.field = field;
    node.negated = e.op == Operator::unequal;
    node.left = static_cast<std::uint16_t>(out_.words_.size());
    for (const Expression* item : *items) out_.words_.push_back(item->text);
    node.right = static_cast<std::uint16_t>(out_.words_.size());
    return add(node);
  }

  std::optional<std::uint16_t> enumeration(const Expression& e, EnumField field) {
    const auto items = listed(e);
    if (!items) return std::nullopt;
    Node node;
    node.op = Op::enum_in;
    node.field = static_cast<std::uint8_t>(field);
    node.negated = e.op == Operator::unequal;
    for (const Expression* item : *items) {
      const auto value = enum_value_named(field, item->text);
      if (!value) {
        return fail(*item, "'" + item->text + "' is no value of " + std::string(name_of(field)) +
                               nearest_or_all(item->text, enum_words(field)));
      }
      node.words_mask |= 1U << *value;
    }
    return add(node);
  }

  std::optional<std::uint16_t> number_comparison(const Expression& e, NumberField field, const Expression& other) {
    if (!is_comparison(e.op)) return fail(e, "'in' takes texts; compare numbers with ==, < or >");
    Node node;
    node.op = Op::number_compare;
    node.field = static_cast<std::uint8_t>(field);
    node.comparison = e.op;
    const NumberUnit unit = unit_of(field);
    if (field == NumberField::accepted && other.kind == Kind::boolean) {
      node.number = other.number != 0 ? 1 : 0;
      return add(node);
    }
    const bool negative = other.kind == Kind::negate;
    const Expression& literal = negative ? other.children[0] : other;
    double scale = 1;
    if (unit == NumberUnit::duration) {
      if (literal.kind != Kind::duration) {
        return fail(other, "'" + std::string(name_of(field)) + "' is a duration; write its unit, such as 2s or 30m");
      }
      scale = 1e6;
    } else {
      if (unit == NumberUnit::time) return fail(other, "a time can't be compared in a rule");
      if (literal.kind != Kind::number) {
        return fail(other, "a number without a unit is needed here, as '" + std::string(name_of(field)) +
                               (unit == NumberUnit::money ? "' is dollars" : "' is a count"));
      }
      if (unit == NumberUnit::money || unit == NumberUnit::millionths) scale = 1e6;
    }
    // A field holds whole numbers of its unit: what lies between or beyond them would be rounded to another meaning.
    const double scaled = literal.number * scale;
    constexpr double largest = 1e15;
    if (std::fabs(scaled) > largest || std::fabs(scaled - std::round(scaled)) > 1e-6) {
      return fail(other, "'" + std::string(name_of(field)) + "' can't be compared with this number; it holds whole " +
                             (unit == NumberUnit::plain ? "numbers" : "millionths") + " up to 10^15");
    }
    node.number = static_cast<std::int64_t>(std::llround(scaled)) * (negative ? -1 : 1);
    return add(node);
  }

  Predicate& out_;
  bool with_finding_;
  ExpressionError& error_;
};

bool Predicate::compile(const Expression& expression, bool with_finding, Predicate& out, ExpressionError& error,
                        std::shared_ptr<const OwnAttributes> own) {
  Predicate predicate;
  predicate.own_ = std::move(own);
  const auto root = Compiler(predicate, with_finding, error).compile(expression);
  if (!root) return false;
  predicate.root_ = *root;
  predicate.note_reads();
  predicate.canonical_ = predicate.spell(predicate.root_);
  out = std::move(predicate);
  return true;
}

bool Predicate::passes(const Node& node, std::string_view text) const {
  const std::string_view word = words_[node.left];
  switch (static_cast<TextTest>(node.number)) {
    case TextTest::starts_with:
      return text.starts_with(word);
    case TextTest::ends_with:
      return text.ends_with(word);
    case TextTest::contains:
      return text.find(word) != std::string_view::npos;
    case TextTest::matches:
      return regexes_[node.right]->Match({text.data(), text.size()}, 0, text.size(), re2::RE2::UNANCHORED, nullptr,
                                         0);
  }
  return false;
}

Truth Predicate::evaluate(std::uint16_t index, const EventFields& event, const FindingFields* finding) const {
  const Node& node = nodes_[index];
  const auto truth = [](bool holds) { return holds ? Truth::yes : Truth::no; };
  switch (node.op) {
    case Op::constant:
      return truth(node.number != 0);
    case Op::not_:
      return negate(evaluate(node.left, event, finding));
    case Op::and_: {
      const Truth left = evaluate(node.left, event, finding);
      if (left == Truth::no) return left;
      const Truth right = evaluate(node.right, event, finding);
      return right == Truth::yes ? left : right;
    }
    case Op::or_: {
      const Truth left = evaluate(node.left, event, finding);
      if (left == Truth::yes) return left;
      const Truth right = evaluate(node.right, event, finding);
      return right == Truth::no ? left : right;
    }
    case Op::has_string:
      return truth(event.has(static_cast<StringField>(node.field)));
    case Op::has_number:
      return truth(event.has(static_cast<NumberField>(node.field)));
    case Op::has_enum:
      return truth(event.enums[node.field] != 0);
    case Op::has_finding:
      return truth(finding != nullptr);
    case Op::enum_in: {
      const std::uint8_t value = event.enums[node.field];
      if (value == 0) return Truth::unknown;
      return truth((((node.words_mask >> value) & 1U) != 0) != node.negated);
    }
    case Op::string_in:
    case Op::finding_in: {
      std::string_view text;
      if (node.op == Op::string_in) {
        if (!event.has(static_cast<StringField>(node.field))) return Truth::unknown;
        text = event.get(static_cast<StringField>(node.field));
      } else {
        if (finding == nullptr) return Truth::unknown;
        text = node.field == 1 ? finding->tier : finding->pattern;
      }
      const auto first = words_.begin() + node.left;
      const auto end = words_.begin() + node.right;
      return truth((std::find(first, end, text) != end) != node.negated);
    }
    case Op::string_test: {
      const auto field = static_cast<StringField>(node.field);
      return event.has(field) ? truth(passes(node, event.get(field))) : Truth::unknown;
    }
    case Op::number_compare: {
      const auto value = event.get(static_cast<NumberField>(node.field));
      if (!value) return Truth::unknown;
      switch (node.comparison) {
        case Operator::equal:
          return truth(*value == node.number);
        case Operator::unequal:
          return truth(*value != node.number);
        case Operator::less:
          return truth(*value < node.number);
        case Operator::less_equal:
          return truth(*value <= node.number);
        case Operator::greater:
          return truth(*value > node.number);
        default:
          return truth(*value >= node.number);
      }
    }
  }
  return Truth::unknown;
}

std::vector<Predicate> Predicate::conjuncts() const {
  std::vector<Predicate> parts;
  if (nodes_.empty()) return parts;
  std::vector<std::uint16_t> open{root_};
  while (!open.empty()) {
    const std::uint16_t index = open.back();
    open.pop_back();
    if (nodes_[index].op == Op::and_) {
      open.push_back(nodes_[index].right);
      open.push_back(nodes_[index].left);
    } else {
      parts.push_back(part(index));
    }
  }
  return parts;
}

bool Predicate::join(PlainTest& test) const {
  if (nodes_.empty()) return true;
  const Node& node = nodes_[root_];
  switch (node.op) {
    case Op::has_string:
      test.strings |= bit_of(static_cast<StringField>(node.field));
      return true;
    case Op::has_enum:
    case Op::enum_in: {
      if (test.word != PlainTest::none) return false;
      constexpr std::uint32_t absent = 1;  // the bit of no word
      const std::uint32_t words = node.op == Op::has_enum ? 0 : node.words_mask;
      test.word = node.field;
      test.words = (node.op == Op::has_enum || node.negated ? ~words : words) & ~absent;
      return true;
    }
    case Op::has_number:
    case Op::number_compare: {
      if (test.number != PlainTest::none) return false;
      if (node.op == Op::number_compare && !join_bounds(node.comparison, node.number, test)) return false;
      test.number = node.field;
      return true;
    }
    default:
      return false;
  }
}

// The same program with another root; what it no longer reaches costs memory, not time.
Predicate Predicate::part(std::uint16_t root) const {
  Predicate predicate = *this;
  predicate.root_ = root;
  predicate.note_reads();
  predicate.canonical_ = spell(root);
  return predicate;
}

void Predicate::note_reads() {
  strings_read_ = numbers_read_ = enums_read_ = 0;
  reads_only_strings_ = true;
  reads_finding_ = false;
  std::vector<std::uint16_t> open{root_};
  while (!open.empty()) {
    const Node& node = nodes_[open.back()];
    open.pop_back();
    if (node.op == Op::and_ || node.op == Op::or_) open.push_back(node.right);
    if (node.op == Op::and_ || node.op == Op::or_ || node.op == Op::not_) {
      open.push_back(node.left);
    } else if (node.op == Op::string_in || node.op == Op::has_string || node.op == Op::string_test) {
      strings_read_ |= bit_of(static_cast<StringField>(node.field));
    } else {
      reads_only_strings_ = false;
      if (node.op == Op::has_number || node.op == Op::number_compare) numbers_read_ |= 1U << node.field;
      if (node.op == Op::has_enum || node.op == Op::enum_in) enums_read_ |= 1U << node.field;
      if (node.op == Op::has_finding || node.op == Op::finding_in) reads_finding_ = true;
    }
  }
}

// An attribute of a deployment's own by its name: its number is that of one rule set.
std::string Predicate::spell_field(const Node& node) const {
  const bool is_text = node.op == Op::has_string || node.op == Op::string_in || node.op == Op::string_test;
  const auto field = static_cast<StringField>(node.field);
  return is_text && is_own(field) && own_ ? own_->name_of(field) : std::to_string(node.field);
}

std::string Predicate::spell(std::uint16_t index) const {
  const Node& node = nodes_[index];
  switch (node.op) {
    case Op::and_:
      return "(" + spell(node.left) + "&&" + spell(node.right) + ")";
    case Op::or_:
      return "(" + spell(node.left) + "||" + spell(node.right) + ")";
    case Op::not_:
      return "!" + spell(node.left);
    case Op::string_in:
    case Op::finding_in: {
      std::vector<std::string> sorted(words_.begin() + node.left, words_.begin() + node.right);
      std::sort(sorted.begin(), sorted.end());
      std::string text = (node.op == Op::string_in ? "s" : "f") + spell_field(node) + (node.negated ? "!" : "=");
      for (const std::string& word : sorted) text += std::to_string(word.size()) + ":" + word;
      return text;
    }
    case Op::string_test:
      return "t" + spell_field(node) + "." + std::to_string(node.number) + "." +
             std::to_string(words_[node.left].size()) + ":" + words_[node.left];
    default:
      return std::to_string(static_cast<int>(node.op)) + "." + spell_field(node) + "." +
             std::to_string(static_cast<int>(node.comparison)) + "." + std::to_string(node.negated ? 1 : 0) + "." +
             std::to_string(node.words_mask) + "." + std::to_string(node.number);
  }
}

}  // namespace tocsin
