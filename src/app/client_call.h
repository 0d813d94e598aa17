// One request of a command to a running service, over its HTTP doors or, for what people order, by way of Kafka.

#pragma once

#include <optional>
#include <string>

#include "app/order_desk.h"

namespace tocsin {

struct ClientOptions {
  std::string url;  // empty: TOCSIN_URL, else http://127.0.0.1:8686
  std::string output = "text";
  bool kafka = false;  // the cluster of `config` in the service's place
  std::string config;
};

// The answer, a JSON object; nothing, after saying why on standard error, where it can't be had.
std::optional<std::string> call(const ClientOptions& options, const DeskRequest& request);

}  // namespace tocsin
