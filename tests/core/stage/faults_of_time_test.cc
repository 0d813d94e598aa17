// Faults of the log's time: a partition without records, and a backlog that is read long after it was written.

#include <gtest/gtest.h>

#include <map>

#include "core/sanitize/shipped_patterns.h"
#include "core/stage/evaluate_stage.h"
#include "core/stage/ingest_stage.h"
#include "core/test_support.h"

namespace tocsin {
namespace faults_of_time_test {

using namespace std::chrono_literals;
using test::at;
using test::text_at;

class FaultOfTime : public testing::Test {
 protected:
  void use(std::int32_t partitions) {
    for (std::int32_t p = 0; p < partitions; ++p) ingest.push_back(make(p));
    EvaluateOptions options;
    options.source_partitions = partitions;
    evaluate = std::make_unique<EvaluatePartition>(options, rules);
  }
  std::unique_ptr<IngestPartition> make(std::int32_t partition) const {
    IngestOptions options;
    options.partition = partition;
    return std::make_unique<IngestPartition>(options, rules, test::shipped_patterns(),
                                             Fingerprinter(std::vector<unsigned char>(32, 7)));
  }
  void apply(std::size_t partition, Duration time, const std::string& type, const std::string& task) {
    const std::string json = R"({"type":")" + type + R"(","time":")" + text_at(time) + R"(","correlation_id":")" +
                             task + R"(","env":"prod","agent":"support"})";
    ingest[partition]->apply({task, json, at(time), offset++}, out);
    pass_on();
  }
  void close(std::size_t partition, Duration until) {
    ingest[partition]->close_until(at(until), out);
    pass_on();
  }
  void pass_on() {
    for (Cut& cut : out.cuts) evaluate->apply(std::move(cut.block), changes);
    out.clear();
  }
  std::vector<std::string> texts(const std::string& alert) const {
    std::vector<std::string> list;
    for (const AlertChange& change : changes) {
      if (change.alert != alert) continue;
      list.push_back(change.alert + (change.firing ? " firing @" : " resolved @") + to_text(change.at - at(0s)));
    }
    return list;
  }

  std::shared_ptr<const RuleSet> rules = test::rules_from(
      "groups: [{name: g, rules: [{alert: Calls, from: tool.call, value: count(), window: 5m, when: value >= 20}, "
      "{alert: Over, mode: task, when: elapsed > 10m, expire: 24h}]}]");
  std::vector<std::unique_ptr<IngestPartition>> ingest;
  std::unique_ptr<EvaluatePartition> evaluate;
  IngestOutput out;
  std::vector<AlertChange> changes;
  std::int64_t offset = 0;
};

using Texts = std::vector<std::string>;

TEST_F(FaultOfTime, F32_APartitionThatIsIdleForAnHourHoldsNothingUp) {
  use(2);
  apply(0, 0s, "step", "first");
  apply(1, 0s, "step", "first");
  // A call every 10 s in the one, for half an hour; nothing at all in the other, which the clock closes.
  for (Duration time = 5s; time < 1h; time += 10s) {
    if (time < 30min) {
      apply(0, time, "tool.call", "busy");
    } else {
      close(0, time);
    }
    close(1, time);
    if (time > 10s) {
      EXPECT_GE(evaluate->evaluated() + 10s, at(time - 10s));
    }
  }
  EXPECT_EQ(texts("Calls"), (Texts{"Calls firing @3m20s", "Calls resolved @32m"}));
  // It goes on at once where it has something again.
  apply(1, 1h + 1s, "tool.call", "late");
  close(0, 1h + 10s);
  close(1, 1h + 10s);
  EXPECT_EQ(evaluate->evaluated(), at(1h + 10s));
}

TEST_F(FaultOfTime, F32_WhereNobodyKnowsThatItIsIdleNothingIsDecidedAndNothingResolves) {
  use(2);
  apply(0, 0s, "step", "first");
  apply(1, 0s, "step", "first");
  for (Duration time = 5s; time < 5min; time += 10s) {
    apply(0, time, "tool.call", "busy");
    close(1, time);
  }
  ASSERT_EQ(texts("Calls"), Texts{"Calls firing @3m20s"});
  const RecordTime stood = evaluate->evaluated();
  close(0, 1h);
  EXPECT_LE(evaluate->evaluated(), stood + 20s);
  EXPECT_EQ(texts("Calls").size(), 1U);
  // Its owner is back: every grid time that was missed is evaluated, and in order.
  close(1, 1h);
  EXPECT_EQ(evaluate->evaluated(), at(1h));
  EXPECT_EQ(texts("Calls").back(), "Calls resolved @7m");
}

TEST_F(FaultOfTime, F33_ABacklogOfTwoHoursRaisesNoDeadlineThatHadBeenKept) {
  use(1);
  // A task every 10 s that takes nine minutes of its ten, one that takes eleven, and one that is still running: all
  // of it is read at once, two hours later. Ends lie behind starts of later tasks, as they would.
  std::multimap<Duration, std::pair<std::string, std::string>> events;
  for (int i = 0; i < 660; ++i) {
    const Duration start = i * 10s;
    const std::string task = "t" + std::to_string(i);
    events.emplace(start, std::pair("task.started", task));
    if (i == 330) continue;
    events.emplace(start + (i == 300 ? 11min : 9min), std::pair("task.finished", task));
  }
  for (const auto& [time, event] : events) apply(0, time, event.first, event.second);
  close(0, 2h);
  std::vector<std::string> fired;
  for (const AlertChange& change : changes) {
    if (change.firing) fired.push_back(change.examples.at(0).correlation_id + " @" + to_text(change.at - at(0s)));
  }
  EXPECT_EQ(fired, (Texts{"t300 @1h10s", "t330 @1h5m10s"}));
}

TEST_F(FaultOfTime, F33_NorDoesOneThatIsReadByTwoProcessesInTurn) {
  use(1);
  for (int i = 0; i < 200; ++i) apply(0, i * 1s, "task.started", "t" + std::to_string(i));
  close(0, 4min);
  std::vector<StateRecord> records;
  ingest[0]->take_changes(records);
  const std::string position = ingest[0]->position();
  ingest[0] = make(0);
  for (const StateRecord& record : records) ASSERT_TRUE(ingest[0]->restore(record.key, record.value));
  ASSERT_TRUE(ingest[0]->resume(position, offset));
  for (int i = 0; i < 200; ++i) apply(0, 5min + i * 1s, "task.finished", "t" + std::to_string(i));
  close(0, 2h);
  EXPECT_EQ(texts("Over"), Texts{});
}

}  // namespace faults_of_time_test
}  // namespace tocsin
