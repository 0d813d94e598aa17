// Text that is hidden one layer deep, base64, percent-encoding or the escapes of a JSON text within a text, made
// plain, with the place each byte came from.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/sanitize/shapes.h"

namespace tocsin {

struct DecodedText {
  std::string text;
  std::vector<std::uint32_t> origins;  // of each byte, and the end of the last: an offset in the buffer
  TextRange source;                    // what was decoded

  // Where the bytes [begin, end) of `text` stand in the buffer, as they are written there.
  TextRange origin_of(std::size_t begin, std::size_t end) const { return {origins[begin], origins[end]}; }
};

// The run of base64 (either alphabet) round `at`, from `not_before` on, when it says text: nearly all of it is
// printable. What does not is told by its first bytes. False where it is no text, or too short to hide anything.
// `out` is reused: its memory is kept.
bool base64_text_at(std::string_view buffer, std::size_t at, std::size_t not_before, DecodedText& out);

// Whether '%' or '\\' at `at` begins an escape of a byte that a secret may be made of: "%2F", "\u0041", "\/".
bool hides_a_token_byte(std::string_view buffer, std::size_t at);

// The text round the escape at `at`, without its escapes; at most some hundred bytes before and 4 KiB behind it.
// Requires: hides_a_token_byte().
void unescaped_text_at(std::string_view buffer, std::size_t at, DecodedText& out);

}  // namespace tocsin
