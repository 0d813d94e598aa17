// What rules need of telemetry, and how much of it was there.

#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "core/rule/rule_set.h"

namespace tocsin {

// What the sanitized events that were seen carry.
class SeenFields {
 public:
  // An event as it is published (tocsin.events). Requires: an object.
  void add(const Json& event);

  std::int64_t events(const std::string& type) const { return count(events_, type); }
  std::int64_t with(const std::string& type, const std::string& field) const {
    return count(fields_, std::pair(type, field));
  }
  const std::map<std::string, std::int64_t>& all() const { return events_; }

 private:
  template <class Map, class Key>
  static std::int64_t count(const Map& map, const Key& key) {
    const auto found = map.find(key);
    return found == map.end() ? 0 : found->second;
  }
  std::map<std::string, std::int64_t> events_;
  std::map<std::pair<std::string, std::string>, std::int64_t> fields_;
};

// The types of events that a rule looks at, each with the fields that it needs there.
std::map<std::string, std::set<std::string>> needs_of(const Rule& rule, const RuleSet& rules);

// What a rule misses in the events that were seen, a sentence each; none where it sees well.
std::vector<std::string> lacks_of(const Rule& rule, const RuleSet& rules, const SeenFields& seen);

// The same for people, by the rule's name: what it misses, else how many events it sees. Lines.
std::string coverage_text(const Rule& rule, const RuleSet& rules, const SeenFields& seen);

}  // namespace tocsin
