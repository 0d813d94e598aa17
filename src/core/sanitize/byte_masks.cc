#include "core/sanitize/byte_masks.h"

#include <immintrin.h>

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "core/sanitize/checks.h"

namespace tocsin {

namespace {

bool is_base64(char c) {
  return has_class(c, base64_class) || c == '-' || c == '_';
}

bool is_token(char c) {
  return has_class(c, token_class);
}

// Which high nibbles make a byte of a set of ASCII with each low nibble; the other table turns a high nibble into its
// bit. Twice, as AVX2 looks up in each half by itself.
struct SetTables {
  explicit SetTables(bool (*is_in_set)(char)) {
    for (std::size_t nibble = 0; nibble < 32; ++nibble) {
      if (nibble % 16 < 8) high[nibble] = static_cast<std::uint8_t>(1U << (nibble % 16));
      for (unsigned upper = 0; upper < 8; ++upper) {
        if (is_in_set(static_cast<char>((upper << 4) | (nibble % 16)))) {
          low[nibble] = static_cast<std::uint8_t>(low[nibble] | (1U << upper));
        }
      }
    }
  }
  alignas(32) std::array<std::uint8_t, 32> low{};
  alignas(32) std::array<std::uint8_t, 32> high{};
};
const SetTables base64_tables(is_base64);
const SetTables token_tables(is_token);

#define TOCSIN_AVX2 __attribute__((target("avx2"), always_inline)) inline

TOCSIN_AVX2 __m256i load(const void* bytes) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(bytes));
}

TOCSIN_AVX2 std::uint64_t bits_of(__m256i places) {
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(places));
}

TOCSIN_AVX2 __m256i equal(__m256i text, char c) {
  return _mm256_cmpeq_epi8(text, _mm256_set1_epi8(c));
}

// Signed comparisons suffice: bytes from 0x80 up are negative and so below '0' and 'A'.
TOCSIN_AVX2 __m256i between(__m256i text, char first, char last) {
  return _mm256_and_si256(_mm256_cmpgt_epi8(text, _mm256_set1_epi8(static_cast<char>(first - 1))),
                          _mm256_cmpgt_epi8(_mm256_set1_epi8(static_cast<char>(last + 1)), text));
}

// All ones at each byte that is not in the set.
TOCSIN_AVX2 __m256i outside(__m256i text, const SetTables& set) {
  const __m256i nibble = _mm256_set1_epi8(15);
  const __m256i low = _mm256_shuffle_epi8(load(set.low.data()), _mm256_and_si256(text, nibble));
  const __m256i high =
      _mm256_shuffle_epi8(load(set.high.data()), _mm256_and_si256(_mm256_srli_epi16(text, 4), nibble));
  return _mm256_cmpeq_epi8(_mm256_and_si256(low, high), _mm256_setzero_si256());
}

__attribute__((target("avx2"))) void classify_by_avx2(const char* bytes, ByteMasks* masks, std::size_t count) {
  for (std::size_t block = 0; block < count; ++block, bytes += ByteMasks::block_size) {
    ByteMasks found{};
    for (unsigned half = 0; half < 2; ++half) {
      const unsigned shift = 32 * half;
      const __m256i text = load(bytes + shift);
      const __m256i digits = between(text, '0', '9');
      const __m256i letters = between(_mm256_or_si256(text, _mm256_set1_epi8(0x20)), 'a', 'z');
      found.token |= (bits_of(outside(text, token_tables)) ^ 0xffffffffU) << shift;
      found.alnum |= bits_of(_mm256_or_si256(letters, digits)) << shift;
      found.digit |= bits_of(digits) << shift;
      found.upper |= bits_of(between(text, 'A', 'Z')) << shift;
      found.plus |= bits_of(equal(text, '+')) << shift;
      found.at_sign |= bits_of(equal(text, '@')) << shift;
      found.dot |= bits_of(equal(text, '.')) << shift;
      found.colon |= bits_of(equal(text, ':')) << shift;
      found.escape |= bits_of(_mm256_or_si256(equal(text, '%'), equal(text, '\\'))) << shift;
      if (bits_of(outside(text, base64_tables)) == 0)
        found.solid = static_cast<std::uint8_t>(found.solid | 1U << half);
    }
    masks[block] = found;
  }
}

}  // namespace

void classify_by_bytes(const char* bytes, ByteMasks* masks, std::size_t count) {
  for (std::size_t block = 0; block < count; ++block, bytes += ByteMasks::block_size) {
    ByteMasks found{};
    for (std::size_t i = 0; i < ByteMasks::block_size; ++i) {
      const std::uint64_t bit = std::uint64_t{1} << i;
      const char c = bytes[i];
      if (is_token(c)) found.token |= bit;
      if (is_alnum(c)) found.alnum |= bit;
      if (is_digit(c)) found.digit |= bit;
      if (c >= 'A' && c <= 'Z') found.upper |= bit;
      if (c == '+') found.plus |= bit;
      if (c == '@') found.at_sign |= bit;
      if (c == '.') found.dot |= bit;
      if (c == ':') found.colon |= bit;
      if (c == '%' || c == '\\') found.escape |= bit;
    }
    for (unsigned half = 0; half < 2; ++half) {
      const char* begin = bytes + std::size_t{32} * half;
      if (std::all_of(begin, begin + 32, is_base64))
        found.solid = static_cast<std::uint8_t>(found.solid | 1U << half);
    }
    masks[block] = found;
  }
}

void classify(const char* bytes, ByteMasks* masks, std::size_t count) {
  static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
  has_avx2 ? classify_by_avx2(bytes, masks, count) : classify_by_bytes(bytes, masks, count);
}

}  // namespace tocsin
