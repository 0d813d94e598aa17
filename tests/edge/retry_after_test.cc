// When a server says to come again.

#include "edge/http/retry_after.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace tocsin {
namespace retry_after_test {

// 2021-02-25T00:00:00Z, a Thursday: no clock in these tests.
constexpr std::int64_t now = 1'614'211'200;

TEST(RetryAfter, IsReadWithoutOverflow) {
  EXPECT_EQ(parse_retry_after("0", now), Duration::zero());
  EXPECT_EQ(parse_retry_after("99999999999999999999999", now), Duration(std::chrono::hours(365 * 24)));
  EXPECT_EQ(parse_retry_after("Fri, 31 Dec 9999 23:59:59 GMT", now), Duration(std::chrono::hours(365 * 24)));
  for (const std::string text :
       {"", "-1", "1.5", " 1", "Thu, 31 Feb 2021 00:00:00 GMT", "Thu, 25 Fab 2021 00:00:00 GMT",
        "Thu, 25 anF 2021 00:00:00 GMT", "Thu, 25 Feb 2021 00:00:00 CET"})
    EXPECT_FALSE(parse_retry_after(text, now).has_value()) << text;
}

}  // namespace retry_after_test
}  // namespace tocsin
