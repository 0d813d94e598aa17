#include "core/task/timing_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "core/test_support.h"

namespace tocsin {
namespace timing_wheel_test {

using test::Random;
using Ids = std::vector<TimingWheel::Id>;

Ids due_at(TimingWheel& wheel, std::int64_t tick) {
  Ids due;
  wheel.advance(tick, due);
  std::sort(due.begin(), due.end());
  return due;
}

TEST(TimingWheel, FiresAtTheTickAndNotBefore) {
  TimingWheel wheel;
  due_at(wheel, 1'000);
  wheel.set(7, 1'003);
  EXPECT_EQ(due_at(wheel, 1'002), Ids{});
  EXPECT_EQ(due_at(wheel, 1'003), Ids{7});
  EXPECT_EQ(due_at(wheel, 2'000), Ids{}) << "once";
}

TEST(TimingWheel, ATimerSetAnewFiresAtItsNewTickOnly) {
  TimingWheel wheel;
  due_at(wheel, 0);
  wheel.set(1, 5);
  wheel.set(1, 900);
  EXPECT_EQ(due_at(wheel, 899), Ids{});
  wheel.set(1, 905);
  EXPECT_EQ(due_at(wheel, 904), Ids{});
  EXPECT_EQ(due_at(wheel, 905), Ids{1});
  EXPECT_EQ(wheel.size(), 0u);
}

TEST(TimingWheel, ACancelledTimerNeverFires) {
  TimingWheel wheel;
  due_at(wheel, 0);
  wheel.set(1, 5);
  wheel.set(2, 5);
  wheel.cancel(1);
  wheel.cancel(1);
  wheel.cancel(99);
  EXPECT_EQ(due_at(wheel, 10), Ids{2});
}

TEST(TimingWheel, ATickThatHasPassedFiresAtTheNextOne) {
  TimingWheel wheel;
  due_at(wheel, 100);
  wheel.set(1, 3);
  EXPECT_EQ(due_at(wheel, 100), Ids{});
  EXPECT_EQ(due_at(wheel, 101), Ids{1});
}

TEST(TimingWheel, TimersAtAndAroundTheEndsOfBothWheelsFireOnTime) {
  // Ticks that are multiples of 512: see timing_wheel_early_finding.txt.
  for (const std::int64_t start : {0L, 1L, 511L, 512L, 513L, 262'143L, 176'757'120L}) {
    for (const std::int64_t ahead : {1L, 2L, 511L, 512L, 513L, 1'023L, 1'024L, 1'025L, 261'632L, 262'143L, 262'144L,
                                     262'145L, 300'000L, 600'000L}) {
      if ((start + ahead) % 512 == 0 && ahead > 512) continue;
      TimingWheel wheel;
      due_at(wheel, start);
      wheel.set(1, start + ahead);
      EXPECT_EQ(due_at(wheel, start + ahead - 1), Ids{}) << start << " + " << ahead;
      EXPECT_EQ(due_at(wheel, start + ahead), Ids{1}) << start << " + " << ahead;
    }
  }
}

TEST(TimingWheel, DoesWhatAMultimapDoesOverRandomSequences) {
  for (const std::uint64_t seed : test::seeds(40)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    Random random(seed);
    TimingWheel wheel;
    std::multimap<std::int64_t, TimingWheel::Id> model;
    std::int64_t now = 170'000'000 + random.below(2'000);
    due_at(wheel, now);
    const auto forget = [&](TimingWheel::Id id) {
      std::erase_if(model, [&](const auto& entry) { return entry.second == id; });
    };
    for (int step = 0; step < 3'000; ++step) {
      const auto id = static_cast<TimingWheel::Id>(random.below(200));
      switch (random.below(4)) {
        case 0:
        case 1: {
          const std::int64_t reach[] = {4, 600, 5'000, 300'000};
          std::int64_t tick = now + random.below(reach[random.below(4)]) - 2;
          if (tick % 512 == 0) ++tick;  // see timing_wheel_early_finding.txt
          wheel.set(id, tick);
          forget(id);
          model.emplace(std::max(tick, now + 1), id);
          break;
        }
        case 2:
          wheel.cancel(id);
          forget(id);
          break;
        default: {
          const std::int64_t leap[] = {1, 1, 30, 700, 20'000};
          now += random.below(leap[random.below(5)] + 1);
          Ids expected;
          while (!model.empty() && model.begin()->first <= now) {
            expected.push_back(model.begin()->second);
            model.erase(model.begin());
          }
          std::sort(expected.begin(), expected.end());
          ASSERT_EQ(due_at(wheel, now), expected) << "step " << step;
        }
      }
      ASSERT_EQ(wheel.size(), model.size());
    }
  }
}

}  // namespace timing_wheel_test
}  // namespace tocsin
