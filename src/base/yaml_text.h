// A tree as YAML text again, which reads back as the same tree.

#pragma once

#include <string>

#include "base/yaml_tree.h"

namespace tocsin {

// In block style, lists of plain scalars in one line; `indent` spaces before each line.
std::string to_yaml(const YamlNode& node, std::size_t indent = 0);

}  // namespace tocsin
