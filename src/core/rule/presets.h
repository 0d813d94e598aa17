// Rules that every team wants, by name: `- preset: cost_spike` is a whole rule, and each key beside it takes the
// place of the preset's. Written in the language of all rules; `tocsin expand` shows what comes of one.

#pragma once

#include <string_view>
#include <vector>

#include "base/yaml_tree.h"

namespace tocsin {

// The presets as a rule file, each under its name and with a comment for people.
std::string_view presets_text();

std::vector<std::string_view> preset_names();

// The rule of that name; null where there is none.
const YamlNode* preset_named(std::string_view name);

}  // namespace tocsin
