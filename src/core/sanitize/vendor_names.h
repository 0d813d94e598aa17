// The names of vendors in a text, by which a value that looks like any other is known as theirs.

#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ascii.h"

namespace tocsin {

class VendorNames {
 public:
  static constexpr std::size_t shortest = 3;

  // `name`: in lower case, at least `shortest` bytes. A name may have several patterns, a pattern several names.
  void add(std::string name, std::uint16_t pattern) {
    const std::size_t slot = slot_of(name.data());
    slots_[slot].push_back(static_cast<std::uint16_t>(entries_.size()));
    entries_.push_back({std::move(name), pattern});
  }

  // Calls visit(pattern) for each name that stands in `text`, in any case; a name may stand there more than once.
  template <class Visit>
  void for_each_in(std::string_view text, Visit visit) const {
    for (std::size_t at = 0; at + shortest <= text.size(); ++at) {
      for (const std::uint16_t index : slots_[slot_of(text.data() + at)]) {
        const Entry& entry = entries_[index];
        if (stands_at(text, at, entry.name)) visit(entry.pattern);
      }
    }
  }

 private:
  struct Entry {
    std::string name;
    std::uint16_t pattern = 0;
  };

  static std::size_t slot_of(const char* bytes) {
    const auto small = [&](std::size_t i) {
      return static_cast<unsigned>(static_cast<unsigned char>(bytes[i])) | 0x20U;
    };
    return ((small(0) | (small(1) << 8) | (small(2) << 16)) * 0x9e3779b1U) >> 22;
  }
  static bool is_letter(char c) { return to_lower(c) >= 'a' && to_lower(c) <= 'z'; }
  static bool is_capital(char c) { return c != to_lower(c); }

  static bool stands_at(std::string_view text, std::size_t at, std::string_view name) {
    if (at + name.size() > text.size()) return false;
    for (std::size_t i = 0; i < name.size(); ++i) {
      if (to_lower(text[at + i]) != name[i]) return false;
    }
    // It begins a word, or a part of one in camel case: myAlgoliaKey.
    if (at > 0 && is_letter(text[at - 1]) && !(is_capital(text[at]) && !is_capital(text[at - 1]))) return false;
    constexpr std::size_t may_go_on = 5;
    const std::size_t end = at + name.size();
    if (name.size() >= may_go_on || end == text.size() || !is_letter(text[end])) return true;
    return is_capital(text[end]) && !is_capital(text[end - 1]);
  }

  std::vector<Entry> entries_;
  std::array<std::vector<std::uint16_t>, 1024> slots_;
};

}  // namespace tocsin
