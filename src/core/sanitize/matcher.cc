#include "core/sanitize/matcher.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "core/sanitize/checks.h"

namespace tocsin {

namespace {

// Costs in nanoseconds, roughly, as measured on a 3 GHz core; the budget is written in them.
constexpr std::int64_t regex_call_cost = 200;
constexpr std::int64_t regex_byte_cost = 8;
constexpr std::int64_t look_cost = 30;
constexpr std::int64_t check_cost = 500;       // entropy and classes of one hit
constexpr std::int64_t structure_cost = 1000;  // a twofold SHA-256 of a hundred bytes
constexpr std::int64_t structure_byte_cost = 6;
constexpr std::int64_t key_body_byte_cost = 6;  // a search and a walk

re2::StringPiece piece(std::string_view text) {
  return {text.data(), text.size()};
}

bool boundary_holds(Boundary boundary, std::string_view buffer, TextRange found) {
  const char after = found.end < buffer.size() ? buffer[found.end] : '\0';
  switch (boundary) {
    case Boundary::none:
      return true;
    case Boundary::alnum:
      return token_may_begin_at(buffer, found.begin) && !is_alnum(after);
    case Boundary::base64url:
      return token_may_begin_at(buffer, found.begin) &&
             !has_class(after, digit_class | upper_class | lower_class | word_punctuation_class);
    case Boundary::base64: {
      const char before = found.begin > 0 ? buffer[found.begin - 1] : '\0';
      return token_may_begin_at(buffer, found.begin) && before != '+' && before != '/' &&
             !has_class(after, base64_class) && after != '=';
    }
  }
  return false;
}

// What stands in the middle of base64, an image's say, begins like a key by chance: between its plus signs and
// slashes, with so much of it around as paths and sums have none.
bool is_in_base64(std::string_view buffer, TextRange found) {
  constexpr std::size_t reach = 256;
  constexpr std::size_t enough = 48;  // around it
  const auto is_base64 = [](char c) { return has_class(c, base64_class); };
  const auto is_sign = [](char c) { return c == '+' || c == '/'; };
  std::size_t begin = found.begin, end = found.end;
  while (begin > 0 && found.begin - begin < reach && is_base64(buffer[begin - 1])) --begin;
  while (end < buffer.size() && end - found.end < reach && is_base64(buffer[end])) ++end;
  const bool touches =
      (begin < found.begin && is_sign(buffer[found.begin - 1])) || (end > found.end && is_sign(buffer[found.end]));
  if (!touches || (found.begin - begin) + (end - found.end) < enough) return false;
  const std::string_view before = buffer.substr(begin, found.begin - begin);
  const std::string_view after = buffer.substr(found.end, end - found.end);
  return before.find('+') != std::string_view::npos || after.find('+') != std::string_view::npos;
}

// What may stand between the header line of a PEM block that breaks off and its base64: line ends in any form,
// quotes, and header lines of its own (RFC 1421, OpenPGP armor). Other text says that the line is only spoken of.
bool is_before_key(std::string_view text) {
  constexpr std::string_view headers[] = {"Proc-Type:", "DEK-Info:", "Comment:", "Version:", "Hash:", "Charset:"};
  for (const std::string_view header : headers) {
    if (text.find(header) != std::string_view::npos) return true;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      while (i + 1 < text.size() && text[i + 1] == '\\') ++i;
      ++i;  // the escaped letter
    } else if (!is_digit(text[i]) &&
               std::string_view(" \t\r\n\"'`+,|>.#*/-:").find(text[i]) == std::string_view::npos) {
      return false;  // digits number lines
    }
  }
  return true;
}

// A PEM block from its header line (`header_end` is right behind the dashes) to its end line. A block that breaks
// off (telemetry is often cut at some length) ends where its base64 does.
std::optional<std::size_t> private_key_end(std::string_view buffer, std::size_t header_end, std::int64_t& work) {
  constexpr std::size_t longest_block = 16384;  // RSA 8192 takes 6.4 kB; an escaped newline adds 3 in 64
  constexpr std::size_t shortest_line = 32;     // base64 of a key; prose and "..." have no such run
  // What every RSA and every OpenSSH key begins with, documents show and then break off.
  constexpr std::size_t shortest_key = 48, shortest_behind_a_head = 80;
  const std::size_t piece_end = std::min({buffer.find('\0', header_end), buffer.size(), header_end + longest_block});
  const std::string_view body = buffer.substr(header_end, piece_end - header_end);
  const std::size_t end_line = body.find("-----END ");
  const std::size_t body_end = end_line == std::string_view::npos ? body.size() : end_line;
  work += key_body_byte_cost * static_cast<std::int64_t>(body_end);
  std::size_t longest_run = 0;
  std::size_t run = 0;
  std::size_t all = 0;
  std::size_t first_long = body_end;  // where the first run of a line's length begins
  std::size_t last = 0;
  bool upper = false;
  bool lower = false;
  bool digit = false;
  for (std::size_t i = 0; i < body_end; ++i) {
    const char c = body[i];
    if (has_class(c, base64_class) || c == '=') {
      longest_run = std::max(longest_run, ++run);
      ++all;
      if (run == shortest_line) first_long = std::min(first_long, i + 1 - run);
      if (run >= shortest_line || end_line != std::string_view::npos) last = i + 1;
      upper = upper || has_class(c, upper_class);
      lower = lower || has_class(c, lower_class);
      digit = digit || is_digit(c);
      continue;
    }
    run = 0;
    if (c == '\\' && i + 1 < body_end) {
      while (i + 1 < body_end && body[i + 1] == '\\') ++i;
      ++i;  // the escaped letter is no base64
    } else if (end_line == std::string_view::npos && longest_run >= shortest_line &&
               std::string_view(" \t\r\n\"'+,:-").find(c) == std::string_view::npos) {
      break;
    }
  }
  const std::string_view from_first = body.substr(first_long);
  const bool has_head = from_first.starts_with("MII") || from_first.starts_with("b3BlbnNzaC1rZXktdjE");
  if (longest_run < shortest_line || all < (has_head ? shortest_behind_a_head : shortest_key)) return std::nullopt;
  if (!upper || !lower || !digit) return std::nullopt;
  if (end_line == std::string_view::npos) {
    return is_before_key(body.substr(0, first_long)) ? std::optional(header_end + last) : std::nullopt;
  }
  std::size_t end = body_end + std::string_view("-----END ").size();
  constexpr std::size_t longest_label = 48;
  const std::size_t dashes = body.find("-----", end);
  if (dashes != std::string_view::npos && dashes - end <= longest_label) end = dashes + 5;
  return header_end + end;
}

// Words that stand where a password would, in forms, schemas and prose.
bool is_ordinary_word(std::string_view text) {
  constexpr std::string_view words[] = {
      "required",  "incorrect", "protected",  "disabled", "enabled",   "password", "passwords",
      "string",    "optional",  "unchanged",  "changed",  "undefined", "secret",   "invalid",
      "forgotten", "hidden",    "incorrect.", "missing",  "expired",   "boolean",  "integer",
      "number",    "object",    "credential", "username", "default",   "unknown"};
  constexpr auto sizes = std::ranges::minmax(words, {}, &std::string_view::size);
  if (text.size() < sizes.min.size() || text.size() > sizes.max.size()) return false;
  return std::any_of(std::begin(words), std::end(words),
                     [text](std::string_view word) { return equals_ignoring_case(text, word); });
}

bool is_ascii_graph(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 127; });
}

struct Kinds {
  std::size_t digits = 0;
  std::size_t uppers = 0;
  std::size_t lowers = 0;
  std::size_t others = 0;
};

Kinds kinds_of(std::string_view text) {
  Kinds kinds;
  for (const char c : text) {
    if (is_digit(c))
      ++kinds.digits;
    else if (has_class(c, upper_class))
      ++kinds.uppers;
    else if (has_class(c, lower_class))
      ++kinds.lowers;
    else
      ++kinds.others;
  }
  return kinds;
}

bool could_be_reference(std::string_view text) {
  return text.find("://") != std::string_view::npos || text[0] == '/' || text[0] == '$' || text[0] == '{' ||
         text[0] == '<' || text[0] == '%' || text[0] == '(' || is_placeholder(text);
}

bool is_password_value(std::string_view text, bool delimited) {
  constexpr std::size_t shortest = 6;
  constexpr double least_entropy = 2.0;  // "aaaaaaaa" and "********" lie below
  if (text.size() < shortest || !is_ascii_graph(text) || could_be_reference(text)) return false;
  if (is_ordinary_word(text) || entropy(text) < least_entropy) return false;
  const Kinds kinds = kinds_of(text);
  // In prose and in code a bare word after "password:" is a word; a secret mixes.
  if (kinds.digits == 0 && kinds.others == 0) return delimited && text.size() >= 8;
  if (!delimited && kinds.digits == 0) {
    return text.find('.') == std::string_view::npos && text.size() >= 8 && text.find('$') == std::string_view::npos;
  }
  return kinds.digits != text.size() || text.size() >= 8;
}

bool is_secret_value(std::string_view text) {
  constexpr std::size_t shortest = 16;
  constexpr double least_entropy = 3.0;
  if (text.size() < shortest || !is_ascii_graph(text) || could_be_reference(text) || is_uuid(text)) return false;
  const Kinds kinds = kinds_of(text);
  if (kinds.digits < 2 || kinds.uppers + kinds.lowers < 4 || kinds.others > text.size() / 4) return false;
  return entropy(text) >= least_entropy;
}

// One to five words of letters, as a field for a name holds them; schemas have types and templates in their place.
bool is_person_name(std::string_view text) {
  constexpr std::size_t longest = 64;
  constexpr std::size_t most_words = 5;
  if (text.size() < 2 || text.size() > longest || is_placeholder(text) || is_ordinary_word(text)) return false;
  if (has_class(text.front(), space_class) || has_class(text.back(), space_class)) return false;
  std::size_t words = 1;
  bool has_letter = false;
  for (const char c : text) {
    const bool is_letter = has_class(c, upper_class | lower_class) || static_cast<unsigned char>(c) >= 0x80;
    has_letter = has_letter || is_letter;
    if (c == ' ') ++words;
    if (!is_letter && c != ' ' && c != '-' && c != '\'' && c != '.') return false;
  }
  return has_letter && words <= most_words;
}

// Of a request that is signed (AWS signature version 4) the id of the key, which is no secret: "/20260501/" follows.
bool is_in_signature(std::string_view buffer, std::size_t end) {
  constexpr std::size_t digits_of_a_day = 8;
  std::string_view rest = buffer.substr(end, 16);
  const bool is_scope = rest.starts_with("/20") || rest.starts_with("%2F20") || rest.starts_with("%2f20");
  if (!is_scope) return false;
  rest.remove_prefix(rest.front() == '/' ? 1 : 3);
  return rest.size() > digits_of_a_day && std::all_of(rest.begin(), rest.begin() + digits_of_a_day, is_digit) &&
         (rest[digits_of_a_day] == '/' || rest[digits_of_a_day] == '%');
}

// STS ids begin with ASIA, which also begins words in capitals (ASIAPACIFIC...): of the 32 characters of an id
// some are digits nearly always.
bool is_aws_key_id(std::string_view text) {
  if (text.substr(0, 4) == "AKIA") return true;
  return std::any_of(text.begin(), text.end(), is_digit);
}

}  // namespace

Matcher::Matcher(std::vector<CompiledPattern> patterns, std::vector<Keyword> keywords)
    : patterns_(std::move(patterns)), gate_(std::move(keywords)) {
  by_shape_.fill(no_pattern);
  const auto is_of_id = [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || c == '-'; };
  for (const Keyword& keyword : gate_.keywords()) {
    if (keyword.where == Keyword::Where::at_long_token_start) continue;
    if (std::all_of(keyword.text.begin(), keyword.text.end(), is_of_id))
      hexadecimal_keywords_.push_back(keyword.text);
  }
  for (const CompiledPattern& pattern : patterns_) {
    for (const std::string& name : pattern.names) names_.add(name, pattern.index);
    if (pattern.shape != Shape::regex && pattern.shape != Shape::assignment && pattern.shape != Shape::named) {
      by_shape_[static_cast<std::size_t>(pattern.shape)] = pattern.index;
    }
    if (pattern.paired_with != no_pattern) paired_.push_back(pattern.index);
  }
}

bool Matcher::has_keyword_in_id(std::string_view id) const {
  constexpr std::size_t trace_id = 32;  // longer ones have hyphens in them
  bool found = false;
  const auto look = [&](std::size_t at) {
    gate_.for_each_from(id, at, [&](const Keyword&, std::size_t) { found = true; });
  };
  look(0);
  if (id.size() > trace_id) {
    for (std::size_t at = id.find('-'); at != std::string_view::npos; at = id.find('-', at + 1)) {
      if (at + 1 < id.size()) look(at + 1);
    }
  }
  return found || std::any_of(hexadecimal_keywords_.begin(), hexadecimal_keywords_.end(),
                              [id](const std::string& text) { return id.find(text) != std::string_view::npos; });
}

IdentityForm Matcher::identity_of(std::uint16_t index) const {
  const CompiledPattern& pattern = patterns_[index];
  switch (pattern.shape) {
    case Shape::email:
    case Shape::ip:
      return IdentityForm::lower_case;
    case Shape::card:
    case Shape::ssn:
    case Shape::iban:
    case Shape::phone:
    case Shape::itin:
      return IdentityForm::letters_and_digits;
    case Shape::regex:
    case Shape::assignment:
    case Shape::named:
      break;
  }
  return pattern.check == Check::private_key ? IdentityForm::without_line_ends : IdentityForm::as_written;
}

std::optional<TextRange> Matcher::match_regex(const CompiledPattern& pattern, std::string_view buffer,
                                              std::size_t keyword, std::int64_t& work, Refusal* refusal) const {
  const auto refused = [refusal](Refusal why) {
    if (refusal != nullptr) *refusal = why;
    return std::nullopt;
  };
  work += look_cost;
  if (pattern.before == 0 && pattern.boundary != Boundary::none && !token_may_begin_at(buffer, keyword)) {
    return refused(Refusal::inside_a_word);
  }
  const auto inside = [&](char c) { return c != '\0' && (pattern.spaces || has_class(c, token_class)); };
  std::size_t begin = keyword;
  while (begin > 0 && keyword - begin < pattern.before && inside(buffer[begin - 1])) --begin;
  std::size_t end = keyword;
  bool may_cross = pattern.next_string;
  while (end < buffer.size() && end - keyword < pattern.window &&
         (inside(buffer[end]) || (buffer[end] == '\0' && std::exchange(may_cross, false)))) {
    ++end;
  }
  work += static_cast<std::int64_t>(end - begin);
  if (end - begin < pattern.min_length) return refused(Refusal::too_short);

  work += regex_call_cost + regex_byte_cost * static_cast<std::int64_t>(end - begin);
  const std::string_view window = buffer.substr(begin, end - begin);
  re2::StringPiece groups[2];
  const int group = pattern.has_group ? 1 : 0;
  const auto anchor = pattern.before == 0 ? re2::RE2::ANCHOR_START : re2::RE2::UNANCHORED;
  const auto matches = [&](int submatches) {
    return pattern.regex.get().Match(piece(window), 0, window.size(), anchor, groups, submatches);
  };
  // Whether it matches at all, RE2 says without allocating; where a group lies, often not. Nearly every place is no
  // match.
  if (!matches(0) || !matches(group + 1)) return refused(Refusal::regex);
  work += check_cost;
  const re2::StringPiece& hit = groups[group];
  if (hit.data() == nullptr || hit.empty()) return refused(Refusal::regex);
  TextRange found;
  found.begin = static_cast<std::size_t>(hit.data() - buffer.data());
  found.end = found.begin + hit.size();
  if (pattern.check == Check::private_key) {
    const std::optional<std::size_t> key_end = private_key_end(buffer, found.end, work);
    if (!key_end) return refused(Refusal::check);
    return TextRange{found.begin, *key_end};
  }
  if (!boundary_holds(pattern.boundary, buffer, found)) return refused(Refusal::boundary);
  if (pattern.boundary != Boundary::none && is_in_base64(buffer, found)) return refused(Refusal::boundary);
  if (pattern.check == Check::aws_key_id && is_in_signature(buffer, found.end)) return refused(Refusal::signature);
  if (pattern.structure != nullptr) {
    work += structure_cost + structure_byte_cost * static_cast<std::int64_t>(found.end - found.begin);
  }
  const Refusal failed = failed_check(pattern, buffer.substr(found.begin, found.end - found.begin));
  if (failed != Refusal::none) return refused(failed);
  return found;
}

std::optional<TextRange> Matcher::match_assignment(const CompiledPattern& pattern, std::string_view buffer,
                                                   const std::optional<Assignment>& found, std::int64_t& work,
                                                   Refusal* refusal) const {
  const auto refused = [refusal](Refusal why) {
    if (refusal != nullptr) *refusal = why;
    return std::nullopt;
  };
  work += look_cost;
  if (!found || found->value.end <= found->value.begin) return refused(Refusal::no_value);
  work += look_cost + static_cast<std::int64_t>(found->value.end - found->value.begin);
  if (inside_redaction_label(buffer, found->name.begin) || inside_redaction_label(buffer, found->value.begin)) {
    return refused(Refusal::placeholder);
  }
  // What comes before the keyword is looked at too: next_page_token, csrf-token.
  const std::string_view name = buffer.substr(found->name.begin, found->name.end - found->name.begin);
  if (pattern.not_names.is_within(name)) return refused(Refusal::name);
  const std::string_view value = buffer.substr(found->value.begin, found->value.end - found->value.begin);
  work += check_cost + (pattern.regex.empty() ? 0 : regex_call_cost) + 2 * static_cast<std::int64_t>(value.size());
  if (pattern.check == Check::password_value) {
    if (!is_password_value(value, found->delimited)) return refused(Refusal::check);
  } else if (pattern.check == Check::person_name) {
    if (!found->delimited || !is_person_name(value)) return refused(Refusal::check);
  } else if (const Refusal why = refusal_of(pattern, value); why != Refusal::none) {
    return refused(why);
  }
  return found->value;
}

std::optional<TextRange> Matcher::value_behind(std::string_view buffer, TextRange keyword, std::int64_t& work) {
  constexpr std::size_t longest_rest = 24;     // of the name: "_id_value" behind "key"
  constexpr std::size_t most_separators = 32;  // aligned columns
  constexpr std::size_t longest_word = 8;
  constexpr int most_words = 2;
  constexpr std::size_t most_between = 4;  // ` = "`
  constexpr std::size_t shortest_value = 12;
  constexpr std::size_t longest_value = 1024;
  const auto is_value = [](char c) {
    return has_class(c, base64_class | word_punctuation_class) || c == '.' || c == '=' || c == '~';
  };
  const auto is_separator = [&](char c) { return !is_value(c) || c == '='; };
  const auto end_of = [buffer](std::size_t at, std::size_t most, auto belongs) {
    const std::size_t limit = std::min(buffer.size(), at + most);
    while (at < limit && belongs(buffer[at])) ++at;
    return at;
  };
  work += look_cost;
  std::size_t begin = end_of(keyword.end, longest_value, [](char c) { return has_class(c, name_class); });
  if (begin - keyword.end > longest_rest) {
    // vendor-key-VALUE: what looks like the rest of the name is the value.
    begin = keyword.end;
    while (begin < buffer.size() && !is_alnum(buffer[begin])) ++begin;
    if (begin == keyword.end || begin == buffer.size()) return std::nullopt;
  } else {
    const std::size_t name_end = begin;
    if (const auto paired = value_of_pair(buffer, begin)) {
      begin = *paired;
    } else {
      bool crossed = false;
      begin = end_of(begin, most_separators,
                     [&](char c) { return is_separator(c) && !(c == '\0' && std::exchange(crossed, true)); });
    }
    if (begin == name_end || begin == buffer.size() || !is_value(buffer[begin])) return std::nullopt;
    for (std::size_t next = behind_colour(buffer, begin); next != begin; next = behind_colour(buffer, begin)) {
      begin = end_of(next, most_separators, [&](char c) { return c != '\0' && is_separator(c); });
      if (begin == buffer.size()) return std::nullopt;
    }
    // Words between: "access code VALUE", "the secret is VALUE", a type as in `key: &'static str = "VALUE"`.
    constexpr std::array<std::string_view, 10> words{"code", "is",  "key",    "token",  "value",
                                                     "was",  "str", "string", "String", "static"};
    for (int i = 0; i < most_words; ++i) {
      const std::size_t word_end =
          end_of(begin, longest_word, [](char c) { return has_class(c, lower_class | upper_class); });
      const bool is_between =
          std::find(words.begin(), words.end(), buffer.substr(begin, word_end - begin)) != words.end();
      const std::size_t next = end_of(word_end, most_between, [&](char c) { return c != '\0' && is_separator(c); });
      if (!is_between || next == word_end || next == buffer.size() || !is_value(buffer[next])) break;
      begin = next;
    }
  }
  std::size_t end = end_of(begin, longest_value, is_value);
  work += static_cast<std::int64_t>(end - begin);
  while (end > begin && buffer[end - 1] == '.') --end;
  if (end - begin < shortest_value) return std::nullopt;
  // A word, an identifier: what is random has digits, or both cases, but for what is longer than words are.
  constexpr std::size_t longer_than_words = 24;
  const Kinds kinds = kinds_of(buffer.substr(begin, std::min<std::size_t>(end - begin, 64)));
  if (kinds.digits == 0 && (kinds.uppers == 0 || kinds.lowers == 0) && end - begin < longer_than_words) {
    return std::nullopt;
  }
  return TextRange{begin, end};
}

// What stands before a value: in its own string of the event and the one before, which names it, or all from that on
// in which the keyword stands.
std::string_view Matcher::context_of(std::string_view buffer, TextRange keyword, TextRange value) {
  constexpr std::size_t reach = 80;
  const std::size_t from = value.begin > reach ? value.begin - reach : 0;
  const std::string_view before = buffer.substr(from, value.begin - from);
  std::size_t own = before.rfind('\0');
  if (own != std::string_view::npos && own > 0) own = before.rfind('\0', own - 1);
  if (own != std::string_view::npos && from + own > keyword.begin)
    own = keyword.begin > from ? before.rfind('\0', keyword.begin - from) : std::string_view::npos;
  return own == std::string_view::npos ? before : before.substr(own + 1);
}

bool Matcher::accepts_named(const CompiledPattern& pattern, std::string_view buffer, TextRange value,
                            std::int64_t& work) const {
  const std::string_view text = buffer.substr(value.begin, value.end - value.begin);
  if (text.size() < pattern.min_length || text.size() > pattern.window) return false;
  work += regex_call_cost + check_cost + 2 * static_cast<std::int64_t>(text.size());
  return !inside_redaction_label(buffer, value.begin) && accepts(pattern, text);
}

Refusal Matcher::refusal_of(const CompiledPattern& pattern, std::string_view text) const {
  if (!pattern.regex.empty() &&
      !pattern.regex.get().Match(piece(text), 0, text.size(), re2::RE2::ANCHOR_BOTH, nullptr, 0)) {
    return Refusal::regex;
  }
  return failed_check(pattern, text);
}

Tier Matcher::tier_of(const CompiledPattern& pattern, std::string_view hit) {
  if (pattern.tier != Tier::halt) return pattern.tier;
  if (holds_typed_run(hit)) return Tier::page;
  return pattern.structure == nullptr || pattern.structure->holds(hit) ? Tier::halt : Tier::page;
}

Refusal Matcher::failed_check(const CompiledPattern& pattern, std::string_view text) const {
  int classes = 0;
  for (const char c : text) classes |= classes_of(c);
  if ((classes & pattern.required_classes) != pattern.required_classes) return Refusal::classes;
  if (pattern.min_entropy > 0 && entropy(text) < pattern.min_entropy) return Refusal::entropy;
  if (is_placeholder(text)) return Refusal::placeholder;
  bool holds = true;
  switch (pattern.check) {
    case Check::none:
    case Check::private_key:
    case Check::password_value:
    case Check::person_name:
      break;
    case Check::github_crc32:
      holds = github_checksum_holds(text);
      break;
    case Check::not_github_crc32:
      holds = !github_checksum_holds(text);
      break;
    case Check::aws_key_id:
      holds = is_aws_key_id(text);
      break;
    case Check::jwt:
      holds = is_jwt_header(text.substr(0, text.find('.')));
      break;
    case Check::secret_value:
      holds = is_secret_value(text);
      break;
  }
  if (pattern.structure != nullptr && !pattern.pages_unchecked) holds = holds && pattern.structure->holds(text);
  if (!holds) return Refusal::check;
  const bool is_published =
      !pattern.published.empty() &&
      std::find(pattern.published.begin(), pattern.published.end(), hash128(text)) != pattern.published.end();
  return is_published ? Refusal::published : Refusal::none;
}

std::string_view to_text(Refusal refusal) {
  switch (refusal) {
    case Refusal::none:
      return "it fits";
    case Refusal::inside_a_word:
      return "its keyword stands within a longer word";
    case Refusal::too_short:
      return "what follows its keyword is too short";
    case Refusal::regex:
      return "the text has not its alphabet, length or form";
    case Refusal::boundary:
      return "the token goes on before or behind it";
    case Refusal::classes:
      return "it lacks digits, capitals or small letters, which the vendor's always have";
    case Refusal::entropy:
      return "it is not random enough";
    case Refusal::placeholder:
      return "it is a placeholder, or a mark of redaction";
    case Refusal::check:
      return "its checksum or structure is wrong";
    case Refusal::published:
      return "it is a published example";
    case Refusal::signature:
      return "it is the id in a signed request, which says nothing of the key";
    case Refusal::no_value:
      return "no value is assigned there";
    case Refusal::name:
      return "the name says that it is none";
    case Refusal::no_vendor:
      return "no vendor whose keys look so is named before it";
  }
  return {};
}

}  // namespace tocsin
