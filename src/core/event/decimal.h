// Decimal numbers in text to integers in a fixed unit, exactly: "0.004108" dollars is 4,108 micro-dollars.
// Going through a double would make totals depend on rounding.

#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tocsin {

enum class DecimalError : std::uint8_t { none, not_a_number, out_of_range };

struct ScaledDecimal {
  std::int64_t value = 0;
  DecimalError error = DecimalError::none;
};

// `text` as a JSON number (surrounding blanks allowed), times 10^`scale`, rounded half away from zero.
// Requires: 0 <= scale <= 9.
ScaledDecimal parse_scaled_decimal(std::string_view text, int scale);

}  // namespace tocsin
