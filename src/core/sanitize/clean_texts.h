// Short texts in which a scan has found nothing, so that what every event says again is not scanned again: names of
// agents, models and tools, versions, ids of a task. Kept byte for byte: a hash alone could be made to collide.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/hash.h"

namespace tocsin {

class CleanTexts {
 public:
  static constexpr std::size_t longest = 62;

  // Requires: text.size() <= longest.
  bool has(std::string_view text) const {
    const Entry& entry = entries_[slot_of(text)];
    return entry.size == text.size() && std::memcmp(entry.bytes.data(), text.data(), text.size()) == 0;
  }
  // Another text may be forgotten for it.
  void add(std::string_view text) {
    Entry& entry = entries_[slot_of(text)];
    entry.size = static_cast<std::uint16_t>(text.size());
    std::memcpy(entry.bytes.data(), text.data(), text.size());
  }
  void clear() { entries_.assign(entries_.size(), Entry{}); }

 private:
  struct Entry {
    std::uint16_t size = 0xffff;  // of none
    std::array<char, longest> bytes{};
  };
  std::size_t slot_of(std::string_view text) const { return hash64(text) % entries_.size(); }

  std::vector<Entry> entries_ = std::vector<Entry>(1024);
};

}  // namespace tocsin
