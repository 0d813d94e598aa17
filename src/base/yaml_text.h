// A tree as YAML text again, which reads back as the same tree.

#pragma once

#include <string>
#include <string_view>

#include "base/yaml_tree.h"

namespace tocsin {

// In double quotes, with YAML's escapes: what is not ASCII stands as it is.
std::string in_double_quotes(std::string_view text);

// In block style, lists of plain scalars in one line; `indent` spaces before each line.
std::string to_yaml(const YamlNode& node, std::size_t indent = 0);

}  // namespace tocsin
