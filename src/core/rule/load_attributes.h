// Attributes of a deployment's own, by which rules may group, select and speak: the files with the key `attributes`.
//
//   attributes:
//     tenant: resource["tenant.id"]
//     queue:                          # of several sources the first that is there counts
//     - attribute["messaging.destination.name"]
//     - json["labels.queue"]
//
// They are a part of the rules: they change with an epoch, so that all processes read the same.

#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/yaml_tree.h"
#include "core/event/own_attributes.h"

namespace tocsin {

struct AttributeBook {
  std::vector<OwnAttribute> all;                               // in the order of files and lines
  std::vector<std::pair<std::string, SourcePosition>> places;  // where each was defined
};

// Appends; reports every mistake. What another file has said in the same words is no mistake.
void load_attributes(const YamlNode& node, const std::string& file, AttributeBook& book, Diagnostics& diagnostics);

}  // namespace tocsin
