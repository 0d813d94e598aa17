// A rule of Tocsin's as a text in YAML.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "app/import/rule_keys.h"
#include "base/yaml_tree.h"

namespace tocsin::prometheus {

// The item of the list of rules for a rule of Prometheus', whose keys of Tocsin's these are; nothing, and the reason,
// where its other keys can't be carried over. `group_labels`: null where its group has none.
std::optional<std::string> rule_text(const YamlNode& node, const YamlNode* group_labels, const RuleKeys& keys,
                                     std::string& reason);

// A scalar as it stands in YAML, also within {} and []: without quotes where it needs none.
std::string yaml(std::string_view text);

}  // namespace tocsin::prometheus
