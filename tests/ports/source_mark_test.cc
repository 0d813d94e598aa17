#include "ports/source_mark.h"

#include <gtest/gtest.h>

namespace tocsin {
namespace source_mark_test {

TEST(SourceMark, StandsInFrontOfAPosition) {
  const SourceMark mark{7, 11, 12, RecordTime{Duration{-5}}};
  const std::string text = mark.to_text() + "1 2 3";
  const auto [read, position] = split_mark(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->number, 7);
  EXPECT_EQ(read->read, 11);
  EXPECT_EQ(read->partitions, 12);
  EXPECT_EQ(read->moving_until, RecordTime{Duration{-5}});
  EXPECT_EQ(position, "1 2 3");
}

TEST(SourceMark, IsAbsentInPositionsOfEarlierVersions) {
  for (const std::string text : {"1 2 3", "", "@", "@1", "@1/2", "@1/2/3/", "@1/2/3/4", "@a/2/3/4 ", "@1/2/3/4x "}) {
    const auto [read, position] = split_mark(text);
    EXPECT_FALSE(read) << text;
    EXPECT_EQ(position, text);
  }
}

}  // namespace source_mark_test
}  // namespace tocsin
