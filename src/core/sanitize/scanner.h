// Finds secrets and personal data in the strings of one event.
//
// The buffer is every decoded string of the event, keys included, joined with '\0', so that a key stands right
// before its value. No match crosses a '\0'; a name and its value may stand on either side of one. Decoded,
// because in escaped bytes \u0041 hides an A.
//
// Clean text costs about a nanosecond a byte (bench/scan_bench.cc) and no allocation: a gate (LiteralGate) finds the
// places worth a look, and only there do shapes and regular expressions run, each over a window. A budget bounds the
// rest.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/sanitize/pattern_library.h"

namespace tocsin {

struct Match {
  static constexpr std::uint32_t whole = 0xffffffff;

  std::uint32_t begin = 0;
  std::uint32_t end = 0;      // exclusive
  std::uint16_t pattern = 0;  // index into PatternLibrary::patterns()

  // One key, one finding: the second half of a key pair names its first half here, as an index into the same
  // list of matches. It is redacted like any match and reported by none: the first half speaks for both.
  std::uint32_t part_of = whole;

  // What identifies the secret, hence what to fingerprint: the match, or for a part of a pair the key id.
  std::uint32_t identity_begin = 0;
  std::uint32_t identity_end = 0;

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

  const PatternLibrary& library() const { return *library_; }

 private:
  struct Work;

  void look_at_literals(std::string_view buffer, std::size_t at);
  void look_at_digits(std::string_view buffer, std::size_t begin);
  void look_at(std::string_view buffer, std::size_t base, const struct BlockMasks& masks);
  void add_pairs(std::string_view buffer);
  void add(std::uint16_t pattern, std::size_t begin, std::size_t end);
  bool afford(Tier tier, std::size_t at);
  void charge(Tier tier, std::int64_t work);
  void keep_the_gravest();
  void join_pairs();

  std::shared_ptr<const PatternLibrary> library_;
  std::vector<Match> found_;
  std::vector<Match> kept_;
  std::optional<std::uint32_t> cut_at_;
  std::int64_t left_for_secrets_ = 0;  // nanoseconds, roughly
  std::int64_t left_for_the_rest_ = 0;
  bool digit_before_ = false;  // the last byte of the block before
};

}  // namespace tocsin
