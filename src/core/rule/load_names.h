// Names of a deployment's own for what fields say, and of its tools that hand a task to a person: the files with the
// key `names`.
//
//   names:
//     agent: [acme.bot]
//     cost_usd: [acme.cost]
//     hand_over_tools: [call_a_colleague]
//
// They are a part of the rules: they change with an epoch, so that all processes read the same.

#pragma once

#include <string>

#include "base/yaml_tree.h"
#include "core/event/dialect.h"

namespace tocsin {

// Appends; reports every mistake.
void load_names(const YamlNode& node, const std::string& file, OwnNames& names, Diagnostics& diagnostics);

}  // namespace tocsin
