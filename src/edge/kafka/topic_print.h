// The topics and rights of the plan as commands and files for people's own tools.

#pragma once

#include <string>
#include <vector>

#include "edge/kafka/kafka_settings.h"
#include "edge/kafka/topic_plan.h"

namespace tocsin {

// A `kafka-topics.sh` line.
std::string create_command(const KafkaSettings& settings, const PlannedTopic& topic);
std::string add_partitions_command(const KafkaSettings& settings, const std::string& topic, std::int32_t partitions);
// A `kafka-configs.sh` line. Values with a comma stand in brackets, as Kafka wants them.
std::string set_command(const KafkaSettings& settings, const std::string& topic, const std::string& name,
                        const std::string& value);
// A `kafka-acls.sh` line that allows operations on a topic.
std::string allow_command(const KafkaSettings& settings, const std::string& topic,
                          const std::vector<std::string>& operations);

// Who we are to the brokers: "User:" and the SASL name, "User:tocsin" where that is not known.
std::string principal_of(const KafkaSettings& settings);

// A KafkaTopic resource of the Strimzi operator.
std::string strimzi_topic(const PlannedTopic& topic, const std::string& cluster);

// All rights, as `kafka-acls.sh` lines: the service's and the agents'.
std::string acl_commands(const KafkaSettings& settings, const std::string& principal, const std::string& agents);

// The table of deploy/README.md.
std::string topic_table_text();

}  // namespace tocsin
