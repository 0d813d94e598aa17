// A source topic that gets more partitions while it is read: correlation ids move to other partitions.

#include <gtest/gtest.h>

#include "core/sanitize/shipped_patterns.h"
#include "core/stage/evaluate_stage.h"
#include "core/stage/ingest_stage.h"
#include "core/test_support.h"

namespace tocsin {
namespace added_partitions_test {

using namespace std::chrono_literals;
using test::at;
using test::text_at;

class AddedPartitions : public testing::Test {
 protected:
  std::unique_ptr<IngestPartition> make_ingest(std::int32_t partition) const {
    IngestOptions options;
    options.partition = partition;
    return std::make_unique<IngestPartition>(options, rules, test::shipped_patterns(),
                                             Fingerprinter(std::vector<unsigned char>(32, 7)));
  }
  std::unique_ptr<EvaluatePartition> make_evaluate() const {
    EvaluateOptions options;
    options.source_partitions = 1;  // as the process saw it at its start
    options.keeps_state = true;
    return std::make_unique<EvaluatePartition>(options, rules);
  }
  void apply(IngestPartition& ingest, Duration time, const std::string& type, const std::string& task) {
    const std::string json = R"({"type":")" + type + R"(","time":")" + text_at(time) + R"(","correlation_id":")" +
                             task + R"(","env":"prod","agent":"support"})";
    ingest.apply({task, json, at(time), offset++}, out);
  }
  std::size_t overruns() const {
    std::size_t count = 0;
    for (const Cut& cut : out.cuts) count += cut.block.tasks.size();
    return count;
  }
  Block block(std::int32_t partition, Duration grid, std::int64_t count = 0) const {
    Block made;
    made.partition = partition;
    made.grid = at(grid);
    made.rule_set = rules->hash;
    if (count > 0) made.cells.push_back({0, GroupKey("prod\0support", 12), {0, count}, {}, {}});
    return made;
  }

  std::shared_ptr<const RuleSet> rules = test::rules_from(
      "groups: [{name: g, rules: [{alert: Calls, from: tool.call, value: count(), window: 5m, when: value >= 10}, "
      "{alert: Over, mode: task, when: elapsed > 5m, expire: 1h}]}]");
  IngestOutput out;
  std::int64_t offset = 0;
};

TEST_F(AddedPartitions, F23_OfTasksThatAreOpenAcrossTheChangeNoOverrunIsRaised) {
  auto ingest = make_ingest(0);
  apply(*ingest, 0s, "task.started", "across");
  apply(*ingest, 1min, "step", "across");
  ingest->lose_track();
  ingest->expect_moves_until(at(11min));
  apply(*ingest, 2min, "task.started", "of a producer that has not noticed");
  ingest->close_until(at(12min), out);
  EXPECT_EQ(overruns(), 0U);
  apply(*ingest, 12min, "task.started", "after");
  ingest->close_until(at(20min), out);
  EXPECT_EQ(overruns(), 1U) << "of the one that began after the change";
}

TEST_F(AddedPartitions, F23_ThatATaskWasOpenOutlivesTheProcess) {
  auto ingest = make_ingest(0);
  apply(*ingest, 0s, "task.started", "across");
  ingest->close_until(at(10s), out);
  std::vector<StateRecord> records;
  ingest->take_changes(records);
  ingest->lose_track();
  ingest->close_until(at(20s), out);
  ingest->take_changes(records);
  auto again = make_ingest(0);
  for (const StateRecord& record : records) ASSERT_TRUE(again->restore(record.key, record.value));
  ASSERT_TRUE(again->resume(ingest->position(), offset));
  out.clear();
  again->close_until(at(20min), out);
  EXPECT_EQ(out.cuts.size(), 118U);
  EXPECT_EQ(overruns(), 0U);
}

TEST_F(AddedPartitions, F23_AnAddedOneBeginsAtAGridTimeAheadAndSaysSo) {
  auto ingest = make_ingest(1);
  ingest->begin_at(at(20s), out);
  ASSERT_EQ(out.cuts.size(), 1U);
  EXPECT_EQ(out.cuts[0].block.grid, at(20s));
  EXPECT_TRUE(out.cuts[0].block.cells.empty());
  for (int i = 0; i < 10; ++i) apply(*ingest, 1s, "tool.call", "t");  // written before it was read
  ingest->close_until(at(30s), out);
  ASSERT_EQ(out.cuts.size(), 2U);
  EXPECT_EQ(out.cuts[1].block.grid, at(30s));
  EXPECT_EQ(out.cuts[1].block.records, 10);
}

TEST_F(AddedPartitions, F23_EvaluateWaitsForAnAddedOneFromItsFirstBlockOn) {
  auto evaluate = make_evaluate();
  std::vector<AlertChange> changes;
  evaluate->apply(block(0, 10s, 5), changes);
  EXPECT_EQ(evaluate->evaluated(), at(10s));
  evaluate->apply(block(1, 20s), changes);
  evaluate->apply(block(0, 20s), changes);
  EXPECT_EQ(evaluate->evaluated(), at(20s));
  evaluate->apply(block(0, 30s), changes);
  EXPECT_EQ(evaluate->evaluated(), at(20s)) << "the added one may have counted";

  // Who goes on from here knows of it, however many partitions it was told of.
  std::vector<StateRecord> records;
  evaluate->take_changes(records);
  const std::string position = evaluate->position();
  evaluate = make_evaluate();
  for (const StateRecord& record : records) ASSERT_TRUE(evaluate->restore(record.key, record.value));
  ASSERT_TRUE(evaluate->begin_resume(position));
  evaluate->resume(block(0, 10s, 5));
  evaluate->resume(block(1, 20s));
  evaluate->resume(block(0, 20s));
  evaluate->resume(block(0, 30s));
  evaluate->end_resume(changes);
  EXPECT_EQ(evaluate->evaluated(), at(20s));
  EXPECT_TRUE(changes.empty());
  evaluate->apply(block(1, 30s, 5), changes);
  EXPECT_EQ(evaluate->evaluated(), at(30s));
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].alert, "Calls");
}

TEST_F(AddedPartitions, F23_AnAddedOneIsNotWaitedForBeforeItSaysAnything) {
  // A process that was restarted counts two partitions; who reads the second one is not restarted yet.
  EvaluateOptions options;
  options.source_partitions = 1;
  options.keeps_state = true;
  auto evaluate = std::make_unique<EvaluatePartition>(options, rules);
  std::vector<AlertChange> changes;
  evaluate->apply(block(0, 10s), changes);
  std::vector<StateRecord> records;
  evaluate->take_changes(records);
  const std::string position = evaluate->position();
  options.source_partitions = 2;
  evaluate = std::make_unique<EvaluatePartition>(options, rules);
  for (const StateRecord& record : records) ASSERT_TRUE(evaluate->restore(record.key, record.value));
  ASSERT_TRUE(evaluate->begin_resume(position));
  evaluate->end_resume(changes);
  evaluate->apply(block(0, 20s), changes);
  EXPECT_EQ(evaluate->evaluated(), at(20s));
}

}  // namespace added_partitions_test
}  // namespace tocsin
