#include "core/event/json_string.h"

#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace tocsin {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Four hexadecimal digits, or -1. Stops at the first byte that is none, so it never passes the closing quote.
int read_hex4(const char* at) {
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = hex_digit(at[i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

char* write_utf8(std::uint32_t code, char* out) {
  const auto byte = [&](std::uint32_t value) { *out++ = static_cast<char>(value); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xC0 | (code >> 6));
    byte(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    byte(0xE0 | (code >> 12));
    byte(0x80 | ((code >> 6) & 0x3F));
    byte(0x80 | (code & 0x3F));
  } else {
    byte(0xF0 | (code >> 18));
    byte(0x80 | ((code >> 12) & 0x3F));
    byte(0x80 | ((code >> 6) & 0x3F));
    byte(0x80 | (code & 0x3F));
  }
  return out;
}

// `source` stands after "\u". Writes one code point, which may take a second escape.
const char* unescape_unicode(const char* source, char*& out) {
  constexpr std::uint32_t replacement = 0xFFFD;
  const int first = read_hex4(source);
  if (first < 0) {
    out = write_utf8(replacement, out);
    return source;
  }
  source += 4;
  auto code = static_cast<std::uint32_t>(first);
  if (code >= 0xD800 && code < 0xDC00 && source[0] == '\\' && source[1] == 'u') {
    const int second = read_hex4(source + 2);
    if (second >= 0xDC00 && second < 0xE000) {
      out = write_utf8(0x10000 + ((code - 0xD800) << 10) + (static_cast<std::uint32_t>(second) - 0xDC00), out);
      return source + 6;
    }
  }
  // NUL separates the pieces of an event's text, so no piece may hold one.
  if (code == 0 || (code >= 0xD800 && code < 0xE000)) code = replacement;
  out = write_utf8(code, out);
  return source;
}

const char* unescape_one(const char* source, char*& out) {
  const char letter = *source++;
  switch (letter) {
    case 'n':
      *out++ = '\n';
      return source;
    case 't':
      *out++ = '\t';
      return source;
    case 'r':
      *out++ = '\r';
      return source;
    case 'b':
      *out++ = '\b';
      return source;
    case 'f':
      *out++ = '\f';
      return source;
    case 'u':
      return unescape_unicode(source, out);
    default:
      *out++ = letter;
      return source;
  }
}

// Copies up to the next quote or backslash and returns its place.
const char* copy_plain(const char* source, char*& out) {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  for (;;) {
    __m128i block;
    std::memcpy(&block, source, sizeof block);
    std::memcpy(out, &block, sizeof block);
    const int hits = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(block, quote), _mm_cmpeq_epi8(block, backslash)));
    if (hits != 0) {
      const int plain = __builtin_ctz(static_cast<unsigned>(hits));
      out += plain;
      return source + plain;
    }
    source += 16;
    out += 16;
  }
#else
  while (*source != '"' && *source != '\\') *out++ = *source++;
  return source;
#endif
}

}  // namespace

std::string_view unescape_json_string(const char* source, char* target) {
  char* out = target;
  for (;;) {
    source = copy_plain(source, out);
    if (*source == '"') return {target, static_cast<std::size_t>(out - target)};
    source = unescape_one(source + 1, out);
  }
}

}  // namespace tocsin
