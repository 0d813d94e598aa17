// The gate in front of every pattern: one pass over the bytes that finds the few places worth a closer look.
//
// Keywords that may stand anywhere are found by Hyperscan, all at once; those that begin a long token are looked up
// at the few places where one begins.
//
// Thread: immutable; each thread searches with a Search of its own.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/sanitize/checks.h"

struct hs_database;
struct hs_scratch;

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

class KeywordGate {
 public:
  static constexpr std::size_t long_token = 12;

  struct Hit {
    std::uint32_t begin = 0;
    std::uint16_t keyword = 0;  // index into keywords()
  };

  // What one search needs and leaves behind.
  class Search {
   private:
    friend class KeywordGate;
    struct Free {
      void operator()(hs_scratch* scratch) const;
    };
    std::unique_ptr<hs_scratch, Free> scratch_;
    std::vector<Hit> hits_;
  };

  // Requires: each keyword has three bytes at least. Throws std::runtime_error where the processor is too old.
  explicit KeywordGate(std::vector<Keyword> keywords);
  ~KeywordGate();
  KeywordGate(KeywordGate&&) noexcept;
  KeywordGate& operator=(KeywordGate&&) noexcept;

  const std::vector<Keyword>& keywords() const { return keywords_; }

  Search search() const;

  // Where keywords stand that count anywhere or in long tokens, by where they end. Valid until the next call with the
  // same search, which must be this gate's.
  std::span<const Hit> find(std::string_view text, Search& search) const;

  // Calls `visit(keyword, at)` for each keyword that stands at `at`, of those that begin a long token.
  template <class Visit>
  void for_each_from(std::string_view text, std::size_t at, Visit visit) const {
    starts_.for_each(word_at(text, at), [&](std::uint16_t index) {
      if (stands_at(text, at, keywords_[index])) visit(keywords_[index], at);
    });
  }

 private:
  // Keywords by their first bytes, letters as if small, behind small tables of bits that stay in the first cache:
  // most of what is asked is not there.
  class StartTable {
   public:
    void add(std::uint16_t keyword, std::string_view text);

    template <class Visit>
    void for_each(std::uint32_t here, Visit visit) const {
      const std::uint32_t slot = slot_of_three(here);
      if (!threes_.has(slot) || (!fours_.has(slot_of_four(here)) && !only_threes_.has(slot))) return;
      for (std::uint16_t i = first_[slot]; i != no_entry; i = entries_[i].next) visit(entries_[i].keyword);
    }

   private:
    static constexpr std::size_t slots = 8192;
    static constexpr std::uint16_t no_entry = 0xffff;

    struct Entry {
      std::uint16_t keyword = 0;
      std::uint16_t next = no_entry;  // with the same slot
    };
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
    Bits only_threes_;  // of keywords that have no fourth byte
    std::vector<Entry> entries_;
    std::vector<std::uint16_t> first_ = std::vector<std::uint16_t>(slots, no_entry);
  };

  static std::uint32_t word_at(std::string_view text, std::size_t at) {
    std::uint32_t word = 0;
    if (at + sizeof word <= text.size()) {
      std::memcpy(&word, text.data() + at, sizeof word);
    } else {
      std::memcpy(&word, text.data() + at, text.size() - at);
    }
    return word;
  }
  static bool stands_at(std::string_view text, std::size_t begin, const Keyword& keyword) {
    if (begin + keyword.text.size() > text.size()) return false;
    const std::string_view there = text.substr(begin, keyword.text.size());
    return keyword.ignore_case ? equals_ignoring_case(there, keyword.text) : there == keyword.text;
  }
  struct Free {
    void operator()(hs_database* database) const;
  };

  std::vector<Keyword> keywords_;
  std::unique_ptr<hs_database, Free> database_;  // none where no keyword counts anywhere
  StartTable starts_;
};

}  // namespace tocsin
