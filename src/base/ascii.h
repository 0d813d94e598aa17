// Letters of ASCII, whatever the locale: what names of headers, hosts and models are compared by.

#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace tocsin {

inline char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

inline std::string in_lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), to_lower);
  return lower;
}

inline bool same_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char one, char other) { return to_lower(one) == to_lower(other); });
}

}  // namespace tocsin
