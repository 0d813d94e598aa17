#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tocsin {

std::uint64_t hash64(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

Hash128 hash128(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.high64, hash.low64};
}

Hash128 hash_parts(std::initializer_list<std::string_view> parts) {
  std::string joined;
  for (const std::string_view part : parts) {
    joined += std::to_string(part.size());
    joined += ':';
    joined += part;
  }
  return hash128(joined);
}

std::string to_hex(const Hash128& hash) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string hex(32, '0');
  for (int i = 0; i < 16; ++i) {
    hex[static_cast<std::size_t>(15 - i)] = digits[(hash.high >> (4 * i)) & 15];
    hex[static_cast<std::size_t>(31 - i)] = digits[(hash.low >> (4 * i)) & 15];
  }
  return hex;
}

}  // namespace tocsin
