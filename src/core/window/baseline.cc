#include "core/window/baseline.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

namespace tocsin {

namespace {

double as_double(Duration duration) {
  return static_cast<double>(duration.count());
}

// Sums of money and durations are kept in millionths of a dollar or second.
double scaled(const NamedValue& value, double number) {
  return value.unit == Unit::plain && !value.in_millionths ? number : number / static_cast<double>(micros_per_unit);
}

// What is a figure of each sample, not of time.
bool is_pooled(const NamedValue& value) {
  switch (value.view) {
    case NamedValue::View::ratio:
    case NamedValue::View::mean:
    case NamedValue::View::quantile:
    case NamedValue::View::least:
    case NamedValue::View::greatest:
      return true;
    default:
      return false;
  }
}

bool is_excluded(RecordTime begin, Duration length, std::span<const Exclusion> exclusions) {
  return std::any_of(exclusions.begin(), exclusions.end(),
                     [&](const Exclusion& e) { return begin < e.to && begin + length > e.from; });
}

// One stretch of the past, collected cell by cell.
struct Stretch {
  Totals totals;
  Distribution distribution;
  Duration counted{};  // length of the cells that were not left out
  Duration busy{};     // of those with traffic
  Duration excluded{};

  void add(Duration length, Totals cell, const Distribution* values, bool leave_out) {
    if (leave_out) {
      excluded += length;
      return;
    }
    counted += length;
    if (cell.count > 0) busy += length;
    totals += cell;
    if (values != nullptr) distribution.merge(*values);
  }
};

// The stretch's figure on the scale of the window's: rates stay, totals are brought to the window's length.
double figure_over(const NamedValue& value, Aggregate::Kind kind, const Stretch& stretch, Duration over,
                   Duration window) {
  if (value.view == NamedValue::View::total) {
    if (over == Duration{}) return unknown_number;
    return figure_of(value, kind, stretch.totals, over) * as_double(window) / as_double(over);
  }
  return figure_of(value, kind, stretch.totals, over, &stretch.distribution);
}

// Requires: there is one that is known.
double median_of(std::vector<double> numbers) {
  const auto middle = numbers.begin() + static_cast<std::ptrdiff_t>(numbers.size() / 2);
  std::nth_element(numbers.begin(), middle, numbers.end());
  if (numbers.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(numbers.begin(), middle)) / 2;
}

// The sets of stretches of the past, which can't be scaled.
BaselineFigures distinct_baseline(const Baseline& baseline, const History& history, BaselineRange range,
                                  std::span<const Exclusion> exclusions, Duration window, RecordTime first_known,
                                  const SeriesCells& cells) {
  BaselineFigures figures;
  const Duration step =
      std::max(quarter_length, Duration{(window + quarter_length - Duration{1}) / quarter_length * quarter_length});
  std::vector<double> stretches;
  Totals all;
  for (RecordTime from = std::max(range.from, first_known); from + step <= range.to; from = from + step) {
    if (is_excluded(from, step, exclusions)) continue;
    Totals totals;
    history.visit(from, from + step, [&](RecordTime, Duration, Totals cell) { totals += cell; });
    if (totals.count == 0 && baseline.empty == Baseline::Empty::skip) continue;
    all += totals;
    stretches.push_back(static_cast<double>(cells.distinct.between(from, from + step).count()));
  }
  figures.blocks = static_cast<std::int64_t>(stretches.size());
  figures.samples = all.count;
  middle_of(baseline.stat, stretches, figures);
  figures.is_warm =
      figures.blocks >= std::max<std::int64_t>(1, baseline.min_blocks) && figures.samples >= baseline.min_samples;
  if (!figures.is_warm) figures.mean = figures.deviation = unknown_number;
  return figures;
}

}  // namespace

void middle_of(Baseline::Stat stat, std::span<const double> blocks, BaselineFigures& figures) {
  std::vector<double> known;
  std::copy_if(blocks.begin(), blocks.end(), std::back_inserter(known), [](double one) { return !is_unknown(one); });
  if (known.empty()) return;
  if (stat == Baseline::Stat::median) {
    constexpr double deviation_of_distance = 1.4826;
    figures.mean = median_of(known);
    for (double& one : known) one = std::fabs(one - figures.mean);
    figures.deviation = deviation_of_distance * median_of(known);
    return;
  }
  double sum = 0, squares = 0;
  for (const double one : known) {
    sum += one;
    squares += one * one;
  }
  const auto n = static_cast<double>(known.size());
  figures.mean = sum / n;
  figures.deviation = std::sqrt(std::max(0.0, squares / n - figures.mean * figures.mean));
}

BaselineRange baseline_range(const Baseline& baseline, RecordTime window_begin, Duration window) {
  using namespace std::chrono_literals;
  switch (baseline.same_time) {
    case Baseline::SameTime::yesterday: {
      const RecordTime from = floor_to(window_begin - 24h, quarter_length);
      // No later than the window begins: one of a day would be compared with itself.
      return {from,
              std::min(ceil_to(window_begin - 24h + window, quarter_length), floor_to(window_begin, quarter_length))};
    }
    case Baseline::SameTime::last_week: {
      const RecordTime from = floor_to(window_begin - 168h, two_hour_length);
      return {from, ceil_to(window_begin - 168h + window, two_hour_length)};
    }
    case Baseline::SameTime::no:
      break;
  }
  const RecordTime to = floor_to(window_begin, quarter_length);
  return {to - baseline.range, to};
}

double figure_of(const NamedValue& value, Aggregate::Kind kind, Totals totals, Duration length,
                 const Distribution* distribution) {
  const auto amount = static_cast<double>(kind == Aggregate::Kind::count ? totals.count : totals.sum);
  const auto of_distribution = [&](auto figure) {
    return distribution == nullptr || distribution->empty() ? unknown_number : scaled(value, figure(*distribution));
  };
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
      return scaled(value, static_cast<double>(totals.sum)) / static_cast<double>(totals.count);
    case NamedValue::View::quantile:
      return of_distribution([&](const Distribution& d) { return d.quantile(value.q); });
    case NamedValue::View::least:
      return of_distribution([](const Distribution& d) { return static_cast<double>(d.least()); });
    case NamedValue::View::greatest:
      return of_distribution([](const Distribution& d) { return static_cast<double>(d.greatest()); });
    case NamedValue::View::derived:
      break;
  }
  return unknown_number;
}

BaselineFigures baseline_of(const Baseline& baseline, const NamedValue& value, Aggregate::Kind kind,
                            const History& history, BaselineRange range, std::span<const Exclusion> exclusions,
                            Duration window, RecordTime known_since, const SeriesCells* cells,
                            std::vector<double>* blocks) {
  BaselineFigures figures;
  if (range.from >= range.to) return figures;
  const bool zero_counts = baseline.empty == Baseline::Empty::zero;
  const RecordTime first_known = ceil_to(known_since, quarter_length);
  if (value.view == NamedValue::View::distinct) {
    if (cells == nullptr) return figures;
    return distinct_baseline(baseline, history, range, exclusions, window, first_known, *cells);
  }
  Stretch all;
  Stretch block;
  std::vector<double> block_figures;
  RecordTime block_end{};

  const auto close_block = [&] {
    const bool has_traffic = block.totals.count > 0 || (zero_counts && block.counted > Duration{});
    double figure = unknown_number;
    if (has_traffic && 2 * block.excluded <= baseline.block) {
      figure = figure_over(value, kind, block, block.counted, window);
    }
    if (!is_unknown(figure)) ++figures.blocks;
    block_figures.push_back(figure);
    block = {};
  };

  const bool has_blocks = baseline.block > Duration{};
  const bool has_values = cells != nullptr && kind == Aggregate::Kind::distribution;
  if (has_blocks) block_end = range.from + baseline.block;
  history.visit(range.from, range.to, [&](RecordTime begin, Duration length, Totals cell) {
    while (has_blocks && begin >= block_end) {
      close_block();
      block_end = block_end + baseline.block;
    }
    const bool before_all = cell.count == 0 && begin < first_known;
    if (before_all) return;
    const bool leave_out = is_excluded(begin, length, exclusions);
    const Distribution* const values = has_values ? cells->distributions.at(begin, length) : nullptr;
    all.add(length, cell, values, leave_out);
    if (has_blocks) block.add(length, cell, values, leave_out);
  });
  if (has_blocks) close_block();

  figures.samples = all.totals.count;
  figures.hits = all.totals.sum;
  if (has_blocks) {
    middle_of(baseline.stat, block_figures, figures);
    // The average of ratios would give an hour with one task the weight of one with a hundred.
    if (figures.blocks > 0 && is_pooled(value) && baseline.stat == Baseline::Stat::mean) {
      figures.mean = figure_over(value, kind, all, all.counted, window);
    }
    if (blocks != nullptr) *blocks = std::move(block_figures);
  } else {
    const bool all_counts = zero_counts || baseline.same_time != Baseline::SameTime::no;
    figures.mean = figure_over(value, kind, all, all_counts ? all.counted : all.busy, window);
    // A past that nobody has seen reads as zero where empty counts as zero: the floor then speaks for it.
    if (zero_counts && all.counted == Duration{} && !is_pooled(value)) figures.mean = 0;
    figures.blocks = all.counted > Duration{} ? 1 : 0;
  }
  figures.is_warm = figures.blocks >= (has_blocks ? baseline.min_blocks : 0) &&
                    figures.samples >= baseline.min_samples && !is_unknown(figures.mean);
  // Of a window that nobody saw the most of nothing can be said.
  if (baseline.same_time != Baseline::SameTime::no)
    figures.is_warm = figures.is_warm && 2 * all.counted >= std::min(window, range.to - range.from);
  if (!figures.is_warm) figures.mean = figures.deviation = unknown_number;
  return figures;
}

void look_further_back(const Baseline& baseline, const NamedValue& value, Aggregate::Kind kind,
                       const History& history, RecordTime to, std::span<const Exclusion> exclusions, Duration window,
                       BaselineFigures& figures) {
  const RecordTime from = to - std::max(baseline.peak, baseline.range);
  Stretch block;
  RecordTime block_end = from + baseline.block;
  const auto close_block = [&] {
    if (block.totals.count > 0 && 2 * block.excluded <= baseline.block) {
      const double figure = figure_over(value, kind, block, block.counted, window);
      if (is_unknown(figures.peak) || figure > figures.peak) figures.peak = figure;
    }
    block = {};
  };
  history.visit(from, to, [&](RecordTime begin, Duration length, Totals cell) {
    if (begin >= block_end) {
      close_block();
      while (begin >= block_end) block_end = block_end + baseline.block;
    }
    if (cell.count > 0 && !figures.first) figures.first = begin;
    block.add(length, cell, nullptr, is_excluded(begin, length, exclusions));
  });
  close_block();
}

}  // namespace tocsin
