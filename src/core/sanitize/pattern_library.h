// The library of sanitizing patterns: what counts as a secret or as personal data, and how grave a find is.
//
// Written in files (rules/sanitize/*.yaml), read once, shared by every scanner. A pattern that misses one of its own
// examples, or hits one of its near misses, does not load: the files carry their own tests. Of those that ship
// `tocsin check` and our tests have tried them.

#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.h"
#include "base/named_text.h"
#include "base/units.h"
#include "base/yaml_tree.h"
#include "core/event/event_fields.h"

namespace tocsin {

// What a find leads to. `halt` is for exact vendor shapes alone: a false one stops somebody's agent.
enum class Tier : std::uint8_t { halt, page, count, pii };

// "halt", "page", "count" or "pii".
std::string_view to_text(Tier tier);

struct Pattern {
  std::string id;           // "aws.access_key"; ids of personal data start with "pii."
  Tier tier = Tier::count;  //
  std::string description;  // for people, in pages and in `tocsin scan`
  std::string short_name;   // what stands in redacted text: the id without "pii."
  std::string rotate;       // where its holder revokes it, for the page; may be empty
  bool is_shadow = false;   // on trial: what it finds is redacted and counted, and neither halts nor pages
};

// What a deployment wants of a field besides: its keyed hash in its place, nothing at all, or the field as it came,
// whatever is found in it. What is found is a finding all the same.
enum class FieldAction : std::uint8_t { hash, drop, keep };

struct FieldRule {
  StringField field{};
  FieldAction action = FieldAction::hash;
};

// What leaves by reference: content (prompts and outputs), arguments of tools, and results, the content of tool
// calls.
enum class ContentField : std::uint8_t { content, arguments, results };
inline constexpr std::size_t content_field_count = 3;

struct ReferenceRule {
  std::string retention = "30d";     // for how long a consumer may keep it, a duration or a name; "none": not at all
  bool keeps_text = false;           // its text leaves besides, redacted
  std::uint32_t most_bytes = 8'192;  // of that
};
using ReferenceRules = std::array<ReferenceRule, content_field_count>;

// 1 to 20 of a-z, 0-9, _ and -, not digits alone.
bool is_retention(std::string_view word);
// `said` where it is shorter than `ours`: both are durations, or it is "none". Else `ours`.
std::string_view shorter_retention(std::string_view ours, std::string_view said);

// A finding that somebody vouches for, for a while: it is redacted and counted, and neither halts nor pages.
struct Allowance {
  std::string fingerprint;  // 16 hexadecimal digits; empty: any
  std::string pattern;      // the id; empty: any
  std::string place;        // as place_of() says it; empty: any
  RecordTime until;
  std::string reason;
};

class Matcher;

// Thread: immutable, so any number of threads may share one.
class PatternLibrary {
 public:
  PatternLibrary(std::vector<Pattern> patterns, std::vector<FieldRule> field_rules, ReferenceRules reference_rules,
                 std::vector<Allowance> allowances, std::string version, std::unique_ptr<const Matcher> matcher);
  ~PatternLibrary();
  PatternLibrary(const PatternLibrary&) = delete;
  PatternLibrary& operator=(const PatternLibrary&) = delete;

  // Match::pattern is an index into this list.
  std::span<const Pattern> patterns() const { return patterns_; }

  // The pattern of that id; null where there is none.
  const Pattern* find(std::string_view id) const;

  std::span<const FieldRule> field_rules() const { return field_rules_; }

  const ReferenceRule& reference_rule(ContentField field) const {
    return reference_rules_[static_cast<std::size_t>(field)];
  }
  // Of any field.
  bool keeps_text() const { return keeps_text_; }

  std::span<const Allowance> allowances() const { return allowances_; }
  bool allows_fingerprints() const { return allows_fingerprints_; }

  // Changes with every change of the files: "1-" and 16 hexadecimal digits, 1 being the version they state.
  std::string version() const { return version_; }

  // What the patterns compile to; for the scanner.
  const Matcher& matcher() const { return *matcher_; }

 private:
  std::vector<Pattern> patterns_;
  std::vector<FieldRule> field_rules_;
  ReferenceRules reference_rules_;
  bool keeps_text_ = false;
  std::vector<Allowance> allowances_;
  bool allows_fingerprints_ = false;
  std::string version_;
  std::unique_ptr<const Matcher> matcher_;
};

// Reads files with the top-level key `sanitize` into one library. All mistakes go to `diagnostics`, with file,
// line and column; after an error the answer is null. The keys of a pattern:
//
//   id, tier, description
//   rotate        where its holder revokes or rotates it, for the page
//   shadow        true: on trial; a find is redacted and counted under its own name, whatever the tier
//   keywords      literals, one of which stands in every match; without one in the text a pattern costs nothing
//   ignore_case   of the keywords; the regex says (?i) itself
//   regex         RE2; it starts at the keyword unless `before` says otherwise. With a group, the group is the match.
//                 {{name}} is what `parts` says of that name
//   before        how many bytes before the keyword the match may begin (default 0)
//   window        how many bytes from the keyword on the regex sees (default 256)
//   spaces        true: the window does not end at the first blank or quote
//   min_length    of the window; shorter ones are not tried
//   boundary      alnum (default), base64, base64url or none: what must not stand right before and after a match
//   shape         instead of a regex: email, card, ssn, iban, phone (all recognized by code); or `assignment`:
//                 a keyword ends a name, and the match is the value after =, : or the next string, whole, and
//                 hits `regex`
//                 or `named`: what is only known by its vendor's name. One of `names` stands up to 80 bytes before
//                 the value, a word for a key (key, token, secret, ...) right before it, and `regex` hits it whole
//   names         of the vendor, in lower case; those of three or four letters must be words of their own
//   not_names     for assignments: words that a name must not hold
//   check         none, github_crc32, not_github_crc32, aws_key_id, jwt, private_key, secret_value, password_value;
//   or a
//                 structure of token_structures.cc, without which what would halt pages, and all else is no match
//   min_entropy   Shannon entropy of the match in bits a character
//   classes       all of these stand in the match: upper, lower, digit
//   paired_with   id of a pattern; a run of base64 characters that hits `regex` within 200 bytes of a match of it
//                 is a match as well, and `part_of` that one
//   examples, unchecked, near_misses   texts that hit, that only page for want of that structure, and that do not; a
//                 list is joined, so that a file holds no string that looks like a secret
//   published     hashes (XXH3-128, hexadecimal) of public example values, which are no secrets
// Beside `patterns` a file may have, in the map `sanitize`,
//   parts         {name: regex}: what several of its patterns have in common
//   fields        {field, do}: hash, drop or keep a field of every event. Those by which events are known can't be
//   references    {retention, content, arguments, results}: what leaves as a keyed hash and a length, for how long a
//                 consumer may keep it, and by field {retention, keep, max_bytes}: `keep: redacted` lets its text
//                 leave besides, redacted, the first max_bytes (default 8192) of it. In one file only
//   allow         {fingerprint, pattern, place, until, reason}: what is found and vouched for. One of the first
//   three,
//                 a day (2026-12-31) or time until when, and why
// `proven`: files that have loaded without errors as others do, as those that ship have in our tests. Their regexes
// are compiled when a text first asks for them; and where all files that hold patterns are of these, the examples are
// not tried. Requires: no \Q...\E in their regexes.
std::shared_ptr<const PatternLibrary> load_patterns(std::span<const NamedText> files, Diagnostics& diagnostics,
                                                    std::span<const NamedText> proven = {});
// Of files that have been parsed.
std::shared_ptr<const PatternLibrary> load_patterns(std::span<const YamlFile> files, Diagnostics& diagnostics,
                                                    std::span<const NamedText> proven = {});

}  // namespace tocsin
