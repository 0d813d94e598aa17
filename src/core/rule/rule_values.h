// What a rule measures: `value` and `values`, from their expressions to measures and the arithmetic over them. Part
// of load_rule(), in a file of its own.

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.h"
#include "base/yaml_tree.h"
#include "core/rule/expression.h"
#include "core/rule/rule.h"

namespace tocsin {

// One value of a rule. What its aggregate selects and groups by is the rule's affair.
struct Measured {
  NamedValue value;
  Aggregate aggregate;            // of derived values, of the first measure in them
  std::size_t first_measure = 0;  // of derived values: its place in the list
  std::vector<StringField> of;    // of a share's whole: the labels that it is summed over by
};

struct RuleValues {
  std::vector<Measured> list;  // those with names, then the measures that the derived ones are made of
  std::size_t named = 0;
};

// `value count()` beside `values`: one of the two nodes is null. Reports each mistake; a value with one is left out.
RuleValues load_rule_values(const YamlNode* one, const YamlNode* many, const std::vector<GroupField>& group_by,
                            std::shared_ptr<const OwnAttributes> own, const std::string& file,
                            Diagnostics& diagnostics);

}  // namespace tocsin
