// Every topic that Tocsin has in a cluster, as one table: what it is keyed by, how it is kept, who reads and writes
// it.
//
// The start checks topics against it, `tocsin topics` makes and prints them from it, and the table in
// deploy/README.md is held against it.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "edge/kafka/kafka_settings.h"
#include "ports/log.h"

namespace tocsin {

enum class Cleanup : std::uint8_t {
  remove,              // "delete": old records go
  compact,             // the last record of each key stays
  compact_and_remove,  // the same, until it is old
};
std::string_view name_of(Cleanup cleanup);  // as `cleanup.policy` has it

// Topics whose partitions belong together have the same rule, and so the same count.
enum class PartitionRule : std::uint8_t {
  one,
  like_source,    // as many as the source topics have together
  covers_source,  // at least one for each source partition, the heartbeat's too: an owner finds its own by number
  evaluate,       // `evaluate_partitions`: the unit that evaluate workers share out
  outbox,         // the unit that deliver workers share out
};

struct TopicSpec {
  Topic topic;
  std::string_view key;
  PartitionRule partitions;
  Cleanup cleanup;
  Duration retention;        // where records are removed; else 0
  Duration least_retention;  // what a restart needs; 0: nothing
  std::string_view volume;   // MB a day at 1,000 events a second, uncompressed
  std::string_view read_by;
  std::string_view written_by;
};

// All but those of telemetry, which are a deployment's own, in the order in which people read them.
std::span<const TopicSpec> topic_table();
const TopicSpec& spec_of(Topic topic);

inline constexpr std::int32_t default_evaluate_partitions = 4;
inline constexpr std::int32_t default_outbox_partitions = 4;
inline constexpr std::int32_t default_source_partitions = 8;  // in commands that people may change
// Less is refused: it is what librdkafka sends in one batch.
inline constexpr std::int64_t least_message_bytes = 1'000'000;

// How many partitions the topics of each rule have, or get.
struct PartitionCounts {
  std::int32_t source = 0;  // of all source topics, without the heartbeat
  std::int32_t evaluate = default_evaluate_partitions;
  std::int32_t outbox = default_outbox_partitions;

  std::int32_t of(PartitionRule rule) const;
};

// A topic as it is to be created.
struct PlannedTopic {
  std::string name;
  std::int32_t partitions = 0;
  std::int32_t replication_factor = 1;
  std::vector<std::pair<std::string, std::string>> settings;  // Kafka's names
};

PlannedTopic plan_topic(const TopicSpec& spec, const std::string& name, const PartitionCounts& counts,
                        std::int32_t replication_factor);

// As the configuration has it, else three, or as many as there are brokers.
std::int32_t replication_factor(const KafkaSettings& settings, std::int32_t brokers);

// Whether this installation has the topic: some are only there with what they are for.
bool is_used(const TopicSpec& spec, const KafkaSettings& settings);

}  // namespace tocsin
