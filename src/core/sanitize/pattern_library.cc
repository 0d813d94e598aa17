#include "core/sanitize/pattern_library.h"

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

PatternLibrary::PatternLibrary(std::vector<Pattern> patterns, std::string version,
                               std::unique_ptr<const Matcher> matcher)
    : patterns_(std::move(patterns)), version_(std::move(version)), matcher_(std::move(matcher)) {}

PatternLibrary::~PatternLibrary() = default;

}  // namespace tocsin
