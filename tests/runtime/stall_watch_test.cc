#include "runtime/stall_watch.h"

#include <gtest/gtest.h>

namespace tocsin {
namespace stall_watch_test {

using namespace std::chrono_literals;
using Partitions = std::vector<std::int32_t>;
const Partitions two{0, 1};

TEST(StallWatch, APartitionStallsAfterAMinuteWithoutABlock) {
  StallWatch watch;
  watch.begin(100s);
  EXPECT_EQ(watch.stalled(two, 160s), Partitions{}) << "who has just begun to look waits as long";
  watch.note_block(1, 155s);
  EXPECT_EQ(watch.stalled(two, 161s), Partitions{0});
  EXPECT_EQ(watch.stalled(two, 216s), (Partitions{0, 1}));
  watch.note_block(0, 217s);
  EXPECT_EQ(watch.stalled(two, 218s), Partitions{1});
}

TEST(StallWatch, SaysThatAllIsWellOnlyOfWhatItHasSeen) {
  StallWatch watch;
  watch.begin(0s);
  EXPECT_FALSE(watch.all_seen(two));
  watch.note_block(0, 1s);
  EXPECT_FALSE(watch.all_seen(two));
  watch.note_block(1, 1s);
  EXPECT_TRUE(watch.all_seen(two));
  watch.begin(2s);  // after a time in which nothing could be seen
  EXPECT_FALSE(watch.all_seen(two));
  EXPECT_EQ(watch.stalled(two, 62s), Partitions{});
}

}  // namespace stall_watch_test
}  // namespace tocsin
