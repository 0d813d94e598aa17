// What tests of the core share: time as at(30s), rules from a text, events in one line, and seeded randomness.

#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time_text.h"
#include "base/wire.h"
#include "core/event/event_fields.h"
#include "core/rule/rule_set.h"

namespace tocsin::test {

// Log time after Monday, 2026-01-05T00:00:00Z: an even hour, so that it begins a cell of every length.
constexpr RecordTime at(Duration after) {
  return RecordTime{Duration{1'767'571'200'000}} + after;
}
constexpr EventTime event_at(Duration after) {
  return as_event_time(at(after));
}

inline std::string text_at(Duration after) {
  return to_rfc3339(event_at(after));
}

// Rules that must load; a mistake in them fails the test and says where it stands.
inline std::shared_ptr<const RuleSet> rules_from(std::vector<NamedText> files) {
  Diagnostics diagnostics;
  auto rules = load_rules(files, diagnostics);
  for (const Diagnostic& diagnostic : diagnostics.all()) ADD_FAILURE() << to_text(diagnostic);
  if (rules == nullptr) std::abort();
  return rules;
}
inline std::shared_ptr<const RuleSet> rules_from(std::string_view text) {
  return rules_from(std::vector<NamedText>{{"rules.yaml", std::string(text)}});
}

inline std::string file_text(const std::string& path) {
  std::ifstream in(std::string(PROJECT_ROOT) + "/" + path);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A generator whose seed a failure prints. TOCSIN_SEED=N runs one seed again.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  // In [0, below).
  std::int64_t below(std::int64_t bound) {
    return static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(bound));
  }
  std::uint64_t bits() { return engine_(); }
  template <class T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i > 1; --i) {
      std::swap(items[i - 1], items[static_cast<std::size_t>(below(static_cast<std::int64_t>(i)))]);
    }
  }

 private:
  std::mt19937_64 engine_;
};

inline std::vector<std::uint64_t> seeds(int count) {
  if (const char* one = std::getenv("TOCSIN_SEED")) return {std::strtoull(one, nullptr, 10)};
  std::vector<std::uint64_t> list;
  for (int i = 1; i <= count; ++i) list.push_back(static_cast<std::uint64_t>(i));
  return list;
}

// Of runs that take seconds each: the sanitizers take up to twenty times as long.
inline std::vector<std::uint64_t> seeds_of_long_runs(int count) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  count = (count + 9) / 10;
#endif
  return seeds(count);
}

// Where a record with sections can be cut so that whole sections are left, or none; its own size is not among them.
inline std::set<std::size_t> sizes_between_sections(std::string_view bytes) {
  std::set<std::size_t> sizes;
  std::string_view rest = wire::parts_of(bytes)->sections;
  while (!rest.empty()) {
    sizes.insert(bytes.size() - rest.size());
    wire::next_section(rest);
  }
  return sizes;
}

}  // namespace tocsin::test
