// The log in memory keeps what somebody still has to read, the last of each key, and not more than it may.

#include "edge/memory/memory_log.h"

#include <gtest/gtest.h>

#include <thread>

#include "edge/clock/system_clock.h"

namespace tocsin {
namespace memory_log_test {

using namespace std::chrono_literals;

const SystemClock machine_clock;

std::vector<LogRecord> all(MemoryLog& log, Topic topic, std::int64_t from = 0) {
  std::vector<LogRecord> records;
  log.fetch(topic, 0, from, 1'000'000, records);
  return records;
}

TEST(MemoryLog, GivesRecordsInOrderWithTheirOffsets) {
  MemoryLog log({}, machine_clock);
  ASSERT_TRUE(log.append({{Topic::outbox, 0, "a", "1"}, {Topic::outbox, 0, "b", "2"}}));
  const auto records = all(log, Topic::outbox);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[1].offset, 1);
  EXPECT_EQ(records[1].value, "2");
  EXPECT_EQ(log.end(Topic::outbox, 0), 2);
}

TEST(MemoryLog, KeepsTheLastRecordOfEachKeyOfTheHalts) {
  MemoryLog log({}, machine_clock);
  for (int i = 0; i < 5; ++i) log.append({{Topic::halts, 0, "halt/a", std::to_string(i)}});
  log.append({{Topic::halts, 0, "halt/b", "x"}});
  const auto records = all(log, Topic::halts);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].value, "4");
  EXPECT_EQ(records[0].offset, 4);
}

TEST(MemoryLog, KeepsTheLastRecordOfEachSilence) {
  MemoryLog log({}, machine_clock);
  for (int i = 0; i < 3; ++i) log.append({{Topic::silences, 0, "silence/a", std::to_string(i)}});
  const auto records = all(log, Topic::silences);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].value, "2");
}

TEST(MemoryLog, RefusesEventsThatNobodyReadsBeyondItsBound) {
  MemoryLog::Options options;
  options.most_source_bytes = 4'096;
  MemoryLog log(options, machine_clock);
  const std::string event(1'000, 'x');
  EXPECT_TRUE(log.append({{Topic::source, 0, "k", event}}));
  EXPECT_TRUE(log.append({{Topic::source, 0, "k", event}}));
  EXPECT_TRUE(log.append({{Topic::source, 0, "k", event}}));
  EXPECT_FALSE(log.append({{Topic::source, 0, "k", event}})) << "full: to be tried again";
  log.commit({}, {{"ingest", Topic::source, 0, 2}});
  EXPECT_TRUE(log.append({{Topic::source, 0, "k", event}})) << "what was read made room";
  EXPECT_EQ(all(log, Topic::source).front().offset, 2);
}

TEST(MemoryLog, KeepsPagesUntilTheirReaderHasThem) {
  MemoryLog::Options options;
  options.kept_records = 10;
  MemoryLog log(options, machine_clock);
  log.keep_for(Topic::outbox, "deliver/a");
  for (int i = 0; i < 50; ++i) log.append({{Topic::outbox, 0, "k", std::to_string(i)}});
  EXPECT_EQ(all(log, Topic::outbox).size(), 50u);
  log.commit({}, {{"deliver/a", Topic::outbox, 0, 50}});
  EXPECT_EQ(all(log, Topic::outbox).size(), 10u);
}

TEST(MemoryLog, AnOffsetOfAnotherLogBeginsAnew) {
  MemoryLog log({}, machine_clock);
  log.append({{Topic::halts, 0, "a", "1"}});
  std::vector<LogRecord> records;
  EXPECT_EQ(log.fetch(Topic::halts, 0, 77, 10, records), 0);
  EXPECT_TRUE(records.empty());
}

TEST(MemoryLog, WakesWhoWaitsWhenSomethingIsAppended) {
  MemoryLog log({}, machine_clock);
  const std::uint64_t seen = log.wait(0, 0ms);
  std::jthread other([&] { log.append({{Topic::events, 0, {}, "x"}}); });
  std::uint64_t now = seen;
  for (int i = 0; i < 100 && now == seen; ++i) now = log.wait(seen, 100ms);
  EXPECT_NE(now, seen);
}

}  // namespace memory_log_test
}  // namespace tocsin
