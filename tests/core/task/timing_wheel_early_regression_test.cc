// What once went wrong here, so that it does not again.

#include <gtest/gtest.h>

#include "core/task/timing_wheel.h"

namespace tocsin {
namespace timing_wheel_early_regression_test {

TEST(TimingWheel, ATimerOnATurnOfTheSecondWheelFiresOnItsTickAndNotBefore) {
  TimingWheel wheel;
  std::vector<TimingWheel::Id> due;
  wheel.advance(0, due);
  wheel.set(1, 1'024);
  wheel.advance(1'023, due);
  EXPECT_TRUE(due.empty());
  wheel.advance(1'024, due);
  EXPECT_EQ(due, std::vector<TimingWheel::Id>{1});
}

}  // namespace timing_wheel_early_regression_test
}  // namespace tocsin
