#include "edge/kafka/kafka_handle.h"

#include <syslog.h>

#include <array>
#include <cstring>

namespace tocsin {

namespace {

void on_log(const rd_kafka_t* client, int level, const char* facility, const char* text) {
  const auto* callbacks = static_cast<const KafkaCallbacks*>(rd_kafka_opaque(client));
  if (callbacks == nullptr || !callbacks->log) return;
  // A property for producers is given to consumers too; what can't be reached is said once, by the bus.
  for (const char* known : {"CONFWARN", "FAIL", "CLOSE", "MAXPOLL"}) {
    if (std::strcmp(facility, known) == 0) return callbacks->log(LogLevel::debug, std::string("kafka: ") + text);
  }
  const LogLevel as = level <= LOG_ERR ? LogLevel::warning : level <= LOG_NOTICE ? LogLevel::info : LogLevel::debug;
  callbacks->log(as, std::string("kafka: ") + text);
}

// Errors of connections come and go; whoever waits for something learns of them by its own call.
void on_error(rd_kafka_t*, int code, const char* reason, void* opaque) {
  const auto* callbacks = static_cast<const KafkaCallbacks*>(opaque);
  if (callbacks->log) {
    callbacks->log(LogLevel::debug, std::string("kafka: ") +
                                        rd_kafka_err2name(static_cast<rd_kafka_resp_err_t>(code)) + ": " + reason);
  }
}

void on_rebalance(rd_kafka_t* client, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* list, void* opaque) {
  auto* callbacks = static_cast<KafkaCallbacks*>(opaque);
  callbacks->rebalance(client, code, list, callbacks->owner);
}

void on_delivered(rd_kafka_t* client, const rd_kafka_message_t* message, void* opaque) {
  auto* callbacks = static_cast<KafkaCallbacks*>(opaque);
  callbacks->delivered(client, message, callbacks->owner);
}

rd_kafka_resp_err_t on_sent(rd_kafka_t*, int, const char*, std::int32_t, std::int16_t api, std::int16_t, std::int32_t,
                            std::size_t, void* opaque) {
  auto* callbacks = static_cast<KafkaCallbacks*>(opaque);
  callbacks->sent(api, callbacks->owner);
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t on_answered(rd_kafka_t*, int, const char*, std::int32_t, std::int16_t api, std::int16_t,
                                std::int32_t, std::size_t, std::int64_t, rd_kafka_resp_err_t error, void* opaque) {
  auto* callbacks = static_cast<KafkaCallbacks*>(opaque);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) callbacks->answered(api, callbacks->owner);
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t on_new(rd_kafka_t* client, const rd_kafka_conf_t*, void* opaque, char*, std::size_t) {
  rd_kafka_interceptor_add_on_request_sent(client, "tocsin", on_sent, opaque);
  rd_kafka_interceptor_add_on_response_received(client, "tocsin", on_answered, opaque);
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

}  // namespace

Result<KafkaHandle, std::string> make_kafka_client(rd_kafka_type_t type, const KafkaSettings& settings,
                                                   const std::map<std::string, std::string>& defaults,
                                                   const std::map<std::string, std::string>& ours,
                                                   KafkaCallbacks& callbacks) {
  std::map<std::string, std::string> all{{"client.id", "tocsin"},
                                         {"topic.metadata.refresh.interval.ms", "10000"},
                                         {"reconnect.backoff.max.ms", "2000"},
                                         {"socket.keepalive.enable", "true"}};
  for (const auto& [name, value] : defaults) all[name] = value;
  for (const auto& [name, value] : settings.properties) all[name] = value;
  for (const auto& [name, value] : ours) all[name] = value;

  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  std::array<char, 512> text{};
  for (const auto& [name, value] : all) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), text.data(), text.size()) != RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(conf);
      return failure(is_secret_property(name) ? "property '" + name + "' is refused" : std::string(text.data()));
    }
  }
  rd_kafka_conf_set_opaque(conf, &callbacks);
  rd_kafka_conf_set_log_cb(conf, on_log);
  rd_kafka_conf_set_error_cb(conf, on_error);
  if (callbacks.rebalance != nullptr) rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
  if (callbacks.delivered != nullptr) rd_kafka_conf_set_dr_msg_cb(conf, on_delivered);
  if (callbacks.sent != nullptr) rd_kafka_conf_interceptor_add_on_new(conf, "tocsin", on_new, &callbacks);
  rd_kafka_t* client = rd_kafka_new(type, conf, text.data(), text.size());
  if (client == nullptr) {
    rd_kafka_conf_destroy(conf);
    return failure(std::string(text.data()));
  }
  return success(KafkaHandle(client));
}

std::vector<KafkaTopic> warm_topics(rd_kafka_t* producer, const TopicNames& names) {
  std::vector<KafkaTopic> topics;
  for (std::size_t i = 0; i < topic_count; ++i) {
    const auto topic = static_cast<Topic>(i);
    if (topic == Topic::source || topic == Topic::unkeyed || names.partitions(topic) == 0) continue;
    topics.emplace_back(rd_kafka_topic_new(producer, names.name(topic).c_str(), nullptr));
  }
  return topics;
}

rd_kafka_resp_err_t produce(rd_kafka_t* producer, const std::string& topic, const NewRecord& record, void* opaque) {
  std::array<rd_kafka_vu_t, 7> fields{};
  fields[0].vtype = RD_KAFKA_VTYPE_TOPIC;
  fields[0].u.cstr = topic.c_str();
  fields[1].vtype = RD_KAFKA_VTYPE_PARTITION;
  fields[1].u.i32 = record.partition == by_key ? RD_KAFKA_PARTITION_UA : record.partition;
  // Copied, and not written to: the interface only knows pointers to what may change.
  fields[2].vtype = RD_KAFKA_VTYPE_KEY;
  fields[2].u.mem = {record.key.empty() ? nullptr : const_cast<char*>(record.key.data()), record.key.size()};
  fields[3].vtype = RD_KAFKA_VTYPE_VALUE;
  fields[3].u.mem = {record.value.empty() ? nullptr : const_cast<char*>(record.value.data()), record.value.size()};
  fields[4].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  fields[4].u.i = RD_KAFKA_MSG_F_COPY;
  fields[5].vtype = RD_KAFKA_VTYPE_OPAQUE;
  fields[5].u.ptr = opaque;
  fields[6].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
  fields[6].u.i64 = record.time ? record.time->since_epoch.count() : 0;
  const std::size_t count = record.time ? fields.size() : fields.size() - 1;
  const KafkaError error{rd_kafka_produceva(producer, fields.data(), count)};
  return error ? rd_kafka_error_code(error.get()) : RD_KAFKA_RESP_ERR_NO_ERROR;
}

std::optional<KafkaBounds> ask_bounds(rd_kafka_t* client, const std::string& topic, std::int32_t partition,
                                      int timeout_ms) {
  const auto ask = [&](std::int64_t which) -> std::optional<std::int64_t> {
    const KafkaPartitions list{rd_kafka_topic_partition_list_new(1)};
    auto* const asked = rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition);
    asked->offset = which;
    if (rd_kafka_offsets_for_times(client, list.get(), timeout_ms) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        asked->err != RD_KAFKA_RESP_ERR_NO_ERROR || asked->offset < 0) {
      return std::nullopt;
    }
    return asked->offset;
  };
  const auto low = ask(RD_KAFKA_OFFSET_BEGINNING);
  const auto high = low ? ask(RD_KAFKA_OFFSET_END) : std::nullopt;
  if (!high) return std::nullopt;
  return KafkaBounds{*low, *high};
}

BusRecord record_of(const rd_kafka_message_t* message, TopicPartition from) {
  BusRecord record;
  record.from = from;
  record.offset = message->offset;
  if (message->key != nullptr) record.key = {static_cast<const char*>(message->key), message->key_len};
  if (message->payload != nullptr) record.value = {static_cast<const char*>(message->payload), message->len};
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  record.time = RecordTime{Duration{rd_kafka_message_timestamp(message, &type)}};
  return record;
}

}  // namespace tocsin
