// How short a text can be that a regular expression of RE2 hits.

#pragma once

#include <cstddef>
#include <string_view>

namespace tocsin {

// A lower bound in bytes: exact for literals, classes, groups, alternatives and repetitions; what is not understood
// counts nothing. Requires: RE2 takes the expression.
std::size_t shortest_match(std::string_view regex);

}  // namespace tocsin
