// Which entries of a map go first where it has grown too large.

#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "base/units.h"

namespace tocsin {

// The keys of `count` entries at most: of those that may go, the ones that were used longest ago, in that order.
template <class Map, class MayGo, class LastUsed>
std::vector<typename Map::key_type> oldest_of(const Map& map, std::size_t count, MayGo may_go, LastUsed last_used) {
  std::vector<std::pair<RecordTime, typename Map::key_type>> found;
  for (const auto& [key, entry] : map) {
    if (may_go(entry)) found.emplace_back(last_used(entry), key);
  }
  std::sort(found.begin(), found.end());
  found.resize(std::min(found.size(), count));
  std::vector<typename Map::key_type> keys;
  for (auto& [used, key] : found) keys.push_back(std::move(key));
  return keys;
}

}  // namespace tocsin
