// The identities of the last events, so that one which arrives twice counts once.
//
// Producers that retry send the same record again within seconds; a bounded memory is enough. Two tables of
// equal size: when the new one is full it becomes the old one, so the last 32,768 to 65,536 identities are known.
// A function of the records alone, hence the same after a restart from the same place.

#pragma once

#include <cstdint>
#include <vector>

namespace tocsin {

class RecentIdentities {
 public:
  RecentIdentities() : young_(slots, 0), old_(slots, 0) {}

  // Remembers `identity` (64 well-mixed bits) and says whether it was known.
  bool seen(std::uint64_t identity) {
    if (identity == 0) identity = 1;  // 0 marks an empty slot
    std::uint64_t& place = find(young_, identity);
    if (place == identity) return true;
    const bool was_known = find(old_, identity) == identity;
    place = identity;
    if (++count_ == most) {
      young_.swap(old_);
      young_.assign(slots, 0);
      count_ = 0;
    }
    return was_known;
  }

 private:
  static constexpr std::size_t slots = 1 << 16;
  static constexpr std::size_t most = slots / 2;

  static std::uint64_t& find(std::vector<std::uint64_t>& table, std::uint64_t identity) {
    std::size_t at = identity & (slots - 1);
    while (table[at] != 0 && table[at] != identity) at = (at + 1) & (slots - 1);
    return table[at];
  }

  std::vector<std::uint64_t> young_;
  std::vector<std::uint64_t> old_;
  std::size_t count_ = 0;
};

}  // namespace tocsin
