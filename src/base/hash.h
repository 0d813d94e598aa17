// Hashes for tables and for ids that must be the same on every machine and after every crash.
//
// XXH3 (xxHash 0.8, whose output is frozen). Not for secrets: what must not be guessed is fingerprinted with a
// key, see core/sanitize.

#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace tocsin {

std::uint64_t hash64(std::string_view bytes);

struct Hash128 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend auto operator<=>(const Hash128&, const Hash128&) = default;
};

Hash128 hash128(std::string_view bytes);

// The hash of a list of strings in which no two different lists read the same: each part goes in with its
// length before it.
Hash128 hash_parts(std::initializer_list<std::string_view> parts);

// 32 lower-case hexadecimal digits.
std::string to_hex(const Hash128& hash);

// Mixes a further 64-bit value into a hash (the finalizer of SplitMix64).
constexpr std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  std::uint64_t x = hash ^ (value + 0x9e3779b97f4a7c15ULL + (hash << 6) + (hash >> 2));
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

}  // namespace tocsin
