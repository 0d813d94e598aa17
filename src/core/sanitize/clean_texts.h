// Short texts in which a scan has found nothing, so that what every event says again is not scanned again: names of
// agents, models and tools, versions, ids of a task. Kept byte for byte: a hash alone could be made to collide.

#pragma once

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace tocsin {

class CleanTexts {
 public:
  static constexpr std::size_t longest = 62;

  // Of a text within a longer one: what stands behind it may be read, so that nothing branches on its length.
  // Requires: `size` <= longest; all of it lies in `all`.
  bool has(std::string_view all, std::size_t begin, std::size_t size) const {
    if (begin + block <= all.size()) return has_in_block(all.data() + begin, size);
    std::array<char, block> copy{};
    std::memcpy(copy.data(), all.data() + begin, size);
    return has_in_block(copy.data(), size);
  }
  // Another text may be forgotten for it. Requires: text.size() <= longest.
  void add(std::string_view text) {
    std::array<char, block> copy{};
    std::memcpy(copy.data(), text.data(), text.size());
    Entry& entry = entries_[slot_of(copy.data(), text.size())];
    std::copy_n(copy.begin(), entry.bytes.size(), entry.bytes.begin());
    entry.size = static_cast<std::uint16_t>(text.size());
  }
  void clear() { entries_.assign(entries_.size(), Entry{}); }

 private:
  static constexpr std::size_t block = 64;
  static constexpr unsigned slot_bits = 10;

  struct alignas(block) Entry {
    std::array<char, longest> bytes{};
    std::uint16_t size = 0xffff;  // of none
  };
  static_assert(sizeof(Entry) == block);

  bool has_in_block(const char* text, std::size_t size) const {
    const Entry& entry = entries_[slot_of(text, size)];
    return entry.size == size && are_same(entry, text, size);
  }

  static bool are_same(const Entry& entry, const char* text, std::size_t size) {
#if defined(__AVX2__)
    const auto load = [](const void* bytes) { return _mm256_loadu_si256(static_cast<const __m256i*>(bytes)); };
    const __m256i places = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
                                            21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
    const __m256i end = _mm256_set1_epi8(static_cast<char>(size));
    const __m256i low = _mm256_xor_si256(load(&entry), load(text));
    const __m256i high = _mm256_xor_si256(load(entry.bytes.data() + 32), load(text + 32));
    const __m256i different = _mm256_or_si256(
        _mm256_and_si256(low, _mm256_cmpgt_epi8(end, places)),
        _mm256_and_si256(high, _mm256_cmpgt_epi8(_mm256_sub_epi8(end, _mm256_set1_epi8(32)), places)));
    return _mm256_testz_si256(different, different) != 0;
#else
    return std::memcmp(entry.bytes.data(), text, size) == 0;
#endif
  }

  // Of its first, middle and last bytes.
  static std::size_t slot_of(const char* text, std::size_t size) {
    constexpr std::uint64_t odd = 0x9e3779b97f4a7c15ULL, other_odd = 0xd6e8feb86659fd93ULL;
    constexpr std::size_t word = 8;
    const auto word_at = [text](std::size_t at) {
      std::uint64_t bytes;
      std::memcpy(&bytes, text + at, sizeof bytes);
      return bytes;
    };
    const std::size_t last = std::max(size, word) - word;
    const std::uint64_t there = size < word ? (std::uint64_t{1} << (8 * size)) - 1 : ~std::uint64_t{0};
    const std::uint64_t ends = ((word_at(0) & there) * odd) ^ ((word_at(last) & there) * other_odd);
    const std::uint64_t hash = (ends ^ (ends >> 29) ^ (word_at(last / 2) & there) ^ size) * odd;
    return static_cast<std::size_t>(hash >> (64 - slot_bits));
  }

  std::vector<Entry> entries_ = std::vector<Entry>(std::size_t{1} << slot_bits);
};

}  // namespace tocsin
