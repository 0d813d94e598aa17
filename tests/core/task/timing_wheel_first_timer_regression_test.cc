// What once went wrong here, so that it does not again.

#include <gtest/gtest.h>

#include "core/task/timing_wheel.h"

namespace tocsin {
namespace timing_wheel_first_timer_regression_test {

TEST(TimingWheel, ALaterTimerForAnEarlierTickFiresOnItsOwnTime) {
  TimingWheel wheel;
  wheel.set(1, 100'000);
  wheel.set(2, 91'000);
  std::vector<TimingWheel::Id> due;
  wheel.advance(90'999, due);
  EXPECT_TRUE(due.empty());
  wheel.advance(91'000, due);
  EXPECT_EQ(due, std::vector<TimingWheel::Id>{2});
}

}  // namespace timing_wheel_first_timer_regression_test
}  // namespace tocsin
