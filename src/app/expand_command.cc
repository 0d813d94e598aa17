#include "app/expand_command.h"

#include <iostream>

#include "app/files.h"
#include "base/yaml_text.h"
#include "core/rule/presets.h"
#include "core/rule/rule_loader.h"

namespace tocsin {

namespace {

void print_group(const YamlNode& group, const std::string& file, Diagnostics& diagnostics) {
  const YamlNode* const name = group.find("name");
  const YamlNode* const rules = group.find("rules");
  if (name == nullptr || rules == nullptr) return;
  std::cout << "- name: " << to_yaml(*name) << "  rules:\n";
  for (const YamlNode& rule : rules->items) {
    if (!rule.is_map()) continue;
    auto expanded = expanded_rule(rule, group.find("defaults"), file, diagnostics);
    if (!expanded) continue;
    YamlNode list;
    list.kind = YamlNode::Kind::list;
    expanded->node.erase("preset");
    list.items.push_back(std::move(expanded->node));
    std::cout << to_yaml(list, 2);
  }
}

}  // namespace

int run_expand(const ExpandOptions& options) {
  if (options.presets) {
    std::cout << presets_text();
    return 0;
  }
  Diagnostics diagnostics;
  std::vector<NamedText> files;
  for (NamedText& file : read_yaml_files(options.paths, diagnostics)) {
    if (kind_of(file) == "rules") files.push_back(std::move(file));
  }
  for (const NamedText& file : files) {
    Diagnostics own;  // told by the check below
    const auto root = parse_yaml(file, own);
    const YamlNode* const groups = root ? root->find("groups") : nullptr;
    if (groups == nullptr || !groups->is_list()) continue;
    std::cout << "# " << file.file << "\ngroups:\n";
    for (const YamlNode& group : groups->items) print_group(group, file.file, own);
  }
  load_rules(files, diagnostics);
  return print(diagnostics) ? 1 : 0;
}

}  // namespace tocsin
