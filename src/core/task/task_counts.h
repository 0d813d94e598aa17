// What rules of mode task count of one task: under each key, which is made of the values of `per`, how many events
// came or what they add up to, since the task began or within a window.
//
// By the times of the events. A window is counted in sixtieths of itself and ends at the newest event under its key;
// what comes later and lies before it counts no more.
//
// Bounded: a rule has 32 keys of a task. The one under which nothing came for longest gives way to a new one.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "core/rule/rule.h"

namespace tocsin {

struct CountedKey {
  struct Cell {
    std::int64_t number = 0;  // of the sixtieth, since the epoch
    std::int64_t amount = 0;
  };
  std::uint64_t rule = 0;  // count_identity()
  std::uint64_t key = 0;
  std::string values;       // of the text fields of `per`, joined with NUL
  EventTime latest{};       // of what was added
  std::int64_t total = 0;   // where the rule has no window
  std::vector<Cell> cells;  // where it has one; rising
};

inline constexpr std::size_t most_counted_keys = 32;

// Equal for rules of one name that count the same: what one has counted goes on under the other.
std::uint64_t count_identity(const Rule& rule);

// The entry of this key, which is put in where there is none.
CountedKey& counted_key(std::vector<CountedKey>& counted, std::uint64_t rule, std::uint64_t key,
                        std::string_view values);

// Requires: `amount` is not negative.
void add(CountedKey& counted, const TaskCount& count, EventTime at, std::int64_t amount);

// In the unit of the rule's `value`, within a window that ends at `at`.
double amount_at(const CountedKey& counted, const TaskCount& count, EventTime at);

}  // namespace tocsin
