// The keys under which an evaluate partition's state is stored, and when the parts that always change have their
// turn.
//
// Rules are named, not numbered: their numbers change when files are edited.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/hash.h"
#include "core/window/history.h"

namespace tocsin {

inline constexpr std::string_view series_prefix = "series/";      // aggregate/group
inline constexpr std::string_view since_prefix = "since/";        // aggregate
inline constexpr std::string_view versions_prefix = "versions/";  // agent
inline constexpr std::string_view window_prefix = "window/";      // rule NUL group
inline constexpr std::string_view overrun_prefix = "overrun/";    // rule NUL group
inline constexpr std::string_view folding_prefix = "folding/";    // rule NUL page group
inline constexpr std::string_view episode_prefix = "episode/";    // rule NUL group; outlives all else of its alert
inline constexpr std::string_view event_prefix = "event/";        // rule NUL group

// How many sections of a record this release knows: of an overrun, what its rule counted; of a group of a rule over a
// window, which level a person accepted, and what more is frozen of its baselines.
inline std::size_t evaluate_sections(std::string_view key) {
  if (key.starts_with(window_prefix)) return 2;
  return key.starts_with(overrun_prefix) ? 1 : 0;
}

inline constexpr std::string_view sources_key = "sources/";  // which source partitions there are

inline std::string rule_key(std::string_view prefix, std::string_view rule, std::string_view group) {
  std::string key(prefix);
  key += rule;
  key += '\0';
  key += group;
  return key;
}

// The rule and the group of such a key; nothing where it has another form.
inline std::optional<std::pair<std::string_view, std::string_view>> split_rule_key(std::string_view prefix,
                                                                                   std::string_view key) {
  if (!key.starts_with(prefix)) return std::nullopt;
  key.remove_prefix(prefix.size());
  const std::size_t end = key.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  return std::pair(key.substr(0, end), key.substr(end + 1));
}

// What changes with every slice is stored once an hour, each part at a grid time of its own. To restore it, the
// blocks of more than that hour are folded again.
inline constexpr Duration stored_every = std::chrono::hours{1};
inline constexpr Duration folded_again = stored_every + std::chrono::minutes{5};

inline bool is_turn_of(std::string_view name, RecordTime grid) {
  constexpr std::uint64_t turns = stored_every / slice_length;
  return hash64(name) % turns == static_cast<std::uint64_t>(grid.since_epoch / slice_length) % turns;
}

}  // namespace tocsin
