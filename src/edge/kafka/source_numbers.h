// The numbers of source partitions, as the group of ingest has committed them: a partition keeps its number when
// its topic, or one before it, gets more partitions.

#pragma once

#include "base/result.h"
#include "edge/kafka/kafka_settings.h"

namespace tocsin {

// Gives the partitions in `names` the numbers that they have, and new ones to new partitions, behind all others.
// Those that have no partner in the topic of tasks yet get none, and are not read. Asks the cluster; fails with the
// reason where it does not answer.
Result<bool, std::string> number_sources(const KafkaSettings& settings, TopicNames& names, const LogLine& log);

}  // namespace tocsin
