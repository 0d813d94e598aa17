#include "core/alert/episode_book.h"

#include <gtest/gtest.h>

#include <map>

#include "core/test_support.h"

namespace tocsin {
namespace episode_book_test {

using namespace std::chrono_literals;
using test::at;

TEST(EpisodeBook, GivesBackOnceWhatWasPutAway) {
  EpisodeBook book;
  book.put_away("a", 3, at(0s));
  book.put_away("b", 0, at(0s));  // never fired
  EXPECT_EQ(book.size(), 1U);
  EXPECT_EQ(book.take_out("a"), 3);
  EXPECT_EQ(book.take_out("a"), 0);
  EXPECT_EQ(book.size(), 0U);
}

TEST(EpisodeBook, ForgetsTheOldestOfTooMany) {
  EpisodeBook book(2);
  book.put_away("a", 1, at(0s));
  book.put_away("b", 1, at(1s));
  book.put_away("a", 2, at(2s));
  book.put_away("c", 1, at(3s));
  EXPECT_EQ(book.size(), 2U);
  EXPECT_EQ(book.take_out("b"), 0);
  EXPECT_EQ(book.take_out("a"), 2);
}

TEST(EpisodeBook, OutlivesItsProcess) {
  std::map<std::string, std::string> stored;
  EpisodeBook book(2);
  const auto store = [&] {
    book.take_changes([&](const std::string& key, std::string value) { stored[key] = std::move(value); });
  };
  book.put_away("a", 7, at(0s));
  book.put_away("b", 2, at(1s));
  store();
  book.put_away("c", 4, at(2s));
  book.take_out("b");
  store();
  EXPECT_TRUE(stored["a"].empty() && stored["b"].empty());
  EpisodeBook again(2);
  for (const auto& [key, value] : stored) EXPECT_TRUE(again.restore(key, value));
  EXPECT_EQ(again.size(), 1U);
  EXPECT_EQ(again.take_out("c"), 4);
  EXPECT_FALSE(again.restore("d", "no such form"));
}

}  // namespace episode_book_test
}  // namespace tocsin
