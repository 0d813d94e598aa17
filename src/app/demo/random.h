// Random numbers that are the same on every platform, for generated runs.
//
// xoshiro256** (Blackman, Vigna 2018) seeded by SplitMix64. The samplers use integers only: the distributions of
// the standard library differ from one library to the next, and floating point differs with the logarithm of the
// C library and with fused multiply-add.

#pragma once

#include <array>
#include <cstdint>
#include <iterator>
#include <string_view>

#include "base/units.h"

namespace tocsin {

// Thread: one owner.
class Random {
 public:
  // A stream of its own for each seed, name and number: what one part draws does not shift another.
  Random(std::uint64_t seed, std::string_view stream, std::uint64_t number = 0);

  std::uint64_t next();

  // Uniform in [0, bound). Requires: 0 < bound <= 2^32.
  std::uint64_t below(std::uint64_t bound);

  // Uniform in [lowest, highest], both included.
  std::int64_t between(std::int64_t lowest, std::int64_t highest);
  Duration between(Duration lowest, Duration highest);

  // True with a probability of `per_million` millionths.
  bool chance(std::uint32_t per_million) { return below(1'000'000) < per_million; }

  // Exponentially distributed, rounded. Requires: 0 <= mean <= 2^33.
  std::int64_t exponential(std::int64_t mean);
  Duration exponential(Duration mean);

  // exp(N(ln median, sigma)), where N is the sum of 12 uniform numbers: its tails end at 6 sigma.
  // Requires: 0 <= median < 2^26.
  std::int64_t lognormal(std::int64_t median, int sigma_thousandths);
  Duration lognormal(Duration median, int sigma_thousandths);

  // One of a list (a span or an array). Requires: it is not empty.
  template <class List>
  const auto& pick(const List& items) {
    return items[below(std::size(items))];
  }

 private:
  std::array<std::uint64_t, 4> state_{};
};

// The finalizer of SplitMix64: a bijection, so that different numbers give different ids.
constexpr std::uint64_t scramble(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

}  // namespace tocsin
