#include "edge/kafka/topic_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "edge/kafka/topic_print.h"

namespace tocsin {
namespace topic_plan_test {

using namespace std::chrono_literals;

KafkaSettings some_settings() {
  KafkaSettings settings;
  settings.properties["bootstrap.servers"] = "broker:9092";
  settings.sources = {"spans", "logs"};
  return settings;
}

std::string setting(const PlannedTopic& topic, const std::string& name) {
  const auto found =
      std::find_if(topic.settings.begin(), topic.settings.end(), [&](const auto& one) { return one.first == name; });
  return found == topic.settings.end() ? "" : found->second;
}

TEST(TopicPlan, HasEveryTopicButThoseOfTelemetryOnce) {
  std::set<Topic> topics;
  for (const TopicSpec& spec : topic_table()) topics.insert(spec.topic);
  EXPECT_EQ(topics.size(), topic_count - 2);
  EXPECT_EQ(topic_table().size(), topic_count - 2);
  EXPECT_FALSE(topics.contains(Topic::source) || topics.contains(Topic::unkeyed));
}

TEST(TopicPlan, PartitionsThatBelongTogetherHaveTheSameCount) {
  PartitionCounts counts;
  counts.source = 12;
  counts.evaluate = 6;
  const auto count = [&](Topic topic) { return plan_topic(spec_of(topic), "t", counts, 3).partitions; };
  EXPECT_EQ(count(Topic::blocks), 6);
  EXPECT_EQ(count(Topic::findings), 6);
  EXPECT_EQ(count(Topic::states), 6);
  EXPECT_EQ(count(Topic::outbox), count(Topic::page_status));
  EXPECT_EQ(count(Topic::events), 12);
  EXPECT_EQ(count(Topic::tasks), 13) << "one for the heartbeat, whether there is one or not";
  EXPECT_EQ(count(Topic::halts), 1);
}

TEST(TopicPlan, StateIsCompactedAndRecordsAreKeptAsLongAsARestartNeedsThem) {
  const auto plan = [](Topic topic) { return plan_topic(spec_of(topic), "t", {}, 3); };
  for (const Topic topic : {Topic::tasks, Topic::states, Topic::halts, Topic::silences, Topic::control}) {
    EXPECT_EQ(setting(plan(topic), "cleanup.policy"), "compact");
    EXPECT_EQ(setting(plan(topic), "retention.ms"), "");
  }
  EXPECT_EQ(setting(plan(Topic::page_status), "cleanup.policy"), "compact,delete");
  EXPECT_EQ(setting(plan(Topic::blocks), "cleanup.policy"), "delete");
  EXPECT_EQ(setting(plan(Topic::blocks), "retention.ms"), "259200000");
  // What became of a page must be known for as long as the page can be read.
  EXPECT_GE(spec_of(Topic::page_status).retention, spec_of(Topic::outbox).retention);
  for (const TopicSpec& spec : topic_table()) {
    EXPECT_TRUE(spec.cleanup == Cleanup::compact || spec.retention >= spec.least_retention) << name_of(spec.topic);
  }
}

TEST(TopicPlan, WritesNeedTwoReplicasOnlyWhereThereAreThree) {
  EXPECT_EQ(setting(plan_topic(spec_of(Topic::halts), "t", {}, 1), "min.insync.replicas"), "1");
  EXPECT_EQ(setting(plan_topic(spec_of(Topic::halts), "t", {}, 2), "min.insync.replicas"), "1");
  EXPECT_EQ(setting(plan_topic(spec_of(Topic::halts), "t", {}, 3), "min.insync.replicas"), "2");
  KafkaSettings settings;
  EXPECT_EQ(replication_factor(settings, 1), 1);
  EXPECT_EQ(replication_factor(settings, 5), 3);
  settings.replication_factor = 2;
  EXPECT_EQ(replication_factor(settings, 5), 2);
}

TEST(TopicPlan, TheHeartbeatIsTheLastSourceAndOnlyThereWithAHeartbeat) {
  KafkaSettings settings = some_settings();
  EXPECT_FALSE(is_used(spec_of(Topic::heartbeat), settings));
  EXPECT_EQ(TopicNames(settings).names_of({Topic::source}), (std::vector<std::string>{"spans", "logs"}));

  settings.heartbeat = true;
  EXPECT_TRUE(is_used(spec_of(Topic::heartbeat), settings));
  TopicNames names(settings);
  names.set_source_partitions(0, 3);
  names.set_source_partitions(1, 2);
  names.set_source_partitions(2, 1);
  names.set_partitions(Topic::heartbeat, 1);
  EXPECT_EQ(names.partitions(Topic::source), 6);
  EXPECT_EQ(names.names_of({Topic::source}), (std::vector<std::string>{"spans", "logs", "tocsin.heartbeat"}));
  EXPECT_EQ(*names.native({Topic::source, 5}).first, "tocsin.heartbeat");
  EXPECT_EQ(*names.native({Topic::source, 4}).first, "logs");
  EXPECT_EQ(names.known("tocsin.heartbeat", 0), (TopicPartition{Topic::source, 5}));
  EXPECT_EQ(*names.native({Topic::heartbeat, 0}).first, "tocsin.heartbeat");
}

std::string numbers_of(const TopicNames& names) {
  std::string text;
  for (std::int32_t number = 0; number < names.partitions(Topic::source); ++number) {
    const auto [topic, partition] = names.native({Topic::source, number});
    text += *topic + "/" + std::to_string(partition) + (names.is_added({Topic::source, number}) ? "+ " : " ");
  }
  return text;
}

class SourceNumbers : public testing::Test {
 protected:
  SourceNumbers() : names(with_heartbeat()) {
    count(3, 2);
    names.set_partitions(Topic::tasks, 100);
    for (std::int32_t n = 0; n < 6; ++n) {
      const auto [topic, partition] = names.native({Topic::source, n});
      committed[{*topic, partition}] = {n, *topic == "spans" ? 3 : *topic == "logs" ? 2 : 1};
    }
  }
  static KafkaSettings with_heartbeat() {
    KafkaSettings settings = some_settings();
    settings.heartbeat = true;
    return settings;
  }
  void count(std::int32_t spans, std::int32_t logs) {
    names.set_source_partitions(0, spans);
    names.set_source_partitions(1, logs);
    names.set_source_partitions(2, 1);
  }

  TopicNames names;
  TopicNames::Known committed;
};

TEST_F(SourceNumbers, GoThroughTheSourcesWhereNothingWasCommitted) {
  EXPECT_EQ(numbers_of(names), "spans/0 spans/1 spans/2 logs/0 logs/1 tocsin.heartbeat/0 ");
  EXPECT_EQ(names.known("logs", 1), (TopicPartition{Topic::source, 4}));
  EXPECT_EQ(names.known("logs", 2), std::nullopt);
}

TEST_F(SourceNumbers, F23_AddedPartitionsComeBehindAllOthers) {
  count(5, 3);
  names.number_sources(committed);
  EXPECT_EQ(numbers_of(names), "spans/0 spans/1 spans/2 logs/0 logs/1 tocsin.heartbeat/0 spans/3+ spans/4+ logs/2+ ");
  EXPECT_EQ(names.known("logs", 2), (TopicPartition{Topic::source, 8}));
  EXPECT_EQ(names.numbered("spans"), 5);
  // Once they are committed they are partitions as any other.
  committed[{"spans", 3}] = {6, 5};
  committed[{"spans", 4}] = {7, 5};
  count(5, 4);
  names.number_sources(committed);
  EXPECT_EQ(numbers_of(names),
            "spans/0 spans/1 spans/2 logs/0 logs/1 tocsin.heartbeat/0 spans/3 spans/4 logs/2+ logs/3+ ");
}

TEST_F(SourceNumbers, APartitionThatWasNotCommittedYetKeepsItsPlace) {
  committed.erase({"spans", 1});
  committed.erase({"tocsin.heartbeat", 0});
  names.number_sources(committed);
  EXPECT_EQ(numbers_of(names), "spans/0 spans/1 spans/2 logs/0 logs/1 tocsin.heartbeat/0 ");
  count(4, 2);
  names.number_sources(committed);
  EXPECT_EQ(numbers_of(names), "spans/0 spans/1 spans/2 logs/0 logs/1 tocsin.heartbeat/0 spans/3+ ");
}

TEST_F(SourceNumbers, F23_WithoutAPartnerAmongTheTasksAnAddedPartitionIsNotRead) {
  count(5, 2);
  names.set_partitions(Topic::tasks, 7);
  names.number_sources(committed);
  EXPECT_EQ(numbers_of(names), "spans/0 spans/1 spans/2 logs/0 logs/1 tocsin.heartbeat/0 spans/3+ ");
  EXPECT_EQ(names.known("spans", 4), std::nullopt);
  EXPECT_EQ(names.numbered("spans"), 4);
}

TEST(TopicPrint, CommandsHoldNamesPartitionsAndSettings) {
  const KafkaSettings settings = some_settings();
  PartitionCounts counts;
  counts.source = 5;
  EXPECT_EQ(create_command(settings, plan_topic(spec_of(Topic::page_status), "tocsin.page-status", counts, 3)),
            "kafka-topics.sh --bootstrap-server broker:9092 --create --topic tocsin.page-status --partitions 4 "
            "--replication-factor 3 --config cleanup.policy=compact,delete --config retention.ms=1209600000 "
            "--config segment.ms=3600000 --config segment.bytes=67108864 --config min.cleanable.dirty.ratio=0.1 "
            "--config max.message.bytes=1048588 --config min.insync.replicas=2");
  EXPECT_EQ(set_command(settings, "t", "cleanup.policy", "compact,delete"),
            "kafka-configs.sh --bootstrap-server broker:9092 --alter --entity-type topics --entity-name t "
            "--add-config 'cleanup.policy=[compact,delete]'");
}

TEST(TopicPrint, StrimziNamesFollowItsRules) {
  const std::string text =
      strimzi_topic({"EU_1.blocks", 4, 3, {{"cleanup.policy", "delete"}, {"retention.ms", "5"}}}, "my-cluster");
  EXPECT_NE(text.find("  name: eu-1.blocks\n"), std::string::npos) << text;
  EXPECT_NE(text.find("  topicName: \"EU_1.blocks\"\n"), std::string::npos) << text;
  EXPECT_NE(text.find("strimzi.io/cluster: my-cluster\n"), std::string::npos) << text;
  EXPECT_NE(text.find("    cleanup.policy: \"delete\"\n    retention.ms: 5\n"), std::string::npos) << text;
}

TEST(TopicPrint, RightsNameEveryTopicGroupAndTransactionalId) {
  KafkaSettings settings = some_settings();
  settings.group_prefix = "watch.";
  settings.properties["sasl.username"] = "watcher";
  const std::string text = acl_commands(settings, principal_of(settings), "User:agents");
  EXPECT_NE(text.find("--allow-principal User:watcher --operation Read --operation Describe --operation "
                      "DescribeConfigs --topic spans --topic logs\n"),
            std::string::npos)
      << text;
  const TopicNames names(settings);
  for (const TopicSpec& spec : topic_table()) {
    const bool named = text.find(" --topic " + names.name(spec.topic) + " ") != std::string::npos ||
                       text.find(" --topic " + names.name(spec.topic) + "\n") != std::string::npos;
    EXPECT_EQ(named, is_used(spec, settings)) << name_of(spec.topic);
  }
  for (const char* wanted :
       {"--group watch.ingest --group watch.evaluate\n", "--group watch.deliver- --resource-pattern-type prefixed\n",
        "--transactional-id watch.ingest- --transactional-id watch.evaluate-",
        "--operation IdempotentWrite --cluster\n",
        "--allow-principal User:agents --operation Read --operation Describe --topic tocsin.halts\n"}) {
    EXPECT_NE(text.find(wanted), std::string::npos) << wanted << "\n" << text;
  }
}

TEST(TopicPrint, WhatAShellWouldReadOtherwiseIsQuoted) {
  KafkaSettings settings = some_settings();
  settings.properties["sasl.username"] = "CN=it's me";
  EXPECT_NE(allow_command(settings, "t", {"Read"}).find("--allow-principal 'User:CN=it'\\''s me'"),
            std::string::npos);
}

TEST(TopicPrint, TheTableInTheOperationsGuideIsThePlans) {
  std::ifstream in(std::filesystem::path(PROJECT_ROOT) / "deploy/README.md");
  const std::string guide{std::istreambuf_iterator<char>(in), {}};
  EXPECT_NE(guide.find(topic_table_text()), std::string::npos) << "deploy/README.md must hold this table:\n"
                                                               << topic_table_text();
}

}  // namespace topic_plan_test
}  // namespace tocsin
