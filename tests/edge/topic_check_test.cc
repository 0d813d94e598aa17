#include "edge/kafka/topic_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace tocsin {
namespace topic_check_test {

KafkaSettings some_settings() {
  KafkaSettings settings;
  settings.properties["bootstrap.servers"] = "broker:9092";
  settings.sources = {"spans", "logs"};
  return settings;
}

// A cluster of three in which everything is as it should be.
ClusterView good_cluster(const KafkaSettings& settings) {
  ClusterView view;
  view.reachable = true;
  view.brokers = 3;
  const auto seen = [](std::int32_t partitions) {
    SeenTopic topic;
    topic.exists = true;
    topic.partitions = partitions;
    topic.replicas = 3;
    topic.settings.emplace();
    topic.may_read = topic.may_write = true;
    return topic;
  };
  view.topics["spans"] = seen(3);
  view.topics["logs"] = seen(2);
  PartitionCounts counts;
  counts.source = 5;
  const TopicNames names(settings);
  for (const TopicSpec& spec : topic_table()) {
    if (!is_used(spec, settings)) continue;
    const PlannedTopic plan = plan_topic(spec, names.name(spec.topic), counts, 3);
    SeenTopic& topic = view.topics[plan.name] = seen(plan.partitions);
    for (const auto& [name, value] : plan.settings) (*topic.settings)[name] = value;
  }
  return view;
}

class TopicCheck : public testing::Test {
 protected:
  TopicReport judge() { return judge_topics(settings, view); }
  SeenTopic& topic(const std::string& name) { return view.topics[name]; }
  // The only problem there is.
  TopicProblem problem() {
    const TopicReport report = judge();
    std::string all;
    for (const TopicProblem& each : report.problems) all += each.topic + ": " + each.text + "\n";
    EXPECT_EQ(report.problems.size(), 1U) << all;
    return report.problems.empty() ? TopicProblem{} : report.problems.front();
  }

  KafkaSettings settings = some_settings();
  ClusterView view = good_cluster(settings);
};

TEST_F(TopicCheck, AGoodClusterIsGoodAndItsCountsAreTaken) {
  const TopicReport report = judge();
  EXPECT_TRUE(report.is_good());
  EXPECT_TRUE(report.warnings.empty());
  EXPECT_TRUE(report.missing.empty());
  EXPECT_EQ(report.names.partitions(Topic::source), 5);
  EXPECT_EQ(report.names.partitions(Topic::blocks), 4);
  EXPECT_EQ(report.names.partitions(Topic::tasks), 6);
}

TEST_F(TopicCheck, WhoDoesNotAnswerIsNoFault) {
  view.reachable = false;
  const TopicReport report = judge();
  EXPECT_FALSE(report.reachable());
  EXPECT_FALSE(report.is_good());
  EXPECT_TRUE(report.problems.empty());
}

TEST_F(TopicCheck, EverythingThatIsMissingIsNamedAtOnce) {
  for (auto& [name, seen] : view.topics) seen = SeenTopic{};
  const TopicReport report = judge();
  EXPECT_EQ(report.problems.size(), 2 + topic_count - 5);  // of which two are telemetry, and three are not used here
  EXPECT_EQ(report.problems[0].mend,
            "kafka-topics.sh --bootstrap-server broker:9092 --create --topic spans --partitions 8 "
            "--replication-factor 3");
  // How many partitions these get is only known with the sources.
  const auto planned = [&](const std::string& name) {
    return std::any_of(report.missing.begin(), report.missing.end(),
                       [&](const auto& one) { return one.name == name; });
  };
  EXPECT_TRUE(planned("tocsin.blocks"));
  EXPECT_FALSE(planned("tocsin.tasks"));
  EXPECT_FALSE(planned("tocsin.events"));
}

TEST_F(TopicCheck, WhatIsCreatedFitsWhatIsThere) {
  topic("tocsin.blocks").partitions = 7;
  topic("tocsin.findings") = SeenTopic{};
  topic("tocsin.states").partitions = 7;
  topic("tocsin.tasks") = SeenTopic{};
  const TopicReport report = judge();
  ASSERT_EQ(report.missing.size(), 2U);
  EXPECT_EQ(report.missing[0].name, "tocsin.findings");
  EXPECT_EQ(report.missing[0].partitions, 7);
  EXPECT_EQ(report.missing[1].partitions, 6);
}

TEST_F(TopicCheck, PartitionsThatDoNotMatchAreNamed) {
  topic("tocsin.findings").partitions = 2;
  EXPECT_EQ(problem().topic, "tocsin.findings");
  EXPECT_EQ(problem().mend,
            "kafka-topics.sh --bootstrap-server broker:9092 --alter --topic tocsin.findings --partitions 4");
  topic("tocsin.findings").partitions = 4;

  topic("tocsin.outbox").partitions = 8;
  EXPECT_EQ(problem().topic, "tocsin.page-status");
  topic("tocsin.outbox").partitions = 4;

  topic("tocsin.tasks").partitions = 4;
  EXPECT_EQ(problem().topic, "tocsin.tasks");
  EXPECT_NE(problem().mend.find("--partitions 6"), std::string::npos);
  topic("tocsin.tasks").partitions = 5;
  EXPECT_TRUE(judge().is_good()) << "without a heartbeat nothing needs the sixth";
}

TEST_F(TopicCheck, WithAHeartbeatTasksNeedAPartitionMore) {
  settings.heartbeat = true;
  view = good_cluster(settings);
  const TopicReport report = judge();
  EXPECT_TRUE(report.is_good());
  EXPECT_EQ(report.names.partitions(Topic::source), 6);
  topic("tocsin.tasks").partitions = 5;
  EXPECT_EQ(problem().topic, "tocsin.tasks");
}

TEST_F(TopicCheck, WhatComesUnkeyedHasATopicOfOursAsItsSource) {
  settings.unkeyed = std::exchange(settings.sources, {"tocsin.keyed"});
  view = good_cluster(settings);
  (*topic("spans").settings)["message.timestamp.type"] = "LogAppendTime";
  const TopicReport report = judge();
  EXPECT_TRUE(report.is_good());
  EXPECT_EQ(report.names.partitions(Topic::source), 5);
  EXPECT_EQ(report.names.partitions(Topic::unkeyed), 5);
  const auto logs = report.names.known("logs", 1);
  ASSERT_TRUE(logs);
  EXPECT_EQ(logs->topic, Topic::unkeyed);
  EXPECT_EQ(*report.names.native(*logs).first, "logs");
  EXPECT_EQ(report.names.native(*logs).second, 1);
  EXPECT_FALSE(report.names.is_added(*logs));
  EXPECT_TRUE(report.names.is_added(*report.names.known("logs", 2))) << "read from its beginning";
  EXPECT_EQ(report.names.known("tocsin.keyed", 4), (TopicPartition{Topic::source, 4}));
  EXPECT_EQ(report.names.names_of({Topic::unkeyed}), (std::vector<std::string>{"spans", "logs"}));

  (*topic("tocsin.keyed").settings)["message.timestamp.type"] = "LogAppendTime";
  EXPECT_EQ(problem().topic, "tocsin.keyed");
  // Once it is there its partitions count, whatever becomes of the others.
  (*topic("tocsin.keyed").settings)["message.timestamp.type"] = "CreateTime";
  topic("spans").partitions = 30;
  EXPECT_TRUE(judge().is_good());
  EXPECT_EQ(judge().names.partitions(Topic::source), 5);
}

TEST_F(TopicCheck, ATopicOfOursForWhatComesUnkeyedIsMadeAsLargeAsThat) {
  settings.unkeyed = std::exchange(settings.sources, {"tocsin.keyed"});
  view = good_cluster(settings);
  topic("tocsin.keyed") = SeenTopic{};
  topic("tocsin.tasks") = SeenTopic{};
  const TopicReport report = judge();
  ASSERT_EQ(report.missing.size(), 2U);
  for (const PlannedTopic& one : report.missing) {
    const bool is_keyed = one.name == "tocsin.keyed";
    EXPECT_EQ(one.partitions, is_keyed ? 5 : 6) << one.name;
    const bool keeps_times = std::any_of(one.settings.begin(), one.settings.end(), [](const auto& setting) {
      return setting == std::pair<std::string, std::string>("message.timestamp.type", "CreateTime");
    });
    EXPECT_EQ(keeps_times, is_keyed);
  }
}

TEST_F(TopicCheck, ACleanupPolicyThatWouldLoseSomethingIsNamed) {
  (*topic("tocsin.tasks").settings)["cleanup.policy"] = "delete";
  EXPECT_EQ(problem().mend,
            "kafka-configs.sh --bootstrap-server broker:9092 --alter --entity-type topics --entity-name tocsin.tasks "
            "--add-config cleanup.policy=compact");
  (*topic("tocsin.tasks").settings)["cleanup.policy"] = "compact";
  (*topic("tocsin.page-status").settings)["cleanup.policy"] = "delete,compact";
  EXPECT_TRUE(judge().is_good()) << "the order does not matter";
  (*topic("tocsin.blocks").settings)["cleanup.policy"] = "compact";
  EXPECT_EQ(problem().topic, "tocsin.blocks");
}

TEST_F(TopicCheck, BlocksAreKeptFor26Hours) {
  (*topic("tocsin.blocks").settings)["retention.ms"] = std::to_string(26 * 3'600'000 - 1);
  EXPECT_EQ(problem().topic, "tocsin.blocks");
  EXPECT_NE(problem().text.find("1d2h"), std::string::npos) << problem().text;
  (*topic("tocsin.blocks").settings)["retention.ms"] = std::to_string(26 * 3'600'000);
  EXPECT_TRUE(judge().is_good());
  (*topic("tocsin.blocks").settings)["retention.ms"] = "-1";
  EXPECT_TRUE(judge().is_good()) << "for ever";
  (*topic("tocsin.blocks").settings)["retention.bytes"] = "1000000";
  EXPECT_EQ(judge().warnings.size(), 1U);
}

TEST_F(TopicCheck, ATopicThatCanNotTakeWhatIsWrittenIsNamed) {
  (*topic("tocsin.blocks").settings)["max.message.bytes"] = "500000";
  EXPECT_NE(problem().mend.find("max.message.bytes=1048588"), std::string::npos);
  (*topic("tocsin.blocks").settings)["max.message.bytes"] = "1048588";
  topic("tocsin.halts").replicas = 1;
  EXPECT_NE(problem().mend.find("min.insync.replicas=1"), std::string::npos);
}

TEST_F(TopicCheck, RightsThatAreMissingAreNamed) {
  topic("tocsin.halts").may_write = false;
  EXPECT_EQ(problem().mend,
            "kafka-acls.sh --bootstrap-server broker:9092 --add --allow-principal User:tocsin --operation Write "
            "--topic tocsin.halts");
  topic("tocsin.halts").may_write = true;
  topic("spans").may_read = false;
  EXPECT_EQ(problem().topic, "spans");
  topic("spans").may_read = true;
  topic("tocsin.tasks") = SeenTopic{};
  topic("tocsin.tasks").denied = true;
  EXPECT_EQ(problem().topic, "tocsin.tasks");
  EXPECT_TRUE(judge().missing.empty()) << "it may be there";
}

TEST_F(TopicCheck, WhatIsUnwiseIsAWarning) {
  topic("spans").replicas = 1;
  (*topic("logs").settings)["message.timestamp.type"] = "CreateTime";
  topic("tocsin.outbox").settings.reset();
  settings.evaluate_partitions = 8;
  const TopicReport report = judge();
  EXPECT_TRUE(report.is_good());
  ASSERT_EQ(report.warnings.size(), 4U);
  EXPECT_EQ(report.warnings[0].topic, "spans");
  EXPECT_EQ(report.warnings[1].topic, "logs");
  EXPECT_EQ(report.warnings[2].topic, "tocsin.outbox");
  EXPECT_EQ(report.warnings[3].topic, "tocsin.blocks");
}

}  // namespace topic_check_test
}  // namespace tocsin
