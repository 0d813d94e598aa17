#include "core/window/history.h"

#include <gtest/gtest.h>

#include <map>

#include "core/test_support.h"

namespace tocsin {
namespace history_test {

using namespace std::chrono_literals;
using test::at;

// The plain model: every slice by its time.
class Model {
 public:
  void add(RecordTime slice, Totals totals) {
    slices_[slice].sum += totals.sum;
    slices_[slice].count += totals.count;
  }
  Totals sum(RecordTime from, RecordTime to) const {
    Totals all;
    for (auto slice = slices_.lower_bound(from); slice != slices_.end() && slice->first < to; ++slice) {
      all.sum += slice->second.sum;
      all.count += slice->second.count;
    }
    return all;
  }

 private:
  std::map<RecordTime, Totals> slices_;
};

TEST(History, AWindowBeginsAtAWholeMinuteAndBeyondADayAtAQuarter) {
  EXPECT_EQ(window_start(at(10min + 50s), 5min), at(5min));
  EXPECT_EQ(window_start(at(10min), 5min), at(5min));
  EXPECT_EQ(window_start(at(2h + 10s), 1h), at(1h));
  EXPECT_EQ(window_start(at(10h + 7min + 10s), 3h), at(7h + 7min));
  EXPECT_EQ(window_start(at(30h + 7min + 10s), 24h), at(6h + 7min));
  EXPECT_EQ(window_start(at(50h + 16min), 48h), at(2h + 15min));
}

TEST(History, HoldsWhatAPlainMapHoldsOverRandomSequences) {
  for (const HistoryReach reach : {HistoryReach::day, HistoryReach::two_days, HistoryReach::week}) {
    for (const std::uint64_t seed : test::seeds(6)) {
      SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
      test::Random random(seed);
      History history(reach, day_of_minutes);
      const bool is_of_counts = random.below(2) == 0;  // a minute holds few enough to stay small
      Model model;
      Duration now = 10s * random.below(100'000);
      for (int step = 0; step < 4'000; ++step) {
        const std::int64_t leap[] = {1, 1, 1, 3, 40, 900};
        now += 10s * (1 + random.below(leap[random.below(6)]));
        Totals totals{random.below(2'000'000) - 1'000'000, random.below(50)};
        if (random.below(400) == 0) totals.sum *= 10'000'000;  // outgrows 40 bits
        if (is_of_counts) totals = {random.below(8), random.below(20)};
        history.add(at(now), totals);
        model.add(at(now), totals);
        const RecordTime end = at(now + 10s + 10s * random.below(30));
        for (const Duration window : {Duration{1min}, Duration{5min}, Duration{20min}, Duration{60min},
                                      Duration{165min}, Duration{3h}, Duration{6h}, Duration{24h}}) {
          ASSERT_EQ(history.window(end, window), model.sum(window_start(end, window), end))
              << to_text(window) << " at step " << step;
        }
      }
      EXPECT_EQ(history.last_added(), at(now + 10s));
    }
  }
}

TEST(History, TheCellsOfAPastDayAreVisitedOnceEachOldestFirst) {
  for (const std::uint64_t seed : test::seeds(6)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    test::Random random(seed);
    History history(HistoryReach::week);
    Model model;
    Duration now = 0s;
    for (; now < 170h; now += 10s * (1 + random.below(200))) {
      const Totals totals{random.below(1'000), 1};
      history.add(at(now), totals);
      model.add(at(now), totals);
      if (random.below(50) != 0) continue;
      const RecordTime to = floor_to(at(now), quarter_length);
      const RecordTime from = floor_to(to - 1h * random.below(160), two_hour_length);
      RecordTime next = from;
      Totals all;
      history.visit(from, to, [&](RecordTime begin, Duration length, Totals cell) {
        ASSERT_EQ(begin, next);
        next = begin + length;
        if (next <= to) {
          ASSERT_EQ(cell, model.sum(begin, next)) << to_text(length);
        }
        all.sum += cell.sum;
        all.count += cell.count;
      });
      ASSERT_GE(next, to);
      ASSERT_EQ(all, model.sum(from, next));
    }
  }
}

TEST(History, TakesAsMuchMemoryAsItSays) {
  EXPECT_EQ(History(HistoryReach::day).bytes(), 1'304u);
  EXPECT_EQ(History(HistoryReach::two_days).bytes(), 2'048u);
  EXPECT_EQ(History(HistoryReach::week).bytes(), 2'104u);
  EXPECT_EQ(History(HistoryReach::day, many_minutes).bytes(), 2'264u);
  EXPECT_EQ(History(HistoryReach::two_days, many_minutes).bytes(), 3'008u);
  EXPECT_EQ(History(HistoryReach::two_days, day_of_minutes).bytes(), 4'442u);
}

// As after an upgrade, or where a rule with longer windows came: nothing is lost, and of the quarters whose minutes
// were not kept all is told as of their first.
TEST(History, MinutesThatWereNotKeptAreMadeUpFromTheirQuarters) {
  History before(HistoryReach::day);
  Model model;
  for (Duration now = 0s; now < 5h; now += 70s) {
    before.add(at(now), {now / 1s, 1});
    model.add(at(now), {now / 1s, 1});
  }
  const auto read_again = [](const History& from) {
    wire::Writer writer;
    from.write_to(writer);
    const std::string bytes = writer.take();
    History to(HistoryReach::day, many_minutes);
    wire::Reader reader(bytes);
    to.read_from(reader);
    EXPECT_TRUE(reader.read_all());
    return to;
  };
  const History history = read_again(before);
  EXPECT_EQ(history.window(at(5h), 1h), model.sum(at(4h), at(5h)));
  EXPECT_EQ(history.window(at(5h), 3h), model.sum(at(2h), at(5h))) << "a whole quarter";
  EXPECT_EQ(history.window(at(5h), 170min), model.sum(at(2h + 15min), at(5h))) << "one that began before";
  const History copy = read_again(history);
  for (const Duration window : {Duration{1h}, Duration{100min}, Duration{170min}, Duration{3h}}) {
    EXPECT_EQ(copy.window(at(5h), window), history.window(at(5h), window)) << "nothing twice";
  }
}

TEST(History, ACellThatOutgrowsItsBitsWidensTheSeriesAndLosesNothing) {
  for (const Totals edge : {Totals{(std::int64_t{1} << 39) - 1, 1}, Totals{-((std::int64_t{1} << 39) - 1), 1},
                            Totals{7, (1 << 24) - 1}}) {
    History history(HistoryReach::day);
    history.add(at(0s), {5, 1});
    history.add(at(16min), edge);  // in a quarter of its own
    EXPECT_EQ(history.bytes(), 1'304u) << "still fits";
    history.add(at(16min), {edge.sum > 0 ? 1 : -1, 1});
    EXPECT_GT(history.bytes(), 1'304u);
    EXPECT_LE(history.bytes(), 2 * 1'304u);
    EXPECT_EQ(history.window(at(16min + 10s), 1h), (Totals{5 + edge.sum + (edge.sum > 0 ? 1 : -1), edge.count + 2}));
  }
}

TEST(History, MinutesOfADayBeginSmallAndWidenWithoutALoss) {
  for (const Totals more : {Totals{0, 256}, Totals{256, 1}, Totals{-1, 1}, Totals{1, std::int64_t{1} << 24}}) {
    History history(HistoryReach::day, day_of_minutes);
    history.add(at(0s), {255, 255});
    history.add(at(7min), {1, 1});
    EXPECT_EQ(history.bytes(), 3'698u);
    history.add(at(8min), more);
    EXPECT_GT(history.bytes(), 12'000u);
    EXPECT_EQ(history.window(at(8min + 10s), 24h), (Totals{256 + more.sum, 256 + more.count}));
    EXPECT_EQ(history.window(at(6h + 8min), 6h), more) << "without the seventh minute";
  }
}

TEST(History, KnowsTheFirstMinuteOfAWindowThatHoldsAnything) {
  History history(HistoryReach::day, day_of_minutes);
  history.add(at(2h + 7min), {1, 1});
  history.add(at(3h + 50min), {1, 1});
  history.add(at(9h), {1, 1});
  EXPECT_EQ(history.first_in(at(9h + 10s), 24h), at(2h + 7min));
  EXPECT_EQ(history.first_in(at(9h + 10s), 6h), at(3h + 50min)) << "within a quarter";
  EXPECT_EQ(history.first_in(at(9h + 51min), 6h), at(9h));
  EXPECT_EQ(history.first_in(at(9h + 51min), 30min), std::nullopt);
}

// What no event can say, a damaged record can.
TEST(History, SumsBeyondTheirRangeStayAtItsEnd) {
  History history(HistoryReach::week, many_minutes);
  history.add(at(0s), {INT64_MAX, INT64_MAX});
  history.add(at(0s), {1, INT64_MAX});
  history.add(at(16min), {5, 5});
  EXPECT_EQ(history.window(at(17min), 1h), (Totals{INT64_MAX, INT64_MAX}));
  history.add(at(200h), {-5, INT64_MIN});
  history.add(at(200h), {INT64_MIN, -1});
  EXPECT_EQ(history.window(at(200h + 10s), 24h), (Totals{INT64_MIN, INT64_MIN}));

  Totals less{-2, 7};
  less -= {INT64_MAX, 5};
  EXPECT_EQ(less, (Totals{INT64_MIN, 2}));
}

TEST(History, AfterALongSilenceNothingOfThePastComesBack) {
  History history(HistoryReach::day);
  history.add(at(0s), {5, 1});
  history.add(at(300h), {7, 1});
  EXPECT_EQ(history.window(at(300h + 10s), 24h), (Totals{7, 1}));
  EXPECT_EQ(history.window(at(900h), 24h), Totals{});
  EXPECT_EQ(History(HistoryReach::day).window(at(0s), 1h), Totals{});
}

TEST(History, RetractionsAreNegativeAndAddUp) {
  History history(HistoryReach::day);
  history.add(at(0s), {500, 2});
  history.add(at(10s), {-200, -1});
  EXPECT_EQ(history.window(at(20s), 5min), (Totals{300, 1}));
}

TEST(HistoryReach, IsTheLeastThatWindowAndBaselineNeedTogether) {
  EXPECT_EQ(reach_of(1h, 24h), HistoryReach::day);
  EXPECT_EQ(reach_of(1h + 15min, 24h), HistoryReach::two_days);
  EXPECT_EQ(reach_of(24h, 24h), HistoryReach::two_days);
  EXPECT_EQ(reach_of(24h, 144h), HistoryReach::week);
  EXPECT_EQ(reach_of(24h, 168h), HistoryReach::week) << "the longest that a rule may ask for";
  History history(HistoryReach::week);
  history.add(at(1h), {7, 1});
  history.add(at(24h + 168h + 1h), {1, 1});
  Totals week_ago;
  history.visit(at(0s), at(2h), [&](RecordTime, Duration, Totals cell) { week_ago.sum += cell.sum; });
  EXPECT_EQ(week_ago.sum, 7);
}

}  // namespace history_test
}  // namespace tocsin
