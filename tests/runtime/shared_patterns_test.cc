// One library of patterns, and threads that ask for its regexes at the same time.

#include <gtest/gtest.h>

#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "core/sanitize/shipped_patterns.h"

namespace tocsin {
namespace shared_patterns_test {

TEST(SharedPatterns, FindTheSameInThreadsThatMeetThemAtOnce) {
  Diagnostics diagnostics;
  const auto library = load_patterns(shipped_patterns(), diagnostics, shipped_patterns());
  ASSERT_NE(library, nullptr);
  const std::string text = "key " + test::aws_key + " and " + test::github_token + " and " + test::private_key("\n");
  constexpr std::size_t threads = 4;
  std::latch begin(threads);
  std::vector<std::vector<Match>> found(threads);
  std::vector<std::thread> running;
  for (std::size_t i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      Scanner scanner(library);
      begin.arrive_and_wait();
      const auto matches = scanner.scan(text);
      found[i].assign(matches.begin(), matches.end());
      for (Match& match : found[i]) match.identity = {};  // the scanner's
    });
  }
  for (std::thread& one : running) one.join();
  EXPECT_EQ(found[0].size(), 3U);
  for (const auto& matches : found) EXPECT_EQ(matches, found[0]);
}

}  // namespace shared_patterns_test
}  // namespace tocsin
