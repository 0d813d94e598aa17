// The digits of base64, of both alphabets: RFC 4648's and the one for URLs.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tocsin {

inline constexpr std::uint8_t no_base64_digit = 64;

constexpr std::array<std::uint8_t, 256> base64_digits() {
  std::array<std::uint8_t, 256> digits{};
  for (std::size_t i = 0; i < digits.size(); ++i) digits[i] = no_base64_digit;
  for (std::uint8_t i = 0; i < 26; ++i) {
    digits['A' + static_cast<std::size_t>(i)] = i;
    digits['a' + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(i + 26);
  }
  for (std::uint8_t i = 0; i < 10; ++i) digits['0' + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(i + 52);
  digits['+'] = digits['-'] = 62;
  digits['/'] = digits['_'] = 63;
  return digits;
}

inline std::uint8_t base64_digit(char c) {
  static constexpr std::array<std::uint8_t, 256> digit_of = base64_digits();
  return digit_of[static_cast<unsigned char>(c)];
}

}  // namespace tocsin
