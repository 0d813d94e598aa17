// Annotations with measured values in them: "{{agent}} spends {{value|usd}}/h, {{value / baseline|x}} its average".
//
// A placeholder is a label's name (also as $labels.NAME) or an expression of the rule's condition language,
// followed by `|` and a filter: usd, x, percent, duration, or none (up to four significant digits).

#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/rule/condition.h"

namespace tocsin {

class TemplateText {
 public:
  // `labels`: the names that stand for labels. Reports the first mistake; offsets are into `text`.
  static bool compile(std::string_view text, const ConditionScope& scope, const std::vector<std::string>& labels,
                      TemplateText& out, ExpressionError& error);

  // Whether it holds anything but labels of a group and fixed text.
  bool has_numbers() const;

  using LabelOf = std::function<std::string_view(std::string_view name)>;
  using InputOf = std::function<double(const Variable&)>;

  // Unknown numbers read "unknown". At most 1,024 bytes, cut between characters.
  std::string render(const LabelOf& label, const InputOf& input) const;

 private:
  enum class Filter : std::uint8_t { none, usd, times, percent, duration };
  struct Part {
    std::string text;  // literal text, or the label's name
    bool is_label = false;
    bool is_number = false;
    Condition number;
    Filter filter = Filter::none;
  };
  static std::string format(double number, Filter filter, Unit unit);

  std::vector<Part> parts_;
};

}  // namespace tocsin
