#include "core/alert/label_matcher.h"

#include <re2/re2.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/quotes.h"

namespace tocsin {

namespace {

constexpr std::size_t most_matcher_bytes = 1'024;
// A thousand bytes of pattern can ask for gigabytes of automaton; what needs more than this is refused.
constexpr std::int64_t most_regex_memory = 1 << 20;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_name_char(char c) {
  return is_letter(c) || (c >= '0' && c <= '9');
}
bool is_plain(char c) {
  return is_name_char(c) || std::string_view("-./:@+").find(c) != std::string_view::npos;
}

// What stands between double quotes; nothing where they do not close at the end.
std::optional<std::string> unquoted(std::string_view text) {
  std::string value;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') return i + 1 == text.size() ? std::optional(value) : std::nullopt;
    // Other escapes belong to the regular expression.
    const bool escapes = text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\');
    value += text[escapes ? ++i : i];
  }
  return std::nullopt;
}

std::string_view text_of(LabelMatcher::Operator op) {
  switch (op) {
    case LabelMatcher::Operator::equal:
      return "=";
    case LabelMatcher::Operator::not_equal:
      return "!=";
    case LabelMatcher::Operator::matches:
      return "=~";
    case LabelMatcher::Operator::does_not_match:
      return "!~";
  }
  return "";
}

}  // namespace

Result<LabelMatcher, std::string> LabelMatcher::parse(std::string_view text) {
  const std::string shown = "'" + std::string(text.substr(0, 100)) + "'";
  if (text.size() > most_matcher_bytes) return failure(shown + "... is longer than 1024 bytes");
  std::size_t at = 0;
  while (at < text.size() && is_name_char(text[at])) ++at;
  LabelMatcher matcher;
  matcher.name_ = text.substr(0, at);
  if (matcher.name_.empty() || !is_letter(matcher.name_[0])) {
    return failure(shown + " does not begin with the name of a label: letters, digits and '_'");
  }
  const std::string_view rest = text.substr(at);
  bool found = false;
  for (const Operator op : {Operator::matches, Operator::does_not_match, Operator::not_equal, Operator::equal}) {
    if (found || !rest.starts_with(text_of(op))) continue;
    found = true;
    matcher.operator_ = op;
    matcher.value_ = rest.substr(text_of(op).size());
  }
  if (!found) return failure(shown + " needs '=', '!=', '=~' or '!~' after the label's name");
  if (matcher.value_.starts_with('"')) {
    const auto inner = unquoted(matcher.value_);
    if (!inner) return failure(shown + " has quotes that do not close at its end");
    matcher.value_ = *inner;
  }
  if (matcher.operator_ == Operator::matches || matcher.operator_ == Operator::does_not_match) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(most_regex_memory);
    auto regex = std::make_shared<const re2::RE2>(matcher.value_, options);
    if (!regex->ok()) return failure(shown + " has a bad regular expression: " + regex->error());
    matcher.regex_ = std::move(regex);
  }
  return success(std::move(matcher));
}

LabelMatcher LabelMatcher::equal(std::string name, std::string value) {
  LabelMatcher matcher;
  matcher.name_ = std::move(name);
  matcher.value_ = std::move(value);
  return matcher;
}

bool LabelMatcher::matches_value(std::string_view value) const {
  switch (operator_) {
    case Operator::equal:
      return value == value_;
    case Operator::not_equal:
      return value != value_;
    case Operator::matches:
      return re2::RE2::FullMatch({value.data(), value.size()}, *regex_);
    case Operator::does_not_match:
      return !re2::RE2::FullMatch({value.data(), value.size()}, *regex_);
  }
  return false;
}

bool LabelMatcher::matches(std::string_view alert, const Labels& labels) const {
  if (name_ == "alertname" || name_ == "alert") return matches_value(alert);
  const auto found =
      std::find_if(labels.begin(), labels.end(), [&](const auto& label) { return label.first == name_; });
  return matches_value(found == labels.end() ? std::string_view{} : std::string_view(found->second));
}

std::string LabelMatcher::text() const {
  const bool plain = !value_.empty() && std::all_of(value_.begin(), value_.end(), is_plain);
  return name_ + std::string(text_of(operator_)) + (plain ? value_ : in_plain_quotes(value_));
}

}  // namespace tocsin
