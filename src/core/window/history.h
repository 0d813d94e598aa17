// What one series added up, minute by minute for an hour and quarter by quarter for a day: 1.3 KB.
//
//   61 minutes         the windows up to 1 h
//   181 minutes        where there are longer ones: those up to 3 h (2.2 KB in all, or 3.0 KB)
//   1441 minutes       where there are longer ones yet: those up to 24 h (3.7 KB in all, or 4.4 KB)
//   102 quarters       windows up to 24 h, and the day before a window of 1 h
//   195 quarters       where a rule compares a window of up to 24 h with the day before it (2.0 KB in all)
//   100 two-hour cells only where a rule looks further back: seven days, and the window before them (2.1 KB in all)
//
// A cell is 8 bytes: a signed sum of 40 bits and a count of 24. Cells that outgrow them widen once, to 16 bytes each;
// those of 1441 minutes begin with 2, for outcomes and calls of less than 256 a minute, and amounts of money widen
// them at once (to 12 KB). Sums are integers, so adding and leaving out is exact and any order gives the same total.
//
// The edge of a range is rounded down to the grain that still exists at that age: a window begins at a whole minute,
// a range beyond the quarters at an even hour.
//
// Time is the log's. Invariant: add() never goes back by more than the filling minute.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/units.h"
#include "base/wire.h"

namespace tocsin {

struct Totals {
  std::int64_t sum = 0;
  std::int64_t count = 0;
  friend bool operator==(const Totals&, const Totals&) = default;

  // What no longer fits stays at the end of its range.
  Totals& operator+=(Totals more) {
    sum = saturating_add(sum, more.sum);
    count = saturating_add(count, more.count);
    return *this;
  }
  Totals& operator-=(Totals less) { return *this += {opposite(less.sum), opposite(less.count)}; }

 private:
  static std::int64_t opposite(std::int64_t a) { return a == INT64_MIN ? INT64_MAX : -a; }
};

inline constexpr Duration slice_length = std::chrono::seconds{10};
inline constexpr Duration minute_length = std::chrono::minutes{1};
inline constexpr Duration quarter_length = std::chrono::minutes{15};
inline constexpr Duration two_hour_length = std::chrono::hours{2};

// How far back minutes are told apart: where windows are of an hour at most, and where they are longer.
inline constexpr Duration few_minutes = std::chrono::hours{1};
inline constexpr Duration many_minutes = std::chrono::hours{3};
inline constexpr Duration day_of_minutes = std::chrono::hours{24};
// Which of these serves windows up to `longest`.
Duration minutes_for(Duration longest);
// So many, and the filling one.
constexpr std::size_t minute_cells(Duration minutes) {
  return static_cast<std::size_t>(minutes / minute_length) + 1;
}

// Where a window of `length` that ends at grid time `now` begins.
RecordTime window_start(RecordTime now, Duration length);

// How far back a series' history is read.
enum class HistoryReach : std::uint8_t { day, two_days, week };

// The least that a window and its baseline need together. Requires: eight days at most, which is what a week holds.
HistoryReach reach_of(Duration window, Duration range);

// After this long a history of that reach holds nothing any more.
Duration kept_for(HistoryReach reach);
// For how long it holds quarters, and two-hour cells.
Duration quarters_kept_for(HistoryReach reach);
Duration two_hours_kept_for(HistoryReach reach);

class History {
 public:
  // What a day of minutes takes more, in bytes, once one holds more than the least cell does.
  static constexpr std::size_t wider_minutes =
      minute_cells(day_of_minutes) * (sizeof(std::uint64_t) - sizeof(std::uint16_t));
  static constexpr std::size_t quarter_cells = 102;
  static constexpr std::size_t two_day_quarter_cells = 195;
  static constexpr std::size_t two_hour_cells = 100;

  // `minutes`: what minutes_for() says of the longest window.
  explicit History(HistoryReach reach, Duration minutes = few_minutes);

  // Adds what the slice that began at `slice` added up.
  void add(RecordTime slice, Totals totals);

  // Adds all that `other` holds, which may be older than what is here.
  void merge(const History& other);

  // What the window of `length` that ends at grid time `now` holds.
  // Requires: everything before `now`, and nothing after it, has been added.
  Totals window(RecordTime now, Duration length) const;

  // The beginning of the first minute in which the window of `length` that ends at `now` holds anything, or of the
  // first quarter where its minutes are not kept; nothing where it is empty.
  std::optional<RecordTime> first_in(RecordTime now, Duration length) const;

  // Calls `visit(begin, length, totals)` for each cell of [from, to), oldest first: quarters, and before them
  // two-hour cells where they are kept and `from` is older than the quarters.
  // Requires: `from` and `to` are quarters of an hour.
  template <class Visit>
  void visit(RecordTime from, RecordTime to, Visit visit) const {
    const RecordTime oldest = oldest_quarter();
    if (from < oldest && !two_hours_.empty()) {
      RecordTime at = floor_to(from, two_hour_length);
      const RecordTime end = ceil_to(oldest, two_hour_length);
      for (; at < end && at < to; at = at + two_hour_length) visit(at, two_hour_length, two_hours_.at(at));
      from = end;
    }
    if (from < oldest) from = oldest;
    for (RecordTime at = from; at < to; at = at + quarter_length) visit(at, quarter_length, quarters_.at(at));
  }

  // The end of the last slice in which something was added; nothing has been where it is before all time.
  RecordTime last_added() const { return last_added_; }

  std::size_t bytes() const;

  // All that is in it, cells of zero left out. A reader's reach may be another than the writer's was: what it has no
  // room for is dropped, and minutes that were not written are made up from the quarters: all of one in its first.
  // Requires, to read: nothing was added.
  void write_to(wire::Writer& writer) const;
  void read_from(wire::Reader& reader);

 private:
  // A ring of cells of one length. Cells older than the ring, or never written, are zero.
  class Ring {
   public:
    // `begins_small`: with cells of 2 bytes.
    Ring(std::size_t cells, Duration length, bool begins_small = false)
        : length_(length), cells_(cells), small_(begins_small ? cells : 0, 0), packed_(begins_small ? 0 : cells, 0) {}
    void add(RecordTime time, Totals totals);
    void merge(const Ring& other);
    Totals at(RecordTime time) const;
    Totals sum(RecordTime from, RecordTime to) const;                       // of the cells that begin in [from, to)
    std::optional<RecordTime> first(RecordTime from, RecordTime to) const;  // of those that are not zero
    bool empty() const { return cells_ == 0; }
    std::int64_t newest() const { return newest_; }
    std::size_t cells() const { return cells_; }
    void write_to(wire::Writer& writer) const;
    void read_from(wire::Reader& reader);
    std::size_t bytes() const {
      return small_.size() * sizeof(std::uint16_t) + packed_.size() * sizeof(std::uint64_t) +
             wide_.size() * sizeof(Totals);
    }

   private:
    Totals cell(std::size_t slot) const;
    void put(std::size_t slot, Totals totals);
    void make_room_for(Totals totals);

    Duration length_;
    std::size_t cells_ = 0;
    std::int64_t newest_ = INT64_MIN;  // the number of the newest cell since the epoch
    // One of these is there: the next one in place of it, once a cell has outgrown it.
    std::vector<std::uint16_t> small_;
    std::vector<std::uint64_t> packed_;
    std::vector<Totals> wide_;
  };

  RecordTime oldest_quarter() const;
  bool has_minutes_of(Duration length) const {
    return length < static_cast<std::int64_t>(minutes_.cells()) * minute_length;
  }
  // Calls `visit(ring, from, to)` for what a window is made of: minutes at both of its ends, quarters between.
  template <class Visit>
  void for_each_part(RecordTime start, RecordTime now, Visit visit) const {
    const RecordTime first = ceil_to(start, quarter_length), last = floor_to(now, quarter_length);
    if (last <= first || first < oldest_quarter()) return visit(minutes_, start, now);
    if (start < first) visit(minutes_, start, first);
    visit(quarters_, first, last);
    if (last < now) visit(minutes_, last, now);
  }
  void make_up_minutes();

  Ring minutes_;
  Ring quarters_;
  Ring two_hours_;
  RecordTime last_added_{Duration{INT64_MIN / 2}};
};

}  // namespace tocsin
