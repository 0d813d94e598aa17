#include "edge/kafka/partition_counts.h"

#include <algorithm>
#include <utility>

#include "edge/kafka/kafka_handle.h"

namespace tocsin {

Result<std::map<std::string, std::int32_t>, std::string> partition_counts(const KafkaSettings& settings,
                                                                          const std::vector<std::string>& topics,
                                                                          Duration timeout, LogLine log) {
  KafkaCallbacks callbacks;
  callbacks.log = std::move(log);
  auto client = make_kafka_client(RD_KAFKA_PRODUCER, settings, {}, {}, callbacks);
  if (!client) return failure(client.error());
  const rd_kafka_metadata_t* metadata = nullptr;
  // All topics: to ask for one by its name can make it.
  const auto code = rd_kafka_metadata(client.value().get(), 1, nullptr, &metadata, static_cast<int>(timeout.count()));
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return failure(std::string(rd_kafka_err2str(code)));
  std::map<std::string, std::int32_t> counts;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const rd_kafka_metadata_topic_t& topic = metadata->topics[i];
    const bool wanted = std::find(topics.begin(), topics.end(), topic.topic) != topics.end();
    if (wanted && topic.err == RD_KAFKA_RESP_ERR_NO_ERROR) counts[topic.topic] = topic.partition_cnt;
  }
  rd_kafka_metadata_destroy(metadata);
  return success(std::move(counts));
}

}  // namespace tocsin
