// How many partitions topics have, asked of the cluster; no topic is made by asking.

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "edge/kafka/kafka_settings.h"

namespace tocsin {

// Of those of `topics` that are there. Fails with the reason where no broker answers within `timeout`.
Result<std::map<std::string, std::int32_t>, std::string> partition_counts(const KafkaSettings& settings,
                                                                          const std::vector<std::string>& topics,
                                                                          Duration timeout, LogLine log);

}  // namespace tocsin
