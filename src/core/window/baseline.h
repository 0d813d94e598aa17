// The figure that a rule compares its value with: what was usual in the hours or days before the window.
//
// It covers [floor_15min(lo) - range, floor_15min(lo)), lo being where the window begins, in quarters of an hour;
// quarters in which the rule's own alert was pending or firing are left out, or a spike would hide itself.

#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/units.h"
#include "core/rule/rule.h"
#include "core/window/history.h"
#include "core/window/series_cells.h"

namespace tocsin {

struct Exclusion {
  RecordTime from;
  RecordTime to;
};

struct BaselineFigures {
  double mean = unknown_number;       // or the median, where the rule asks for it
  double deviation = unknown_number;  // of the population of blocks; unknown without blocks
  std::int64_t blocks = 0;            // that counted
  std::int64_t samples = 0;
  bool is_warm = false;             // as many blocks and samples as the rule asks for
  std::int64_t hits = 0;            // of a ratio, among the samples
  double peak = unknown_number;     // the highest block, as far back as the rule's `peak` says
  std::optional<RecordTime> first;  // when the first sample came, as far as that is known
};

struct BaselineRange {
  RecordTime from;
  RecordTime to;
};

// The quarters that the baseline of a window of that nominal length, beginning at `window_begin`, covers. The same
// time last week is two-hour cells.
BaselineRange baseline_range(const Baseline& baseline, RecordTime window_begin, Duration window);

// What a window's totals are as the number of the condition; unknown where there is nothing to divide by.
// `length` is the window's own, from its rounded start to now. `distribution`: of its values, where the view needs
// it. Requires: the value is not derived.
double figure_of(const NamedValue& value, Aggregate::Kind kind, Totals totals, Duration length,
                 const Distribution* distribution = nullptr);

// `window`: the nominal length that totals are scaled to. `known_since`: before it nothing was counted anywhere,
// so that an empty quarter there says nothing (it matters to `empty: zero`). `cells`: what the series holds besides.
// `blocks`: takes each block's figure, unknown_number for one that does not count.
//
// Different values do not add up: their baseline is the mean over stretches as long as the window, a quarter at
// least.
BaselineFigures baseline_of(const Baseline& baseline, const NamedValue& value, Aggregate::Kind kind,
                            const History& history, BaselineRange range, std::span<const Exclusion> exclusions,
                            Duration window, RecordTime known_since, const SeriesCells* cells = nullptr,
                            std::vector<double>* blocks = nullptr);

// Puts `peak` and `first` in the figures: of the blocks and two-hour cells of [to - baseline.peak, to).
// Requires: the value is neither derived nor of different values; the baseline has blocks.
void look_further_back(const Baseline& baseline, const NamedValue& value, Aggregate::Kind kind,
                       const History& history, RecordTime to, std::span<const Exclusion> exclusions, Duration window,
                       BaselineFigures& figures);

// The mean, or the median, and the spread of blocks; unknown ones are left out.
// The spread beside a median is 1.4826 times the median distance from it, which is a normal distribution's deviation.
void middle_of(Baseline::Stat stat, std::span<const double> blocks, BaselineFigures& figures);

}  // namespace tocsin
