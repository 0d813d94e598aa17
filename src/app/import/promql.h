// PromQL as a tree: https://prometheus.io/docs/prometheus/latest/querying/basics/
//
//   expression := unary (operator modifiers expression)*, by precedence
//   unary      := ('-' | '+') unary | primary ('[' range ']' | 'offset' duration | '@' time)*
//   primary    := number | "text" | '(' expression ')' | metric? '{' matchers '}' | metric
//               | function '(' arguments ')' | aggregation grouping? '(' arguments ')' grouping?

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"

namespace tocsin::prometheus {

struct Matcher {
  std::string label, comparison, value;
};

struct Promql {
  enum class Kind : std::uint8_t { number, text, selector, subquery, call, aggregation, binary, negate };
  enum class Grouping : std::uint8_t { none, by, without };
  Kind kind = Kind::number;
  std::string name;  // of a metric, a function, an aggregation or an operator
  double number = 0;
  std::vector<Matcher> matchers;
  std::optional<Duration> range;
  std::string modifier;  // of a selector: offset or @; of an operator: bool, on, ignoring, group_left or group_right
  Grouping grouping = Grouping::none;
  std::vector<std::string> labels;  // of the grouping
  std::vector<Promql> children;
};

// Nothing, and the reason, where the text is no PromQL that is read here.
std::optional<Promql> parse_promql(std::string_view text, std::string& reason);

inline bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
inline bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace tocsin::prometheus
