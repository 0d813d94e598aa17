#include "base/diagnostic.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace tocsin {

std::string to_text(const Diagnostic& diagnostic) {
  std::string text = diagnostic.file;
  if (diagnostic.at.line > 0) {
    text += ":" + std::to_string(diagnostic.at.line) + ":" + std::to_string(diagnostic.at.column);
  }
  text += ": ";
  if (diagnostic.severity == Severity::warning) text += "warning: ";
  return text + diagnostic.code + ": " + diagnostic.message;
}

void Diagnostics::error(std::string_view file, SourcePosition at, std::string_view code, std::string message) {
  ++error_count_;
  all_.push_back({Severity::error, std::string(file), at, std::string(code), std::move(message)});
}

void Diagnostics::warning(std::string_view file, SourcePosition at, std::string_view code, std::string message) {
  all_.push_back({Severity::warning, std::string(file), at, std::string(code), std::move(message)});
}

std::vector<Diagnostic> Diagnostics::sorted() const {
  std::vector<Diagnostic> sorted = all_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return std::tie(a.file, a.at) < std::tie(b.file, b.at);
  });
  return sorted;
}

namespace {

// How many letters are missing, too many, other ones or swapped with the next (the optimal string alignment
// distance), one row at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before.swap(above);
    above.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool is_same = a[i - 1] == b[j - 1];
      row[j] = std::min({row[j - 1] + 1, above[j] + 1, above[j - 1] + (is_same ? 0 : 1)});
      const bool are_swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (are_swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

// "cost_usd" for "cost", "errored" for "error".
bool goes_on(std::string_view longer, std::string_view shorter) {
  constexpr std::size_t shortest = 4;
  return shorter.size() >= shortest && longer.starts_with(shorter);
}

}  // namespace

std::string_view nearest_name(std::string_view word, const std::vector<std::string_view>& candidates) {
  constexpr std::size_t longest_word = 64;  // names are short; a hostile file must not cost time here
  if (word.size() > longest_word) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  if (!best.empty()) return best;
  const auto found = std::find_if(candidates.begin(), candidates.end(), [&](std::string_view candidate) {
    return goes_on(word, candidate) || goes_on(candidate, word);
  });
  return found == candidates.end() ? std::string_view{} : *found;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates) {
  const std::string_view near = nearest_name(word, candidates);
  return near.empty() ? std::string{} : " (did you mean '" + std::string(near) + "'?)";
}

std::string nearest_or_all(std::string_view word, const std::vector<std::string_view>& candidates) {
  if (std::string near = did_you_mean(word, candidates); !near.empty()) return near;
  std::string all;
  for (const std::string_view candidate : candidates) all += (all.empty() ? ": " : ", ") + std::string(candidate);
  return all;
}

}  // namespace tocsin
