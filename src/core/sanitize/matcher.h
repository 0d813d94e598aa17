// What a pattern library compiles to: the gate's keywords, a regular expression or a shape for each pattern, and
// the checks that a candidate must pass.
//
// Thread: immutable after loading, but that a regular expression is compiled when a text first asks for it.

#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "core/sanitize/keyword_gate.h"
#include "core/sanitize/lazy_regex.h"
#include "core/sanitize/pattern_library.h"
#include "core/sanitize/shapes.h"
#include "core/sanitize/token_structures.h"
#include "core/sanitize/vendor_names.h"

namespace tocsin {

enum class Shape : std::uint8_t { regex, email, card, ssn, iban, phone, assignment, named, itin, ip };
enum class Check : std::uint8_t {
  none,
  github_crc32,
  not_github_crc32,
  aws_key_id,
  jwt,
  private_key,
  secret_value,
  password_value,
  person_name
};
// Why a pattern whose keyword stands in a text finds nothing there: for people who ask.
enum class Refusal : std::uint8_t {
  none,
  inside_a_word,
  too_short,
  regex,
  boundary,
  classes,
  entropy,
  placeholder,
  check,
  published,
  signature,
  no_value,
  name,
  no_vendor
};
std::string_view to_text(Refusal refusal);

enum class Boundary : std::uint8_t { alnum, base64, base64url, none };

// In which form a match is fingerprinted.
enum class IdentityForm : std::uint8_t { as_written, lower_case, letters_and_digits, without_line_ends };

inline constexpr std::uint16_t no_pattern = std::numeric_limits<std::uint16_t>::max();

struct CompiledPattern {
  std::uint16_t index = 0;
  Tier tier = Tier::count;  // count, of what is in shadow
  Shape shape = Shape::regex;
  Check check = Check::none;
  const TokenStructure* structure = nullptr;  // checked besides
  bool pages_unchecked = false;               // without that structure a hit pages; else it is none
  Boundary boundary = Boundary::alnum;
  std::uint32_t before = 0;
  std::uint32_t window = 256;
  std::uint32_t min_length = 0;
  bool spaces = false;
  bool only_public = true;   // of addresses
  bool next_string = false;  // the window may reach into the next string of the event
  bool has_group = false;
  double min_entropy = 0;
  int required_classes = 0;  // of CharacterClass
  std::uint16_t paired_with = no_pattern;
  WordSet not_names;
  std::vector<std::string> names;  // of vendors, in lower case
  std::vector<Hash128> published;
  LazyRegex regex;  // empty where code alone recognizes the shape
};

class Matcher {
 public:
  Matcher(std::vector<CompiledPattern> patterns, std::vector<Keyword> keywords);

  const KeywordGate& gate() const { return gate_; }
  const CompiledPattern& pattern(std::uint16_t index) const { return patterns_[index]; }
  std::size_t size() const { return patterns_.size(); }

  // Whether a keyword stands in an id (is_plain_id in checks.h): in nearly all there is none.
  bool has_keyword_in_id(std::string_view id) const;

  // The pattern of a shape that code recognizes; no_pattern where the library has none.
  std::uint16_t of_shape(Shape shape) const { return by_shape_[static_cast<std::size_t>(shape)]; }

  // Patterns with `paired_with`.
  const std::vector<std::uint16_t>& paired() const { return paired_; }

  IdentityForm identity_of(std::uint16_t pattern) const;

  // The match of a regex pattern whose keyword begins at `keyword`, or none. Adds to `work` about as many
  // nanoseconds as the answer takes.
  // `refusal` learns why there is none.
  std::optional<TextRange> match_regex(const CompiledPattern& pattern, std::string_view buffer, std::size_t keyword,
                                       std::int64_t& work, Refusal* refusal = nullptr) const;

  // The value of an assignment, where it is one that the pattern is about.
  std::optional<TextRange> match_assignment(const CompiledPattern& pattern, std::string_view buffer,
                                            const std::optional<Assignment>& found, std::int64_t& work,
                                            Refusal* refusal = nullptr) const;

  // The value behind the word for a key at `keyword`, if a vendor stands before it of whom `visit(pattern, value)`
  // then learns, once for each pattern that hits.
  template <class Visit>
  void match_named(std::string_view buffer, TextRange keyword, std::int64_t& work, Visit visit) const {
    const std::optional<TextRange> value = value_behind(buffer, keyword, work);
    if (!value) return;
    names_.for_each_in(context_of(buffer, keyword, *value), [&](std::uint16_t index) {
      if (accepts_named(patterns_[index], buffer, *value, work)) visit(patterns_[index], *value);
    });
  }

  // Whether `text`, whole, is what the pattern's regex describes and passes its checks.
  bool accepts(const CompiledPattern& pattern, std::string_view text) const {
    return refusal_of(pattern, text) == Refusal::none;
  }
  Refusal refusal_of(const CompiledPattern& pattern, std::string_view text) const;

  // The pattern's, but for what cannot be told from a made-up text: it pages where it would halt.
  static Tier tier_of(const CompiledPattern& pattern, std::string_view hit);

 private:
  static std::optional<TextRange> value_behind(std::string_view buffer, TextRange keyword, std::int64_t& work);
  static std::string_view context_of(std::string_view buffer, TextRange keyword, TextRange value);
  bool accepts_named(const CompiledPattern& pattern, std::string_view buffer, TextRange value,
                     std::int64_t& work) const;
  Refusal failed_check(const CompiledPattern& pattern, std::string_view text) const;

  std::vector<CompiledPattern> patterns_;
  KeywordGate gate_;
  VendorNames names_;
  std::vector<std::string> hexadecimal_keywords_;  // but for those that begin a token
  std::array<std::uint16_t, 10> by_shape_{};
  std::vector<std::uint16_t> paired_;
};

}  // namespace tocsin
