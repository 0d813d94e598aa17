// The series of one evaluate partition: bounded, and filled at grid times only, so that what the cap lets in does
// not depend on the order in which partitions arrived.

#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/rule/rule_set.h"
#include "core/stage/block.h"
#include "core/window/distinct_set.h"
#include "core/window/history.h"

namespace tocsin {

// The different values of each of the last 61 minutes.
class DistinctHistory {
 public:
  void add(RecordTime slice, const DistinctSet& set);
  std::int64_t window(RecordTime now, Duration length) const;
  bool empty() const { return minutes_.empty(); }

 private:
  std::deque<std::pair<RecordTime, DistinctSet>> minutes_;
};

struct Series {
  explicit Series(HistoryReach reach) : history(reach) {}

  History history;
  DistinctHistory distinct;
  struct Contribution {
    RecordTime at;
    Example example;
  };
  std::vector<Contribution> contributions;  // of the last hours; bounded

  // The tasks that contributed most since `from`, the heaviest first, of equal ones the latest.
  std::vector<std::string> examples_since(RecordTime from) const;
};

class SeriesTable {
 public:
  // Requires: `rules` lives longer than this.
  explicit SeriesTable(const RuleSet& rules);

  // Puts the cells of one slice into their series. `begin`: of the slice. Cells must come in by aggregate and
  // group; a new series beyond its aggregate's cap goes into `_overflow`.
  void fold(const std::vector<Cell>& cells, RecordTime begin);

  // Null where the group has none.
  const Series* find(std::uint32_t aggregate, const GroupKey& group) const;

  // All groups of an aggregate, by key; the overflow series is not among them.
  const std::map<GroupKey, std::unique_ptr<Series>>& of(std::uint32_t aggregate) const { return tables_[aggregate]; }

  // Since the last call: aggregates that had no room for a new series.
  std::vector<std::uint32_t> take_overflowed();

  // Drops what holds nothing that a rule could still look at.
  void forget(RecordTime now);

  std::size_t size() const;
  std::size_t cap() const;
  std::size_t bytes() const;

 private:
  const RuleSet& rules_;
  std::vector<std::map<GroupKey, std::unique_ptr<Series>>> tables_;
  std::vector<std::unique_ptr<Series>> overflow_;
  std::vector<bool> overflowed_;
};

}  // namespace tocsin
