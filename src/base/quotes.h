// Texts in quotes, so that whoever reads them takes them for one word.

#pragma once

#include <string>
#include <string_view>

namespace tocsin {

// For a shell, which expands nothing between them.
inline std::string in_single_quotes(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

// As conditions of rules and matchers of labels read them: a backslash stands before quotes and backslashes, and
// nothing else is escaped. (Of YAML: in_double_quotes().)
inline std::string in_plain_quotes(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace tocsin
