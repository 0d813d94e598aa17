#include "core/halt/halt_book.h"

#include <gtest/gtest.h>

#include "core/test_support.h"

namespace tocsin {
namespace halt_book_test {

using namespace std::chrono_literals;
using test::event_at;

HaltRecord halt(const std::string& id, const std::string& scope, HaltState state = HaltState::enforced,
                Duration first = 0s) {
  HaltRecord record;
  record.id = id;
  record.scope = scope;
  record.state = state;
  record.first_at = record.last_at = event_at(first);
  record.expires_at = event_at(first + 168h);
  return record;
}

void put(HaltBook& book, const HaltRecord& record) {
  ASSERT_TRUE(book.apply(record.key(), to_json(record)));
}
void release(HaltBook& book, const std::string& id, const std::string& scope) {
  const HaltRelease record{id, scope, "ann", "checked", event_at(1h)};
  ASSERT_TRUE(book.apply(record.key(), to_json(record)));
}

TEST(HaltBook, AScopeIsHaltedWhileOneOfItsHaltsHasNoRelease) {
  HaltBook book;
  EXPECT_FALSE(book.is_halted("task:1", event_at(0s)));
  put(book, halt("a", "task:1"));
  put(book, halt("b", "task:1"));
  EXPECT_TRUE(book.is_halted("task:1", event_at(1s)));
  EXPECT_FALSE(book.is_halted("task:11", event_at(1s)));
  release(book, "a", "task:1");
  EXPECT_TRUE(book.is_halted("task:1", event_at(1s))) << "b is still out";
  EXPECT_EQ(book.unreleased("task:1").size(), 1u);
  release(book, "b", "task:1");
  EXPECT_FALSE(book.is_halted("task:1", event_at(1s)));
}

TEST(HaltBook, ARepeatedArrivalUndoesNoRelease) {
  HaltBook book;
  put(book, halt("a", "task:1"));
  release(book, "a", "task:1");
  HaltRecord again = halt("a", "task:1");
  again.count = 9;
  put(book, again);
  EXPECT_FALSE(book.is_halted("task:1", event_at(1s)));
  ASSERT_EQ(book.items().size(), 1u);
  EXPECT_EQ(book.items()[0].halt.count, 9u);
  EXPECT_EQ(book.items()[0].release->by, "ann");
}

TEST(HaltBook, AReleaseThatIsReadBeforeItsHaltHolds) {
  HaltBook book;
  release(book, "a", "task:1");
  put(book, halt("a", "task:1"));
  EXPECT_FALSE(book.is_halted("task:1", event_at(1s)));
}

TEST(HaltBook, ADryRunAndAHeldHaltStopNobody) {
  HaltBook book;
  put(book, halt("a", "task:1", HaltState::dry_run));
  put(book, halt("b", "task:2", HaltState::held));
  EXPECT_FALSE(book.is_halted("task:1", event_at(1s)));
  EXPECT_FALSE(book.is_halted("task:2", event_at(1s)));
  EXPECT_EQ(book.unreleased("task:2").size(), 1u) << "and are there to be looked at";
}

TEST(HaltBook, AnExpiredHaltHoldsNobodyAndGetsTombstonesForItselfAndItsRelease) {
  HaltBook book;
  put(book, halt("a", "task:1"));
  put(book, halt("b", "task:2", HaltState::enforced, 1h));
  release(book, "a", "task:1");
  EXPECT_TRUE(book.is_halted("task:2", event_at(168h)));
  EXPECT_FALSE(book.is_halted("task:2", event_at(169h)));
  EXPECT_TRUE(book.expire(event_at(167h)).empty());
  EXPECT_EQ(book.expire(event_at(168h + 1min)), (std::vector<std::string>{"halt/task:1/a", "release/task:1/a"}));
  ASSERT_EQ(book.items().size(), 1u);
  EXPECT_TRUE(book.expire(event_at(168h + 1min)).empty()) << "once";
}

TEST(HaltBook, TombstonesTakeAwayWhatTheyName) {
  HaltBook book;
  put(book, halt("a", "task:1"));
  release(book, "a", "task:1");
  EXPECT_TRUE(book.apply("release/task:1/a", ""));
  EXPECT_TRUE(book.is_halted("task:1", event_at(1s)));
  EXPECT_TRUE(book.apply("halt/task:1/a", ""));
  EXPECT_TRUE(book.items().empty());
  EXPECT_TRUE(book.apply("halt/never/heard", ""));
}

TEST(HaltBook, WhatIsNoRecordOfOursChangesNothing) {
  HaltBook book;
  put(book, halt("a", "task:1"));
  EXPECT_FALSE(book.apply("halt/task:1/a", "junk"));
  EXPECT_FALSE(book.apply("halt/task:2/a", to_json(halt("a", "task:1")))) << "the key names another scope";
  EXPECT_FALSE(book.apply("halt/task:1/b", to_json(halt("a", "task:1")))) << "or another id";
  EXPECT_FALSE(book.apply("release/task:1/a", to_json(halt("a", "task:1"))));
  EXPECT_FALSE(book.apply("release/task:1/a", "{}"));
  EXPECT_FALSE(book.apply("", ""));
  EXPECT_FALSE(book.apply("ack/task:1/a", "{}"));
  EXPECT_TRUE(book.is_halted("task:1", event_at(1s)));
}

TEST(HaltBook, ItemsComeNewestFirst) {
  HaltBook book;
  put(book, halt("a", "task:1", HaltState::enforced, 1h));
  put(book, halt("b", "task:1", HaltState::enforced, 3h));
  put(book, halt("c", "task:2", HaltState::enforced, 2h));
  std::string order;
  for (const auto& item : book.items()) order += item.halt.id;
  EXPECT_EQ(order, "bca");
  EXPECT_EQ(book.of_scope("task:1").size(), 2u);
}

TEST(HaltBook, ScopesWithSlashesAreToldApart) {
  HaltBook book;
  put(book, halt("c", "task:a/b"));
  EXPECT_TRUE(book.is_halted("task:a/b", event_at(0s)));
  EXPECT_FALSE(book.is_halted("task:a", event_at(0s)));
}

}  // namespace halt_book_test
}  // namespace tocsin
