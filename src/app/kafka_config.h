// The part of the configuration that says how to reach Kafka: `kafka:` and what hangs on it.

#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/yaml_tree.h"
#include "edge/kafka/kafka_settings.h"

namespace tocsin {

// Reads a secret that `NAME_file` or `NAME_env` of a map names; reports what can't be read.
using ReadSecret = std::function<std::optional<std::string>(YamlReader& reader, const std::string& name)>;

// Reports every fault. Secrets are never written in the file: properties that hold one stand under
// `secret_properties`, each with the file or variable that it is read from.
KafkaSettings load_kafka(const YamlNode& node, const std::string& file, Diagnostics& diagnostics,
                         const ReadSecret& secret);

}  // namespace tocsin
