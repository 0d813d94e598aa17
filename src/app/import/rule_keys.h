// From figures to the keys of a rule.

#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "app/import/figures.h"
#include "base/units.h"
#include "core/event/event_fields.h"

namespace tocsin::prometheus {

struct RuleKeys {
  EventType from = EventType::step;
  std::vector<std::string> group_by;
  std::string where;
  std::vector<std::pair<std::string, std::string>> values;  // the first is called `value`
  Duration window{};
  std::string when;
  std::string value;  // what `$value` stands for
  bool value_is_money = false;
  bool holds_without_traffic = false;
  std::map<std::string, std::string> labels;  // of its series, where each has one value only
  std::set<std::string> notes;
};

// Nothing, and the reason, where one rule can't say it.
std::optional<RuleKeys> keys_of(const std::vector<Comparison>& comparisons, std::string& reason);

}  // namespace tocsin::prometheus
