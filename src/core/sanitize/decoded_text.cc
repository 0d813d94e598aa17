#include "core/sanitize/decoded_text.h"

#include <algorithm>
#include <optional>

#include "core/sanitize/base64_digits.h"
#include "core/sanitize/checks.h"

namespace tocsin {

namespace {

bool is_text(char c) {
  return (c >= ' ' && c < 127) || c == '\n' || c == '\r' || c == '\t';
}

// An escape at `at`: how many bytes it takes, and what it stands for.
struct Escape {
  std::size_t size = 0;
  char byte = '\0';
};

std::optional<Escape> escape_at(std::string_view buffer, std::size_t at) {
  if (buffer[at] == '%') {
    if (at + 3 > buffer.size()) return std::nullopt;
    const auto code = hexadecimal(buffer.substr(at + 1, 2));
    if (!code || !is_text(static_cast<char>(*code))) return std::nullopt;
    return Escape{3, static_cast<char>(*code)};
  }
  if (buffer[at] != '\\') return std::nullopt;
  std::size_t end = at;
  while (end < buffer.size() && buffer[end] == '\\' && end - at < 8) ++end;
  if (end == buffer.size()) return std::nullopt;
  if (buffer[end] == 'u' && end + 5 <= buffer.size()) {
    const auto code = hexadecimal(buffer.substr(end + 1, 4));
    if (code && *code < 0x7f && is_text(static_cast<char>(*code))) {
      return Escape{end + 5 - at, static_cast<char>(*code)};
    }
    return std::nullopt;
  }
  constexpr std::string_view names = "\"/nrt";
  constexpr std::string_view meanings = "\"/\n\r\t";
  const std::size_t known = names.find(buffer[end]);
  if (known == std::string_view::npos) return std::nullopt;
  return Escape{end + 1 - at, meanings[known]};
}

}  // namespace

bool base64_text_at(std::string_view buffer, std::size_t at, std::size_t not_before, DecodedText& decoded) {
  constexpr std::size_t longest_run = std::size_t{64} * 1024;
  constexpr std::size_t shortest_run = 44;  // of a credential of 32 bytes
  constexpr std::size_t tried_first = 16;   // bytes, of which random ones are never all printable
  decoded.text.clear();
  decoded.origins.clear();
  std::size_t begin = at;
  while (begin > not_before && at - begin < longest_run && base64_digit(buffer[begin - 1]) != no_base64_digit)
    --begin;
  const std::size_t limit = std::min(buffer.size(), begin + longest_run);
  std::uint32_t bits = 0;
  std::size_t unprintable = 0;
  std::size_t end = begin;
  for (; end < limit; ++end) {
    const std::uint8_t digit = base64_digit(buffer[end]);
    if (digit == no_base64_digit) break;
    bits = (bits << 6) | digit;
    const std::size_t place = (end - begin) % 4;
    if (place == 0) continue;
    const char byte = static_cast<char>((bits >> (6 - 2 * place)) & 0xff);
    unprintable += is_text(byte) ? 0 : 1;
    if (unprintable * 20 > std::max(decoded.text.size(), tried_first)) return false;
    decoded.text.push_back(byte);
    decoded.origins.push_back(static_cast<std::uint32_t>(end - 1));
  }
  if (end - begin < shortest_run) return false;
  decoded.source = {begin, end};
  while (decoded.source.end < buffer.size() && buffer[decoded.source.end] == '=') ++decoded.source.end;
  decoded.origins.push_back(static_cast<std::uint32_t>(decoded.source.end));
  return true;
}

bool hides_a_token_byte(std::string_view buffer, std::size_t at) {
  const auto escape = escape_at(buffer, at);
  if (!escape) return false;
  if (buffer[at] == '%') return has_class(escape->byte, token_class) && escape->byte != '%';
  // What every JSON text within a text has, \" and \n, the patterns read as they are.
  constexpr std::size_t unicode_escape = 6;
  const bool is_unicode = escape->size >= unicode_escape && buffer[at + escape->size - 5] == 'u';
  return is_unicode ? has_class(escape->byte, token_class) : escape->byte == '/';
}

void unescaped_text_at(std::string_view buffer, std::size_t at, DecodedText& decoded) {
  constexpr std::size_t reach_back = 256;
  constexpr std::size_t reach_on = 4096;
  // Within the string of the event, and no further than what belongs together.
  const auto is_end = [&](char c) {
    return c == '\0' || c == '\n' || (buffer[at] == '%' && !has_class(c, token_class));
  };
  std::size_t begin = at;
  while (begin > 0 && at - begin < reach_back && !is_end(buffer[begin - 1])) --begin;
  std::size_t end = at;
  while (end < buffer.size() && end - at < reach_on && !is_end(buffer[end])) ++end;

  decoded.text.clear();
  decoded.origins.clear();
  decoded.source = {begin, end};
  for (std::size_t i = begin; i < end;) {
    const auto escape = escape_at(buffer.substr(0, end), i);
    decoded.text.push_back(escape ? escape->byte : buffer[i]);
    decoded.origins.push_back(static_cast<std::uint32_t>(i));
    i += escape ? escape->size : 1;
  }
  decoded.origins.push_back(static_cast<std::uint32_t>(end));
}

}  // namespace tocsin
