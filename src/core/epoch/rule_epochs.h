// Which rules are in force at which grid time. Immutable; a new one is made when an epoch is added.
//
// An epoch is a rule set with its patterns, and the grid time from which on slices are counted by it: the slice that
// begins at `from` is its first, the grid time after that the first that it is evaluated at. All source partitions
// switch at the same one, so no grid time ever mixes two.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "core/rule/rule_set.h"
#include "core/sanitize/pattern_library.h"

namespace tocsin {

struct RuleEpoch {
  std::int64_t number = 0;
  RecordTime from;
  std::shared_ptr<const RuleSet> rules;
  std::shared_ptr<const PatternLibrary> patterns;
};

class RuleEpochs {
 public:
  // Requires: at least one, in order, the first one from the beginning of time on.
  explicit RuleEpochs(std::vector<RuleEpoch> epochs, std::int64_t settled, std::optional<std::int64_t> open);

  // One rule set, from the beginning of time on.
  static std::shared_ptr<const RuleEpochs> only(std::shared_ptr<const RuleSet> rules,
                                                std::shared_ptr<const PatternLibrary> patterns);

  // Of the slice that ends at `grid`.
  const RuleEpoch& at(RecordTime grid) const;
  const RuleEpoch& newest() const { return epochs_.back(); }
  // Null where there is none of that number.
  const RuleEpoch* numbered(std::int64_t number) const;

  // Every proposal up to this number was decided, or dropped.
  std::int64_t settled() const { return settled_; }
  // The proposal that waits for every partition's promise, where this process can read its rules.
  std::optional<std::int64_t> open() const { return open_; }

  // The aggregates of epoch `number` that the one before it had not, as indices. None of the first: nothing was read
  // before it.
  std::vector<std::uint32_t> new_aggregates(std::int64_t number) const;

  // From which grid time on all epochs up to `number` have this aggregate without a gap; the epoch's own beginning
  // where it has just come. Nothing where epoch `number` has none of that name.
  std::optional<RecordTime> counted_since(const std::string& aggregate, std::int64_t number) const;

 private:
  std::vector<RuleEpoch> epochs_;
  std::int64_t settled_ = 0;
  std::optional<std::int64_t> open_;
};

inline constexpr RecordTime beginning_of_time{Duration{INT64_MIN / 4}};

}  // namespace tocsin
