// Finds secrets and personal data in the strings of one event.
//
// The buffer is every decoded string of the event, keys included, joined with '\0', so that a key stands right
// before its value. No match crosses a '\0'; a name and its value may stand on either side of one. Decoded,
// because in escaped bytes \u0041 hides an A.
//
// Clean prose costs 0.7 ns a byte, a clean event 1.6 (bench/scan_bench.cc) and no allocation: a gate (KeywordGate,
// ByteMasks) finds the places worth a look, and only there do shapes and regular expressions run, each over a window.
// A budget bounds the rest.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/sanitize/keyword_gate.h"
#include "core/sanitize/pattern_library.h"

namespace tocsin {

enum class Shape : std::uint8_t;

struct Match {
  static constexpr std::uint32_t whole = 0xffffffff;

  std::uint32_t begin = 0;
  std::uint32_t end = 0;      // exclusive
  std::uint16_t pattern = 0;  // index into PatternLibrary::patterns()
  // The pattern's, but for what somebody typed or has no true checksum: no reason to stop an agent for; it pages.
  Tier tier = Tier::count;

  // One key, one finding: the second half of a key pair names its first half here, as an index into the same
  // list of matches. It is redacted like any match and reported by none: the first half speaks for both.
  std::uint32_t part_of = whole;

  // What identifies the secret, hence what to fingerprint: the match, as plain text where it was hidden in an
  // encoding; for a part of a pair the key id. Valid as long as the matches.
  std::string_view identity;

  friend bool operator==(const Match&, const Match&) = default;
};

// Thread: one per thread; the library is shared.
class Scanner {
 public:
  explicit Scanner(std::shared_ptr<const PatternLibrary> library);
  ~Scanner();
  Scanner(Scanner&&) noexcept;
  Scanner& operator=(Scanner&&) noexcept;

  // Sorted by position, non-overlapping; valid until the next call. Where two patterns claim the same bytes, the
  // graver tier has them, then the longer match.
  // Requires: buffer.size() < 4 GiB.
  std::span<const Match> scan(std::string_view buffer);

  // Whether the last scan ran out of its budget, and from which byte on something was left out: text from there
  // is unscanned, not clean. What was found before stands.
  bool last_scan_was_cut() const { return cut_at_.has_value(); }
  std::optional<std::uint32_t> cut_at() const { return cut_at_; }

  // What every pattern of the last scan claimed for itself, before the gravest were kept.
  std::span<const Match> claims() const { return found_; }

  const PatternLibrary& library() const { return *library_; }

 private:
  struct Work;

  void scan_layer(std::string_view buffer);
  void look_for_hidden(std::string_view buffer, std::size_t base, const struct ByteMasks& masks);
  void scan_hidden(std::string_view buffer);
  // Where the bits of `places` are, `range_at` says whether the shape is.
  template <class RangeAt>
  void look_for_shape(std::string_view buffer, std::size_t base, std::uint64_t places, Shape shape, RangeAt range_at);
  void look_at_addresses(std::string_view buffer, std::size_t base, const struct ByteMasks& masks);
  std::uint64_t starts_of(const struct ByteMasks& masks);
  void look_at_starts(std::string_view buffer, std::size_t base, const struct ByteMasks& masks,
                      std::uint64_t tokens_behind);
  void try_keyword(std::string_view buffer, const struct Keyword& keyword, std::size_t begin);
  void look_at_digits(std::string_view buffer, std::size_t begin);
  void look_at(std::string_view buffer, std::size_t base, const struct ByteMasks& masks);
  void add_pairs(std::string_view buffer, std::size_t first);
  void add(std::string_view buffer, const struct CompiledPattern& pattern, std::size_t begin, std::size_t end);
  bool afford(Tier tier, std::size_t at);
  void charge(Tier tier, std::int64_t work);
  void keep_the_gravest();
  void join_pairs();

  std::shared_ptr<const PatternLibrary> library_;
  KeywordGate::Search search_;
  std::vector<Match> found_;
  std::vector<Match> kept_;
  std::optional<std::uint32_t> cut_at_;
  static std::size_t purse_of(Tier tier) { return std::min<std::size_t>(static_cast<std::size_t>(tier), 2); }
  std::array<std::int64_t, 3> left_{};  // nanoseconds, roughly: of halt, of page, and of the other tiers together
  bool digit_before_ = false;           // the last byte of the block before
  std::uint64_t alnum_before_ = 0, escapes_before_ = 0;  // masks of the block before
  bool is_hidden_ = false;         // the text at hand was hidden in an encoding: there is no second layer
  std::size_t decoded_until_ = 0;  // where the last text that was decoded ends
  std::unique_ptr<struct DecodedText> hidden_;  // reused
  std::deque<std::string> decoded_;             // what identities point into
};

}  // namespace tocsin
