// `where`: a condition on one event, compiled to a flat program that costs a few nanoseconds.
//
// An absent field makes a comparison unknown, and only "true" selects an event: neither `tool == "x"` nor
// `tool != "x"` holds for an event without a tool. has(field) asks for presence.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/event/event_fields.h"
#include "core/event/own_attributes.h"
#include "core/rule/expression.h"

namespace re2 {
class RE2;
}

namespace tocsin {

// What a finding of the sanitizer offers to predicates of rules with `mode: event`.
struct FindingFields {
  std::string_view pattern;  // "aws.access_key"
  std::string_view tier;     // "halt", "page"
};

enum class Truth : std::uint8_t { no, yes, unknown };

// What most conditions on events come to, in half a cache line: texts that are there, a number within bounds, a word
// of a closed set.
struct PlainTest {
  static constexpr std::uint8_t none = 0xff;

  StringMask strings = 0;  // that are there
  std::int64_t least = INT64_MIN;
  std::int64_t most = INT64_MAX;
  std::uint32_t words = 0;  // a bit for each that may stand in `word`
  std::uint8_t number = none;
  std::uint8_t word = none;

  bool holds(const EventFields& event) const {
    if ((event.strings_present & strings) != strings) return false;
    if (number != none) {
      if (!event.has(static_cast<NumberField>(number))) return false;
      if (event.numbers[number] < least || event.numbers[number] > most) return false;
    }
    return word == none || ((words >> event.enums[word]) & 1U) != 0;
  }
};

class Predicate {
 public:
  // True for every event.
  Predicate() = default;

  // Compiles; reports the first mistake in `error` and returns false.
  // `with_finding`: secret.pattern and secret.tier may be used. `own`: attributes that may; null: none.
  static bool compile(const Expression& expression, bool with_finding, Predicate& out, ExpressionError& error,
                      std::shared_ptr<const OwnAttributes> own = nullptr);

  bool always() const { return nodes_.empty(); }
  bool holds(const EventFields& event, const FindingFields* finding = nullptr) const {
    return nodes_.empty() || evaluate(root_, event, finding) == Truth::yes;
  }

  // The outermost `&&` taken apart, so that what depends on the group alone is asked once a group.
  std::vector<Predicate> conjuncts() const;
  // Adds what it asks to `test`, and says whether it could: then it need not be asked itself. Else `test` is as
  // before.
  bool join(PlainTest& test) const;
  // Which string fields it reads, as a mask by StringField; reads_only_strings() says that it reads nothing else.
  StringMask strings_read() const { return strings_read_; }
  bool reads_only_strings() const { return reads_only_strings_; }
  // The same by NumberField, and by EnumField.
  std::uint32_t numbers_read() const { return numbers_read_; }
  std::uint32_t enums_read() const { return enums_read_; }
  bool reads_finding() const { return reads_finding_; }

  // The same text for the same meaning as far as spelling goes; part of an aggregate's identity.
  const std::string& canonical() const { return canonical_; }

 private:
  enum class Op : std::uint8_t {
    and_,
    or_,
    not_,
    has_string,
    has_number,
    has_enum,
    has_finding,
    string_in,
    enum_in,
    finding_in,
    string_test,
    number_compare,
    constant
  };
  struct Node {
    Op op = Op::constant;
    std::uint8_t field = 0;
    Expression::Operator comparison = Expression::Operator::none;
    bool negated = false;
    std::uint16_t left = 0, right = 0;  // children, or the first and the end of the words
    std::uint32_t words_mask = 0;       // of enumerations
    std::int64_t number = 0;
  };
  // What starts_with() and its like ask of a text; in Node::number.
  enum class TextTest : std::uint8_t { starts_with, ends_with, contains, matches };
  class Compiler;

  bool passes(const Node& node, std::string_view text) const;
  Truth evaluate(std::uint16_t index, const EventFields& event, const FindingFields* finding) const;
  Predicate part(std::uint16_t root) const;
  void note_reads();
  std::string spell(std::uint16_t index) const;
  std::string spell_field(const Node& node) const;

  std::vector<Node> nodes_;
  std::vector<std::string> words_;
  std::vector<std::shared_ptr<const re2::RE2>> regexes_;  // of matches(), shared by copies
  std::shared_ptr<const OwnAttributes> own_;              // null: it knows none
  std::uint16_t root_ = 0;
  StringMask strings_read_ = 0;
  std::uint32_t numbers_read_ = 0;
  std::uint32_t enums_read_ = 0;
  bool reads_only_strings_ = true;
  bool reads_finding_ = false;
  std::string canonical_;
};

}  // namespace tocsin
