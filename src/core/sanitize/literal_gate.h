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

#include "base/ascii.h"

namespace tocsin {

struct Keyword {
  std::string text;  // in lower case when `ignore_case`
  bool ignore_case = false;
  std::vector<std::uint16_t> patterns;
  // Where it counts. The more a place says, the fewer are looked at, so that keywords may be very many.
  enum class Where : std::uint8_t {
    anywhere,
    in_long_token,        // within `long_token` bytes or more of token_class
    at_long_token_start,  // at the first letter or digit of one, or behind an escape in it
  };
  Where where = Where::anywhere;
};

// What stands at each of 64 bytes, byte 0 in the lowest bit.
struct BlockMasks {
  std::uint64_t literal;           // the fingerprint of a keyword may start here: false hits, no misses
  std::uint64_t literal_in_token;  // of a keyword that counts in long tokens
  std::uint64_t token;             // of token_class
  std::uint64_t digit;
  std::uint64_t plus;
  std::uint64_t at_sign;
  std::uint64_t upper;
  std::uint64_t dot;
  std::uint64_t colon;
  std::uint64_t escape;  // % and backslash
  std::uint64_t alnum;
  std::uint8_t solid;  // bit 0: bytes 0 to 31 are all of base64, either alphabet; bit 1: bytes 32 to 63
};

class LiteralGate {
 public:
  static constexpr std::size_t block_size = 64;
  static constexpr std::size_t fingerprint_length = 4;
  static constexpr std::size_t long_token = 12;
  static constexpr std::size_t table_count =
      3;  // eight buckets each: two of keywords anywhere, one of those in tokens

  enum class Instructions : std::uint8_t { tables, ssse3, avx2 };
  static Instructions best_instructions();

  // Requires: each keyword has three bytes at least. `instructions` must be ones that this processor has; tests pass
  // the lesser ones to compare.
  explicit LiteralGate(std::vector<Keyword> keywords, Instructions instructions = best_instructions());

  // Requires: block_size * masks + fingerprint_length - 1 bytes are readable from `bytes` on.
  void classify(const char* bytes, BlockMasks* masks, std::size_t count) const;

  const std::vector<Keyword>& keywords() const { return keywords_; }

  // Of the places that `bits` name, 64 a word, those where four bytes of a keyword stand, or three: false hits are
  // rare. In order, as offsets from `bytes`; answers their number. `places` has room for twice most_places(words).
  // Requires: 64 * words + fingerprint_length - 1 bytes are readable.
  static constexpr std::size_t most_places(std::size_t words) { return block_size * words + 16; }
  std::size_t places_anywhere(const char* bytes, const std::uint64_t* bits, std::size_t words,
                              std::uint32_t* places) const {
    return anywhere_.places(bytes, bits, words, places);
  }
  std::size_t places_at_start(const char* bytes, const std::uint64_t* bits, std::size_t words,
                              std::uint32_t* places) const {
    return at_start_.places(bytes, bits, words, places);
  }

  std::size_t places_in_token(const char* bytes, const std::uint64_t* bits, std::size_t words,
                              std::uint32_t* places) const {
    return in_token_.places(bytes, bits, words, places);
  }

  // Calls `visit(keyword, begin)` for each keyword that counts anywhere, or in long tokens, and stands at the
  // fingerprint position `at` of `buffer`.
  template <class Visit>
  void for_each_keyword_at(std::string_view buffer, std::size_t at, Keyword::Where where, Visit visit) const {
    const EntryTable& table = where == Keyword::Where::anywhere ? anywhere_ : in_token_;
    table.for_each(word_at(buffer, at), [&](const Entry& entry) {
      if (at < entry.offset) return;
      const Keyword& keyword = keywords_[entry.keyword];
      const char first = buffer[at - entry.offset];
      if ((keyword.ignore_case ? to_lower(first) : first) != keyword.text.front()) return;
      if (stands_at(buffer, at - entry.offset, keyword)) visit(keyword, at - entry.offset);
    });
  }

  // The same for keywords that begin a long token.
  template <class Visit>
  void for_each_keyword_from(std::string_view buffer, std::size_t at, Visit visit) const {
    at_start_.for_each(word_at(buffer, at), [&](const Entry& entry) {
      const Keyword& keyword = keywords_[entry.keyword];
      if (stands_at(buffer, at, keyword)) visit(keyword, at);
    });
  }

  // The masks as the vector code reads them: tables by low and high nibble of each fingerprint byte.
  struct NibbleTables {
    alignas(32) std::array<std::array<std::uint8_t, 32>, fingerprint_length> low{};
    alignas(32) std::array<std::array<std::uint8_t, 32>, fingerprint_length> high{};
  };
  using AllTables = std::array<NibbleTables, table_count>;

 private:
  struct Entry {
    std::uint16_t keyword = 0;
    std::uint8_t offset = 0;  // of the fingerprint in the keyword: its rarest four bytes
    std::uint32_t word = 0;   // these bytes, as in memory
    std::uint32_t fold = 0;   // the bit that makes a letter small, where case is ignored
    std::uint32_t care = 0;   // all bits of the bytes that the keyword has
    std::uint16_t next = 0;   // with the same slot
  };

  // Entries by their first three bytes, letters as if small. Behind two small tables of bits, which stay in the first
  // cache: most of what is asked is not there.
  class EntryTable {
   public:
    void add(const Entry& entry);
    std::size_t places(const char* bytes, const std::uint64_t* bits, std::size_t words, std::uint32_t* places) const;

    template <class Visit>
    void for_each(std::uint32_t here, Visit visit) const {
      if (!threes_.has(slot_of_three(here))) return;
      if (!fours_.has(slot_of_four(here)) && !only_threes_.has(slot_of_three(here))) return;
      for (std::uint16_t i = first_[slot_of_three(here)]; i != no_entry; i = entries_[i].next) {
        const Entry& entry = entries_[i];
        if (((here | entry.fold) & entry.care) == entry.word) visit(entry);
      }
    }

   private:
    static constexpr std::size_t slots = 8192;
    static constexpr std::uint16_t no_entry = 0xffff;

    class Bits {
     public:
      void set(std::uint32_t slot) { words_[slot / 64] |= std::uint64_t{1} << (slot % 64); }
      bool has(std::uint32_t slot) const { return ((words_[slot / 64] >> (slot % 64)) & 1U) != 0; }

     private:
      std::array<std::uint64_t, slots / 64> words_{};
    };

    static std::uint32_t slot_of_three(std::uint32_t word) {
      return (((word | 0x20202020U) << 8) * 0x9e3779b1U) >> 19;
    }
    static std::uint32_t slot_of_four(std::uint32_t word) { return ((word | 0x20202020U) * 0x9e3779b1U) >> 19; }

    Bits threes_;
    Bits fours_;
    Bits only_threes_;  // of entries that have no fourth byte
    std::vector<Entry> entries_;
    std::vector<std::uint16_t> first_ = std::vector<std::uint16_t>(slots, no_entry);
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
  Entry entry_of(std::size_t keyword, std::uint8_t offset) const;
  void fill_tables(std::vector<Entry> entries, NibbleTables* tables, std::size_t count) const;
  static bool stands_at(std::string_view buffer, std::size_t begin, const Keyword& keyword);

  std::vector<Keyword> keywords_;
  EntryTable anywhere_;
  EntryTable in_token_;
  EntryTable at_start_;
  AllTables tables_;
  Instructions instructions_;
};

}  // namespace tocsin
