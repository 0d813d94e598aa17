// One rule of a file, from YAML to its compiled form. Part of load_rules(), in a file of its own.

#pragma once

#include <optional>
#include <string>

#include "base/yaml_tree.h"
#include "core/rule/rule_set.h"

namespace tocsin {

// Reads one rule; what it adds up is put into `set.aggregates`. `defaults` may be null. Reports every mistake it
// finds and returns nothing where there was one.
std::optional<Rule> load_rule(const YamlNode& node, const YamlNode* defaults, const std::string& file, RuleSet& set,
                              Diagnostics& diagnostics);

// Names the keys of `defaults` that no rule has.
void check_defaults(const YamlNode& defaults, const std::string& file, Diagnostics& diagnostics);

}  // namespace tocsin
