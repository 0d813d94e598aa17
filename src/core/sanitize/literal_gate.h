// The gate in front of every pattern: one pass over the bytes that finds the few places worth a closer look.
//
// Literals are found by the nibble masks of Hyperscan's "Teddy" (four bytes of each keyword, eight buckets), digits,
// plus signs and capitals by comparisons: one bit a byte for each. SSSE3 and AVX2 where the processor has them,
// else tables; all three give the same bits.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin {

struct Keyword {
  std::string text;  // in lower case when `ignore_case`
  bool ignore_case = false;
  std::vector<std::uint16_t> patterns;
};

// What stands at each of 64 bytes, byte 0 in the lowest bit.
struct BlockMasks {
  std::uint64_t literal = 0;  // a keyword's fingerprint may start here: false hits, no misses
  std::uint64_t digit = 0;
  std::uint64_t plus = 0;
  std::uint64_t upper = 0;
};

class LiteralGate {
 public:
  static constexpr std::size_t block_size = 64;
  static constexpr std::size_t fingerprint_length = 4;

  enum class Instructions : std::uint8_t { tables, ssse3, avx2 };
  static Instructions best_instructions();

  // `instructions` must be ones that this processor has; tests pass the lesser ones to compare.
  explicit LiteralGate(std::vector<Keyword> keywords, Instructions instructions = best_instructions());

  // Requires: block_size * masks + fingerprint_length - 1 bytes are readable from `bytes` on.
  void classify(const char* bytes, BlockMasks* masks, std::size_t count) const;

  const std::vector<Keyword>& keywords() const { return keywords_; }

  // Calls `visit(keyword, begin)` for each keyword that stands at the fingerprint position `at` of `buffer`.
  template <class Visit>
  void for_each_keyword_at(std::string_view buffer, std::size_t at, Visit visit) const {
    const std::uint32_t here = word_at(buffer, at);
    // Most of what passes the nibble masks are false hits; one bit of a small table tells nearly all of them.
    const std::uint32_t slot = slot_of(here);
    std::uint8_t buckets = ((filter_[slot / 64] >> (slot % 64)) & 1U) != 0 ? std::uint8_t{0xff} : short_buckets_;
    buckets = static_cast<std::uint8_t>(buckets & buckets_of(here));
    while (buckets != 0) {
      const int bucket = __builtin_ctz(buckets);
      buckets = static_cast<std::uint8_t>(buckets & (buckets - 1));
      for (const Entry& entry : buckets_[static_cast<std::size_t>(bucket)]) {
        if (((here | entry.fold) & entry.care) != entry.word || at < entry.offset) continue;
        const Keyword& keyword = keywords_[entry.keyword];
        if (stands_at(buffer, at - entry.offset, keyword)) visit(keyword, at - entry.offset);
      }
    }
  }

  // The masks as the vector code reads them: tables by low and high nibble of each fingerprint byte.
  struct NibbleTables {
    alignas(32) std::array<std::array<std::uint8_t, 32>, fingerprint_length> low{};
    alignas(32) std::array<std::array<std::uint8_t, 32>, fingerprint_length> high{};
  };

 private:
  struct Entry {
    std::uint16_t keyword = 0;
    std::uint8_t offset = 0;  // of the fingerprint in the keyword: its rarest four bytes
    std::uint32_t word = 0;   // these bytes, as in memory
    std::uint32_t fold = 0;   // the bit that makes a letter small, where case is ignored
    std::uint32_t care = 0;   // all bits of the bytes that the keyword has
  };

  static std::uint32_t word_at(std::string_view buffer, std::size_t at) {
    std::uint32_t word = 0;
    if (at + fingerprint_length <= buffer.size()) {
      std::memcpy(&word, buffer.data() + at, fingerprint_length);
    } else {
      std::memcpy(&word, buffer.data() + at, buffer.size() - at);
    }
    return word;
  }
  // Of the first three bytes, letters as if small.
  static std::uint32_t slot_of(std::uint32_t word) { return (((word | 0x202020U) & 0xffffffU) * 0x9e3779b1U) >> 20; }

  std::uint8_t buckets_of(std::uint32_t word) const;
  static bool stands_at(std::string_view buffer, std::size_t begin, const Keyword& keyword);

  std::vector<Keyword> keywords_;
  std::array<std::vector<Entry>, 8> buckets_;
  std::array<std::uint64_t, 64> filter_{};
  std::uint8_t short_buckets_ = 0;  // hold keywords of less than three bytes, which the filter does not know
  NibbleTables tables_;
  Instructions instructions_;
};

}  // namespace tocsin
