// JSON string bodies to text.
//
// The input has passed simdjson's first stage: it is UTF-8, holds no bare control character, and a closing
// quote is there. Plain runs are copied sixteen bytes at a time.

#pragma once

#include <cstddef>
#include <string_view>

namespace tocsin {

// How far past the end of the result a call may write.
inline constexpr std::size_t json_string_slack = 32;

// Unescapes from the byte after the opening quote up to the closing one. A lone surrogate becomes U+FFFD, and a
// backslash before any other letter stands for that letter: text is there to be scanned, not to be refused.
// Requires: `source` may be read 16 bytes past its closing quote; `target` holds the result and the slack.
std::string_view unescape_json_string(const char* source, char* target);

}  // namespace tocsin
