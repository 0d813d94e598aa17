// What is told of a regular expression of RE2 without compiling it.

#pragma once

#include <cstddef>
#include <string_view>

namespace tocsin {

// How short a text can be that it hits, in bytes: a lower bound, exact for literals, classes, groups, alternatives
// and repetitions; what is not understood counts nothing. Requires: RE2 takes the expression.
std::size_t shortest_match(std::string_view regex);

// Its capturing groups. Requires: as above, and no \Q...\E.
int count_groups(std::string_view regex);

}  // namespace tocsin
