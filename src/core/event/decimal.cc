#include "core/event/decimal.h"

namespace tocsin {

namespace {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// The exponent after 'e', clamped: beyond four digits every number is 0 or out of range alike.
bool read_exponent(std::string_view text, std::size_t& at, int& exponent) {
  bool negative = false;
  if (at < text.size() && (text[at] == '+' || text[at] == '-')) negative = text[at++] == '-';
  if (at >= text.size() || !is_digit(text[at])) return false;
  int value = 0;
  for (; at < text.size() && is_digit(text[at]); ++at) {
    if (value < 10'000) value = value * 10 + (text[at] - '0');
  }
  exponent = negative ? -value : value;
  return true;
}

// Nearly every number has a few digits, perhaps a point, and needs no rounding: false leaves it to the general
// reading.
bool read_short(std::string_view text, int scale, std::int64_t& value) {
  constexpr std::size_t longest = 18;  // so that neither it nor a scale of up to nine digits overflows unseen
  constexpr std::int64_t powers[] = {1,       10,        100,        1'000,       10'000,
                                     100'000, 1'000'000, 10'000'000, 100'000'000, 1'000'000'000};
  if (text.empty() || text.size() > longest) return false;
  std::int64_t mantissa = 0;
  std::size_t at = 0;
  for (; at < text.size() && is_digit(text[at]); ++at) mantissa = mantissa * 10 + (text[at] - '0');
  if (at == 0) return false;
  if (at < text.size()) {
    if (text[at] != '.') return false;
    const std::size_t point = at++;
    for (; at < text.size() && is_digit(text[at]); ++at) mantissa = mantissa * 10 + (text[at] - '0');
    scale -= static_cast<int>(at - point - 1);
    if (at != text.size() || text.back() == '.' || scale < 0) return false;
  }
  return !__builtin_mul_overflow(mantissa, powers[scale], &value);
}

}  // namespace

ScaledDecimal parse_scaled_decimal(std::string_view text, int scale) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  ScaledDecimal result;
  if (read_short(text, scale, result.value)) return result;
  constexpr ScaledDecimal not_a_number{0, DecimalError::not_a_number};
  std::size_t at = 0;
  const bool negative = at < text.size() && text[at] == '-';
  if (negative) ++at;

  // 18 significant digits fit an int64_t; of further ones only their place counts.
  constexpr int most_digits = 18;
  std::int64_t mantissa = 0;
  int significant = 0, dropped = 0, fraction = 0;
  int first_dropped = 0;
  bool any = false, in_fraction = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '.' && !in_fraction) {
      if (!any) return not_a_number;
      in_fraction = true;
      any = false;
      continue;
    }
    if (!is_digit(c)) break;
    any = true;
    if (in_fraction) ++fraction;
    if (significant < most_digits) {
      mantissa = mantissa * 10 + (c - '0');
      if (mantissa != 0) ++significant;
    } else {
      if (dropped++ == 0) first_dropped = c - '0';
    }
  }
  if (!any) return not_a_number;
  int exponent = 0;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (!read_exponent(text, at, exponent)) return not_a_number;
  }
  if (at != text.size()) return not_a_number;

  int power = exponent - fraction + dropped + scale;
  if (mantissa == 0) return {};
  for (; power > 0; --power) {
    if (__builtin_mul_overflow(mantissa, std::int64_t{10}, &mantissa)) return {0, DecimalError::out_of_range};
    first_dropped = 0;
  }
  for (; power < 0; ++power) {
    first_dropped = static_cast<int>(mantissa % 10);
    mantissa /= 10;
    if (mantissa == 0 && power < -1) return {};
  }
  if (first_dropped >= 5) ++mantissa;
  return {negative ? -mantissa : mantissa, DecimalError::none};
}

}  // namespace tocsin
