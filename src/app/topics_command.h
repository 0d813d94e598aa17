// `tocsin topics`: the Kafka topics and rights that the service needs, checked, created or printed.

#pragma once

#include <cstdint>
#include <string>

#include "edge/kafka/topic_check.h"

namespace tocsin {

struct TopicsOptions {
  std::string config;
  bool create = false;
  std::string print;  // kafka-topics, strimzi or acls; empty: the cluster is asked
  std::int32_t source_partitions = 0;
  std::int32_t replication_factor = 0;
  std::string principal;
  std::string agents = "User:agents";
  std::string cluster = "kafka";
};

// 0: all is well; 1: something is missing or wrong; 2: used wrongly, or nobody answers.
int run_topics(const TopicsOptions& options);

// Two lines: what is wrong, and the command that mends it. `config` is the configuration's path, for that command.
std::string to_text(const TopicProblem& problem, const std::string& config);
// One line.
std::string unreachable_text(const KafkaSettings& settings, const TopicReport& report);

}  // namespace tocsin
