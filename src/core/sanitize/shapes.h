// Shapes that code recognizes better than a regular expression: e-mail addresses, card numbers, social security
// numbers, IBANs, telephone numbers, and the values of assignments.
//
// Each function looks round one place of the buffer, reads a bounded number of bytes, allocates nothing, and
// never crosses a '\0' except from a name to its value.

#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace tocsin {

struct TextRange {
  std::size_t begin = 0;
  std::size_t end = 0;  // exclusive
};

// True where a token may begin: no letter or digit before it, unless that belongs to an escape (\n, \u003c, %3D)
// of a text inside a text, or to the colour of a terminal ([33m).
bool token_may_begin_at(std::string_view buffer, std::size_t at);

// Behind a terminal's colour, where `at` is within its numbers or at the letter behind them: of "1;33mtoken" behind
// "\x1b[" the place of "token"; else `at`.
std::size_t behind_colour(std::string_view buffer, std::size_t at);

// Where a value begins that its name, which ends at `name_end`, does not stand right before: in {"name": NAME,
// "value": VALUE}, in an attribute of OTLP, in a list of YAML, as text or as strings of an event.
std::optional<std::size_t> value_of_pair(std::string_view buffer, std::size_t name_end);

// Requires: buffer[at] == '@'.
std::optional<TextRange> email_at(std::string_view buffer, std::size_t at);

// Requires: a run of digits begins at `at`, `end` is its end.
std::optional<TextRange> card_from(std::string_view buffer, TextRange digits);
std::optional<TextRange> ssn_ending_with(std::string_view buffer, TextRange digits);
// Of an individual taxpayer identification number, which only the middle digits tell from the others.
std::optional<TextRange> itin_ending_with(std::string_view buffer, TextRange digits);
std::optional<TextRange> us_phone_ending_with(std::string_view buffer, TextRange digits);

// Requires: buffer[at] == '+'.
std::optional<TextRange> international_phone_at(std::string_view buffer, std::size_t at);

// Requires: two capitals stand at `at`.
std::optional<TextRange> iban_at(std::string_view buffer, std::size_t at);

// Addresses of the Internet protocol; `only_public` leaves out what no person can be known by: private, local and
// documentation's networks. Requires: buffer[at] is the first dot, or the first colon, of what may be one.
std::optional<TextRange> ipv4_at(std::string_view buffer, std::size_t at, bool only_public);
std::optional<TextRange> ipv6_at(std::string_view buffer, std::size_t at, bool only_public);

struct Assignment {
  TextRange name;
  TextRange value;
  bool delimited = false;  // the value stands in quotes, or is a string of its own
};

// The assignment whose name ends with the keyword at `keyword`: name=value, "name": "value", \"name\":\"value\",
// name => 'value', or the name as one string of the event and the value as the next.
std::optional<Assignment> assignment_at(std::string_view buffer, TextRange keyword);

// Whether `at` lies in a label that redaction wrote, "[email:9f3a01bc]".
bool inside_redaction_label(std::string_view buffer, std::size_t at);

}  // namespace tocsin
