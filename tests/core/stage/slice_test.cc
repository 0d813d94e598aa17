#include "core/stage/slice.h"

#include <gtest/gtest.h>

#include <map>

#include "base/hash.h"
#include "core/test_support.h"

namespace tocsin {
namespace slice_test {

using test::rules_from;

EventFields step(std::string_view agent, std::int64_t cost, std::string_view task = "t") {
  EventFields event;
  event.type = EventType::step;
  event.set(StringField::env, "prod");
  event.set(StringField::agent, agent);
  event.set(StringField::correlation_id, task);
  event.set(NumberField::cost, cost);
  return event;
}

constexpr std::string_view one_sum =
    "groups: [{name: g, rules: [{alert: A, from: step, value: sum(cost), window: 1h, when: value > 1}]}]";

std::vector<std::string> cells_of(Slice& slice) {
  Block block;
  slice.close(block);
  std::vector<std::string> list;
  for (const Cell& cell : block.cells) {
    std::string group = cell.group;
    for (char& c : group) c = c == '\0' ? '/' : c;
    list.push_back(std::to_string(cell.aggregate) + " " + group + " " + std::to_string(cell.totals.sum) + "/" +
                   std::to_string(cell.totals.count));
  }
  return list;
}
using Cells = std::vector<std::string>;

TEST(Slice, AddsUpByGroupAndBeginsAnewAfterItsClose) {
  const auto rules = rules_from(one_sum);
  Slice slice(*rules, 100);
  slice.add(step("b", 5));
  slice.add(step("a", 1));
  slice.add(step("b", 7));
  EXPECT_EQ(cells_of(slice), (Cells{"0 prod/a 1/1", "0 prod/b 12/2"}));
  EXPECT_EQ(cells_of(slice), Cells{});
  slice.add(step("b", 2));
  EXPECT_EQ(cells_of(slice), Cells{"0 prod/b 2/1"});
}

TEST(Slice, AnAbsentNumberIsNoSampleAndZeroIsOne) {
  const auto rules = rules_from(one_sum);
  Slice slice(*rules, 100);
  EventFields silent = step("a", 0);
  silent.numbers_present = 0;
  slice.add(silent);
  EXPECT_EQ(cells_of(slice), Cells{});
  slice.add(step("a", 0));
  EXPECT_EQ(cells_of(slice), Cells{"0 prod/a 0/1"});
}

TEST(Slice, SumsBeyondTheirRangeStayAtItsEnd) {
  const auto rules = rules_from(one_sum);
  Slice slice(*rules, 100);
  for (int i = 0; i < 10'000; ++i) slice.add(step("a", largest_number));
  Block block;
  slice.close(block);
  ASSERT_EQ(block.cells.size(), 1u);
  EXPECT_EQ(block.cells[0].totals, (Totals{INT64_MAX, 10'000}));
  ASSERT_EQ(block.cells[0].examples.size(), 1u);
  EXPECT_EQ(block.cells[0].examples[0].amount, INT64_MAX);
}

TEST(Slice, AnEventWithoutALabelHasNoGroupButEnvMayBeAbsent) {
  const auto rules = rules_from(one_sum);
  Slice slice(*rules, 100);
  EventFields nobody;
  nobody.type = EventType::step;
  nobody.set(NumberField::cost, 1);
  EXPECT_EQ(slice.add(nobody), 1);
  nobody.set(StringField::agent, "a");
  EXPECT_EQ(slice.add(nobody), 0);
  EXPECT_EQ(cells_of(slice), Cells{"0 /a 1/1"});
}

TEST(Slice, GroupsWhoseLabelsRunIntoEachOtherAreToldApart) {
  const auto rules = rules_from(one_sum);
  Slice slice(*rules, 100);
  EventFields one = step("c", 1), two = step("bc", 1);
  one.set(StringField::env, "ab");
  two.set(StringField::env, "a");
  slice.add(one);
  slice.add(two);
  EXPECT_EQ(cells_of(slice).size(), 2u);
}

TEST(Slice, WhereSelectsByLabelsAndByTheEventsOwnFields) {
  const auto rules = rules_from(R"(
groups: [{name: g, rules: [{alert: A, from: tool.call, where: 'agent == "a" && authz in ["refused"]', value: count(), window: 1h, when: value > 1}]}]
)");
  Slice slice(*rules, 100);
  for (const char* agent : {"a", "b"}) {
    for (const Authz authz : {Authz::refused, Authz::passed, Authz::absent}) {
      EventFields call = step(agent, 0);
      call.type = EventType::tool_call;
      call.set(EnumField::authz, static_cast<std::uint8_t>(authz));
      slice.add(call);
    }
  }
  slice.add(step("a", 0));
  EXPECT_EQ(cells_of(slice), Cells{"0 prod/a 0/1"});
}

TEST(Slice, GroupsBeyondTheCapGoIntoOverflowAndAreCounted) {
  const auto rules = rules_from(one_sum);
  Slice slice(*rules, 2);
  for (int round = 0; round < 2; ++round) {
    for (const char* agent : {"a", "b", "c", "d"}) slice.add(step(agent, 1));
  }
  Block block;
  slice.close(block);
  ASSERT_EQ(block.cells.size(), 3u);
  EXPECT_EQ(block.cells[0].group, "_overflow");
  EXPECT_EQ(block.cells[0].totals, (Totals{4, 4}));
  EXPECT_EQ(block.groups_over_cap, 4);
  EXPECT_LE(slice.groups(), 3u) << "known groups keep their place, and nothing grows";
}

TEST(Slice, KeepsTheTasksThatContributedMost) {
  const auto rules = rules_from(one_sum);
  Slice slice(*rules, 100);
  for (int i = 1; i <= 9; ++i) slice.add(step("a", i, "t" + std::to_string(i)));
  slice.add(step("a", 20, "t8"));
  Block block;
  slice.close(block);
  std::map<std::string, std::int64_t> examples;
  for (const Example& example : block.cells[0].examples) examples[example.correlation_id] = example.amount;
  EXPECT_EQ(examples, (std::map<std::string, std::int64_t>{{"t7", 7}, {"t8", 28}, {"t9", 9}}));
}

TEST(Slice, DifferentValuesAreCountedOnce) {
  const auto rules = rules_from(
      "groups: [{name: g, rules: [{alert: A, from: step, value: distinct(correlation_id), window: 1h, when: value > "
      "1}]}]");
  Slice slice(*rules, 100);
  for (const char* task : {"t1", "t2", "t1"}) slice.add(step("a", 1, task));
  Block block;
  slice.close(block);
  EXPECT_EQ(block.cells[0].distinct.count(), 2);
  slice.add(step("a", 1, "t3"));
  Block next;
  slice.close(next);
  EXPECT_EQ(next.cells[0].distinct.count(), 1) << "nothing stays from the slice before";
}

TEST(Slice, AddsWhatAMapAddsOverRandomEvents) {
  for (const std::uint64_t seed : test::seeds(10)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    test::Random random(seed);
    const auto rules = rules_from(one_sum);
    Slice slice(*rules, 10'000);
    for (int round = 0; round < 5; ++round) {
      std::map<std::string, Totals> model;
      for (int i = 0; i < 3'000; ++i) {
        const std::string agent = "agent" + std::to_string(random.below(700));
        const std::int64_t cost = random.below(1'000);
        slice.add(step(agent, cost));
        Totals& totals = model["prod/" + agent];
        totals.sum += cost;
        ++totals.count;
      }
      Cells expected;
      for (const auto& [group, totals] : model) {
        expected.push_back("0 " + group + " " + std::to_string(totals.sum) + "/" + std::to_string(totals.count));
      }
      ASSERT_EQ(cells_of(slice), expected);
    }
  }
}

}  // namespace slice_test
}  // namespace tocsin
