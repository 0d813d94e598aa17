#include "core/sanitize/pattern_library.h"

#include <algorithm>
#include <utility>

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

PatternLibrary::PatternLibrary(std::vector<Pattern> patterns, std::vector<FieldRule> field_rules,
                               std::vector<Allowance> allowances, std::string version,
                               std::unique_ptr<const Matcher> matcher)
    : patterns_(std::move(patterns)),
      field_rules_(std::move(field_rules)),
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
