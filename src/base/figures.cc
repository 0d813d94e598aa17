#include "base/figures.h"

#include <fmt/format.h>

#include <cmath>

#include "base/time_text.h"

namespace tocsin {

namespace {

// Without zeros at the end of a fraction, but for the first `kept` digits of it.
std::string without_zeros(std::string text, std::size_t kept) {
  const std::size_t point = text.find('.');
  if (point == std::string::npos) return text;
  while (text.back() == '0' && text.size() > point + 1 + kept) text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace

std::string plain_figure(double number) {
  constexpr double exact_below = 1e15;
  const double size = std::abs(number);
  if (size >= 1'000 && size < exact_below) return fmt::format("{:.0f}", number);
  if (size == 0 || size >= 1e-4) return fmt::format("{:.4g}", number);
  return without_zeros(fmt::format("{:.12f}", number), 0);
}

std::string dollar_figure(double dollars) {
  const double size = std::abs(dollars);
  if (size >= 0.1 || size < 0.5e-6) return fmt::format("${:.2f}", dollars);
  const int decimals = std::min(6, 1 - static_cast<int>(std::floor(std::log10(size))));
  return "$" + without_zeros(fmt::format("{:.{}f}", dollars, decimals), 2);
}

std::string duration_figure(double seconds) {
  const double size = std::abs(seconds);
  if (size <= 0.0005) return "0s";
  if (size < 0.9995) return fmt::format("{:.0f}ms", seconds * 1'000);
  if (size < 9.95) return without_zeros(fmt::format("{:.1f}", seconds), 0) + "s";
  return to_text(duration_of_seconds(std::round(seconds)));
}

}  // namespace tocsin
