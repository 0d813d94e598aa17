#include "core/window/baseline.h"

#include <algorithm>
#include <cmath>

namespace tocsin {

namespace {

double as_double(Duration duration) {
  return static_cast<double>(duration.count());
}

// Sums of money and durations are kept in millionths of a dollar or second.
double scaled(const NamedValue& value, std::int64_t sum) {
  const auto number = static_cast<double>(sum);
  return value.unit == Unit::plain && !value.in_millionths ? number : number / static_cast<double>(micros_per_unit);
}

// What is a figure of each sample, not of time.
bool is_pooled(const NamedValue& value) {
  return value.view == NamedValue::View::ratio || value.view == NamedValue::View::mean;
}

bool is_excluded(RecordTime begin, Duration length, std::span<const Exclusion> exclusions) {
  return std::any_of(exclusions.begin(), exclusions.end(),
                     [&](const Exclusion& e) { return begin < e.to && begin + length > e.from; });
}

// One stretch of the past, collected cell by cell.
struct Stretch {
  Totals totals;
  Duration counted{};  // length of the cells that were not left out
  Duration busy{};     // of those with traffic
  Duration excluded{};

  void add(Duration length, Totals cell, bool leave_out) {
    if (leave_out) {
      excluded += length;
      return;
    }
    counted += length;
    if (cell.count > 0) busy += length;
    totals.sum += cell.sum;
    totals.count += cell.count;
  }
};

// The stretch's figure on the scale of the window's: rates stay, totals are brought to the window's length.
double figure_over(const NamedValue& value, Aggregate::Kind kind, const Stretch& stretch, Duration over,
                   Duration window) {
  if (value.view == NamedValue::View::total) {
    if (over == Duration{}) return unknown_number;
    return figure_of(value, kind, stretch.totals, over) * as_double(window) / as_double(over);
  }
  return figure_of(value, kind, stretch.totals, over);
}

}  // namespace

BaselineRange baseline_range(const Baseline& baseline, RecordTime window_begin) {
  const RecordTime to = floor_to(window_begin, quarter_length);
  return {to - baseline.range, to};
}

double figure_of(const NamedValue& value, Aggregate::Kind kind, Totals totals, Duration length) {
  const std::int64_t amount = kind == Aggregate::Kind::count ? totals.count : totals.sum;
  switch (value.view) {
    case NamedValue::View::total:
    case NamedValue::View::distinct:
      return scaled(value, amount);
    case NamedValue::View::rate:
      if (length <= Duration{}) return unknown_number;
      return scaled(value, amount) * as_double(value.per) / as_double(length);
    case NamedValue::View::ratio:
      if (totals.count <= 0) return unknown_number;
      return static_cast<double>(totals.sum) / static_cast<double>(totals.count);
    case NamedValue::View::mean:
      if (totals.count <= 0) return unknown_number;
      return scaled(value, totals.sum) / static_cast<double>(totals.count);
  }
  return unknown_number;
}

BaselineFigures baseline_of(const Baseline& baseline, const NamedValue& value, Aggregate::Kind kind,
                            const History& history, BaselineRange range, std::span<const Exclusion> exclusions,
                            Duration window, RecordTime known_since) {
  BaselineFigures figures;
  if (range.from >= range.to) return figures;
  const bool zero_counts = baseline.empty == Baseline::Empty::zero;
  const RecordTime first_known = ceil_to(known_since, quarter_length);
  Stretch all;
  Stretch block;
  double block_sum = 0, block_squares = 0;
  RecordTime block_end{};

  const auto close_block = [&] {
    const bool has_traffic = block.totals.count > 0 || (zero_counts && block.counted > Duration{});
    if (has_traffic && 2 * block.excluded <= baseline.block) {
      const double figure = figure_over(value, kind, block, block.counted, window);
      if (!is_unknown(figure)) {
        ++figures.blocks;
        block_sum += figure;
        block_squares += figure * figure;
      }
    }
    block = {};
  };

  const bool has_blocks = baseline.block > Duration{};
  if (has_blocks) block_end = range.from + baseline.block;
  history.visit(range.from, range.to, [&](RecordTime begin, Duration length, Totals cell) {
    while (has_blocks && begin >= block_end) {
      close_block();
      block_end = block_end + baseline.block;
    }
    const bool before_all = cell.count == 0 && begin < first_known;
    if (before_all) return;
    const bool leave_out = is_excluded(begin, length, exclusions);
    all.add(length, cell, leave_out);
    if (has_blocks) block.add(length, cell, leave_out);
  });
  if (has_blocks) close_block();

  figures.samples = all.totals.count;
  if (has_blocks) {
    if (figures.blocks > 0) {
      const auto n = static_cast<double>(figures.blocks);
      figures.mean = block_sum / n;
      figures.deviation = std::sqrt(std::max(0.0, block_squares / n - figures.mean * figures.mean));
      // The average of ratios would give an hour with one task the weight of one with a hundred.
      if (is_pooled(value)) figures.mean = figure_of(value, kind, all.totals, all.counted);
    }
  } else {
    figures.mean = figure_over(value, kind, all, zero_counts ? all.counted : all.busy, window);
    // A past that nobody has seen reads as zero where empty counts as zero: the floor then speaks for it.
    if (zero_counts && all.counted == Duration{} && !is_pooled(value)) figures.mean = 0;
    figures.blocks = all.counted > Duration{} ? 1 : 0;
  }
  figures.is_warm = figures.blocks >= (has_blocks ? baseline.min_blocks : 0) &&
                    figures.samples >= baseline.min_samples && !is_unknown(figures.mean);
  if (!figures.is_warm) figures.mean = figures.deviation = unknown_number;
  return figures;
}

}  // namespace tocsin
