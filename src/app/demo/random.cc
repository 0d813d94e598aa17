#include "app/demo/random.h"

#include <algorithm>
#include <bit>

#include "base/hash.h"

namespace tocsin {

namespace {

constexpr std::int64_t ln_2_q16 = 45'426;           // ln 2 * 2^16
constexpr std::int64_t one_over_ln_2_q16 = 94'548;  // 2^16 / ln 2

// -log2(u / 2^32) with 24 binary places, bit by bit: squaring a number doubles its logarithm.
std::int64_t minus_log2_q24(std::uint32_t u) {
  const int width = std::bit_width(u);
  std::uint64_t x = std::uint64_t{u} << (32 - width);  // in [2^31, 2^32): 1 to 2 with 31 binary places
  std::int64_t fraction = 0;
  for (int i = 0; i < 24; ++i) {
    x = (x * x) >> 31;
    const std::uint64_t carry = x >> 32;
    x >>= carry;
    fraction = fraction << 1 | static_cast<std::int64_t>(carry);
  }
  return (std::int64_t{33 - width} << 24) - fraction;
}

// 2^f with 16 binary places, for f in [0, 1): a cubic with an error of 1e-4, which no sample shows.
std::int64_t exp2_q16(std::int64_t f) {
  const std::int64_t cubic = 14'816 + ((f * 5'118) >> 16);
  return 65'536 + ((f * (45'602 + ((f * cubic) >> 16))) >> 16);
}

}  // namespace

Random::Random(std::uint64_t seed, std::string_view stream, std::uint64_t number) {
  std::uint64_t x = mix(mix(seed, hash64(stream)), number);
  for (std::uint64_t& word : state_) word = scramble(x += 0x9e3779b97f4a7c15ULL);
}

std::uint64_t Random::next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Random::below(std::uint64_t bound) {
  return ((next() >> 32) * bound) >> 32;
}

std::int64_t Random::between(std::int64_t lowest, std::int64_t highest) {
  return lowest + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(highest - lowest) + 1));
}

Duration Random::between(Duration lowest, Duration highest) {
  return Duration{between(std::int64_t{lowest.count()}, std::int64_t{highest.count()})};
}

std::int64_t Random::exponential(std::int64_t mean) {
  const auto u = static_cast<std::uint32_t>(next() >> 32) | 1U;    // never 0, whose logarithm does not exist
  const std::int64_t halvings = (mean * minus_log2_q24(u)) >> 16;  // 8 binary places are left
  return (halvings * ln_2_q16 + (1 << 23)) >> 24;
}

Duration Random::exponential(Duration mean) {
  return Duration{exponential(std::int64_t{mean.count()})};
}

std::int64_t Random::lognormal(std::int64_t median, int sigma_thousandths) {
  std::int64_t normal_q16 = -6 * 65'536;
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t bits = next();
    for (int shift = 0; shift < 64; shift += 16) normal_q16 += static_cast<std::int64_t>(bits >> shift & 0xffff);
  }
  const std::int64_t exponent_q16 = ((normal_q16 * sigma_thousandths / 1'000) * one_over_ln_2_q16) >> 16;
  // Halves and doubles: 16 of them are beyond 6 sigma for every sigma used here.
  const std::int64_t doublings = std::clamp<std::int64_t>(exponent_q16 >> 16, -16, 16);
  const std::int64_t scaled = median * exp2_q16(exponent_q16 & 0xffff);  // 16 binary places
  return doublings >= 0 ? (scaled << doublings) >> 16 : scaled >> (16 - doublings);
}

Duration Random::lognormal(Duration median, int sigma_thousandths) {
  return Duration{lognormal(std::int64_t{median.count()}, sigma_thousandths)};
}

}  // namespace tocsin
