// The figure that a rule compares its value with: what was usual in the hours or days before the window.
//
// It covers [floor_15min(lo) - range, floor_15min(lo)), lo being where the window begins, in quarters of an hour;
// quarters in which the rule's own alert was pending or firing are left out, or a spike would hide itself.

#pragma once

#include <span>

#include "base/units.h"
#include "core/rule/rule.h"
#include "core/window/history.h"

namespace tocsin {

struct Exclusion {
  RecordTime from;
  RecordTime to;
};

struct BaselineFigures {
  double mean = unknown_number;
  double deviation = unknown_number;  // of the population of blocks; unknown without blocks
  std::int64_t blocks = 0;            // that counted
  std::int64_t samples = 0;
  bool is_warm = false;  // as many blocks and samples as the rule asks for
};

struct BaselineRange {
  RecordTime from;
  RecordTime to;
};

// The quarters that the baseline of a window beginning at `window_begin` covers.
BaselineRange baseline_range(const Baseline& baseline, RecordTime window_begin);

// What a window's totals are as the number of the condition; unknown where there is nothing to divide by.
// `length` is the window's own, from its rounded start to now.
double figure_of(const NamedValue& value, Aggregate::Kind kind, Totals totals, Duration length);

// `window`: the nominal length that totals are scaled to. `known_since`: before it nothing was counted anywhere,
// so that an empty quarter there says nothing (it matters to `empty: zero`).
BaselineFigures baseline_of(const Baseline& baseline, const NamedValue& value, Aggregate::Kind kind,
                            const History& history, BaselineRange range, std::span<const Exclusion> exclusions,
                            Duration window, RecordTime known_since);

}  // namespace tocsin
