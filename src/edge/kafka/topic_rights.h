// Finds out what we may do with topics, by trying in ways that leave nothing behind.

#pragma once

#include <vector>

#include "edge/kafka/cluster_view.h"

namespace tocsin {

// Fills may_read and may_write of the topics that exist. Takes 5 s each at most.
void try_rights(const KafkaSettings& settings, const std::vector<WantedTopic>& topics, ClusterView& view,
                const LogLine& log);

}  // namespace tocsin
