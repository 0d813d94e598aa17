#include "core/task/task_counts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "core/event/event_fields.h"
#include "core/test_support.h"

namespace tocsin {
namespace task_counts_test {

using namespace std::chrono_literals;
using test::event_at;

TaskCount within(Duration window) {
  TaskCount count;
  count.window = window;
  return count;
}

TEST(TaskCounts, WithoutAWindowAllCountsHoweverLongAgo) {
  CountedKey key;
  const TaskCount count;
  add(key, count, event_at(5h), 2);
  add(key, count, event_at(0s), 1);
  EXPECT_EQ(amount_at(key, count, event_at(9h)), 3);
  EXPECT_EQ(key.latest, event_at(5h));
}

TEST(TaskCounts, AWindowEndsWhereItIsAskedForAndForgetsWhatLiesBeforeIt) {
  CountedKey key;
  const TaskCount count = within(10min);
  for (int i = 0; i < 8; ++i) add(key, count, event_at(i * 1min), 1);
  EXPECT_EQ(amount_at(key, count, event_at(7min)), 8);
  EXPECT_EQ(amount_at(key, count, event_at(10min + 30s)), 7);
  EXPECT_EQ(amount_at(key, count, event_at(14min)), 3);
  EXPECT_EQ(amount_at(key, count, event_at(17min)), 0);
  add(key, count, event_at(30min), 1);
  EXPECT_EQ(amount_at(key, count, event_at(30min)), 1);
  EXPECT_EQ(key.cells.size(), 1u);
  add(key, count, event_at(19min), 1);
  EXPECT_EQ(amount_at(key, count, event_at(30min)), 1) << "it comes too late to be in any window";
}

TEST(TaskCounts, IsWhatAPlainSumOverTheWindowIsButForASixtieth) {
  for (const std::uint64_t seed : test::seeds(20)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    test::Random random(seed);
    const Duration window = std::vector<Duration>{10s, 1min, 10min, 24h}[static_cast<std::size_t>(random.below(4))];
    const Duration cell = window / 60;
    const TaskCount count = within(window);
    CountedKey key;
    std::multimap<EventTime, std::int64_t> all;
    EventTime latest = event_at(0s);
    for (int i = 0; i < 500; ++i) {
      // Mostly forwards, and now and then a little back.
      const EventTime at =
          latest + Duration{random.below(window.count() / 20)} - Duration{random.below(cell.count() * 4)};
      const std::int64_t amount = random.below(5);
      latest = std::max(latest, at);
      add(key, count, at, amount);
      all.emplace(at, amount);
      double least = 0, most = 0;
      for (const auto& [time, one] : all) {
        if (time > latest - window + cell) least += static_cast<double>(one);
        if (time > latest - window - cell) most += static_cast<double>(one);
      }
      ASSERT_GE(amount_at(key, count, latest), least);
      ASSERT_LE(amount_at(key, count, latest), most);
      ASSERT_LE(key.cells.size(), 60u);
    }
  }
}

TEST(TaskCounts, MoneyIsInDollarsAndASumHasABound) {
  TaskCount count;
  count.in_millionths = true;
  CountedKey key;
  add(key, count, event_at(0s), 2'500'000);
  EXPECT_DOUBLE_EQ(amount_at(key, count, event_at(0s)), 2.5);
  for (int i = 0; i < 20'000; ++i) add(key, count, event_at(0s), largest_number);
  EXPECT_EQ(key.total, largest_number);
}

TEST(TaskCounts, OfMoreKeysThanThereIsRoomForTheOneQuietForLongestGivesWay) {
  std::vector<CountedKey> counted;
  const TaskCount count;
  const auto note = [&](std::uint64_t rule, std::uint64_t key, Duration at) -> CountedKey& {
    CountedKey& one = counted_key(counted, rule, key, "v" + std::to_string(key));
    add(one, count, event_at(at), 1);
    return one;
  };
  for (std::uint64_t key = 0; key < most_counted_keys; ++key) note(1, key, 1s * static_cast<int>(key));
  note(2, 0, 0s);  // another rule's do not count
  note(1, 0, 1min);
  EXPECT_EQ(note(1, 77, 2min).total, 1);
  EXPECT_EQ(counted.size(), most_counted_keys + 1);
  EXPECT_EQ(note(1, 0, 3min).total, 3) << "it came again before the others";
  CountedKey& again = note(1, 1, 3min);
  EXPECT_EQ(again.total, 1) << "it had given way";
  EXPECT_EQ(again.values, "v1");
  EXPECT_EQ(counted.size(), most_counted_keys + 1);
}

}  // namespace task_counts_test
}  // namespace tocsin
