#include "runtime/stall_watch.h"

#include <gtest/gtest.h>

namespace tocsin {
namespace {

using namespace std::chrono_literals;
using Partitions = std::vector<std::int32_t>;
const Partitions two{0, 1};

TEST(StallWatch, APartitionStallsAfterThirtySecondsWithoutABlock) {
  StallWatch watch;
  watch.begin(100s);
  EXPECT_EQ(watch.stalled(two, 130s), Partitions{}) << "who has just begun to look waits as long";
  watch.note_block(1, 125s);
  EXPECT_EQ(watch.stalled(two, 131s), Partitions{0});
  EXPECT_EQ(watch.stalled(two, 156s), (Partitions{0, 1}));
  watch.note_block(0, 157s);
  EXPECT_EQ(watch.stalled(two, 158s), Partitions{1});
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
  EXPECT_EQ(watch.stalled(two, 32s), Partitions{});
}

}  // namespace
}  // namespace tocsin
