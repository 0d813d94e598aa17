#include "core/task/task_table.h"

#include <gtest/gtest.h>

#include <map>

#include "core/test_support.h"

namespace tocsin {
namespace task_table_test {

using test::Random;

TEST(TaskTable, FindsATaskByItsCorrelationIdAlone) {
  TaskTable table(10);
  // The same hash, as two of a billion ids have: the id itself decides.
  const auto first = table.add(5, "a");
  const auto second = table.add(5, "b");
  EXPECT_EQ(table.find(5, "a"), first);
  EXPECT_EQ(table.find(5, "b"), second);
  EXPECT_EQ(table.find(5, "c"), TaskTable::none);
}

TEST(TaskTable, AFullTableTakesNoMoreAndHasRoomAgainAfterARemoval) {
  TaskTable table(2);
  const auto first = table.add(1, "a");
  table.add(2, "b");
  EXPECT_EQ(table.add(3, "c"), TaskTable::none);
  table.remove(first);
  EXPECT_NE(table.add(3, "c"), TaskTable::none);
}

TEST(TaskTable, AReusedSlotRemembersNothingOfTheTaskBefore) {
  TaskTable table(1);
  auto slot = table.add(1, "a");
  Task& task = table[slot];
  task.fields[1] = "support";
  task.ended = EventTime{Duration{5}};
  task.paused = EventTime{Duration{4}};
  task.paused_for = Duration{3};
  task.wall_clock = Duration{2};
  task.fired_rules = 7;
  task.saw_start = true;
  table.remove(slot);
  slot = table.add(2, "b");
  const Task& next = table[slot];
  EXPECT_EQ(next.correlation_id, "b");
  EXPECT_EQ(next.field(StringField::agent), "");
  EXPECT_FALSE(next.ended || next.paused || next.wall_clock || next.saw_start);
  EXPECT_EQ(next.fired_rules, 0u);
  EXPECT_EQ(next.paused_for, Duration{0});
}

TEST(TaskTable, DoesWhatAMapDoesOverRandomSequences) {
  for (const std::uint64_t seed : test::seeds(30)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    Random random(seed);
    TaskTable table(150);
    std::map<std::string, TaskTable::Slot> model;
    for (int step = 0; step < 4'000; ++step) {
      const std::int64_t number = random.below(250);
      const std::string id = "task-" + std::to_string(number);
      // Few different hashes, so that runs are long and removals have holes to close.
      const auto hash = static_cast<std::uint64_t>(number % 23);
      const auto known = model.find(id);
      ASSERT_EQ(table.find(hash, id), known == model.end() ? TaskTable::none : known->second);
      if (known != model.end()) {
        if (random.below(2) == 0) {
          table.remove(known->second);
          model.erase(known);
        }
      } else {
        const auto slot = table.add(hash, id);
        ASSERT_EQ(slot == TaskTable::none, model.size() >= 150);
        if (slot != TaskTable::none) model[id] = slot;
      }
      ASSERT_EQ(table.size(), model.size());
    }
    for (const auto& [id, slot] : model) EXPECT_EQ(table[slot].correlation_id, id);
  }
}

TEST(Task, ElapsedLeavesPausesOutAndIsNeverNegative) {
  using namespace std::chrono_literals;
  Task task;
  task.started = test::event_at(0s);
  EXPECT_EQ(task.elapsed(test::event_at(90s)), 90s);
  task.paused_for = 30s;
  EXPECT_EQ(task.elapsed(test::event_at(90s)), 60s);
  task.paused = test::event_at(50s);
  EXPECT_EQ(task.elapsed(test::event_at(90s)), 20s) << "time stands still while it pauses";
  EXPECT_EQ(task.elapsed(test::event_at(-90s)), 0s);
}

}  // namespace task_table_test
}  // namespace tocsin
