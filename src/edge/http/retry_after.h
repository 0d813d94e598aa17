// The header with which a server says when to come again.

#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/units.h"

namespace tocsin {

// Delay that a Retry-After header asks for, never negative, at most a year: seconds, or a date in the form that HTTP
// prefers ("Sun, 06 Nov 1994 08:49:37 GMT"). Nothing when it is neither. `now` in seconds since the epoch.
std::optional<Duration> parse_retry_after(std::string_view text, std::int64_t now);

}  // namespace tocsin
