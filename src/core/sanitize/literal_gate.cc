#include "core/sanitize/literal_gate.h"

#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <set>
#include <string>
#include <utility>

#include "core/sanitize/checks.h"

namespace tocsin {

namespace {

using Tables = LiteralGate::NibbleTables;
constexpr std::size_t buckets_in_table = 8;
constexpr std::size_t tables_anywhere = 2;

std::uint8_t low_nibble(char c) {
  return static_cast<std::uint8_t>(static_cast<unsigned char>(c) & 15);
}
std::uint8_t high_nibble(char c) {
  return static_cast<std::uint8_t>(static_cast<unsigned char>(c) >> 4);
}

std::uint64_t bits_of(int movemask) {
  return static_cast<std::uint32_t>(movemask);
}

bool is_base64(char c) {
  return has_class(c, base64_class) || c == '-' || c == '_';
}

bool is_token(char c) {
  return has_class(c, token_class);
}

// Which high nibbles make a byte of a set of ASCII with each low nibble; the other table turns a high nibble into its
// bit.
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

void classify_by_tables(const LiteralGate::AllTables& tables, const char* bytes, BlockMasks* masks,
                        std::size_t count) {
  for (std::size_t block = 0; block < count; ++block, bytes += LiteralGate::block_size) {
    BlockMasks found{};
    for (std::size_t i = 0; i < LiteralGate::block_size; ++i) {
      const std::uint64_t bit = std::uint64_t{1} << i;
      for (std::size_t k = 0; k < LiteralGate::table_count; ++k) {
        int buckets = 0xff;
        for (std::size_t j = 0; j < LiteralGate::fingerprint_length; ++j) {
          buckets &= tables[k].low[j][low_nibble(bytes[i + j])] & tables[k].high[j][high_nibble(bytes[i + j])];
        }
        if (buckets != 0) (k < tables_anywhere ? found.literal : found.literal_in_token) |= bit;
      }
      if (is_digit(bytes[i])) found.digit |= bit;
      if (bytes[i] == '+') found.plus |= bit;
      if (bytes[i] == '@') found.at_sign |= bit;
      if (bytes[i] >= 'A' && bytes[i] <= 'Z') found.upper |= bit;
      if (is_alnum(bytes[i])) found.alnum |= bit;
      if (is_token(bytes[i])) found.token |= bit;
      if (bytes[i] == '.') found.dot |= bit;
      if (bytes[i] == ':') found.colon |= bit;
      if (bytes[i] == '%' || bytes[i] == '\\') found.escape |= bit;
    }
    for (unsigned half = 0; half < 2; ++half) {
      const char* begin = bytes + std::size_t{32} * half;
      if (std::all_of(begin, begin + 32, is_base64))
        found.solid = static_cast<std::uint8_t>(found.solid | (1U << half));
    }
    masks[block] = found;
  }
}

// Signed comparisons suffice: bytes from 0x80 up are negative and so below '0' and 'A'.
__attribute__((target("ssse3"))) void classify_by_ssse3(const LiteralGate::AllTables& tables, const char* bytes,
                                                        BlockMasks* masks, std::size_t count) {
  const __m128i nibble = _mm_set1_epi8(15);
  for (std::size_t block = 0; block < count; ++block, bytes += LiteralGate::block_size) {
    BlockMasks found{};
    std::array<bool, 4> solid{};
    for (unsigned lane = 0; lane < 4; ++lane) {
      const char* at = bytes + std::size_t{16} * lane;
      __m128i buckets[LiteralGate::table_count] = {_mm_set1_epi8(-1), _mm_set1_epi8(-1), _mm_set1_epi8(-1)};
      for (std::size_t j = 0; j < LiteralGate::fingerprint_length; ++j) {
        const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + j));
        const __m128i low_nibbles = _mm_and_si128(text, nibble);
        const __m128i high_nibbles = _mm_and_si128(_mm_srli_epi16(text, 4), nibble);
        for (std::size_t k = 0; k < LiteralGate::table_count; ++k) {
          const __m128i low = _mm_shuffle_epi8(
              _mm_load_si128(reinterpret_cast<const __m128i*>(tables[k].low[j].data())), low_nibbles);
          const __m128i high = _mm_shuffle_epi8(
              _mm_load_si128(reinterpret_cast<const __m128i*>(tables[k].high[j].data())), high_nibbles);
          buckets[k] = _mm_and_si128(buckets[k], _mm_and_si128(low, high));
        }
      }
      const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
      const __m128i digits =
          _mm_and_si128(_mm_cmpgt_epi8(text, _mm_set1_epi8('0' - 1)), _mm_cmpgt_epi8(_mm_set1_epi8('9' + 1), text));
      const __m128i uppers =
          _mm_and_si128(_mm_cmpgt_epi8(text, _mm_set1_epi8('A' - 1)), _mm_cmpgt_epi8(_mm_set1_epi8('Z' + 1), text));
      const unsigned shift = 16 * lane;
      const __m128i zero = _mm_setzero_si128();
      found.literal |=
          (bits_of(_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_or_si128(buckets[0], buckets[1]), zero))) ^ 0xffffU) << shift;
      found.literal_in_token |= (bits_of(_mm_movemask_epi8(_mm_cmpeq_epi8(buckets[2], zero))) ^ 0xffffU) << shift;
      found.digit |= bits_of(_mm_movemask_epi8(digits)) << shift;
      found.plus |= bits_of(_mm_movemask_epi8(_mm_cmpeq_epi8(text, _mm_set1_epi8('+')))) << shift;
      found.at_sign |= bits_of(_mm_movemask_epi8(_mm_cmpeq_epi8(text, _mm_set1_epi8('@')))) << shift;
      found.upper |= bits_of(_mm_movemask_epi8(uppers)) << shift;
      const __m128i small = _mm_or_si128(text, _mm_set1_epi8(0x20));
      const __m128i letters =
          _mm_and_si128(_mm_cmpgt_epi8(small, _mm_set1_epi8('a' - 1)), _mm_cmpgt_epi8(_mm_set1_epi8('z' + 1), small));
      found.alnum |= bits_of(_mm_movemask_epi8(_mm_or_si128(letters, digits))) << shift;
      found.dot |= bits_of(_mm_movemask_epi8(_mm_cmpeq_epi8(text, _mm_set1_epi8('.')))) << shift;
      found.colon |= bits_of(_mm_movemask_epi8(_mm_cmpeq_epi8(text, _mm_set1_epi8(':')))) << shift;
      found.escape |= bits_of(_mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(text, _mm_set1_epi8('%')),
                                                             _mm_cmpeq_epi8(text, _mm_set1_epi8('\\')))))
                      << shift;
      const __m128i base64 =
          _mm_and_si128(_mm_shuffle_epi8(_mm_load_si128(reinterpret_cast<const __m128i*>(base64_tables.low.data())),
                                         _mm_and_si128(text, nibble)),
                        _mm_shuffle_epi8(_mm_load_si128(reinterpret_cast<const __m128i*>(base64_tables.high.data())),
                                         _mm_and_si128(_mm_srli_epi16(text, 4), nibble)));
      const __m128i token =
          _mm_and_si128(_mm_shuffle_epi8(_mm_load_si128(reinterpret_cast<const __m128i*>(token_tables.low.data())),
                                         _mm_and_si128(text, nibble)),
                        _mm_shuffle_epi8(_mm_load_si128(reinterpret_cast<const __m128i*>(token_tables.high.data())),
                                         _mm_and_si128(_mm_srli_epi16(text, 4), nibble)));
      found.token |= (bits_of(_mm_movemask_epi8(_mm_cmpeq_epi8(token, zero))) ^ 0xffffU) << shift;
      solid[lane] = _mm_movemask_epi8(_mm_cmpeq_epi8(base64, _mm_setzero_si128())) == 0;
    }
    found.solid = static_cast<std::uint8_t>((solid[0] && solid[1] ? 1 : 0) | (solid[2] && solid[3] ? 2 : 0));
    masks[block] = found;
  }
}

// The buckets of a table that let pass what stands at each of 32 bytes.
__attribute__((target("avx2"))) inline __m256i buckets_at(const Tables& table, const char* at, __m256i nibble) {
  __m256i buckets = _mm256_set1_epi8(-1);
  for (std::size_t j = 0; j < LiteralGate::fingerprint_length; ++j) {
    const __m256i text = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + j));
    const __m256i low = _mm256_shuffle_epi8(_mm256_load_si256(reinterpret_cast<const __m256i*>(table.low[j].data())),
                                            _mm256_and_si256(text, nibble));
    const __m256i high =
        _mm256_shuffle_epi8(_mm256_load_si256(reinterpret_cast<const __m256i*>(table.high[j].data())),
                            _mm256_and_si256(_mm256_srli_epi16(text, 4), nibble));
    buckets = _mm256_and_si256(buckets, _mm256_and_si256(low, high));
  }
  return buckets;
}

__attribute__((target("avx2"))) void classify_by_avx2(const LiteralGate::AllTables& tables, const char* bytes,
                                                      BlockMasks* masks, std::size_t count) {
  const __m256i nibble = _mm256_set1_epi8(15);
  for (std::size_t block = 0; block < count; ++block, bytes += LiteralGate::block_size) {
    BlockMasks found{};
    for (unsigned lane = 0; lane < 2; ++lane) {
      const char* at = bytes + std::size_t{32} * lane;
      const __m256i anywhere = _mm256_or_si256(buckets_at(tables[0], at, nibble), buckets_at(tables[1], at, nibble));
      const __m256i in_token = buckets_at(tables[2], at, nibble);
      const __m256i text = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
      const __m256i digits = _mm256_and_si256(_mm256_cmpgt_epi8(text, _mm256_set1_epi8('0' - 1)),
                                              _mm256_cmpgt_epi8(_mm256_set1_epi8('9' + 1), text));
      const __m256i uppers = _mm256_and_si256(_mm256_cmpgt_epi8(text, _mm256_set1_epi8('A' - 1)),
                                              _mm256_cmpgt_epi8(_mm256_set1_epi8('Z' + 1), text));
      const unsigned shift = 32 * lane;
      const __m256i zero = _mm256_setzero_si256();
      found.literal |= (bits_of(_mm256_movemask_epi8(_mm256_cmpeq_epi8(anywhere, zero))) ^ 0xffffffffU) << shift;
      found.literal_in_token |= (bits_of(_mm256_movemask_epi8(_mm256_cmpeq_epi8(in_token, zero))) ^ 0xffffffffU)
                                << shift;
      found.digit |= bits_of(_mm256_movemask_epi8(digits)) << shift;
      found.plus |= bits_of(_mm256_movemask_epi8(_mm256_cmpeq_epi8(text, _mm256_set1_epi8('+')))) << shift;
      found.at_sign |= bits_of(_mm256_movemask_epi8(_mm256_cmpeq_epi8(text, _mm256_set1_epi8('@')))) << shift;
      found.upper |= bits_of(_mm256_movemask_epi8(uppers)) << shift;
      const __m256i small = _mm256_or_si256(text, _mm256_set1_epi8(0x20));
      const __m256i letters = _mm256_and_si256(_mm256_cmpgt_epi8(small, _mm256_set1_epi8('a' - 1)),
                                               _mm256_cmpgt_epi8(_mm256_set1_epi8('z' + 1), small));
      found.alnum |= bits_of(_mm256_movemask_epi8(_mm256_or_si256(letters, digits))) << shift;
      const __m256i dots = _mm256_cmpeq_epi8(text, _mm256_set1_epi8('.'));
      const __m256i colons = _mm256_cmpeq_epi8(text, _mm256_set1_epi8(':'));
      const __m256i escapes = _mm256_or_si256(_mm256_cmpeq_epi8(text, _mm256_set1_epi8('%')),
                                              _mm256_cmpeq_epi8(text, _mm256_set1_epi8('\\')));
      found.dot |= bits_of(_mm256_movemask_epi8(dots)) << shift;
      found.colon |= bits_of(_mm256_movemask_epi8(colons)) << shift;
      found.escape |= bits_of(_mm256_movemask_epi8(escapes)) << shift;
      const __m256i base64 = _mm256_and_si256(
          _mm256_shuffle_epi8(_mm256_load_si256(reinterpret_cast<const __m256i*>(base64_tables.low.data())),
                              _mm256_and_si256(text, nibble)),
          _mm256_shuffle_epi8(_mm256_load_si256(reinterpret_cast<const __m256i*>(base64_tables.high.data())),
                              _mm256_and_si256(_mm256_srli_epi16(text, 4), nibble)));
      const __m256i token = _mm256_and_si256(
          _mm256_shuffle_epi8(_mm256_load_si256(reinterpret_cast<const __m256i*>(token_tables.low.data())),
                              _mm256_and_si256(text, nibble)),
          _mm256_shuffle_epi8(_mm256_load_si256(reinterpret_cast<const __m256i*>(token_tables.high.data())),
                              _mm256_and_si256(_mm256_srli_epi16(text, 4), nibble)));
      found.token |= (bits_of(_mm256_movemask_epi8(_mm256_cmpeq_epi8(token, zero))) ^ 0xffffffffU) << shift;
      if (_mm256_movemask_epi8(_mm256_cmpeq_epi8(base64, _mm256_setzero_si256())) == 0) {
        found.solid = static_cast<std::uint8_t>(found.solid | (1U << lane));
      }
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

// Where the four bytes are that stand for a keyword: bytes that another keyword has chosen cost nothing more, so that
// client_secret, secret_key and the like share those of secret; else the rarest.
std::uint8_t best_offset(const Keyword& keyword, const std::set<std::pair<std::string, bool>>& chosen) {
  std::size_t best = 0;
  int best_score = std::numeric_limits<int>::max();
  for (std::size_t at = 0; at + LiteralGate::fingerprint_length <= keyword.text.size() && at < 64; ++at) {
    int score = 1;
    for (std::size_t j = 0; j < LiteralGate::fingerprint_length; ++j) score *= commonness(keyword.text[at + j]);
    if (chosen.contains({keyword.text.substr(at, LiteralGate::fingerprint_length), keyword.ignore_case})) score = 0;
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

  friend bool operator==(const BucketMask&, const BucketMask&) = default;

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
  std::vector<std::size_t> by_length(keywords_.size());
  std::iota(by_length.begin(), by_length.end(), 0);
  std::stable_sort(by_length.begin(), by_length.end(), [this](std::size_t a, std::size_t b) {
    return keywords_[a].text.size() < keywords_[b].text.size();
  });
  std::set<std::pair<std::string, bool>> chosen[2];
  std::vector<Entry> entries[2];
  for (const std::size_t i : by_length) {
    const Keyword& keyword = keywords_[i];
    if (keyword.where == Keyword::Where::at_long_token_start) {
      at_start_.add(entry_of(i, 0));
      continue;
    }
    const std::size_t table = keyword.where == Keyword::Where::anywhere ? 0 : 1;
    const std::uint8_t offset = best_offset(keyword, chosen[table]);
    chosen[table].emplace(keyword.text.substr(offset, fingerprint_length), keyword.ignore_case);
    entries[table].push_back(entry_of(i, offset));
    (table == 0 ? anywhere_ : in_token_).add(entries[table].back());
  }
  fill_tables(std::move(entries[0]), tables_.data(), tables_anywhere);
  fill_tables(std::move(entries[1]), tables_.data() + tables_anywhere, table_count - tables_anywhere);
}

LiteralGate::Entry LiteralGate::entry_of(std::size_t index, std::uint8_t offset) const {
  const Keyword& keyword = keywords_[index];
  Entry entry;
  entry.keyword = static_cast<std::uint16_t>(index);
  entry.offset = offset;
  const std::string_view bytes = std::string_view(keyword.text).substr(offset, fingerprint_length);
  std::array<unsigned char, fingerprint_length> fold{};
  std::array<unsigned char, fingerprint_length> care{};
  for (std::size_t j = 0; j < bytes.size(); ++j) {
    care[j] = 0xff;
    if (keyword.ignore_case && has_class(bytes[j], lower_class)) fold[j] = 0x20;
  }
  std::memcpy(&entry.word, bytes.data(), bytes.size());
  std::memcpy(&entry.fold, fold.data(), fold.size());
  std::memcpy(&entry.care, care.data(), care.size());
  return entry;
}

void LiteralGate::EntryTable::add(const Entry& entry) {
  const std::uint32_t slot = slot_of_three(entry.word);
  threes_.set(slot);
  if ((entry.care >> 24) != 0)
    fours_.set(slot_of_four(entry.word));
  else
    only_threes_.set(slot);
  entries_.push_back(entry);
  entries_.back().next = first_[slot];
  first_[slot] = static_cast<std::uint16_t>(entries_.size() - 1);
}

// Without a branch that depends on the text: both the number of places in a block and whether one is used are as good
// as random, and a wrong guess costs more than the rest.
std::size_t LiteralGate::EntryTable::places(const char* bytes, const std::uint64_t* bits, std::size_t words,
                                            std::uint32_t* places) const {
  std::uint32_t* const asked = places + most_places(words);
  std::size_t count = 0;
  for (std::size_t block = 0; block < words; ++block) {
    std::uint64_t left = bits[block];
    const auto base = static_cast<std::uint32_t>(block * block_size);
    const auto in_block = static_cast<std::size_t>(__builtin_popcountll(left));
    for (std::size_t done = 0; done < in_block; done += 8) {
      for (std::size_t i = 0; i < 8; ++i) {
        asked[count + done + i] =
            base + (static_cast<std::uint32_t>(__builtin_ctzll(left | (left == 0 ? 1ULL << 63 : 0))) & 63U);
        left &= left - 1;
      }
    }
    count += in_block;
  }
  std::size_t used = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t word = 0;
    std::memcpy(&word, bytes + asked[i], sizeof word);
    places[used] = asked[i];
    used += static_cast<std::size_t>(threes_.has(slot_of_three(word)));
  }
  return used;
}

// Keywords with like fingerprints share a bucket: the sorted list is cut where the sum of the buckets' looseness is
// least, by dynamic programming over the cuts.
void LiteralGate::fill_tables(std::vector<Entry> entries, NibbleTables* tables, std::size_t count) const {
  const std::size_t bucket_count = buckets_in_table * count;
  std::sort(entries.begin(), entries.end(), [this](const Entry& a, const Entry& b) {
    return std::string_view(keywords_[a.keyword].text).substr(a.offset) <
           std::string_view(keywords_[b.keyword].text).substr(b.offset);
  });
  const std::size_t n = entries.size();
  constexpr double unreachable = std::numeric_limits<double>::infinity();
  std::vector<std::vector<double>> cost(bucket_count + 1, std::vector<double>(n + 1, unreachable));
  std::vector<std::vector<std::size_t>> cut(bucket_count + 1, std::vector<std::size_t>(n + 1, 0));
  const auto add = [this](BucketMask& mask, const Entry& entry) {
    mask.add(keywords_[entry.keyword].text, entry.offset, keywords_[entry.keyword].ignore_case);
  };
  cost[0][0] = 0;
  for (std::size_t from = 0; from < n; ++from) {
    BucketMask mask;
    BucketMask weighed;
    double looseness = 0;
    for (std::size_t to = from + 1; to <= n; ++to) {
      add(mask, entries[to - 1]);
      if (to == from + 1 || !(mask == weighed)) looseness = mask.looseness();
      weighed = mask;
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
    for (std::size_t i = from; i < end; ++i) add(mask, entries[i]);
    NibbleTables& table = tables[(used - 1) / buckets_in_table];
    const auto bit = static_cast<std::uint8_t>(1U << ((used - 1) % buckets_in_table));
    for (std::size_t j = 0; j < fingerprint_length; ++j) {
      for (std::size_t nibble = 0; nibble < 32; ++nibble) {  // both halves: AVX2 looks up in each half by itself
        if ((mask.low[j] >> (nibble % 16)) & 1U) table.low[j][nibble] |= bit;
        if ((mask.high[j] >> (nibble % 16)) & 1U) table.high[j][nibble] |= bit;
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

bool LiteralGate::stands_at(std::string_view buffer, std::size_t begin, const Keyword& keyword) {
  if (begin + keyword.text.size() > buffer.size()) return false;
  const std::string_view text = buffer.substr(begin, keyword.text.size());
  return keyword.ignore_case ? equals_ignoring_case(text, keyword.text) : text == keyword.text;
}

}  // namespace tocsin
