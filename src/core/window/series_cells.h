// What a series holds besides its sums, where its aggregate needs it.

#pragma once

#include <algorithm>

#include "core/rule/rule.h"
#include "core/window/cell_history.h"
#include "core/window/distinct_set.h"
#include "core/window/distribution.h"

namespace tocsin {

// What a day, week or month has added up so far.
struct PeriodTotals {
  Period period;
  Totals totals;

  // `time`: of what is added.
  void add(const CalendarWindow& calendar, RecordTime time, Totals more) {
    if (time >= period.end) *this = {period_of(calendar.unit, calendar.zone, time), {}};
    if (time < period.begin) return;
    totals += more;
  }

  // Of the same calendar; of two periods the later one stays.
  void merge(const PeriodTotals& other) {
    if (other.period.begin == period.begin) {
      totals += other.totals;
    } else if (other.period.begin > period.begin) {
      *this = other;
    }
  }
};

// For how long series of this aggregate may hold what is looked at.
inline Duration kept_for(const Aggregate& aggregate) {
  const Duration history = kept_for(aggregate.reach);
  if (!aggregate.calendar) return history;
  using namespace std::chrono_literals;
  switch (aggregate.calendar->unit) {
    case CalendarUnit::day:
      return std::max<Duration>(history, 26h);
    case CalendarUnit::week:
      return std::max<Duration>(history, 8 * 24h);
    case CalendarUnit::month:
      return std::max<Duration>(history, 32 * 24h);
    case CalendarUnit::quarter:
      return std::max<Duration>(history, 93 * 24h);
    case CalendarUnit::year:
      break;
  }
  return std::max<Duration>(history, 367 * 24h);
}

struct SeriesCells {
  explicit SeriesCells(const Aggregate& aggregate)
      : distinct(quarters_of(aggregate, aggregate.keeps_quarters), two_hours_of(aggregate, aggregate.keeps_quarters)),
        distributions(quarters_of(aggregate, is_distribution(aggregate)),
                      two_hours_of(aggregate, is_distribution(aggregate))),
        keeps_period_(aggregate.calendar.has_value()) {}

  CellHistory<DistinctSet> distinct;
  CellHistory<Distribution> distributions;

  PeriodTotals period;  // of aggregates with a calendar

  // It keeps more than the sets of the last hour; and it holds more.
  bool has_more_kinds() const { return keeps_period_ || distinct.keeps_quarters() || distributions.keeps_quarters(); }

 private:
  static bool is_distribution(const Aggregate& aggregate) { return aggregate.kind == Aggregate::Kind::distribution; }
  static Duration quarters_of(const Aggregate& aggregate, bool kept) {
    return kept ? quarters_kept_for(aggregate.reach) : Duration{};
  }
  static Duration two_hours_of(const Aggregate& aggregate, bool kept) {
    return kept ? two_hours_kept_for(aggregate.reach) : Duration{};
  }

  bool keeps_period_ = false;
};

}  // namespace tocsin
