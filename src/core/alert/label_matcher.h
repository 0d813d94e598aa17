// One condition on a label, as Alertmanager has it: NAME=VALUE, NAME!=VALUE, NAME=~REGEX, NAME!~REGEX.
//
// A regular expression (RE2) must match the whole value. A label that is not there has the empty value. The names
// `alertname` and `alert` both mean the alert's name.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/alert/alert_change.h"

namespace re2 {
class RE2;
}

namespace tocsin {

class LabelMatcher {
 public:
  enum class Operator : std::uint8_t { equal, not_equal, matches, does_not_match };

  // VALUE and REGEX stand as they are, or in double quotes with \" and \\ in them. Refuses, with the reason, what is
  // no matcher, is longer than 1,024 bytes, or has a bad regular expression.
  static Result<LabelMatcher, std::string> parse(std::string_view text);
  static LabelMatcher equal(std::string name, std::string value);

  bool matches(std::string_view alert, const Labels& labels) const;
  bool matches_value(std::string_view value) const;

  // As parse() takes it; quotes only where they are needed.
  std::string text() const;

 private:
  LabelMatcher() = default;

  std::string name_;
  Operator operator_ = Operator::equal;
  std::string value_;
  std::shared_ptr<const re2::RE2> regex_;  // shared by copies; immutable
};

}  // namespace tocsin
