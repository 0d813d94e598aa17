// The records of a Kafka topic as one stream, in the order of their times: what is read again of the past.
//
// It joins no group and writes nothing; rights to describe and to read the topic are enough. What was committed when
// it began is read, and nothing that came later. Partitions are merged by their records' times; within a partition
// the order is the log's. The same topic gives the same order, whoever's answer comes first.
//
// Memory: about 100 MiB, and 250 MiB where there are dozens of partitions, however large the topic is.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/units.h"
#include "edge/kafka/kafka_settings.h"

namespace tocsin {

struct TopicRange {
  std::string topic;
  std::optional<RecordTime> from;  // else from the oldest record
  std::optional<RecordTime> to;    // before it; else to the newest record that is there
};

struct TopicRecord {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::string_view key;
  std::string_view value;          // empty for a tombstone
  std::optional<RecordTime> time;  // absent in logs of Kafka before 0.10
  // The stamp lies ahead of the clock here, or of most of what follows in its partition: a producer's clock was
  // wrong, and its stamp moves nothing.
  bool time_is_ahead = false;
};

class TopicReader {
 public:
  // Asks the cluster: takes a few hundred milliseconds, and seconds where it does not answer. The error is for
  // people, and says what to do.
  static Result<std::unique_ptr<TopicReader>, std::string> open(KafkaSettings settings, TopicRange range);
  ~TopicReader();

  // The next record; its views are valid until the next call. Nothing at the end, and after an error.
  std::optional<TopicRecord> next();
  // Why it ended before its end; for people.
  const std::optional<std::string>& error() const;

  // How much of what there is has been handed out, from 0 to 1.
  double progress() const;

 private:
  struct State;
  explicit TopicReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tocsin
