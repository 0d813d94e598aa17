#include "app/expand_command.h"

#include <iostream>
#include <sstream>
#include <utility>

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

void print_map(const YamlNode& map) {
  std::istringstream lines(to_yaml(map));
  for (std::string line; std::getline(lines, line);) std::cout << "  " << line << "\n";
}

// What stands under `key` in any of the files, under one key.
template <class Print>
void print_all(const std::vector<std::pair<std::string, YamlNode>>& trees, std::string_view key, YamlNode::Kind kind,
               Print print) {
  bool is_first = true;
  for (const auto& [file, root] : trees) {
    const YamlNode* const node = root.find(key);
    if (node == nullptr || node->kind != kind) continue;
    if (std::exchange(is_first, false)) std::cout << key << ":\n";
    std::cout << "# " << file << "\n";
    print(*node, file);
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
  Diagnostics own;  // told by the check below
  std::vector<std::pair<std::string, YamlNode>> trees;
  for (const NamedText& file : files) {
    if (auto root = parse_yaml(file, own)) trees.emplace_back(file.file, std::move(*root));
  }
  // One file out of all, which is rules again.
  print_all(trees, "attributes", YamlNode::Kind::map,
            [](const YamlNode& attributes, const std::string&) { print_map(attributes); });
  print_all(trees, "groups", YamlNode::Kind::list, [&](const YamlNode& groups, const std::string& file) {
    for (const YamlNode& group : groups.items) print_group(group, file, own);
  });
  load_rules(files, diagnostics);
  return print(diagnostics) ? 1 : 0;
}

}  // namespace tocsin
