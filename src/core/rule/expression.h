// The expressions of rule files, as a tree: `value > 2 * baseline && hits >= 4`, `outcome in ["errored"]`.
//
//   or    := and (('||' | 'or') and)*          and  := not (('&&' | 'and') not)*
//   not   := ('!' | 'not') not | compare       compare := sum (('=='|'!='|'<'|'<='|'>'|'>=') sum | 'in' list)?
//                                                       | name 'not'? ('in' list | text test sum)
//   sum   := term (('+' | '-') term)*          term := unary (('*' | '/') unary)*
//   unary := '-' unary | primary               primary := number unit? | "text" | name | name '(' args ')' | '(' or
//   ')'                                        args    := (or | name ':' list), ...
//
// The shape is that of CEL (Common Expression Language); units (`30m`, `2s`) are Prometheus' durations.

#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin {

struct Expression {
  enum class Kind : std::uint8_t { number, duration, text, boolean, name, call, list, named, not_, negate, binary };
  enum class Operator : std::uint8_t {
    none,
    or_,
    and_,
    equal,
    unequal,
    less,
    less_equal,
    greater,
    greater_equal,
    in,
    add,
    subtract,
    multiply,
    divide
  };

  Kind kind = Kind::number;
  Operator op = Operator::none;
  std::uint32_t offset = 0;  // where it begins in the source, in bytes
  std::string text;          // a name (dots included), a function's or named argument's name, or a text's value
  double number = 0;         // of numbers, and of durations in seconds
  std::vector<Expression> children;
};

// The functions that may stand between a field and a text as well: tool matches "^db".
inline constexpr std::array<std::string_view, 4> text_tests{"starts_with", "ends_with", "contains", "matches"};

struct ExpressionError {
  std::uint32_t offset = 0;
  std::string message;
};

// Bounds: 4 KiB of text, 64 levels.
// Returns nothing and fills `error` where the text is no expression.
std::optional<Expression> parse_expression(std::string_view text, ExpressionError& error);

std::string_view symbol_of(Expression::Operator op);

}  // namespace tocsin
