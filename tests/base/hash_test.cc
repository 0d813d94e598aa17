#include "base/hash.h"

#include <gtest/gtest.h>

#include <bit>

namespace tocsin {
namespace hash_test {

TEST(Hash, IsTheFrozenXxh3OnEveryMachine) {
  // The values that xxHash publishes for empty input and seed 0.
  EXPECT_EQ(hash64(""), 0x2d06800538d394c2ULL);
  EXPECT_EQ(to_hex(hash128("")), "99aa06d3014798d86001c324468d497f");
}

TEST(Hash, ListsThatRunIntoEachOtherAreToldApart) {
  EXPECT_NE(hash_parts({"ab", "c"}), hash_parts({"a", "bc"}));
  EXPECT_NE(hash_parts({"abc"}), hash_parts({"abc", ""}));
  EXPECT_NE(hash_parts({"1:a"}), hash_parts({"", "a"}));
  EXPECT_EQ(hash_parts({"a", "b"}), hash_parts({"a", "b"}));
}

TEST(Hash, HexHasAllItsZeros) {
  EXPECT_EQ(to_hex({0x1, 0xabc}), "00000000000000010000000000000abc");
  EXPECT_EQ(to_hex({}), std::string(32, '0'));
}

TEST(Hash, MixingSpreadsEveryBitAndHasAnOrder) {
  for (int bit = 0; bit < 64; ++bit) {
    const int changed = std::popcount(mix(7, 0) ^ mix(7, std::uint64_t{1} << bit));
    EXPECT_GT(changed, 12) << bit;
    EXPECT_LT(changed, 52) << bit;
  }
  EXPECT_NE(mix(mix(1, 2), 3), mix(mix(1, 3), 2));
}

}  // namespace hash_test
}  // namespace tocsin
