// The configuration file of `tocsin run` (documented in deploy/tocsin.yaml), checked as a whole before anything
// starts: every fault at once, located.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/receive_config.h"
#include "app/receiver_config.h"
#include "base/diagnostic.h"
#include "base/named_text.h"
#include "base/units.h"
#include "core/halt/halt_ledger.h"
#include "edge/kafka/kafka_settings.h"

namespace tocsin {

enum class ClockMode : std::uint8_t {
  wall,    // records count when they arrive
  events,  // the events' own times drive the clock: replayed and generated telemetry
};

struct Config {
  std::map<std::string, std::string> external_labels;
  std::vector<std::string> rules;
  HaltPolicy halts;
  bool has_halt_mode = false;
  std::string fingerprint_key_file;
  std::string http_address = "127.0.0.1";
  std::uint16_t http_port = 8686;
  std::string http_token;  // empty: no token is asked for
  std::size_t max_body_bytes = 16 << 20;
  ClockMode clock = ClockMode::wall;
  std::int32_t partitions = 1;
  std::vector<ReceiverConfig> receivers;
  bool publish_events = true;
  std::string log_level = "info";
  // Where what must outlive a process that is killed is kept. Nothing else is lost without it.
  std::string state_directory = "/var/lib/tocsin";
  std::optional<KafkaSettings> kafka;  // absent: the bus is in memory
  // Called with GET after a record of Tocsin's own has gone through all stages; empty: no such record is written.
  std::string heartbeat_url;
  Duration heartbeat_every{std::chrono::seconds{30}};
  std::vector<std::string> heartbeat_allow_cidrs;
  // The doors for SDKs' uploads; absent: there are none on Kafka, and open ones on the bus in memory.
  std::optional<ReceiveConfig> receive;

  // What sets this installation's ids apart from others': its external labels, in order.
  std::string deployment() const;
};

// Reports every mistake; the returned values are sound only where there was none. Paths in the file are relative
// to the file's folder.
Config load_config(const NamedText& file, Diagnostics& diagnostics);
Config load_config_file(const std::string& path, Diagnostics& diagnostics);

}  // namespace tocsin
