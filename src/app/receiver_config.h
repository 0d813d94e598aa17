// The part of the configuration that says where pages go: `receivers:`.

#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "app/kafka_config.h"
#include "base/units.h"
#include "base/yaml_tree.h"
#include "core/stage/deliver_chain.h"

namespace tocsin {

enum class ReceiverKind : std::uint8_t {
  webhook,    // signed as Standard Webhooks has it
  pagerduty,  // Events API v2
};

struct ReceiverConfig {
  std::string name;
  ReceiverKind kind = ReceiverKind::webhook;
  std::string url;                   // may be empty for PagerDuty: then its public one
  std::vector<std::string> secrets;  // read from files or the environment, never written in the file
  std::string routing_key;           // of PagerDuty; read as the secrets are
  Duration timeout{std::chrono::seconds{10}};
  std::vector<std::string> allow_cidrs;
  std::string ca_file;
  std::string fallback;  // the name of another receiver, or empty
  Duration fallback_after{std::chrono::minutes{5}};
  bool also_direct = false;  // gets pages of its own although it is a fallback
};

// A path of the file as one that can be opened from here.
using ResolvePath = std::function<std::string(const std::string& path)>;

// Reports every fault of the list under `receivers`: also fallbacks that are not there or go round in a circle.
std::vector<ReceiverConfig> load_receivers(const YamlNode& node, const std::string& file, Diagnostics& diagnostics,
                                           const ReadSecret& secret, const ResolvePath& resolved);

// `allow_cidrs` of a map; reports every bad range.
std::vector<std::string> read_allow_cidrs(YamlReader& reader);

// For each receiver that gets pages of its own: itself, then its fallback, and so on.
// Requires: fallbacks exist and go round in no circle.
std::vector<std::vector<DeliverLane>> delivery_chains(const std::vector<ReceiverConfig>& receivers);

}  // namespace tocsin
