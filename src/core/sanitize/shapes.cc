#include "core/sanitize/shapes.h"

#include <algorithm>
#include <array>

#include "core/sanitize/checks.h"

namespace tocsin {

namespace {

// Zero bytes stand for "no such byte": they end pieces, so a shape ends there all the same.
char byte_at(std::string_view buffer, std::size_t at) {
  return at < buffer.size() ? buffer[at] : '\0';
}
char byte_before(std::string_view buffer, std::size_t at) {
  return at > 0 ? buffer[at - 1] : '\0';
}

// The length of an escape sequence that ends right before `at`; 0 when there is none.
std::size_t escape_before(std::string_view buffer, std::size_t at) {
  const auto hexadecimal = [&](std::size_t count) {
    for (std::size_t i = 1; i <= count; ++i) {
      if (!is_hex_digit(byte_before(buffer, at - i + 1))) return false;
    }
    return true;
  };
  if (at >= 2 && buffer[at - 2] == '\\' &&
      std::string_view("nrtbfv").find(buffer[at - 1]) != std::string_view::npos) {
    return 2;
  }
  if (at >= 3 && buffer[at - 3] == '%' && hexadecimal(2)) return 3;
  if (at >= 4 && buffer[at - 4] == '\\' && buffer[at - 3] == 'x' && hexadecimal(2)) return 4;
  if (at >= 6 && buffer[at - 6] == '\\' && buffer[at - 5] == 'u' && hexadecimal(4)) return 6;
  return 0;
}

bool is_local_part(char c) {
  return is_alnum(c) || std::string_view("._%+-'").find(c) != std::string_view::npos;
}

// Named, because a loop over {"a", "b"} measures each literal again at every call.
constexpr std::string_view file_extensions[] = {"png",  "jpg", "jpeg", "gif", "svg",
                                                "webp", "css", "js",   "ts",  "json"};
constexpr std::string_view name_suffixes[] = {"key", "value", "val", "str", "string"};
constexpr std::string_view authorization_schemes[] = {"bearer ", "basic "};

// What stands before a value and says what it is: up to 32 bytes, in the same piece or in the one before.
std::string_view context_before(std::string_view buffer, std::size_t at) {
  constexpr std::size_t reach = 32;
  const std::size_t from = at > reach ? at - reach : 0;
  const std::string_view context = buffer.substr(from, at - from);
  std::size_t end = context.size();
  if (end > 0 && context[end - 1] == '\0') --end;
  const std::size_t piece = end > 0 ? context.rfind('\0', end - 1) : std::string_view::npos;
  return piece == std::string_view::npos ? context : context.substr(piece + 1);
}

// The name that the value at `at` has, in text or as the string before; empty when there is none.
std::string_view name_before(std::string_view buffer, std::size_t at) {
  const std::string_view context = context_before(buffer, at);
  std::size_t end = context.size();
  while (end > 0 && !has_class(context[end - 1], name_class)) {
    const char c = context[end - 1];
    if (std::string_view("\"'\\ :=>\0", 8).find(c) == std::string_view::npos) return {};
    --end;
  }
  if (end == context.size()) return {};
  std::size_t begin = end;
  while (begin > 0 && has_class(context[begin - 1], name_class)) --begin;
  return context.substr(begin, end - begin);
}

// Names of numbers that are no cards whatever Luhn says: order_id, traceId, timestamp_ns.
bool names_an_identifier(std::string_view name) {
  const auto ends = [name](std::string_view word) {
    return name.size() >= word.size() && equals_ignoring_case(name.substr(name.size() - word.size()), word);
  };
  return ends("_id") || ends("-id") || ends(".id") || (name.size() > 2 && name.substr(name.size() - 2) == "Id") ||
         ends("_ns") || ends("nano") || ends("timestamp") || ends("_ms") || ends("time") ||
         equals_ignoring_case(name, "id");
}

bool context_says(std::string_view context, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [context](std::string_view word) { return contains_ignoring_case(context, word); });
}

// Numbers that are part of something longer: 12.34, 1,234, a-1234, ids with hyphens.
bool part_of_longer_before(std::string_view buffer, std::size_t begin) {
  const char c = byte_before(buffer, begin);
  const char before = begin >= 2 ? buffer[begin - 2] : '\0';
  if (is_alnum(c)) return escape_before(buffer, begin) == 0;
  if (c == '_') return true;
  if (c == '.' || c == ',' || c == '/') return is_digit(before);
  if (c == '-') return is_alnum(before);
  return c == '$';
}

bool part_of_longer_after(std::string_view buffer, std::size_t end) {
  const char c = byte_at(buffer, end);
  const char after = byte_at(buffer, end + 1);
  if (is_alnum(c) || c == '_') return true;
  if (c == '.' || c == ',' || c == '/') return is_digit(after);
  return c == '-' && is_alnum(after);
}

std::size_t digits_end(std::string_view buffer, std::size_t at) {
  while (at < buffer.size() && is_digit(buffer[at])) ++at;
  return at;
}

constexpr std::size_t longest_colour = 16;  // "38;2;255;255;255"

}  // namespace

std::size_t behind_colour(std::string_view buffer, std::size_t at) {
  const auto is_number = [](char c) { return is_digit(c) || c == ';'; };
  std::size_t begin = at;
  while (begin > 0 && at - begin < longest_colour && is_number(buffer[begin - 1])) --begin;
  if (byte_before(buffer, begin) != '[') return at;
  std::size_t end = begin;
  while (end - begin < longest_colour && is_number(byte_at(buffer, end))) ++end;
  const bool is_escaped = begin >= 2 && buffer[begin - 2] == '\x1b';
  const char last = byte_at(buffer, end);
  const bool is_colour = (last == 'm' && (end > begin || is_escaped)) || (last == 'K' && is_escaped);
  return is_colour && end >= at ? end + 1 : at;
}

namespace {

// Behind a terminal's colour at `at`, with its escape character as it is or written out, else `at`.
std::size_t skip_colour(std::string_view buffer, std::size_t at) {
  constexpr std::string_view escapes[] = {"\x1b[", "x1b[", "u001b[", "033[", "e[", "["};
  for (const std::string_view escape : escapes) {
    if (buffer.substr(std::min(at, buffer.size()), escape.size()) != escape) continue;
    const std::size_t numbers = at + escape.size(), end = behind_colour(buffer, numbers);
    if (end != numbers) return end;
  }
  return at;
}

// Whether the end of a terminal's colour, "[33m", stands right before.
bool is_behind_colour(std::string_view buffer, std::size_t at) {
  return at > 0 && (buffer[at - 1] == 'm' || buffer[at - 1] == 'K') && behind_colour(buffer, at - 1) == at;
}

}  // namespace

bool token_may_begin_at(std::string_view buffer, std::size_t at) {
  return at == 0 || !is_alnum(buffer[at - 1]) || escape_before(buffer, at) > 0 || is_behind_colour(buffer, at);
}

std::optional<TextRange> email_at(std::string_view buffer, std::size_t at) {
  constexpr std::size_t longest_local_part = 64;  // RFC 5321
  constexpr std::size_t longest_label = 63;
  constexpr std::size_t longest_domain = 253;

  std::size_t begin = at;
  while (begin > 0 && at - begin < longest_local_part && is_local_part(buffer[begin - 1])) --begin;
  if (begin == at) return std::nullopt;
  // The address in "\nann@x.org" begins after the escape, of which the letters look like the address.
  for (std::size_t i = begin + 1; i <= begin + 5 && i < at; ++i) {
    const std::size_t escape = escape_before(buffer, i);
    if (escape > 0 && i - escape < begin) {
      begin = i;
      break;
    }
  }
  while (begin < at && !is_alnum(buffer[begin]) && buffer[begin] != '_') {
    // "%40" and its like begin with a percent sign; other punctuation before the first letter is not the address's.
    begin += buffer[begin] == '%' && begin + 3 < at ? 3 : 1;
  }
  if (begin >= at || byte_before(buffer, at) == '.') return std::nullopt;

  std::size_t end = at + 1;
  std::size_t label = end;
  std::size_t last_dot = 0;
  while (end < buffer.size() && end - at <= longest_domain) {
    const char c = buffer[end];
    if (c == '.') {
      if (end == label || end - label > longest_label || !is_alnum(byte_at(buffer, end + 1))) break;
      last_dot = end;
      label = end + 1;
    } else if (!is_alnum(c) && !(c == '-' && end > label)) {
      break;
    }
    ++end;
  }
  while (end > label && buffer[end - 1] == '-') --end;
  if (last_dot == 0 || end == label) return std::nullopt;
  std::size_t top = last_dot + 1;
  std::size_t letters = top;
  while (letters < end && has_class(buffer[letters], upper_class | lower_class)) ++letters;
  const bool punycode = equals_ignoring_case(buffer.substr(top, std::min<std::size_t>(4, end - top)), "xn--");
  if (letters != end && !punycode) return std::nullopt;
  if (end - top < 2) return std::nullopt;
  for (const std::string_view extension : file_extensions) {
    if (equals_ignoring_case(buffer.substr(top, end - top), extension)) return std::nullopt;  // icon@2x.png
  }
  // git@github.com:owner/name is a place, not a person.
  if (buffer.substr(begin, at - begin) == "git" && (byte_at(buffer, end) == ':' || byte_at(buffer, end) == '/')) {
    return std::nullopt;
  }
  return TextRange{begin, end};
}

namespace {

// A row of a table: two numbers at least stand before it, and the last is no group of another card.
bool is_in_row(std::string_view buffer, std::size_t begin) {
  constexpr std::size_t shortest_group = 3;
  std::size_t at = begin;
  for (int numbers = 0; numbers < 2; ++numbers) {
    if (at < 2 || buffer[at - 1] != ' ' || !is_digit(buffer[at - 2])) return false;
    const std::size_t end = --at;
    while (at > 0 && is_digit(buffer[at - 1])) --at;
    if (numbers == 0 && end - at >= shortest_group) return false;
  }
  return true;
}

}  // namespace

std::optional<TextRange> card_from(std::string_view buffer, TextRange digits) {
  constexpr std::size_t longest_number = 19;
  std::array<char, longest_number> number{};
  std::size_t count = 0;
  std::array<std::size_t, 5> groups{};
  std::size_t group_count = 0;
  std::size_t end = digits.begin;
  char separator = '\0';
  while (group_count < groups.size()) {
    const std::size_t group_end = digits_end(buffer, end);
    const std::size_t size = group_end - end;
    if (count + size > longest_number) {
      if (group_count == 0) return std::nullopt;
      break;
    }
    std::copy_n(buffer.data() + end, size, number.data() + count);
    count += size;
    groups[group_count++] = size;
    end = group_end;
    const char next = byte_at(buffer, end);
    if ((next != ' ' && next != '-') || (separator != '\0' && next != separator)) break;
    if (!is_digit(byte_at(buffer, end + 1))) break;
    separator = next;
    ++end;
  }
  if (!is_digit(byte_before(buffer, end))) --end;  // stopped after a separator
  const std::string_view text(number.data(), count);
  if (group_count == 1) {
    if (!is_card_number(text) || names_an_identifier(name_before(buffer, digits.begin))) return std::nullopt;
  } else {
    // As cards are printed: 4-4-4-4, 4-6-5, 4-6-4, 4-4-4-4-3. What follows after one blank may be another number,
    // as in "4111 1111 1111 1111 12/29".
    const auto printed_as = [&](std::initializer_list<std::size_t> sizes) {
      return group_count >= sizes.size() && std::equal(sizes.begin(), sizes.end(), groups.begin());
    };
    std::size_t used = 0;
    if (printed_as({4, 4, 4, 4, 3}))
      used = 5;
    else if (printed_as({4, 4, 4, 4}))
      used = 4;
    else if (printed_as({4, 6, 5}) || printed_as({4, 6, 4}))
      used = 3;
    else
      return std::nullopt;
    std::size_t used_digits = 0;
    for (std::size_t i = 0; i < used; ++i) used_digits += groups[i];
    if (!is_card_number(text.substr(0, used_digits))) {
      if (used != 5 || !is_card_number(text.substr(0, 16))) return std::nullopt;
      used = 4;
      used_digits = 16;
    }
    if (used < group_count && separator == '-') return std::nullopt;
    if (separator == ' ' && is_in_row(buffer, digits.begin)) return std::nullopt;
    end = digits.begin + used_digits + used - 1;
  }
  if (part_of_longer_before(buffer, digits.begin) || part_of_longer_after(buffer, end)) return std::nullopt;
  return TextRange{digits.begin, end};
}

namespace {

// What a number with hyphens is called that is nobody's: "part 579-49-1643".
bool names_a_thing(std::string_view buffer, std::size_t at) {
  const std::string_view context = context_before(buffer, at);
  std::size_t end = context.size();
  while (end > 0 && std::string_view(" :#=\"'").find(context[end - 1]) != std::string_view::npos) --end;
  std::size_t begin = end;
  while (begin > 0 && has_class(context[begin - 1], upper_class | lower_class)) --begin;
  constexpr std::string_view things[] = {"part",  "sku",      "invoice", "ticket", "serial", "lot",  "item",
                                         "build", "tracking", "batch",   "model",  "parcel", "isbn", "ean"};
  return std::any_of(std::begin(things), std::end(things), [&](std::string_view thing) {
    return equals_ignoring_case(context.substr(begin, end - begin), thing);
  });
}

// Nine digits, printed ddd-dd-dddd, or named: by one of `words` where blanks or dots separate them, by one of `names`
// where nothing does.
template <class IsIssued>
std::optional<TextRange> nine_digits_ending_with(std::string_view buffer, TextRange digits,
                                                 std::initializer_list<std::string_view> names,
                                                 std::initializer_list<std::string_view> words, IsIssued is_issued) {
  constexpr std::size_t printed_length = 11;  // ddd-dd-dddd
  const std::size_t size = digits.end - digits.begin;
  std::array<char, 9> number{};
  std::size_t begin = 0;
  if (size == 9) {
    // Nine digits are a number like any other unless they are called one.
    begin = digits.begin;
    const std::string_view name = name_before(buffer, begin);
    if (!context_says(name, names)) return std::nullopt;
    std::copy_n(buffer.data() + begin, 9, number.data());
  } else {
    if (size != 4 || digits.end < printed_length) return std::nullopt;
    begin = digits.end - printed_length;
    const char separator = buffer[begin + 3];
    if ((separator != '-' && separator != ' ' && separator != '.') || buffer[begin + 6] != separator) {
      return std::nullopt;
    }
    std::size_t count = 0;
    for (std::size_t i = 0; i < printed_length; ++i) {
      if (i == 3 || i == 6) continue;
      if (!is_digit(buffer[begin + i])) return std::nullopt;
      number[count++] = buffer[begin + i];
    }
    if (separator != '-' && !context_says(context_before(buffer, begin), words)) return std::nullopt;
    if (names_a_thing(buffer, begin)) return std::nullopt;
  }
  if (part_of_longer_before(buffer, begin) || part_of_longer_after(buffer, digits.end)) return std::nullopt;
  if (!is_issued(std::string_view(number.data(), number.size()))) return std::nullopt;
  return TextRange{begin, digits.end};
}

bool is_public_ipv4(const std::array<int, 4>& parts) {
  const int a = parts[0];
  const int b = parts[1];
  if (a == 0 || a == 10 || a == 127 || a >= 224) return false;
  if (a == 100 && b >= 64 && b < 128) return false;                                               // RFC 6598
  if (a == 169 && b == 254) return false;                                                         // RFC 3927
  if ((a == 172 && b >= 16 && b < 32) || (a == 192 && b == 168)) return false;                    // RFC 1918
  if (a == 198 && (b == 18 || b == 19)) return false;                                             // RFC 2544
  if (a == 192 && b == 0 && (parts[2] == 0 || parts[2] == 2)) return false;                       // RFC 6890, 5737
  return !((a == 198 && b == 51 && parts[2] == 100) || (a == 203 && b == 0 && parts[2] == 113));  // RFC 5737
}

}  // namespace

std::optional<TextRange> ssn_ending_with(std::string_view buffer, TextRange digits) {
  return nine_digits_ending_with(buffer, digits, {"ssn", "social_security", "socialsecurity"}, {"ssn", "social"},
                                 is_ssn);
}

std::optional<TextRange> itin_ending_with(std::string_view buffer, TextRange digits) {
  return nine_digits_ending_with(buffer, digits, {"itin", "taxpayer", "tax_id"}, {"itin", "taxpayer"}, is_itin);
}

std::optional<TextRange> ipv4_at(std::string_view buffer, std::size_t at, bool only_public) {
  std::size_t begin = at;
  while (begin > 0 && at - begin < 4 && is_digit(buffer[begin - 1])) --begin;
  std::array<int, 4> parts{};
  std::size_t end = begin;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0 && byte_at(buffer, end++) != '.') return std::nullopt;
    const std::size_t part = end;
    while (end < buffer.size() && end - part < 4 && is_digit(buffer[end]))
      parts[i] = parts[i] * 10 + (buffer[end++] - '0');
    if (end == part || end - part > 3 || parts[i] > 255 || (end - part > 1 && buffer[part] == '0'))
      return std::nullopt;
  }
  const char before = byte_before(buffer, begin);
  const char after = byte_at(buffer, end);
  if (is_alnum(before) ? escape_before(buffer, begin) == 0 : before == '.' || before == '_' || before == '-') {
    return std::nullopt;
  }
  // Chrome/120.0.0.0 is a version.
  if (before == '/' && begin >= 2 && is_alnum(buffer[begin - 2])) return std::nullopt;
  if (is_alnum(after) || after == '_' || (after == '.' && is_alnum(byte_at(buffer, end + 1)))) return std::nullopt;
  if (context_says(context_before(buffer, begin),
                   {"version", "release", "section", "chapter", "build ", "kernel ", "firmware "}) ||
      (begin >= 2 && buffer.substr(begin - 2, 2) == "==")) {
    return std::nullopt;
  }
  if (only_public && !is_public_ipv4(parts)) return std::nullopt;
  return TextRange{begin, end};
}

std::optional<TextRange> ipv6_at(std::string_view buffer, std::size_t at, bool only_public) {
  constexpr std::size_t all_groups = 8;
  std::size_t begin = at;
  while (begin > 0 && at - begin < 5 && is_hex_digit(buffer[begin - 1])) --begin;
  const char before = byte_before(buffer, begin);
  if ((is_alnum(before) && escape_before(buffer, begin) == 0) || before == ':' || before == '_' || before == '.') {
    return std::nullopt;
  }
  std::size_t groups = 0;
  std::size_t end = begin;
  bool is_shortened = false;
  bool has_digit = false;
  std::size_t longest = 0;
  while (groups < all_groups) {
    const std::size_t group = end;
    while (end < buffer.size() && is_hex_digit(buffer[end]) && end - group < 5) has_digit |= is_digit(buffer[end++]);
    if (end - group > 4) return std::nullopt;
    longest = std::max(longest, end - group);
    if (end > group) ++groups;
    if (byte_at(buffer, end) != ':') break;
    if (byte_at(buffer, end + 1) == ':') {
      if (is_shortened) return std::nullopt;
      is_shortened = true;
      end += 2;
      if (!is_hex_digit(byte_at(buffer, end))) break;
    } else if (is_hex_digit(byte_at(buffer, end + 1)) && groups < all_groups) {
      ++end;
    } else {
      break;
    }
  }
  // Times, ports and names of code have colons too: an address has eight groups, or a gap and a number in it.
  if (is_shortened ? groups < 2 || groups >= all_groups || longest < 3 : groups != all_groups) return std::nullopt;
  const char after = byte_at(buffer, end);
  if (!has_digit || is_alnum(after) || after == '_' || (after == ':' && is_alnum(byte_at(buffer, end + 1))))
    return std::nullopt;
  if (only_public) {
    const std::string_view text = buffer.substr(begin, end - begin);
    const bool is_global = (text[0] == '2' || text[0] == '3') && text.find(':') == 4;  // 2000::/3, RFC 4291
    if (!is_global || equals_ignoring_case(text.substr(0, 9), "2001:db8:")) return std::nullopt;
  }
  return TextRange{begin, end};
}

std::optional<TextRange> us_phone_ending_with(std::string_view buffer, TextRange digits) {
  const std::size_t size = digits.end - digits.begin;
  const auto plausible = [&](std::size_t area, std::size_t exchange) {
    // North American numbering: neither begins with 0 or 1.
    return buffer[area] >= '2' && buffer[exchange] >= '2';
  };
  const auto three_digits_at = [&](std::size_t at) {
    return is_digit(buffer[at]) && is_digit(buffer[at + 1]) && is_digit(buffer[at + 2]);
  };
  const auto says_phone = [](std::string_view context) {
    return context_says(context, {"phone", "mobile", "tel", "cell", "fax", "call"});
  };
  std::size_t begin = 0;
  if (size == 10) {
    begin = digits.begin;
    const std::string_view name = name_before(buffer, begin);
    if (!says_phone(name) || names_an_identifier(name) || !plausible(begin, begin + 3)) return std::nullopt;
  } else {
    constexpr std::size_t printed_length = 12;  // ddd-ddd-dddd
    if (size != 4 || digits.end < printed_length) return std::nullopt;
    const char second = buffer[digits.begin - 1];
    if (second != '-' && second != '.' && second != ' ') return std::nullopt;
    const std::size_t exchange = digits.begin - 4;
    if (!three_digits_at(exchange)) return std::nullopt;
    const char first = byte_before(buffer, exchange);
    std::size_t area = exchange - 4;
    bool parentheses = false;
    if (first == ')' || (first == ' ' && byte_before(buffer, exchange - 1) == ')')) {
      const std::size_t close = exchange - (first == ')' ? 1 : 2);
      if (close < 4 || buffer[close - 4] != '(') return std::nullopt;
      area = close - 3;
      parentheses = true;
    } else if (first != second) {
      return std::nullopt;
    }
    if (!three_digits_at(area) || !plausible(area, exchange)) return std::nullopt;
    begin = parentheses ? area - 1 : area;
    if (names_a_thing(buffer, begin)) return std::nullopt;
    // Blanks alone also stand between the columns of a table.
    if (!parentheses && second == ' ' && !says_phone(context_before(buffer, begin))) return std::nullopt;
    const char one = byte_before(buffer, begin);
    if ((one == '-' || one == ' ' || one == '.') && begin >= 2 && buffer[begin - 2] == '1' &&
        token_may_begin_at(buffer, begin - 2) && byte_before(buffer, begin - 2) != '-') {
      begin -= 2;
    }
  }
  if (byte_before(buffer, begin) == '+') --begin;
  if (part_of_longer_before(buffer, begin) || part_of_longer_after(buffer, digits.end)) return std::nullopt;
  return TextRange{begin, digits.end};
}

std::optional<TextRange> international_phone_at(std::string_view buffer, std::size_t at) {
  constexpr std::size_t most_digits = 15;      // ITU E.164
  constexpr std::size_t fewest_separated = 8;  // shorter ones are extensions
  constexpr std::size_t fewest_together = 10;  // "+12345678" also begins lines of diffs
  if (is_alnum(byte_before(buffer, at)) && escape_before(buffer, at) == 0) return std::nullopt;
  std::array<char, most_digits> number{};
  std::size_t count = 0;
  std::size_t groups = 0;
  std::size_t end = at + 1;
  while (true) {
    const std::size_t group_end = digits_end(buffer, end);
    const std::size_t size = group_end - end;
    if (size == 0 || count + size > most_digits) break;
    // A lone digit belongs to a number only as country code, as an area right behind it (Paris, Tokyo), as the trunk
    // prefix in "(0)", or before a long rest ("21 0 1234567", Athens).
    if (size == 1 && groups > 1 && byte_before(buffer, end) != '(') {
      constexpr std::size_t long_rest = 5;
      if (byte_at(buffer, group_end) != ' ' || digits_end(buffer, group_end + 1) < group_end + 1 + long_rest) break;
    }
    std::copy_n(buffer.data() + end, size, number.data() + count);
    count += size;
    ++groups;
    end = group_end;
    std::size_t next = end;
    while (next < end + 2 && std::string_view(" -.()/").find(byte_at(buffer, next)) != std::string_view::npos) ++next;
    if (next == end || !is_digit(byte_at(buffer, next))) break;
    end = next;
  }
  while (end > at && !is_digit(buffer[end - 1])) --end;
  // +48.137154 is a latitude.
  if (groups == 2 && buffer.substr(at, end - at).find('.') != std::string_view::npos) return std::nullopt;
  const std::string_view digits(number.data(), count);
  const int code = calling_code_length(digits);
  if (code == 0 || count < (groups > 1 ? fewest_separated : fewest_together)) return std::nullopt;
  if (code == 1 && digits[0] == '1' && (count != 11 || digits[1] < '2')) return std::nullopt;
  const char after = byte_at(buffer, end);
  if (is_alnum(after) || after == '_' || ((after == '.' || after == ',') && is_digit(byte_at(buffer, end + 1)))) {
    return std::nullopt;
  }
  return TextRange{at, end};
}

std::optional<TextRange> iban_at(std::string_view buffer, std::size_t at) {
  if (at + 15 > buffer.size() || !token_may_begin_at(buffer, at)) return std::nullopt;
  if (!is_digit(buffer[at + 2]) || !is_digit(buffer[at + 3])) return std::nullopt;
  const auto length = static_cast<std::size_t>(iban_length(buffer[at], buffer[at + 1]));
  if (length == 0) return std::nullopt;
  std::array<char, 34> text{};
  std::size_t count = 0;
  std::size_t end = at;
  const char separator = buffer[at + 4];
  const bool printed = separator == ' ' || separator == '-';  // in groups of four
  while (count < length && end < buffer.size()) {
    if (printed && count > 0 && count % 4 == 0) {
      if (buffer[end] != separator) return std::nullopt;
      if (++end == buffer.size()) return std::nullopt;
    }
    if (!has_class(buffer[end], digit_class | upper_class)) return std::nullopt;
    text[count++] = buffer[end++];
  }
  if (count < length || is_alnum(byte_at(buffer, end)) || !is_iban({text.data(), count})) return std::nullopt;
  return TextRange{at, end};
}

std::optional<std::size_t> value_of_pair(std::string_view buffer, std::size_t name_end) {
  constexpr std::size_t most_between = 48;  // with the indentation of what is printed prettily
  constexpr int most_hops = 2;              // {"key": NAME, "value": {"stringValue": VALUE}}
  constexpr std::string_view words[] = {"value", "stringvalue", "string_value", "parametervalue"};
  const auto skip = [&](std::size_t at, std::string_view characters) {
    const std::size_t limit = std::min(buffer.size(), at + most_between);
    while (at < limit && (characters.find(buffer[at]) != std::string_view::npos ||
                          (at > 0 && buffer[at - 1] == '\\' && (buffer[at] == 'n' || buffer[at] == 'r')))) {
      ++at;
    }
    return at;
  };
  constexpr std::string_view after_name(" \t\r\n\\\"'`,;{}\0", 13), after_word(" \t\\\"'`:={\0", 10);
  std::size_t at = name_end;
  int hops = 0;
  for (; hops < most_hops; ++hops) {
    const std::size_t word = skip(at, hops == 0 ? after_name : after_word);
    std::size_t end = word;
    while (end < buffer.size() && end - word < 16 && has_class(buffer[end], name_class)) ++end;
    const bool is_word = word > at && std::any_of(std::begin(words), std::end(words), [&](std::string_view known) {
                           return equals_ignoring_case(buffer.substr(word, end - word), known);
                         });
    if (!is_word) break;
    at = end;
  }
  if (hops == 0) return std::nullopt;
  const std::size_t begin = skip(at, after_word);
  const std::string_view rest = buffer.substr(begin, 12), between = buffer.substr(at, begin - at);
  // Another kind of value, or an object.
  constexpr std::string_view kinds[] = {"boolvalue", "intvalue", "doublevalue", "arrayvalue", "kvlistvalue"};
  const bool is_other = between.find('{') != std::string_view::npos ||
                        std::any_of(std::begin(kinds), std::end(kinds), [&](std::string_view kind) {
                          return equals_ignoring_case(rest.substr(0, kind.size()), kind);
                        });
  return begin > at && !is_other ? std::optional(begin) : std::nullopt;
}

std::optional<Assignment> assignment_at(std::string_view buffer, TextRange keyword) {
  constexpr std::size_t longest_name = 64;
  constexpr std::size_t longest_value = 512;
  constexpr std::size_t most_blanks = 8;

  // The name goes on after the keyword only as password2, secret_key, tokenValue.
  std::size_t end = keyword.end;
  // Of the words that go on behind it nearly all do so with a letter that no suffix begins with: tokens, tokenizer.
  const char next = to_lower(byte_at(buffer, end));
  if (next >= 'a' && next <= 'z' && next != 'k' && next != 'v' &&
      !(next == 's' && to_lower(byte_at(buffer, end + 1)) == 't')) {
    return std::nullopt;
  }
  std::size_t rest_end = end;
  while (rest_end < buffer.size() && rest_end < end + longest_name && has_class(buffer[rest_end], name_class))
    ++rest_end;
  std::string_view rest = buffer.substr(end, rest_end - end);
  if (!rest.empty() && (rest[0] == '_' || rest[0] == '-')) rest.remove_prefix(1);
  for (const std::string_view suffix : name_suffixes) {
    if (equals_ignoring_case(rest.substr(0, suffix.size()), suffix)) {
      rest.remove_prefix(suffix.size());
      break;
    }
  }
  while (!rest.empty() && is_digit(rest[0])) rest.remove_prefix(1);
  if (!rest.empty()) return std::nullopt;
  end = rest_end;

  Assignment found;
  bool is_element = false, is_option = false;
  std::size_t begin = keyword.begin;
  while (begin > 0 && keyword.begin - begin < longest_name && has_class(buffer[begin - 1], name_class)) --begin;
  found.name = {begin, end};

  const auto skip = [&](std::size_t at, std::string_view characters, std::size_t most) {
    std::size_t stop = at;
    while (stop < buffer.size() && stop - at < most && characters.find(buffer[stop]) != std::string_view::npos)
      ++stop;
    return stop;
  };
  std::size_t at = end;
  const std::optional<std::size_t> paired = value_of_pair(buffer, end);
  if (paired) at = *paired - 1;  // the quote, or the end of the string that names it
  if (byte_at(buffer, at) == '\0') {
    // A name that is a string of its own has its value in the next.
    if (at >= buffer.size() || (begin > 0 && buffer[begin - 1] != '\0')) return std::nullopt;
    ++at;
    const std::size_t piece_end = std::min(buffer.find('\0', at), buffer.size());
    found.value = {at, std::min(piece_end, at + longest_value)};
    found.delimited = true;
    const std::string_view value = buffer.substr(found.value.begin, found.value.end - found.value.begin);
    for (const std::string_view scheme : authorization_schemes) {
      if (equals_ignoring_case(value.substr(0, scheme.size()), scheme)) found.value.begin += scheme.size();
    }
    return found;
  }
  if (!paired) {
    at = skip_colour(buffer, skip(at, "\\", 4));
    at = skip(at, "\"'`]", 2);
    at = skip(at, " \t", most_blanks);
    std::size_t separator = at;
    at = skip(at, ":=>", 2);
    constexpr std::string_view wide_colon = "：";
    if (at == separator && buffer.substr(at, wide_colon.size()) == wide_colon) at += wide_colon.size();
    // --password VALUE
    is_option = at == separator && at > end && buffer.substr(begin, 2) == "--";
    if (is_option) separator = end;
    is_element = byte_at(buffer, separator) == '>' && at == separator + 1 && byte_before(buffer, begin) == '<';
    if (at == separator || (buffer[separator] == '>' && !is_element)) return std::nullopt;
    if (at - separator == 2 && buffer[separator] == '=' && buffer[separator + 1] == '=')
      return std::nullopt;  // a comparison
    at = skip(at, " \t", most_blanks);
    at = skip_colour(buffer, skip(at, "\\", 4));
    at = skip(at, " \t", most_blanks);
  } else if (std::string_view("\"'`").find(buffer[at]) == std::string_view::npos) {
    ++at;
  }
  const char quote = byte_at(buffer, at);
  if (quote == '"' || quote == '\'' || quote == '`') {
    found.delimited = true;
    ++at;
  }
  for (const std::string_view scheme : authorization_schemes) {
    if (equals_ignoring_case(buffer.substr(at, scheme.size()), scheme)) at += scheme.size();
  }
  std::size_t stop = at;
  constexpr std::string_view ends_bare_value(" \t\r\n,;&\"'`<>(){}[]\\\x1b\0", 22);
  while (stop < buffer.size() && stop - at < longest_value) {
    const char c = buffer[stop];
    if (found.delimited ? (c == quote || c == '\n' || c == '\0' || (c == '\\' && byte_at(buffer, stop + 1) != '/'))
                        : ends_bare_value.find(c) != std::string_view::npos) {
      break;
    }
    ++stop;
  }
  if (found.delimited && stop < buffer.size() && buffer[stop] != quote && buffer[stop] != '\\')
    found.delimited = false;
  if (is_element && buffer.substr(stop, 2) != "</") return std::nullopt;
  if (is_option && byte_at(buffer, at) == '-') return std::nullopt;
  found.value = {at, stop};
  return found;
}

bool inside_redaction_label(std::string_view buffer, std::size_t at) {
  constexpr std::size_t longest_label = 72;
  constexpr std::size_t hexadecimal_digits = 8;
  std::size_t open = at + 1;
  while (open > 0 && at + 1 - open < longest_label && open - 1 < buffer.size() && buffer[open - 1] != '[') {
    const char c = buffer[open - 1];
    if (!has_class(c, name_class) && c != ':' && c != ']') return false;
    --open;
  }
  if (open == 0 || buffer[open - 1] != '[') return false;
  const std::size_t close = buffer.find(']', open);
  if (close == std::string_view::npos || close - open > longest_label || close < at) return false;
  const std::string_view label = buffer.substr(open, close - open);
  const std::size_t colon = label.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || label.size() - colon - 1 != hexadecimal_digits) return false;
  return std::all_of(label.begin() + static_cast<std::ptrdiff_t>(colon) + 1, label.end(), is_hex_digit);
}

}  // namespace tocsin
