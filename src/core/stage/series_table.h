// The series of one evaluate partition: bounded, and filled at grid times only, so that what the cap lets in does
// not depend on the order in which partitions arrived.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "core/rule/rule_set.h"
#include "core/stage/block.h"
#include "core/stage/state_record.h"
#include "core/window/history.h"
#include "core/window/series_cells.h"

namespace tocsin {

struct Series {
  explicit Series(const Aggregate& aggregate);

  History history;
  std::unique_ptr<SeriesCells> cells;  // null where the aggregate needs none
  struct Contribution {
    RecordTime at;
    Example example;
  };
  std::vector<Contribution> contributions;     // of the last hours; bounded
  RecordTime stored{Duration{INT64_MIN / 2}};  // the grid time as of which it was stored last

  // Adds all that `past` holds, which is older than what is here.
  void merge(const Series& past);
  void drop_contributions(RecordTime now);  // until there is room

  // The tasks that contributed most since `from`, the heaviest first, of equal ones the latest.
  std::vector<std::string> examples_since(RecordTime from) const;
};

class SeriesTable {
 public:
  // Requires: `rules` lives longer than this.
  explicit SeriesTable(const RuleSet& rules);

  // Other rules from now on: series of aggregates that stay go on, the others end. `since`: the grid time from which
  // on what is new is counted. Requires: `rules` lives longer than this.
  void change_rules(const RuleSet& rules, RecordTime since, std::vector<StateRecord>& out);

  // Before this grid time nothing of the aggregate was counted; the beginning of time where it always was.
  RecordTime counted_since(std::uint32_t aggregate) const { return counted_since_[aggregate]; }

  // Puts the cells of one slice into their series. `begin`: of the slice. Cells must come in by aggregate and
  // group; a new series beyond its aggregate's cap goes into `_overflow`.
  void fold(const std::vector<Cell>& cells, RecordTime begin);

  // What was counted elsewhere for grid times before this one, by the same aggregates (see PastCount). The series
  // that it is added to are stored at once. `past`: by group. A new series beyond the cap is left out.
  void merge_past(std::uint32_t aggregate, const std::vector<PastSeries>& past, RecordTime grid,
                  std::vector<StateRecord>& out);
  // From this grid time on the aggregate was counted.
  void move_back(std::uint32_t aggregate, RecordTime since, std::vector<StateRecord>& out);
  // All that is in it, as merge_past() takes it: by aggregate and group.
  std::vector<PastSeries> as_past() const;

  // Null where the group has none.
  const Series* find(std::uint32_t aggregate, const GroupKey& group) const;

  // All groups of an aggregate, by key; the overflow series is not among them.
  const std::map<GroupKey, std::unique_ptr<Series>>& of(std::uint32_t aggregate) const { return tables_[aggregate]; }

  // Since the last call: aggregates that had no room for a new series.
  std::vector<std::uint32_t> take_overflowed();

  // Drops what holds nothing that a rule could still look at. Appends what becomes of its stored records.
  void forget(RecordTime now, std::vector<StateRecord>& out);

  // What outlives the process: each series that changed is stored once in an hour, as of the grid time of its turn.
  // What came after that is folded from the blocks again: fold() leaves out what a stored series has already.
  // Requires: called at every grid time, after fold().
  void store(RecordTime grid, std::vector<StateRecord>& out);
  // False where the record can't be read. One of an aggregate that no rule has any more is passed over. What was
  // restored is there after end_restore(), and until then nothing else may be called.
  bool restore(std::string_view key, std::string_view value);
  bool restore_since(std::string_view key, std::string_view value);
  void end_restore();

  std::size_t size() const;
  std::size_t cap() const;
  std::size_t bytes() const;

 private:
  using Table = std::map<GroupKey, std::unique_ptr<Series>>;
  struct HashOf {
    std::size_t operator()(std::string_view group) const { return hash64(group); }
  };
  using Index = std::unordered_map<std::string_view, Series*, HashOf>;  // keys are those of the table
  // In the order in which their first records came, with an index by hash: a topic that was not compacted yet holds
  // several records of a series, and of all but the last nothing may stay.
  struct Restored {
    std::vector<std::pair<GroupKey, std::unique_ptr<Series>>> list;  // null: forgotten
    std::vector<std::uint64_t> hashes;
    std::vector<std::uint32_t> slots;  // place + 1; open addressing, a power of two, at most half full

    std::unique_ptr<Series>& of(std::string_view group);
  };

  std::string key_of(std::uint32_t aggregate, const GroupKey& group) const;
  void fill(std::uint32_t aggregate, Restored restored);
  Series* series_of(std::uint32_t aggregate, std::string_view group) const;
  Series& add_series(std::uint32_t aggregate, const GroupKey& group);

  void read_rules();
  void store_since(std::uint32_t aggregate, std::vector<StateRecord>& out) const;

  const RuleSet* rules_;
  std::vector<std::string> names_;  // of the aggregates, in keys
  std::vector<RecordTime> counted_since_;
  std::vector<Table> tables_;
  // The same by hash: in a map of a million, most of a slice's time would go into finding its series.
  std::vector<Index> indices_;
  std::vector<Restored> restored_;
  std::vector<std::unique_ptr<Series>> overflow_;
  std::vector<bool> overflowed_;
};

}  // namespace tocsin
