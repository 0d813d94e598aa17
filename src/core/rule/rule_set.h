// All rules in force, with what they add up and the specs they compare with. Immutable once loaded.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/yaml_tree.h"
#include "core/event/dialect.h"
#include "core/rule/price_book.h"
#include "core/rule/rule.h"
#include "core/rule/spec_book.h"

namespace tocsin {

struct RuleSet {
  std::vector<Rule> rules;            // in the order of files and lines
  std::vector<Aggregate> aggregates;  // each once, whatever number of rules uses it
  SpecBook specs;
  std::shared_ptr<const PriceBook> prices;  // null: none are known
  // With the attributes of the deployment's own; null: those that ship, and none.
  std::shared_ptr<const DialectIndex> names;
  std::string hash;  // of rules, specs, prices, names and attributes as they were read: evaluate never mixes two

  // Null where there are none.
  std::shared_ptr<const OwnAttributes> own_attributes() const { return names ? names->own_attributes() : nullptr; }
  const Rule* find(std::string_view name) const;
  // The index of the aggregate with this canonical name; nothing where there is none.
  std::optional<std::uint32_t> aggregate_named(const std::string& canonical) const;
  // The index of the same, which is put in where there is none.
  std::uint32_t share(const Aggregate& aggregate);

 private:
  std::unordered_map<std::string, std::uint32_t> aggregate_numbers_;  // by canonical name
};

// Reads files of rules, specs, prices, names and attributes (told apart by their top-level key: `groups`, `specs`,
// `prices`, `names`, `attributes`); files with the key `sanitize` are not looked at. Reports every mistake of every
// file; returns nothing where there was one.
std::shared_ptr<const RuleSet> load_rules(std::span<const NamedText> files, Diagnostics& diagnostics);
// Of files that have been parsed, or could not be: then nothing.
std::shared_ptr<const RuleSet> load_rules(std::span<const YamlFile> files, Diagnostics& diagnostics);

}  // namespace tocsin
