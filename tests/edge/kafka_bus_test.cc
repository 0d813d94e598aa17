// The Kafka bus against a real broker, which tests/kafka/bus_test.py starts; skipped where there is none.

#include "edge/kafka/kafka_bus.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace tocsin {
namespace kafka_bus_test {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

class KafkaBus : public testing::Test {
 protected:
  void SetUp() override {
    const char* const address = std::getenv("TOCSIN_TEST_KAFKA");
    const char* const prefix = std::getenv("TOCSIN_TEST_KAFKA_PREFIX");
    if (address == nullptr || prefix == nullptr) GTEST_SKIP() << "no broker: run tests/kafka/bus_test.py";
    const std::string test = testing::UnitTest::GetInstance()->current_test_info()->name();
    KafkaSettings settings;
    settings.properties["bootstrap.servers"] = address;
    settings.topic_prefix = settings.group_prefix = prefix + test + ".";
    settings.sources = {settings.topic_prefix + "telemetry"};
    settings.session_timeout = 6s;
    TopicNames names(settings);
    names.set_source_partitions(0, 2);
    names.set_partitions(Topic::blocks, 2);
    names.set_partitions(Topic::halts, 2);
    auto started = tocsin::KafkaBus::start(settings, names, [](LogLevel, const std::string&) {});
    ASSERT_TRUE(started);
    bus = std::move(started.value());
    // The broker makes topics when somebody first writes to them.
    for (const Topic topic : {Topic::source, Topic::blocks, Topic::halts}) write(topic, 1, "made", "x");
  }

  void write(Topic topic, std::int32_t partition, const std::string& key, const std::string& value) {
    bus->send({topic, partition, key, value}, in_flight);
    for (const auto until = Steady::now() + 30s; in_flight.records > 0;) {
      ASSERT_LT(Steady::now(), until) << "not acknowledged";
      std::this_thread::sleep_for(1ms);
    }
  }

  std::unique_ptr<Member> join(const std::string& name) {
    for (const auto until = Steady::now() + 30s; Steady::now() < until;) {
      auto joined = bus->join("ingest", {Topic::source}, name);
      if (joined) return std::move(joined.value());
      std::this_thread::sleep_for(100ms);
    }
    return nullptr;
  }

  static std::vector<Assigned> wait_for_assignment(Member& member) {
    for (const auto until = Steady::now() + 40s; Steady::now() < until; member.wait(100ms)) {
      member.serve();
      if (auto assigned = member.take_assignment(); assigned && !assigned->empty()) return *assigned;
    }
    return {};
  }

  static std::vector<std::string> read(Member& member, TopicPartition from, std::size_t count) {
    std::vector<std::string> values;
    for (const auto until = Steady::now() + 20s; values.size() < count && Steady::now() < until; member.wait(50ms)) {
      member.serve();
      member.read(from, 100, [&](const BusRecord& record) { values.emplace_back(record.value); });
    }
    return values;
  }

  std::vector<std::string> all_of(TopicPartition of) {
    std::vector<std::string> values;
    const auto outcome = bus->read_to_end(
        of, 0, [&](const BusRecord& record) { values.emplace_back(record.value); }, [] { return true; });
    EXPECT_EQ(outcome, ReadOutcome::complete);
    return values;
  }

  InFlight in_flight;
  std::unique_ptr<tocsin::KafkaBus> bus;
};

TEST_F(KafkaBus, ATransactionHoldsRecordsAndThePositionWithItsMetadata) {
  for (const char* value : {"a", "b", "c"}) write(Topic::source, 0, "t", value);
  {
    const auto member = join("one");
    ASSERT_TRUE(member);
    const auto assigned = wait_for_assignment(*member);
    ASSERT_EQ(assigned.size(), 2U);
    EXPECT_FALSE(assigned[0].next_offset);
    EXPECT_EQ(read(*member, {Topic::source, 0}, 3), (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_EQ(member->reached({Topic::source, 0}), 3);
    member->send({Topic::blocks, 0, "0", "block"});
    ASSERT_TRUE(member->commit({{{Topic::source, 0}, 2, "1 2 3"}})) << member->lost().value_or("");
    EXPECT_EQ(all_of({Topic::blocks, 0}), std::vector<std::string>{"block"});
  }
  const auto member = join("one");
  ASSERT_TRUE(member);
  const auto assigned = wait_for_assignment(*member);
  ASSERT_EQ(assigned.size(), 2U);
  EXPECT_EQ(assigned[0].next_offset, 2);
  EXPECT_EQ(assigned[0].metadata, "1 2 3");
  EXPECT_EQ(read(*member, {Topic::source, 0}, 1), std::vector<std::string>{"c"});
}

TEST_F(KafkaBus, AMemberWhoseNameWasTakenOverCommitsNothing) {
  write(Topic::source, 0, "t", "a");
  const auto old = join("one");
  ASSERT_TRUE(old);
  ASSERT_FALSE(wait_for_assignment(*old).empty());
  old->send({Topic::blocks, 0, "0", "of the old one"});
  const auto young = join("one");
  ASSERT_TRUE(young);
  EXPECT_FALSE(old->commit({{{Topic::source, 0}, 1, {}}}));
  EXPECT_TRUE(old->lost());
  EXPECT_TRUE(all_of({Topic::blocks, 0}).empty());
}

TEST_F(KafkaBus, AnOpenTransactionIsWaitedForAndAnAbortedOneIsNotSeen) {
  write(Topic::source, 0, "t", "a");
  {
    const auto member = join("one");
    ASSERT_TRUE(member);
    ASSERT_FALSE(wait_for_assignment(*member).empty());
    member->send({Topic::blocks, 0, "0", "never committed"});
  }
  const auto next = join("one");  // ends what the first one left open
  ASSERT_TRUE(next);
  write(Topic::blocks, 0, "0", "after it");
  EXPECT_EQ(all_of({Topic::blocks, 0}), std::vector<std::string>{"after it"});
}

TEST_F(KafkaBus, TellsWherePartitionsEndAndFollowsATopicWithoutAGroup) {
  const auto tail = bus->tail({Topic::halts});
  write(Topic::halts, 0, "halt/task:t/1", "{}");
  const std::vector<TopicPartition> asked{{Topic::halts, 0}, {Topic::halts, 1}};
  const auto ends = bus->ends(asked);
  ASSERT_TRUE(ends);
  EXPECT_EQ(*ends, (std::vector<std::int64_t>{1, 1}));
  std::vector<std::string> keys;
  for (const auto until = Steady::now() + 20s; keys.size() < 2 && Steady::now() < until;) {
    tail->read([&](const BusRecord& record) { keys.emplace_back(record.key); }, 100ms);
  }
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(keys, (std::vector<std::string>{"halt/task:t/1", "made"}));
  EXPECT_TRUE(tail->caught_up());
}

TEST(KafkaSettings, EveryFaultOfAPersonsPropertiesIsNamedAndNoSecretIsQuoted) {
  const auto problems = check_properties({{"bootstrap.servers", "broker:9092"},
                                          {"no.such.property", "x"},
                                          {"acks", "1"},
                                          {"socket.timeout.ms", "soon"}});
  ASSERT_EQ(problems.size(), 3U);
  EXPECT_NE(problems[0].find("'acks'"), std::string::npos);
  EXPECT_NE(problems[1].find("'no.such.property'"), std::string::npos);
  EXPECT_NE(problems[2].find("socket.timeout.ms"), std::string::npos);
  EXPECT_TRUE(is_secret_property("sasl.password"));
}

TEST(KafkaSettings, PartitionsOfSeveralSourcesAreNumberedThrough) {
  KafkaSettings settings;
  settings.sources = {"spans", "logs"};
  settings.topic_prefix = "eu.";
  TopicNames names(settings);
  names.set_source_partitions(0, 3);
  names.set_source_partitions(1, 2);
  EXPECT_EQ(names.partitions(Topic::source), 5);
  const auto [name, number] = names.native({Topic::source, 3});
  EXPECT_EQ(*name, "logs");
  EXPECT_EQ(number, 0);
  EXPECT_EQ(names.known("logs", 1), (TopicPartition{Topic::source, 4}));
  EXPECT_FALSE(names.known("logs", 2));
  EXPECT_EQ(names.known("eu.blocks", 7), (TopicPartition{Topic::blocks, 7}));
}

}  // namespace kafka_bus_test
}  // namespace tocsin
