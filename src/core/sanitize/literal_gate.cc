#include "core/sanitize/literal_gate.h"

#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "core/sanitize/checks.h"

namespace tocsin {

namespace {

using Tables = LiteralGate::NibbleTables;
constexpr std::size_t bucket_count = 8;

std::uint8_t low_nibble(char c) {
  return static_cast<std::uint8_t>(static_cast<unsigned char>(c) & 15);
}
std::uint8_t high_nibble(char c) {
  return static_cast<std::uint8_t>(static_cast<unsigned char>(c) >> 4);
}

std::uint64_t bits_of(int movemask) {
  return static_cast<std::uint32_t>(movemask);
}

void classify_by_tables(const Tables& tables, const char* bytes, BlockMasks* masks, std::size_t count) {
  for (std::size_t block = 0; block < count; ++block, bytes += LiteralGate::block_size) {
    BlockMasks found;
    for (std::size_t i = 0; i < LiteralGate::block_size; ++i) {
      int buckets = 0xff;
      for (std::size_t j = 0; j < LiteralGate::fingerprint_length; ++j) {
        buckets &= tables.low[j][low_nibble(bytes[i + j])] & tables.high[j][high_nibble(bytes[i + j])];
      }
      const std::uint64_t bit = std::uint64_t{1} << i;
      if (buckets != 0) found.literal |= bit;
      if (is_digit(bytes[i])) found.digit |= bit;
      if (bytes[i] == '+') found.plus |= bit;
      if (bytes[i] >= 'A' && bytes[i] <= 'Z') found.upper |= bit;
    }
    masks[block] = found;
  }
}

// Signed comparisons suffice: bytes from 0x80 up are negative and so below '0' and 'A'.
__attribute__((target("ssse3"))) void classify_by_ssse3(const Tables& tables, const char* bytes, BlockMasks* masks,
                                                        std::size_t count) {
  const __m128i nibble = _mm_set1_epi8(15);
  for (std::size_t block = 0; block < count; ++block, bytes += LiteralGate::block_size) {
    BlockMasks found;
    for (unsigned lane = 0; lane < 4; ++lane) {
      const char* at = bytes + std::size_t{16} * lane;
      __m128i buckets = _mm_set1_epi8(-1);
      for (std::size_t j = 0; j < LiteralGate::fingerprint_length; ++j) {
        const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + j));
        const __m128i low = _mm_shuffle_epi8(_mm_load_si128(reinterpret_cast<const __m128i*>(tables.low[j].data())),
                                             _mm_and_si128(text, nibble));
        const __m128i high = _mm_shuffle_epi8(_mm_load_si128(reinterpret_cast<const __m128i*>(tables.high[j].data())),
                                              _mm_and_si128(_mm_srli_epi16(text, 4), nibble));
        buckets = _mm_and_si128(buckets, _mm_and_si128(low, high));
      }
      const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
      const __m128i digits =
          _mm_and_si128(_mm_cmpgt_epi8(text, _mm_set1_epi8('0' - 1)), _mm_cmpgt_epi8(_mm_set1_epi8('9' + 1), text));
      const __m128i uppers =
          _mm_and_si128(_mm_cmpgt_epi8(text, _mm_set1_epi8('A' - 1)), _mm_cmpgt_epi8(_mm_set1_epi8('Z' + 1), text));
      const unsigned shift = 16 * lane;
      found.literal |= (bits_of(_mm_movemask_epi8(_mm_cmpeq_epi8(buckets, _mm_setzero_si128()))) ^ 0xffffU) << shift;
      found.digit |= bits_of(_mm_movemask_epi8(digits)) << shift;
      found.plus |= bits_of(_mm_movemask_epi8(_mm_cmpeq_epi8(text, _mm_set1_epi8('+')))) << shift;
      found.upper |= bits_of(_mm_movemask_epi8(uppers)) << shift;
    }
    masks[block] = found;
  }
}

__attribute__((target("avx2"))) void classify_by_avx2(const Tables& tables, const char* bytes, BlockMasks* masks,
                                                      std::size_t count) {
  const __m256i nibble = _mm256_set1_epi8(15);
  for (std::size_t block = 0; block < count; ++block, bytes += LiteralGate::block_size) {
    BlockMasks found;
    for (unsigned lane = 0; lane < 2; ++lane) {
      const char* at = bytes + std::size_t{32} * lane;
      __m256i buckets = _mm256_set1_epi8(-1);
      for (std::size_t j = 0; j < LiteralGate::fingerprint_length; ++j) {
        const __m256i text = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + j));
        const __m256i low =
            _mm256_shuffle_epi8(_mm256_load_si256(reinterpret_cast<const __m256i*>(tables.low[j].data())),
                                _mm256_and_si256(text, nibble));
        const __m256i high =
            _mm256_shuffle_epi8(_mm256_load_si256(reinterpret_cast<const __m256i*>(tables.high[j].data())),
                                _mm256_and_si256(_mm256_srli_epi16(text, 4), nibble));
        buckets = _mm256_and_si256(buckets, _mm256_and_si256(low, high));
      }
      const __m256i text = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
      const __m256i digits = _mm256_and_si256(_mm256_cmpgt_epi8(text, _mm256_set1_epi8('0' - 1)),
                                              _mm256_cmpgt_epi8(_mm256_set1_epi8('9' + 1), text));
      const __m256i uppers = _mm256_and_si256(_mm256_cmpgt_epi8(text, _mm256_set1_epi8('A' - 1)),
                                              _mm256_cmpgt_epi8(_mm256_set1_epi8('Z' + 1), text));
      const unsigned shift = 32 * lane;
      found.literal |=
          (bits_of(_mm256_movemask_epi8(_mm256_cmpeq_epi8(buckets, _mm256_setzero_si256()))) ^ 0xffffffffU) << shift;
      found.digit |= bits_of(_mm256_movemask_epi8(digits)) << shift;
      found.plus |= bits_of(_mm256_movemask_epi8(_mm256_cmpeq_epi8(text, _mm256_set1_epi8('+')))) << shift;
      found.upper |= bits_of(_mm256_movemask_epi8(uppers)) << shift;
    }
    masks[block] = found;
  }
}

// How common a byte is in telemetry, roughly, from 1 to 10: only the choice of fingerprints hangs on it.
int commonness(char c) {
  constexpr std::string_view common = "etaoinsrhdlu";
  const char lower = to_lower(c);
  if (common.find(lower) != std::string_view::npos) return c == lower ? 10 : 4;
  if (lower >= 'a' && lower <= 'z') return c == lower ? 6 : 3;
  if (is_digit(c) || c == ' ' || c == '_' || c == '"') return 5;
  return 2;
}

std::uint8_t rarest_offset(const std::string& keyword) {
  std::size_t best = 0;
  int best_score = std::numeric_limits<int>::max();
  for (std::size_t at = 0; at + LiteralGate::fingerprint_length <= keyword.size() && at < 64; ++at) {
    int score = 1;
    for (std::size_t j = 0; j < LiteralGate::fingerprint_length; ++j) score *= commonness(keyword[at + j]);
    if (score < best_score) {
      best_score = score;
      best = at;
    }
  }
  return static_cast<std::uint8_t>(best);
}

// The nibbles that one bucket lets pass at each byte.
struct BucketMask {
  std::array<std::uint16_t, LiteralGate::fingerprint_length> low{};
  std::array<std::uint16_t, LiteralGate::fingerprint_length> high{};

  void add(std::size_t j, char c) {
    low[j] = static_cast<std::uint16_t>(low[j] | (1U << low_nibble(c)));
    high[j] = static_cast<std::uint16_t>(high[j] | (1U << high_nibble(c)));
  }
  void add(const std::string& keyword, std::size_t offset, bool ignore_case) {
    for (std::size_t j = 0; j < LiteralGate::fingerprint_length; ++j) {
      if (offset + j >= keyword.size()) {
        low[j] = high[j] = 0xffff;
        continue;
      }
      const char c = keyword[offset + j];
      add(j, c);
      if (ignore_case && c >= 'a' && c <= 'z') add(j, static_cast<char>(c - 32));
    }
  }
  // How often the bucket lets pass what is none of its keywords, up to a factor.
  double looseness() const {
    double product = 1;
    for (std::size_t j = 0; j < LiteralGate::fingerprint_length; ++j) {
      int weight = 0;
      for (int byte = 0x20; byte < 0x7f; ++byte) {
        if (((low[j] >> (byte & 15)) & 1) != 0 && ((high[j] >> (byte >> 4)) & 1) != 0) {
          weight += commonness(static_cast<char>(byte));
        }
      }
      product *= weight;
    }
    return product;
  }
};

}  // namespace

LiteralGate::Instructions LiteralGate::best_instructions() {
  if (__builtin_cpu_supports("avx2")) return Instructions::avx2;
  if (__builtin_cpu_supports("ssse3")) return Instructions::ssse3;
  return Instructions::tables;
}

LiteralGate::LiteralGate(std::vector<Keyword> keywords, Instructions instructions)
    : keywords_(std::move(keywords)), instructions_(instructions) {
  // Keywords with like fingerprints share a bucket: sort them, then cut the sorted list where the sum of the
  // buckets' looseness is least (by dynamic programming over the cuts; the list is short).
  std::vector<Entry> entries;
  for (std::size_t i = 0; i < keywords_.size(); ++i) {
    const Keyword& keyword = keywords_[i];
    Entry entry;
    entry.keyword = static_cast<std::uint16_t>(i);
    entry.offset = rarest_offset(keyword.text);
    const std::string_view bytes = std::string_view(keyword.text).substr(entry.offset, fingerprint_length);
    std::array<unsigned char, fingerprint_length> fold{};
    std::array<unsigned char, fingerprint_length> care{};
    for (std::size_t j = 0; j < bytes.size(); ++j) {
      care[j] = 0xff;
      if (keyword.ignore_case && has_class(bytes[j], lower_class)) fold[j] = 0x20;
    }
    std::memcpy(&entry.word, bytes.data(), bytes.size());
    std::memcpy(&entry.fold, fold.data(), fold.size());
    std::memcpy(&entry.care, care.data(), care.size());
    entries.push_back(entry);
  }
  std::sort(entries.begin(), entries.end(), [this](const Entry& a, const Entry& b) {
    return std::string_view(keywords_[a.keyword].text).substr(a.offset) <
           std::string_view(keywords_[b.keyword].text).substr(b.offset);
  });
  const std::size_t n = entries.size();
  constexpr double unreachable = std::numeric_limits<double>::infinity();
  std::vector<std::vector<double>> cost(bucket_count + 1, std::vector<double>(n + 1, unreachable));
  std::vector<std::vector<std::size_t>> cut(bucket_count + 1, std::vector<std::size_t>(n + 1, 0));
  cost[0][0] = 0;
  for (std::size_t from = 0; from < n; ++from) {
    BucketMask mask;
    for (std::size_t to = from + 1; to <= n; ++to) {
      const Entry& entry = entries[to - 1];
      mask.add(keywords_[entry.keyword].text, entry.offset, keywords_[entry.keyword].ignore_case);
      const double looseness = mask.looseness();
      for (std::size_t k = 1; k <= bucket_count; ++k) {
        if (cost[k - 1][from] + looseness >= cost[k][to]) continue;
        cost[k][to] = cost[k - 1][from] + looseness;
        cut[k][to] = from;
      }
    }
  }
  std::size_t used = std::min(n, bucket_count);
  for (std::size_t end = n; used > 0; --used) {
    const std::size_t from = cut[used][end];
    BucketMask mask;
    for (std::size_t i = from; i < end; ++i) {
      buckets_[used - 1].push_back(entries[i]);
      mask.add(keywords_[entries[i].keyword].text, entries[i].offset, keywords_[entries[i].keyword].ignore_case);
    }
    const auto bit = static_cast<std::uint8_t>(1U << (used - 1));
    for (const Entry& entry : buckets_[used - 1]) {
      const std::uint32_t slot = slot_of(entry.word);
      if (keywords_[entry.keyword].text.size() < 3)
        short_buckets_ |= bit;
      else
        filter_[slot / 64] |= std::uint64_t{1} << (slot % 64);
    }
    for (std::size_t j = 0; j < fingerprint_length; ++j) {
      for (std::size_t nibble = 0; nibble < 32; ++nibble) {  // both halves: AVX2 looks up in each half by itself
        if ((mask.low[j] >> (nibble % 16)) & 1U) tables_.low[j][nibble] |= bit;
        if ((mask.high[j] >> (nibble % 16)) & 1U) tables_.high[j][nibble] |= bit;
      }
    }
    end = from;
  }
}

void LiteralGate::classify(const char* bytes, BlockMasks* masks, std::size_t count) const {
  switch (instructions_) {
    case Instructions::avx2:
      return classify_by_avx2(tables_, bytes, masks, count);
    case Instructions::ssse3:
      return classify_by_ssse3(tables_, bytes, masks, count);
    case Instructions::tables:
      return classify_by_tables(tables_, bytes, masks, count);
  }
}

std::uint8_t LiteralGate::buckets_of(std::uint32_t word) const {
  std::array<char, fingerprint_length> bytes;
  std::memcpy(bytes.data(), &word, bytes.size());
  int buckets = 0xff;
  for (std::size_t j = 0; j < fingerprint_length; ++j) {
    buckets &= tables_.low[j][low_nibble(bytes[j])] & tables_.high[j][high_nibble(bytes[j])];
  }
  return static_cast<std::uint8_t>(buckets);
}

bool LiteralGate::stands_at(std::string_view buffer, std::size_t begin, const Keyword& keyword) {
  if (begin + keyword.text.size() > buffer.size()) return false;
  const std::string_view text = buffer.substr(begin, keyword.text.size());
  return keyword.ignore_case ? equals_ignoring_case(text, keyword.text) : text == keyword.text;
}

}  // namespace tocsin
