#include "edge/kafka/source_numbers.h"

#include "edge/kafka/kafka_handle.h"
#include "ports/source_mark.h"

namespace tocsin {

namespace {
constexpr int timeout_ms = 10'000;
}

Result<bool, std::string> number_sources(const KafkaSettings& settings, TopicNames& names, const LogLine& log) {
  KafkaCallbacks callbacks;
  callbacks.log = log;
  auto client =
      make_kafka_client(RD_KAFKA_CONSUMER, settings, {},
                        {{"group.id", settings.group_prefix + "ingest"}, {"enable.auto.commit", "false"}}, callbacks);
  if (!client) return failure(client.error());
  const KafkaPartitions list{rd_kafka_topic_partition_list_new(names.partitions(Topic::source))};
  for (const TopicNames::Source& source : names.sources()) {
    for (std::int32_t p = 0; p < source.partitions; ++p) {
      rd_kafka_topic_partition_list_add(list.get(), source.name.c_str(), p);
    }
  }
  const auto code = rd_kafka_committed(client.value().get(), list.get(), timeout_ms);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return failure(std::string(rd_kafka_err2str(code)));
  TopicNames::Known known;
  for (int i = 0; i < list->cnt; ++i) {
    const rd_kafka_topic_partition_t& each = list->elems[i];
    if (each.err != RD_KAFKA_RESP_ERR_NO_ERROR) return failure(std::string(rd_kafka_err2str(each.err)));
    if (each.metadata == nullptr) continue;
    const auto [mark, rest] = split_mark({static_cast<const char*>(each.metadata), each.metadata_size});
    if (mark) known[{each.topic, each.partition}] = {mark->number, mark->read};
  }
  names.number_sources(known);
  return success(!known.empty());
}

}  // namespace tocsin
