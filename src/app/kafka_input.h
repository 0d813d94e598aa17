// What records are read from, as it stands on a command line: a file, standard input, or a topic in Kafka between two
// times.

#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/record_reader.h"
#include "base/result.h"
#include "base/units.h"
#include "edge/kafka/kafka_settings.h"

namespace tocsin {

struct InputOptions {
  std::string input = "-";  // or a path, or kafka://HOST:PORT[,HOST:PORT...]/TOPIC
  std::string from, to;     // of a topic: an RFC 3339 time, or `-24h`; empty: its beginning, and its end by now
};

bool is_topic(const std::string& input);

// `kafka`: of the configuration, for the security of the connection; the address is the input's own.
// The error is for people, and says what to do.
Result<std::unique_ptr<RecordReader>, std::string> open_input(const InputOptions& options,
                                                              const std::optional<KafkaSettings>& kafka);

// The topic's address in its parts.
struct TopicAddress {
  std::string brokers;  // HOST:PORT, with commas between
  std::string topic;
};
Result<TopicAddress, std::string> parse_topic_address(const std::string& input);

// "2026-01-07T12:00:00Z", or "-24h" for so long before `now`.
std::optional<RecordTime> parse_moment(const std::string& text, RecordTime now);

}  // namespace tocsin
