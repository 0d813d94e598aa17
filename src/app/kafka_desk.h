// What people order, given to the topics of a Kafka cluster directly: it needs no running service, only the cluster.

#pragma once

#include <string>

#include "app/order_desk.h"
#include "base/result.h"

namespace tocsin {

// Reads the topic that the request is about to its end, and writes what the answer holds. `config`: a configuration
// file with `kafka:`. Fails with the reason within 10 s where the cluster can't be reached, and within 30 s always.
Result<DeskAnswer, std::string> ask_kafka(const std::string& config, const DeskRequest& request);

}  // namespace tocsin
