// What a cluster says of topics when it is asked once: partitions, replicas, settings, and what we may do with them.
//
// Rights are found out by trying, since librdkafka 2.0 has no request that lists them:
// - Describe: metadata is asked for by name.
// - Read: partition 0 is read at its end.
// - Write: a record is sent with `acks=2`, which brokers refuse after they have looked at the right and before they
//   store anything. A broker that refused it earlier would hide a missing right; one that took it would store an
//   empty record.
// What it does not see: rights to groups and transactional ids. Joining tells of those.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "edge/kafka/kafka_settings.h"
#include "edge/kafka/topic_plan.h"

namespace tocsin {

struct SeenTopic {
  bool exists = false;
  bool denied = false;  // it may exist: we may not look
  std::string fault;    // another reason why there is nothing to be seen
  std::int32_t partitions = 0;
  std::int32_t replicas = 0;
  std::optional<std::map<std::string, std::string>> settings;  // nothing: they can't be read
  std::optional<bool> may_read;                                // nothing: not asked, or no clear answer
  std::optional<bool> may_write;
};

struct ClusterView {
  bool reachable = false;
  std::string why;  // where it isn't
  std::int32_t brokers = 0;
  std::map<std::string, SeenTopic> topics;
};

struct WantedTopic {
  std::string name;
  bool read = true;
  bool write = true;
};

// Takes a few hundred milliseconds, 8 s where nobody answers, 20 s at worst. Thread: any.
ClusterView look_at_cluster(const KafkaSettings& settings, const std::vector<WantedTopic>& topics,
                            const LogLine& log);

// Creates topics; returns a line for each that could not be made.
std::vector<std::string> create_topics(const KafkaSettings& settings, const std::vector<PlannedTopic>& topics,
                                       const LogLine& log);

}  // namespace tocsin
