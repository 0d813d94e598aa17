// Holds a cluster's topics against the plan: everything that is wrong at once, each with the command that mends it.

#pragma once

#include <string>
#include <vector>

#include "edge/kafka/cluster_view.h"
#include "edge/kafka/kafka_settings.h"
#include "edge/kafka/topic_plan.h"

namespace tocsin {

struct TopicProblem {
  std::string topic;
  std::string text;  // what is wrong, and what comes of it
  std::string mend;  // a command
  // Stops only partitions that were added to a source: what was read before is read on.
  bool is_of_added = false;
};

struct TopicReport {
  ClusterView cluster;
  std::vector<TopicProblem> problems;  // with any of these the service must not start
  std::vector<TopicProblem> warnings;
  TopicNames names;  // with the counts that were seen
  // Ours that are not there, as they would be made; empty while the sources' partitions are not known.
  std::vector<PlannedTopic> missing;

  // False: nobody answered, and nothing is known. Wait, and ask again.
  bool reachable() const { return cluster.reachable; }
  bool is_good() const { return cluster.reachable && problems.empty(); }
};

// Asks the cluster. Thread: any.
TopicReport check_topics(const KafkaSettings& settings, const LogLine& log);

// The same for what was seen. Pure.
TopicReport judge_topics(const KafkaSettings& settings, ClusterView cluster);

// What check_topics asks for.
std::vector<WantedTopic> wanted_topics(const KafkaSettings& settings);

}  // namespace tocsin
