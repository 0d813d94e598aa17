// The key of a rule's group: the values of its labels, in the order of the rule's group_by, joined with NUL, which no
// value holds.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/alert/alert_change.h"
#include "core/rule/rule.h"

namespace tocsin {

// Valid as long as the key.
std::vector<std::string_view> parts_of_key(std::string_view key);
std::string join_key(const std::vector<std::string_view>& parts);

// The values of a group's labels, by name; empty ones are left out.
Labels labels_of_group(const std::vector<GroupField>& fields, std::string_view key);
// The same with the empty ones.
Labels all_labels_of_group(const std::vector<GroupField>& fields, std::string_view key);

// Those of a rule's group, and behind them the rule's own.
Labels labels_of(const Rule& rule, const Labels& group);

// Whether each of `asked` is among `labels`, with its value.
bool has_labels(const Labels& labels, const Labels& asked);

}  // namespace tocsin
