#include "core/sanitize/checksums.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "core/sanitize/checks.h"

namespace tocsin {

namespace {

constexpr std::uint32_t turned_left(std::uint32_t x, int by) {
  return (x << by) | (x >> (32 - by));
}

struct Marvin {
  std::uint32_t low;
  std::uint32_t high;

  void mix(std::uint32_t word) {
    low += word;
    high ^= low;
    low = turned_left(low, 20) + high;
    high = turned_left(high, 9) ^ low;
    low = turned_left(low, 27) + high;
    high = turned_left(high, 19);
  }
};

std::uint32_t unsigned_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

}  // namespace

std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t crc = 0xffffffffU;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xedb88320U & (0U - (crc & 1U)));
  }
  return ~crc;
}

std::uint32_t marvin32(std::string_view bytes, std::uint64_t seed) {
  Marvin state{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
  std::size_t at = 0;
  for (; at + 4 <= bytes.size(); at += 4) {
    state.mix(unsigned_at(bytes, at) | (unsigned_at(bytes, at + 1) << 8) | (unsigned_at(bytes, at + 2) << 16) |
              (unsigned_at(bytes, at + 3) << 24));
  }
  std::uint32_t last = 0x80;
  for (std::size_t i = bytes.size(); i > at; --i) last = (last << 8) | unsigned_at(bytes, i - 1);
  state.mix(last);
  state.mix(0);
  return state.low ^ state.high;
}

bool writes(std::string_view text, std::uint32_t number, std::string_view digits) {
  const auto base = static_cast<std::uint32_t>(digits.size());
  for (std::size_t i = text.size(); i > 0; --i) {
    if (text[i - 1] != digits[number % base]) return false;
    number /= base;
  }
  return number == 0;
}

bool bech32_holds(std::string_view text) {
  constexpr std::string_view digits = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
  constexpr std::size_t checksum_length = 6;
  const std::size_t separator = text.rfind('1');
  if (separator == std::string_view::npos || separator == 0 || text.size() - separator <= checksum_length) {
    return false;
  }
  std::uint32_t state = 1;
  const auto mix = [&state](std::uint32_t value) {
    constexpr std::array<std::uint32_t, 5> generator = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
    const std::uint32_t top = state >> 25;
    state = ((state & 0x1ffffff) << 5) ^ value;
    for (std::size_t i = 0; i < generator.size(); ++i) state ^= ((top >> i) & 1) != 0 ? generator[i] : 0;
  };
  const std::string_view name = text.substr(0, separator);
  for (const char c : name) mix(static_cast<unsigned char>(to_lower(c)) >> 5);
  mix(0);
  for (const char c : name) mix(static_cast<unsigned char>(to_lower(c)) & 31);
  for (const char c : text.substr(separator + 1)) {
    const std::size_t digit = digits.find(to_lower(c));
    if (digit == std::string_view::npos) return false;
    mix(static_cast<std::uint32_t>(digit));
  }
  return state == 1;
}

bool base58check_holds(std::string_view text) {
  constexpr std::string_view digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
  constexpr std::size_t longest = 128;
  constexpr std::size_t checksum_length = 4;
  constexpr std::size_t digits_at_once = 5;  // 58^5 times a word fits 64 bits
  if (text.size() > longest) return false;
  std::array<std::uint32_t, 24> number{};  // lowest word first; 128 digits take 750 bits
  for (std::size_t at = 0; at < text.size();) {
    std::uint64_t factor = 1;
    std::uint64_t carry = 0;
    for (std::size_t i = 0; i < digits_at_once && at < text.size(); ++i, ++at) {
      const std::size_t digit = digits.find(text[at]);
      if (digit == std::string_view::npos) return false;
      factor *= digits.size();
      carry = carry * digits.size() + digit;
    }
    for (std::uint32_t& word : number) {
      carry += word * factor;
      word = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
  }
  std::array<unsigned char, number.size() * 4> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[bytes.size() - 1 - i] = static_cast<unsigned char>(number[i / 4] >> (8 * (i % 4)));
  }
  // Each leading 1 is a leading zero byte.
  const auto first = static_cast<std::size_t>(
      std::find_if(bytes.begin(), bytes.end(), [](unsigned char byte) { return byte != 0; }) - bytes.begin());
  const std::size_t zeros = std::min(text.find_first_not_of('1'), text.size());
  if (zeros > first) return false;
  const unsigned char* const payload = bytes.data() + first - zeros;
  const std::size_t size = bytes.size() - first + zeros;
  if (size <= checksum_length) return false;
  std::array<unsigned char, SHA256_DIGEST_LENGTH> once{};
  std::array<unsigned char, SHA256_DIGEST_LENGTH> twice{};
  SHA256(payload, size - checksum_length, once.data());
  SHA256(once.data(), once.size(), twice.data());
  return std::equal(twice.begin(), twice.begin() + checksum_length, payload + size - checksum_length);
}

}  // namespace tocsin
