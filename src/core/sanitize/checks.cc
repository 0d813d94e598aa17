#include "core/sanitize/checks.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "core/sanitize/checksums.h"

namespace tocsin {

namespace {

int number_of(std::string_view digits, std::size_t count) {
  int number = 0;
  for (const char c : digits.substr(0, count)) number = number * 10 + (c - '0');
  return number;
}

struct IbanCountry {
  char code[3];
  std::uint8_t length;
};

// SWIFT's IBAN registry, release 97.
constexpr IbanCountry iban_countries[] = {
    {"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16}, {"BG", 22}, {"BH", 22},
    {"BI", 27}, {"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22}, {"CY", 28}, {"CZ", 24}, {"DE", 22}, {"DJ", 27},
    {"DK", 18}, {"DO", 28}, {"EE", 20}, {"EG", 29}, {"ES", 24}, {"FI", 18}, {"FK", 18}, {"FO", 18}, {"FR", 27},
    {"GB", 22}, {"GE", 22}, {"GI", 23}, {"GL", 18}, {"GR", 27}, {"GT", 28}, {"HR", 21}, {"HU", 28}, {"IE", 22},
    {"IL", 23}, {"IQ", 23}, {"IS", 26}, {"IT", 27}, {"JO", 30}, {"KW", 30}, {"KZ", 20}, {"LB", 28}, {"LC", 32},
    {"LI", 21}, {"LT", 20}, {"LU", 20}, {"LV", 21}, {"LY", 25}, {"MC", 27}, {"MD", 24}, {"ME", 22}, {"MK", 19},
    {"MN", 20}, {"MR", 27}, {"MT", 31}, {"MU", 30}, {"NI", 28}, {"NL", 18}, {"NO", 15}, {"OM", 23}, {"PK", 24},
    {"PL", 28}, {"PS", 29}, {"PT", 25}, {"QA", 29}, {"RO", 24}, {"RS", 22}, {"RU", 33}, {"SA", 24}, {"SC", 31},
    {"SD", 18}, {"SE", 24}, {"SI", 19}, {"SK", 24}, {"SM", 27}, {"SO", 23}, {"ST", 25}, {"SV", 28}, {"TL", 23},
    {"TN", 24}, {"TR", 26}, {"UA", 29}, {"VA", 22}, {"VG", 24}, {"XK", 20}, {"YE", 30},
};

// Which of 16 bytes are digits, and which the small letters of hexadecimal numbers: one bit each.
struct IdMasks {
  std::uint32_t digits = 0;
  std::uint32_t letters = 0;
};

IdMasks id_masks(const char* bytes) {
  IdMasks masks;
#if defined(__SSE2__)
  __m128i text;
  std::memcpy(&text, bytes, sizeof text);
  // Signed comparisons suffice: bytes from 0x80 up are negative.
  const auto between = [&](char first, char last) {
    return static_cast<std::uint32_t>(
        _mm_movemask_epi8(_mm_and_si128(_mm_cmpgt_epi8(text, _mm_set1_epi8(static_cast<char>(first - 1))),
                                        _mm_cmplt_epi8(text, _mm_set1_epi8(static_cast<char>(last + 1))))));
  };
  masks.digits = between('0', '9');
  masks.letters = between('a', 'f');
#else
  for (unsigned i = 0; i < 16; ++i) {
    if (is_digit(bytes[i])) masks.digits |= 1U << i;
    if (bytes[i] >= 'a' && bytes[i] <= 'f') masks.letters |= 1U << i;
  }
#endif
  return masks;
}

}  // namespace

std::optional<std::uint32_t> hexadecimal(std::string_view digits) {
  std::uint32_t value = 0;
  if (digits.empty()) return std::nullopt;
  for (const char c : digits) {
    if (!is_hex_digit(c)) return std::nullopt;
    value = value * 16 + static_cast<std::uint32_t>(is_digit(c) ? c - '0' : to_lower(c) - 'a' + 10);
  }
  return value;
}

bool equals_ignoring_case(std::string_view text, std::string_view lower_case) {
  return text.size() == lower_case.size() &&
         std::equal(text.begin(), text.end(), lower_case.begin(), [](char a, char b) { return to_lower(a) == b; });
}

bool contains_ignoring_case(std::string_view text, std::string_view lower_case) {
  return std::search(text.begin(), text.end(), lower_case.begin(), lower_case.end(),
                     [](char a, char b) { return to_lower(a) == b; }) != text.end();
}

WordSet::WordSet(std::vector<std::string> words) : words_(std::move(words)) {
  for (const std::string& word : words_) {
    shortest_ = shortest_ == 0 ? word.size() : std::min(shortest_, word.size());
    for (std::size_t c = 0; c < begins_.size(); ++c) {
      begins_[c] = begins_[c] || to_lower(static_cast<char>(c)) == word.front();
    }
  }
}

bool WordSet::is_within(std::string_view text) const {
  if (words_.empty()) return false;
  for (; text.size() >= shortest_; text.remove_prefix(1)) {
    if (!begins_[static_cast<unsigned char>(text.front())]) continue;
    for (const std::string& word : words_) {
      if (equals_ignoring_case(text.substr(0, word.size()), word)) return true;
    }
  }
  return false;
}

bool luhn_holds(std::string_view digits) {
  int sum = 0;
  bool doubled = false;
  for (std::size_t i = digits.size(); i-- > 0;) {
    int value = digits[i] - '0';
    if (doubled) value = value > 4 ? 2 * value - 9 : 2 * value;
    sum += value;
    doubled = !doubled;
  }
  return sum % 10 == 0;
}

namespace {

// Maestro and Dankort.
bool is_maestro(int first_four) {
  constexpr std::array<int, 10> begins{5018, 5019, 5020, 5038, 5893, 6304, 6759, 6761, 6762, 6763};
  return std::find(begins.begin(), begins.end(), first_four) != begins.end();
}

}  // namespace

bool is_card_number(std::string_view digits) {
  const std::size_t n = digits.size();
  if (n < 13 || n > 19) return false;
  const int two = number_of(digits, 2);
  const int three = number_of(digits, 3);
  const int four = number_of(digits, 4);
  bool issued = false;
  if (digits[0] == '4') {
    issued = n == 13 || n == 16 || n == 19;  // Visa
  } else if ((two >= 51 && two <= 55) || (four >= 2221 && four <= 2720)) {
    issued = n == 16;  // Mastercard
  } else if (two == 34 || two == 37) {
    issued = n == 15;  // American Express
  } else if (four == 6011 || two == 65 || (three >= 644 && three <= 649)) {
    issued = n == 16 || n == 19;  // Discover
  } else if ((three >= 300 && three <= 305) || two == 36 || two == 38 || two == 39) {
    issued = n == 14 || n == 16;  // Diners Club
  } else if (four >= 3528 && four <= 3589) {
    issued = n == 16;  // JCB
  } else if (two == 62) {
    issued = n >= 16;  // UnionPay
  } else if (is_maestro(four)) {
    issued = n == 16 || n == 18 || n == 19;
  } else if ((four >= 2200 && four <= 2204) || four == 9792 || three == 508 || three == 607 || four == 6062 ||
             four == 6362 || four == 6363 || four == 5041) {
    issued = n == 16;  // Mir, Troy, RuPay, Hipercard, Elo
  }
  // One digit repeated passes Luhn at times and is never a card.
  return issued && digits.find_first_not_of(digits[0]) != std::string_view::npos && luhn_holds(digits);
}

int iban_length(char first, char second) {
  for (const IbanCountry& country : iban_countries) {
    if (country.code[0] == first && country.code[1] == second) return country.length;
  }
  return 0;
}

bool is_iban(std::string_view text) {
  if (text.size() < 15 || static_cast<std::size_t>(iban_length(text[0], text[1])) != text.size()) return false;
  int remainder = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[(i + 4) % text.size()];
    if (is_digit(c)) {
      remainder = (remainder * 10 + (c - '0')) % 97;
    } else if (c >= 'A' && c <= 'Z') {
      remainder = (remainder * 100 + (c - 'A' + 10)) % 97;
    } else {
      return false;
    }
  }
  return remainder == 1;
}

bool is_ssn(std::string_view digits) {
  const int area = number_of(digits, 3);
  return area != 0 && area != 666 && area < 900 && digits.substr(3, 2) != "00" && digits.substr(5, 4) != "0000";
}

bool is_itin(std::string_view digits) {
  const int middle = number_of(digits.substr(3), 2);
  return digits[0] == '9' && ((middle >= 50 && middle <= 65) || (middle >= 70 && middle <= 88) ||
                              (middle >= 90 && middle <= 92) || middle >= 94);
}

int calling_code_length(std::string_view digits) {
  if (digits.size() < 3) return 0;
  if (digits[0] == '1' || digits[0] == '7') return 1;
  constexpr std::string_view two_digit_codes =
      "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 "
      "86 90 91 92 93 94 95 98 ";
  for (std::size_t i = 0; i < two_digit_codes.size(); i += 3) {
    if (digits.substr(0, 2) == two_digit_codes.substr(i, 2)) return 2;
  }
  constexpr std::string_view three_digit_starts =
      "21 22 23 24 25 26 29 35 37 38 42 50 59 67 68 69 80 85 87 88 96 97 99 ";
  for (std::size_t i = 0; i < three_digit_starts.size(); i += 3) {
    if (digits.substr(0, 2) == three_digit_starts.substr(i, 2)) return 3;
  }
  return 0;
}

bool github_checksum_holds(std::string_view token) {
  constexpr std::size_t checksum_length = 6;
  const std::size_t underscore = token.find('_');
  if (underscore == std::string_view::npos) return false;
  const std::string_view body = token.substr(underscore + 1);
  if (body.size() <= checksum_length) return false;
  return writes(body.substr(body.size() - checksum_length), crc32(body.substr(0, body.size() - checksum_length)),
                base62_digits);
}

bool is_jwt_header(std::string_view base64url) {
  constexpr std::size_t longest_header = 2048;  // with embedded certificates headers grow; "alg" stands early
  std::string json;
  std::uint32_t bits = 0;
  int bit_count = 0;
  for (const char c : base64url.substr(0, longest_header)) {
    std::uint32_t value = 0;
    if (c >= 'A' && c <= 'Z') {
      value = static_cast<std::uint32_t>(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      value = static_cast<std::uint32_t>(c - 'a' + 26);
    } else if (is_digit(c)) {
      value = static_cast<std::uint32_t>(c - '0' + 52);
    } else if (c == '-') {
      value = 62;
    } else if (c == '_') {
      value = 63;
    } else {
      return false;
    }
    bits = (bits << 6) | value;
    bit_count += 6;
    if (bit_count >= 8) {
      bit_count -= 8;
      json.push_back(static_cast<char>((bits >> bit_count) & 0xff));
    }
  }
  return !json.empty() && json.front() == '{' && json.find("\"alg\"") != std::string::npos;
}

double entropy(std::string_view text) {
  if (text.empty()) return 0;
  std::array<std::uint32_t, 256> counts{};
  for (const char c : text) ++counts[static_cast<unsigned char>(c)];
  double sum = 0;
  for (const std::uint32_t count : counts) {
    if (count > 0) sum += count * std::log2(static_cast<double>(count));
  }
  const auto n = static_cast<double>(text.size());
  return std::log2(n) - sum / n;
}

bool is_placeholder(std::string_view text) {
  static const WordSet words(
      {"example",    "placeholder", "changeme",   "redacted",    "your_",        "your-",      "yourp",
       "****",       "....",        "<your",      "dummy",       "yourapi",      "yourkey",    "yourtoken",
       "yoursecret", "yourhugging", "youraccess", "keyhere",     "tokenhere",    "secrethere", "goeshere",
       "notareal",   "notreal",     "fakekey",    "faketoken",   "fakesecret",   "fortesting", "testingpurpose",
       "replaceme",  "replacewith", "samplekey",  "sampletoken", "testaccesskey"});
  // Of one case: in a long random token of both cases four of them come together now and then.
  return words.is_within(text) || text.find("xxxx") != std::string_view::npos ||
         text.find("XXXX") != std::string_view::npos;
}

bool holds_typed_run(std::string_view text) {
  constexpr std::size_t run_length = 8;
  constexpr std::string_view rows[] = {"qwertyuiop", "asdfghjkl", "zxcvbnm"};
  std::size_t up = 1;
  std::size_t down = 1;
  for (std::size_t i = 1; i < text.size(); ++i) {
    const char before = to_lower(text[i - 1]);
    const char c = to_lower(text[i]);
    const bool same_kind = is_digit(before) == is_digit(c) && is_alnum(before) && is_alnum(c);
    up = same_kind && c == before + 1 ? up + 1 : 1;
    down = same_kind && c == before - 1 ? down + 1 : 1;
    if (up >= run_length || down >= run_length) return true;
  }
  // a1b2c3d4: letters and digits in turns, each a run.
  constexpr std::size_t steps_in_turns = 6;
  std::size_t steps = 0;
  for (std::size_t i = 2; i < text.size(); ++i) {
    const char before = to_lower(text[i - 2]), between = text[i - 1], c = to_lower(text[i]);
    const bool in_turns = is_alnum(before) && is_alnum(c) && is_alnum(between) && is_digit(before) == is_digit(c) &&
                          is_digit(between) != is_digit(c);
    steps = in_turns && (c == before + 1 || (before == '9' && c == '0')) ? steps + 1 : 0;
    if (steps >= steps_in_turns) return true;
  }
  for (const std::string_view row : rows) {
    for (std::size_t i = 0; i + run_length <= row.size(); ++i) {
      if (contains_ignoring_case(text, row.substr(i, run_length))) return true;
    }
  }
  return false;
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
    if (hyphen ? text[i] != '-' : !(is_digit(text[i]) || (to_lower(text[i]) >= 'a' && to_lower(text[i]) <= 'f'))) {
      return false;
    }
  }
  return true;
}

bool is_plain_id(std::string_view text) {
  if (!is_as_long_as_an_id(text)) return false;
  // One bit a byte; of a UUID the last of its three blocks begins within the second.
  constexpr std::size_t block = 16;
  constexpr std::size_t uuid = 36;
  constexpr std::uint32_t all = 0xffff;
  const IdMasks first = id_masks(text.data());
  if (text.size() < uuid) {
    const IdMasks last = id_masks(text.data() + text.size() - block);
    return (first.digits | first.letters) == all && (last.digits | last.letters) == all &&
           (first.letters | last.letters) != 0;
  }
  if (text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') return false;
  const IdMasks second = id_masks(text.data() + block);
  const IdMasks last = id_masks(text.data() + uuid - block);
  constexpr std::uint32_t hyphens_of_first = 1U << 8 | 1U << 13;
  constexpr std::uint32_t hyphens_of_second = 1U << (18 - block) | 1U << (23 - block);
  constexpr std::uint32_t hyphens_of_last = 1U << (23 - (uuid - block));
  return (first.digits | first.letters | hyphens_of_first) == all &&
         (second.digits | second.letters | hyphens_of_second) == all &&
         (last.digits | last.letters | hyphens_of_last) == all &&
         (first.letters | second.letters | last.letters) != 0;
}

}  // namespace tocsin
