#include "core/sanitize/pattern_library.h"

#include <algorithm>
#include <utility>

#include "base/time_text.h"
#include "core/sanitize/checks.h"
#include "core/sanitize/matcher.h"

namespace tocsin {

std::string_view to_text(Tier tier) {
  switch (tier) {
    case Tier::halt:
      return "halt";
    case Tier::page:
      return "page";
    case Tier::count:
      return "count";
    case Tier::pii:
      return "pii";
  }
  return "count";
}

bool is_retention(std::string_view word) {
  constexpr std::size_t longest = 20;
  return !word.empty() && word.size() <= longest && !std::all_of(word.begin(), word.end(), is_digit) &&
         std::all_of(word.begin(), word.end(),
                     [](char c) { return has_class(c, digit_class | lower_class | word_punctuation_class); });
}

std::string_view shorter_retention(std::string_view ours, std::string_view said) {
  if (!is_retention(said)) return ours;
  if (said == "none") return said;
  const auto our_length = parse_duration(ours), said_length = parse_duration(said);
  return our_length && said_length && *said_length < *our_length ? said : ours;
}

PatternLibrary::PatternLibrary(std::vector<Pattern> patterns, std::vector<FieldRule> field_rules,
                               ReferenceRules reference_rules, std::vector<Allowance> allowances, std::string version,
                               std::unique_ptr<const Matcher> matcher)
    : patterns_(std::move(patterns)),
      field_rules_(std::move(field_rules)),
      reference_rules_(std::move(reference_rules)),
      keeps_text_(std::any_of(reference_rules_.begin(), reference_rules_.end(),
                              [](const ReferenceRule& rule) { return rule.keeps_text; })),
      allowances_(std::move(allowances)),
      version_(std::move(version)),
      matcher_(std::move(matcher)) {
  for (const Allowance& allowance : allowances_) {
    allows_fingerprints_ = allows_fingerprints_ || !allowance.fingerprint.empty();
  }
}

PatternLibrary::~PatternLibrary() = default;

const Pattern* PatternLibrary::find(std::string_view id) const {
  const auto known =
      std::find_if(patterns_.begin(), patterns_.end(), [id](const Pattern& pattern) { return pattern.id == id; });
  return known == patterns_.end() ? nullptr : &*known;
}

}  // namespace tocsin
