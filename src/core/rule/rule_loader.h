// One rule of a file, from YAML to its compiled form. Part of load_rules(), in a file of its own.

#pragma once

#include <optional>
#include <string>

#include "base/yaml_tree.h"
#include "core/rule/rule_set.h"

namespace tocsin {

// Reads one rule; what it adds up is put into `set.aggregates`. Which attributes of a deployment's own it may name,
// `set.names` says. `defaults` may be null. Reports every mistake it
// finds and returns nothing where there was one.
std::optional<Rule> load_rule(const YamlNode& node, const YamlNode* defaults, const std::string& file, RuleSet& set,
                              Diagnostics& diagnostics);

// A rule as it is in force: with what its preset and its group's defaults add.
struct ExpandedRule {
  YamlNode node;
  RuleMode mode = RuleMode::window;
  bool has_group_by = false;  // of its own or of its preset's
};
// Nothing (with a report) where its mode or preset does not exist. Requires: `node` is a map.
std::optional<ExpandedRule> expanded_rule(const YamlNode& node, const YamlNode* defaults, const std::string& file,
                                          Diagnostics& diagnostics);

// Names the keys of `defaults` that no rule has.
void check_defaults(const YamlNode& defaults, const std::string& file, Diagnostics& diagnostics);

}  // namespace tocsin
