#include "core/window/baseline.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/test_support.h"

namespace tocsin {
namespace baseline_test {

using namespace std::chrono_literals;
using test::at;

NamedValue value_of(NamedValue::View view, Unit unit = Unit::plain, Duration per = 1h) {
  NamedValue value;
  value.name = "value";
  value.view = view;
  value.unit = unit;
  value.per = per;
  return value;
}

Baseline over(Duration range) {
  Baseline baseline;
  baseline.range = range;
  return baseline;
}

struct Case {
  Baseline baseline = over(4h);
  NamedValue value = value_of(NamedValue::View::total);
  Aggregate::Kind kind = Aggregate::Kind::sum;
  History history{HistoryReach::day};
  std::vector<Exclusion> exclusions;
  RecordTime known_since = at(0s);

  // The baseline [0, 4 h) of a window of one hour that begins at 4 h.
  BaselineFigures figures() const {
    return baseline_of(baseline, value, kind, history, {at(0s), at(4h)}, exclusions, 1h, known_since);
  }
};

TEST(Baseline, CoversTheRangeBeforeTheQuarterInWhichTheWindowBegins) {
  const BaselineRange range = baseline_range(over(24h), at(30h + 14min), 1h);
  EXPECT_EQ(range.from, at(6h));
  EXPECT_EQ(range.to, at(30h));
}

TEST(Baseline, MeanAndStandardDeviationAreThoseOfThePopulationOfHours) {
  Case c;
  c.baseline.block = 1h;
  const std::int64_t hours[] = {2, 4, 4, 6};
  for (int i = 0; i < 4; ++i) c.history.add(at(i * 1h + 20min), {hours[i], 1});
  const BaselineFigures figures = c.figures();
  EXPECT_EQ(figures.blocks, 4);
  EXPECT_EQ(figures.samples, 4);
  EXPECT_DOUBLE_EQ(figures.mean, 4);
  EXPECT_DOUBLE_EQ(figures.deviation, std::sqrt(2.0)) << "(4 + 0 + 0 + 4) / 4";
  EXPECT_TRUE(figures.is_warm);
}

TEST(Baseline, EmptyHoursAreSkippedOrCountAsZero) {
  Case c;
  c.baseline.block = 1h;
  c.history.add(at(20min), {6, 1});
  c.history.add(at(2h), {2, 1});
  EXPECT_EQ(c.figures().blocks, 2);
  EXPECT_DOUBLE_EQ(c.figures().mean, 4);
  c.baseline.empty = Baseline::Empty::zero;
  EXPECT_EQ(c.figures().blocks, 4);
  EXPECT_DOUBLE_EQ(c.figures().mean, 2);
  EXPECT_DOUBLE_EQ(c.figures().deviation, std::sqrt(6.0)) << "(16 + 4 + 0 + 4) / 4";
  c.known_since = at(2h);
  EXPECT_EQ(c.figures().blocks, 3) << "traffic is known to have been there; the empty hour before says nothing";
}

TEST(Baseline, HoursOfWhichMoreThanHalfIsExcludedDoNotCount) {
  Case c;
  c.baseline.block = 1h;
  for (int quarter = 0; quarter < 16; ++quarter) c.history.add(at(quarter * 15min), {quarter < 4 ? 100 : 1, 1});
  EXPECT_DOUBLE_EQ(c.figures().mean, 103);
  c.exclusions = {{at(0s), at(46min)}};  // touches four quarters
  EXPECT_EQ(c.figures().blocks, 3);
  EXPECT_DOUBLE_EQ(c.figures().mean, 4);
  c.exclusions = {{at(0s), at(30min)}};  // half: the other two quarters stand for the hour
  EXPECT_EQ(c.figures().blocks, 4);
  EXPECT_DOUBLE_EQ(c.figures().mean, (400 + 4 + 4 + 4) / 4.0);
  EXPECT_EQ(c.figures().samples, 14);
  c.exclusions = {{at(0s), at(30min + 1ms)}};
  EXPECT_EQ(c.figures().blocks, 3) << "a quarter that is touched is out";
}

TEST(Baseline, APooledCountIsScaledToTheWindow) {
  Case c;
  for (int quarter = 0; quarter < 16; ++quarter) c.history.add(at(quarter * 15min), {3, 1});
  EXPECT_DOUBLE_EQ(c.figures().mean, 12) << "48 in four hours is 12 in one";
  EXPECT_TRUE(is_unknown(c.figures().deviation));
  c.exclusions = {{at(1h), at(2h)}};
  EXPECT_DOUBLE_EQ(c.figures().mean, 12) << "what is left out shortens the time as well";
}

TEST(Baseline, APooledCountOfTimesWithoutTrafficSkipsOrCountsThem) {
  Case c;
  c.history.add(at(0s), {8, 1});
  EXPECT_DOUBLE_EQ(c.figures().mean, 32) << "of the one quarter that was busy";
  c.baseline.empty = Baseline::Empty::zero;
  EXPECT_DOUBLE_EQ(c.figures().mean, 2);
}

TEST(Baseline, ARatioIsPooledAndNotTheAverageOfHours) {
  Case c;
  c.value = value_of(NamedValue::View::ratio);
  c.kind = Aggregate::Kind::hits;
  c.history.add(at(0s), {1, 1});
  c.history.add(at(1h), {0, 99});
  EXPECT_DOUBLE_EQ(c.figures().mean, 0.01);
  c.baseline.block = 1h;
  EXPECT_DOUBLE_EQ(c.figures().mean, 0.01);
  EXPECT_DOUBLE_EQ(c.figures().deviation, 0.5) << "the spread is that of the hours: 1 and 0";
}

TEST(Baseline, ARateIsPerItsUnitOverTheTimeThatCounted) {
  Case c;
  c.value = value_of(NamedValue::View::rate, Unit::money, 1h);
  c.baseline.empty = Baseline::Empty::zero;
  for (int quarter = 0; quarter < 16; ++quarter) c.history.add(at(quarter * 15min), {500'000, 1});
  EXPECT_DOUBLE_EQ(c.figures().mean, 2) << "dollars an hour";
}

TEST(Baseline, IsColdBelowItsBlocksOrSamplesAndThenUnknown) {
  Case c;
  c.baseline.block = 1h;
  c.history.add(at(0s), {4, 10});
  c.history.add(at(1h), {4, 10});
  c.baseline.min_blocks = 3;
  EXPECT_FALSE(c.figures().is_warm);
  EXPECT_TRUE(is_unknown(c.figures().mean) && is_unknown(c.figures().deviation));
  c.baseline.min_blocks = 2;
  EXPECT_TRUE(c.figures().is_warm);
  c.baseline.min_samples = 21;
  EXPECT_FALSE(c.figures().is_warm);
  EXPECT_EQ(c.figures().samples, 20);
}

TEST(Baseline, OfNothingIsUnknown) {
  Case c;
  EXPECT_FALSE(c.figures().is_warm);
  EXPECT_TRUE(is_unknown(c.figures().mean));
  c.exclusions = {{at(-1h), at(9h)}};
  c.history.add(at(1h), {1, 1});
  EXPECT_FALSE(c.figures().is_warm) << "all of it left out";
  EXPECT_FALSE(baseline_of(c.baseline, c.value, c.kind, c.history, {at(4h), at(4h)}, {}, 1h, at(0s)).is_warm);
}

TEST(Figure, OfAWindow) {
  const auto total = value_of(NamedValue::View::total);
  EXPECT_DOUBLE_EQ(figure_of(total, Aggregate::Kind::count, {0, 7}, 5min), 7);
  EXPECT_DOUBLE_EQ(figure_of(total, Aggregate::Kind::sum, {9, 7}, 5min), 9);
  EXPECT_DOUBLE_EQ(
      figure_of(value_of(NamedValue::View::total, Unit::money), Aggregate::Kind::sum, {2'500'000, 1}, 5min), 2.5);
  EXPECT_DOUBLE_EQ(figure_of(value_of(NamedValue::View::rate), Aggregate::Kind::count, {0, 30}, 30min), 60);
  EXPECT_TRUE(is_unknown(figure_of(value_of(NamedValue::View::rate), Aggregate::Kind::count, {0, 30}, 0min)));
  EXPECT_DOUBLE_EQ(figure_of(value_of(NamedValue::View::ratio), Aggregate::Kind::hits, {1, 4}, 5min), 0.25);
  EXPECT_TRUE(is_unknown(figure_of(value_of(NamedValue::View::ratio), Aggregate::Kind::hits, {0, 0}, 5min)));
}

}  // namespace baseline_test
}  // namespace tocsin
