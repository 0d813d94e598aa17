// One librdkafka client, owned: made from settings, with its log lines and errors going where ours go.
//
// Only files of this folder include this header.

#pragma once

#include <librdkafka/rdkafka.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "edge/kafka/kafka_settings.h"

namespace tocsin {

// What librdkafka calls back to. Must stay where it is for as long as the client lives.
struct KafkaCallbacks {
  LogLine log;
  void* owner = nullptr;  // of the callbacks below
  void (*rebalance)(rd_kafka_t*, rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t*, void*) = nullptr;
  void (*delivered)(rd_kafka_t*, const rd_kafka_message_t*, void*) = nullptr;
  // A request of this kind (a number of Kafka's protocol) was sent, or its answer came. Thread: librdkafka's own;
  // they may call nothing of it.
  void (*sent)(std::int16_t api, void*) = nullptr;
  void (*answered)(std::int16_t api, void*) = nullptr;
};

struct KafkaDestroy {
  void operator()(rd_kafka_t* client) const { rd_kafka_destroy(client); }
  void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
  void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
  void operator()(rd_kafka_topic_partition_list_t* list) const { rd_kafka_topic_partition_list_destroy(list); }
  void operator()(rd_kafka_error_t* error) const { rd_kafka_error_destroy(error); }
};
using KafkaHandle = std::unique_ptr<rd_kafka_t, KafkaDestroy>;
using KafkaQueue = std::unique_ptr<rd_kafka_queue_t, KafkaDestroy>;
using KafkaTopic = std::unique_ptr<rd_kafka_topic_t, KafkaDestroy>;
using KafkaPartitions = std::unique_ptr<rd_kafka_topic_partition_list_t, KafkaDestroy>;
using KafkaError = std::unique_ptr<rd_kafka_error_t, KafkaDestroy>;

// `ours` over the person's properties over our defaults.
Result<KafkaHandle, std::string> make_kafka_client(rd_kafka_type_t type, const KafkaSettings& settings,
                                                   const std::map<std::string, std::string>& defaults,
                                                   const std::map<std::string, std::string>& ours,
                                                   KafkaCallbacks& callbacks);

// A batch of messages, given back however it is left: a client that is owed one can't be closed.
class KafkaMessages {
 public:
  KafkaMessages(rd_kafka_message_t** first, ssize_t count) : first_(first), count_(count) {}
  ~KafkaMessages() {
    for (ssize_t i = 0; i < count_; ++i) rd_kafka_message_destroy(first_[i]);
  }
  KafkaMessages(const KafkaMessages&) = delete;
  KafkaMessages& operator=(const KafkaMessages&) = delete;

 private:
  rd_kafka_message_t** first_;
  ssize_t count_;
};

// Handles to every topic of ours, so that the producer knows their leaders before the first record: to find them out
// then takes up to a second. Requires: destroyed before the producer.
std::vector<KafkaTopic> warm_topics(rd_kafka_t* producer, const TopicNames& names);

// Puts a copy of the record into the producer's queue. An empty value is a tombstone, an empty key none at all.
rd_kafka_resp_err_t produce(rd_kafka_t* producer, const std::string& topic, const NewRecord& record, void* opaque);

// The offsets of a partition's oldest record, and behind its newest: the last stable one for a client that reads what
// is committed, else the high watermark. Nothing if nobody answers in time; rd_kafka_query_watermark_offsets would
// wait for a broker that is gone until it comes back (librdkafka issue 2588, mended in 2.3).
struct KafkaBounds {
  std::int64_t low = 0;
  std::int64_t high = 0;
};
std::optional<KafkaBounds> ask_bounds(rd_kafka_t* client, const std::string& topic, std::int32_t partition,
                                      int timeout_ms);

BusRecord record_of(const rd_kafka_message_t* message, TopicPartition from);

}  // namespace tocsin
