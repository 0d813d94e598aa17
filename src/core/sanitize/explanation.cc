#include "core/sanitize/explanation.h"

#include <algorithm>

#include "core/sanitize/checks.h"

namespace tocsin {

namespace {

std::size_t find_keyword(std::string_view text, const Keyword& keyword, std::size_t from) {
  if (!keyword.ignore_case) return text.find(keyword.text, from);
  for (std::size_t at = from; at + keyword.text.size() <= text.size(); ++at) {
    if (equals_ignoring_case(text.substr(at, keyword.text.size()), keyword.text)) return at;
  }
  return std::string_view::npos;
}

// Nothing where the pattern hits there, or is told by something else than a keyword.
std::optional<Refusal> refusal_at(const Matcher& matcher, const CompiledPattern& pattern, std::string_view text,
                                  std::size_t at, std::size_t size) {
  std::int64_t work = 0;
  Refusal refusal = Refusal::none;
  bool hits = false;
  switch (pattern.shape) {
    case Shape::regex:
      hits = matcher.match_regex(pattern, text, at, work, &refusal).has_value();
      break;
    case Shape::assignment:
      hits =
          matcher.match_assignment(pattern, text, assignment_at(text, {at, at + size}), work, &refusal).has_value();
      break;
    case Shape::named:
      matcher.match_named(text, {at, at + size}, work, [&](const CompiledPattern&, TextRange) { hits = true; });
      refusal = Refusal::no_vendor;
      break;
    default:
      return std::nullopt;
  }
  return hits ? std::nullopt : std::optional(refusal);
}

}  // namespace

std::vector<NearMatch> near_matches(const PatternLibrary& library, std::string_view text, std::size_t most) {
  const Matcher& matcher = library.matcher();
  std::vector<NearMatch> all;
  for (const Keyword& keyword : matcher.gate().keywords()) {
    for (std::size_t at = find_keyword(text, keyword, 0); at != std::string_view::npos && all.size() < most;
         at = find_keyword(text, keyword, at + 1)) {
      for (const std::uint16_t index : keyword.patterns) {
        const auto refusal = refusal_at(matcher, matcher.pattern(index), text, at, keyword.text.size());
        if (refusal) all.push_back({index, at, *refusal});
      }
    }
  }
  std::sort(all.begin(), all.end(), [](const NearMatch& a, const NearMatch& b) {
    return std::pair(a.at, a.pattern) < std::pair(b.at, b.pattern);
  });
  all.erase(
      std::unique(all.begin(), all.end(),
                  [](const NearMatch& a, const NearMatch& b) { return a.at == b.at && a.pattern == b.pattern; }),
      all.end());
  return all;
}

}  // namespace tocsin
