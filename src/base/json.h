// The tree of JSON that records, answers and reports are built in and read into. Reading and writing are compiled
// here alone: every file that called the library's templates for them would compile them again. Where building a tree
// is too slow there is base/json_text.h.

#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace tocsin {

using Json = nlohmann::ordered_json;

// is_discarded() where the text is no JSON: the library's own error would hold bytes of it.
Json parse_json(std::string_view text);
// What lies deeper than so many levels is left out: reading has no bound, and what walks the tree would need one.
Json parse_json(std::string_view text, int most_levels);

// On one line, or indented by so many spaces. Bytes that are no UTF-8 become U+FFFD.
std::string dump(const Json& json, int indent = -1);

// A member that is a text; empty where there is none.
std::string text_of(const Json& object, const char* name);

}  // namespace tocsin
