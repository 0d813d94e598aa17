// Arithmetic that tells a secret or an identifier from what only looks like one.
//
// Pure functions of their arguments, ASCII only.

#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ascii.h"

namespace tocsin {

// Bits of a set of characters, for table look-ups that the scanner does per byte.
enum CharacterClass : std::uint8_t {
  digit_class = 1,
  upper_class = 2,
  lower_class = 4,
  word_punctuation_class = 8,  // _ and -
  base64_class = 16,           // letters, digits, + and /
  token_class = 32,            // what tokens and URLs are made of: no blank, quote, bracket, comma or backslash
  space_class = 64,            // blank, tab, newline, carriage return
  name_class = 128,            // letters, digits, _ . -
};

constexpr std::array<std::uint8_t, 256> classes_of_characters() {
  std::array<std::uint8_t, 256> table{};
  const auto add = [&table](std::string_view characters, int bits) {
    for (const char c : characters) {
      auto& entry = table[static_cast<unsigned char>(c)];
      entry = static_cast<std::uint8_t>(entry | bits);
    }
  };
  add("0123456789", digit_class | base64_class | token_class | name_class);
  add("ABCDEFGHIJKLMNOPQRSTUVWXYZ", upper_class | base64_class | token_class | name_class);
  add("abcdefghijklmnopqrstuvwxyz", lower_class | base64_class | token_class | name_class);
  add("_-", word_punctuation_class | token_class | name_class);
  add("+/", base64_class | token_class);
  add(".", token_class | name_class);
  add("=:~%&?@#$!*", token_class);
  add(" \t\r\n", space_class);
  return table;
}

inline constexpr std::array<std::uint8_t, 256> class_table = classes_of_characters();

inline std::uint8_t classes_of(char c) {
  return class_table[static_cast<unsigned char>(c)];
}
inline bool has_class(char c, int classes) {
  return (classes_of(c) & classes) != 0;
}
inline bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
inline bool is_hex_digit(char c) {
  return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'f');
}
// The number that up to eight hexadecimal digits of either case write, or nothing where there is none.
std::optional<std::uint32_t> hexadecimal(std::string_view digits);
inline bool is_alnum(char c) {
  return has_class(c, digit_class | upper_class | lower_class);
}
bool equals_ignoring_case(std::string_view text, std::string_view lower_case);
bool contains_ignoring_case(std::string_view text, std::string_view lower_case);

// Words to look for in short texts, letters of either case: most texts hold none, and are asked for all at once.
class WordSet {
 public:
  WordSet() = default;
  // Requires: words in lower case, none of them empty.
  explicit WordSet(std::vector<std::string> words);
  bool is_within(std::string_view text) const;

 private:
  std::vector<std::string> words_;
  std::size_t shortest_ = 0;
  std::array<bool, 256> begins_{};  // with this byte, of either case
};

// The check digit of ISO/IEC 7812-1. Requires: digits only.
bool luhn_holds(std::string_view digits);

// A payment card number: an issuer's prefix, one of its lengths, and the check digit. Requires: digits only.
bool is_card_number(std::string_view digits);

// ISO 13616: the country's length and remainder 1 modulo 97. Requires: no blanks.
bool is_iban(std::string_view text);
// The number of characters of that country's IBANs; 0 when it has none.
int iban_length(char first, char second);

// A US social security number that may have been issued. Requires: nine digits.
bool is_ssn(std::string_view digits);

// A US individual taxpayer identification number by the ranges of its middle digits. Requires: nine digits.
bool is_itin(std::string_view digits);

// Whether a telephone country calling code (ITU E.164) starts the digits; its length, or 0.
int calling_code_length(std::string_view digits);

// GitHub tokens: prefix_, body, and the CRC32 of the body as six base62 digits.
bool github_checksum_holds(std::string_view token);

// The first part of a JSON web token: base64url of a JSON object with "alg".
bool is_jwt_header(std::string_view base64url);

// Shannon entropy in bits a character.
double entropy(std::string_view text);

// True of texts that stand where a secret would: EXAMPLE, xxxx, ****, <your key>, ${KEY}, "changeme".
bool is_placeholder(std::string_view text);

bool is_uuid(std::string_view text);

// A W3C trace or span id, or a UUID, in small letters and with one at least: the name of something, nobody's number.
bool is_plain_id(std::string_view text);
// What most texts are not.
constexpr bool is_as_long_as_an_id(std::string_view text) {
  constexpr std::size_t span_id = 16, trace_id = 32, uuid = 36;
  return text.size() == span_id || text.size() == trace_id || text.size() == uuid;
}

// True of what somebody typed along the alphabet, the digits, both in turns or a row of keys: "abcdefgh", "12345678",
// "a1b2c3d4", "qwertyui". Random tokens hold no such run.
bool holds_typed_run(std::string_view text);

}  // namespace tocsin
