// What a series holds besides sums: sets or distributions, minute by minute for an hour, and where it is kept longer
// for three hours, then quarter by quarter, and beyond those two hours by two hours. Cells in which nothing was added
// take no room.
//
// The edges of ranges are those of History, beside which it lies, but for a window beyond three hours, which begins
// at a quarter of an hour here.

#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/units.h"
#include "base/wire.h"
#include "core/window/history.h"

namespace tocsin {

// Where what such a window of `length` that ends at grid time `now` holds may begin.
inline RecordTime cells_start(RecordTime now, Duration length) {
  const RecordTime start = window_start(now, length);
  return length <= many_minutes ? start : floor_to(start, quarter_length);
}

// Cell: empty(), merge(const Cell&), and wire::pass().
template <class Cell>
class CellHistory {
 public:
  // `quarters`, `two_hours`: for how long those are kept; not at all where zero.
  explicit CellHistory(Duration quarters = {}, Duration two_hours = {})
      : minutes_{minute_length, (quarters > Duration{} ? many_minutes : few_minutes) + std::chrono::minutes{2}, {}},
        quarters_{quarter_length, quarters, {}},
        two_hours_{two_hour_length, two_hours, {}} {}

  void add(RecordTime slice, const Cell& cell) {
    for (Grain* grain : {&minutes_, &quarters_, &two_hours_}) grain->add(slice, cell);
  }

  // Adds all that `other` holds, which may be older than what is here.
  void merge(const CellHistory& other) {
    minutes_.merge(other.minutes_);
    quarters_.merge(other.quarters_);
    two_hours_.merge(other.two_hours_);
  }

  // All of the window of `length` that ends at grid time `now`.
  // Requires: everything before `now`, and nothing after it, has been added; quarters are kept for a window beyond 1
  // h.
  Cell window(RecordTime now, Duration length) const {
    return (length <= many_minutes ? minutes_ : quarters_).between(cells_start(now, length), now);
  }

  // All of [from, to). Requires: both are quarters of an hour.
  Cell between(RecordTime from, RecordTime to) const { return quarters_.between(from, to); }

  // What History::visit() says a cell of its own is about; null where nothing was added.
  const Cell* at(RecordTime begin, Duration length) const {
    return (length == two_hour_length ? two_hours_ : quarters_).at(begin);
  }

  bool empty() const { return minutes_.cells.empty() && quarters_.cells.empty() && two_hours_.cells.empty(); }
  bool keeps_quarters() const { return quarters_.kept > Duration{}; }

  // The minutes, and the rest: a release that knew no quarters wrote the minutes alone.
  template <class Coder>
  void pass_minutes(Coder& coder) {
    minutes_.pass_cells(coder);
  }
  template <class Coder>
  void pass_rest(Coder& coder) {
    quarters_.pass_cells(coder);
    two_hours_.pass_cells(coder);
    if constexpr (Coder::reads) make_up_minutes();
  }

 private:
  // Minutes that the writer did not keep: all of a quarter in its first.
  void make_up_minutes() {
    if (quarters_.cells.empty()) return;
    const RecordTime newest = minutes_.cells.empty() ? quarters_.cells.back().first : minutes_.cells.back().first;
    for (const auto& [begin, cell] : quarters_.cells) {
      const auto next = minutes_.place(begin);
      const bool is_told = next != minutes_.cells.end() && next->first < begin + quarter_length;
      if (begin + minutes_.kept >= newest && begin + quarter_length <= newest && !is_told) minutes_.put(begin, cell);
    }
  }

  using Entry = std::pair<RecordTime, Cell>;

  struct Grain {
    Duration length;
    Duration kept;
    std::vector<Entry> cells;  // by time

    auto place(RecordTime time) const {
      return std::lower_bound(cells.begin(), cells.end(), time,
                              [](const Entry& known, RecordTime when) { return known.first < when; });
    }

    void add(RecordTime slice, const Cell& cell) {
      if (kept <= Duration{}) return;
      put(floor_to(slice, length), cell);
      trim();
    }

    void put(RecordTime begin, const Cell& cell) {
      const auto known = cells.begin() + (place(begin) - cells.cbegin());
      if (known != cells.end() && known->first == begin) {
        known->second.merge(cell);
      } else {
        cells.emplace(known, begin, cell);
      }
    }

    void trim() {
      if (cells.empty()) return;
      const RecordTime newest = cells.back().first;
      const auto first =
          std::find_if(cells.begin(), cells.end(), [&](const Entry& entry) { return entry.first + kept >= newest; });
      cells.erase(cells.begin(), first);
    }

    void merge(const Grain& other) {
      if (kept <= Duration{}) return;
      for (const auto& [begin, cell] : other.cells) put(begin, cell);
      trim();
    }

    Cell between(RecordTime from, RecordTime to) const {
      Cell all;
      for (auto entry = place(from); entry != cells.end() && entry->first < to; ++entry) all.merge(entry->second);
      return all;
    }

    const Cell* at(RecordTime begin) const {
      const auto known = place(begin);
      return known != cells.end() && known->first == begin ? &known->second : nullptr;
    }

    template <class Coder>
    void pass_cells(Coder& coder) {
      coder.list(cells, [&](Entry& entry) {
        pass(coder, entry.first);  // found by the coder's namespace
        pass(coder, entry.second);
      });
      if constexpr (Coder::reads) {
        if (!std::is_sorted(cells.begin(), cells.end(),
                            [](const Entry& a, const Entry& b) { return a.first < b.first; }))
          return coder.fail();
        if (kept <= Duration{}) cells.clear();
      }
    }
  };

  Grain minutes_;
  Grain quarters_;
  Grain two_hours_;
};

}  // namespace tocsin
