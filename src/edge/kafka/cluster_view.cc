#include "edge/kafka/cluster_view.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <mutex>

#include "edge/kafka/kafka_handle.h"
#include "edge/kafka/topic_rights.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

constexpr int reach_timeout_ms = 6'000;
constexpr int admin_timeout_ms = 5'000;
constexpr int create_timeout_ms = 30'000;

struct AdminDestroy {
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
  void operator()(rd_kafka_AdminOptions_t* options) const { rd_kafka_AdminOptions_destroy(options); }
  void operator()(rd_kafka_ConfigResource_t* resource) const { rd_kafka_ConfigResource_destroy(resource); }
  void operator()(rd_kafka_NewTopic_t* topic) const { rd_kafka_NewTopic_destroy(topic); }
  void operator()(const rd_kafka_metadata_t* metadata) const { rd_kafka_metadata_destroy(metadata); }
};
using Event = std::unique_ptr<rd_kafka_event_t, AdminDestroy>;
using Options = std::unique_ptr<rd_kafka_AdminOptions_t, AdminDestroy>;
using Resource = std::unique_ptr<rd_kafka_ConfigResource_t, AdminDestroy>;
using NewTopic = std::unique_ptr<rd_kafka_NewTopic_t, AdminDestroy>;
using Metadata = std::unique_ptr<const rd_kafka_metadata_t, AdminDestroy>;

template <class T>
std::vector<decltype(T().get())> pointers(const std::vector<T>& owned) {
  std::vector<decltype(T().get())> list;
  for (const T& each : owned) list.push_back(each.get());
  return list;
}

// Remembers why nobody answers; librdkafka says it on threads of its own.
class Reason {
 public:
  LogLine listen(LogLine log) {
    return [this, log = std::move(log)](LogLevel level, const std::string& text) {
      constexpr std::string_view begin = "kafka: _";
      // "All brokers are down" follows each reason, and is none.
      if (text.starts_with(begin) && !text.starts_with("kafka: _ALL_BROKERS_DOWN")) {
        const std::lock_guard lock(mutex_);
        text_ = text.substr(text.find(": ", begin.size()) + 2);
      }
      if (log) log(level, text);
    };
  }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;  // between librdkafka's threads and ours, once a second at most
  std::string text_;
};

void note(const rd_kafka_metadata_topic_t& from, SeenTopic& seen) {
  switch (from.err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
      seen.exists = true;
      break;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      seen.denied = true;
      break;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
      break;
    default:
      seen.fault = rd_kafka_err2str(from.err);
  }
  seen.partitions = from.partition_cnt;
  for (int p = 0; p < from.partition_cnt; ++p) {
    const std::int32_t replicas = from.partitions[p].replica_cnt;
    seen.replicas = p == 0 ? replicas : std::min(seen.replicas, replicas);
  }
}

// False where nobody answers any more; what may not be read is left out.
bool read_settings(rd_kafka_t* client, ClusterView& view) {
  std::vector<Resource> resources;
  for (const auto& [name, seen] : view.topics) {
    if (seen.exists) resources.emplace_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name.c_str()));
  }
  if (resources.empty()) return true;
  const KafkaQueue queue{rd_kafka_queue_new(client)};
  const Options options{rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS)};
  rd_kafka_AdminOptions_set_request_timeout(options.get(), admin_timeout_ms, nullptr, 0);
  auto list = pointers(resources);
  rd_kafka_DescribeConfigs(client, list.data(), list.size(), options.get(), queue.get());
  const Event event{rd_kafka_queue_poll(queue.get(), admin_timeout_ms + 1'000)};
  const auto* result = event ? rd_kafka_event_DescribeConfigs_result(event.get()) : nullptr;
  if (result == nullptr || rd_kafka_event_error(event.get()) == RD_KAFKA_RESP_ERR__TIMED_OUT) return false;
  std::size_t count = 0;
  const rd_kafka_ConfigResource_t** answers = rd_kafka_DescribeConfigs_result_resources(result, &count);
  for (std::size_t i = 0; i < count; ++i) {
    if (rd_kafka_ConfigResource_error(answers[i]) != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    auto& settings = view.topics[rd_kafka_ConfigResource_name(answers[i])].settings.emplace();
    std::size_t entries = 0;
    const rd_kafka_ConfigEntry_t** entry = rd_kafka_ConfigResource_configs(answers[i], &entries);
    for (std::size_t k = 0; k < entries; ++k) {
      const char* value = rd_kafka_ConfigEntry_value(entry[k]);
      if (value != nullptr) settings[rd_kafka_ConfigEntry_name(entry[k])] = value;
    }
  }
  return true;
}

}  // namespace

ClusterView look_at_cluster(const KafkaSettings& settings, const std::vector<WantedTopic>& topics,
                            const LogLine& log) {
  ClusterView view;
  Reason reason;
  KafkaCallbacks callbacks;
  callbacks.log = reason.listen(log);
  // A consumer: asking a producer for a topic would create it where the brokers allow that.
  const auto made =
      make_kafka_client(RD_KAFKA_CONSUMER, settings, {}, {{"allow.auto.create.topics", "false"}}, callbacks);
  if (!made) {
    view.why = made.error();
    return view;
  }
  rd_kafka_t* const client = made.value().get();
  std::vector<KafkaTopic> asked;  // all that the client knows are asked for at once
  for (const WantedTopic& topic : topics) {
    view.topics[topic.name];
    asked.emplace_back(rd_kafka_topic_new(client, topic.name.c_str(), nullptr));
  }
  const rd_kafka_metadata_t* answer = nullptr;
  const auto code = rd_kafka_metadata(client, 0, nullptr, &answer, reach_timeout_ms);
  const Metadata metadata{answer};
  rd_kafka_poll(client, 0);  // hands over the reasons
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    view.why = reason.text().empty() ? rd_kafka_err2str(code) : reason.text();
    return view;
  }
  view.reachable = true;
  view.brokers = metadata->broker_cnt;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const auto found = view.topics.find(metadata->topics[i].topic);
    if (found != view.topics.end()) note(metadata->topics[i], found->second);
  }
  if (!read_settings(client, view)) {
    view.reachable = false;
    view.why = "it stopped answering";
    return view;
  }
  try_rights(settings, topics, view, log);
  return view;
}

std::vector<std::string> create_topics(const KafkaSettings& settings, const std::vector<PlannedTopic>& topics,
                                       const LogLine& log) {
  if (topics.empty()) return {};
  KafkaCallbacks callbacks{log};
  const auto made = make_kafka_client(RD_KAFKA_CONSUMER, settings, {}, {}, callbacks);
  if (!made) return {made.error()};
  rd_kafka_t* const client = made.value().get();
  std::vector<std::string> failures;
  std::vector<NewTopic> wanted;
  std::array<char, 512> text{};
  for (const PlannedTopic& topic : topics) {
    NewTopic one{rd_kafka_NewTopic_new(topic.name.c_str(), topic.partitions, topic.replication_factor, text.data(),
                                       text.size())};
    if (!one) {
      failures.push_back(topic.name + ": " + text.data());
      continue;
    }
    for (const auto& [name, value] : topic.settings)
      rd_kafka_NewTopic_set_config(one.get(), name.c_str(), value.c_str());
    wanted.push_back(std::move(one));
  }
  const KafkaQueue queue{rd_kafka_queue_new(client)};
  const Options options{rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_CREATETOPICS)};
  rd_kafka_AdminOptions_set_request_timeout(options.get(), create_timeout_ms, nullptr, 0);
  rd_kafka_AdminOptions_set_operation_timeout(options.get(), create_timeout_ms / 2, nullptr, 0);
  auto list = pointers(wanted);
  rd_kafka_CreateTopics(client, list.data(), list.size(), options.get(), queue.get());
  const Event event{rd_kafka_queue_poll(queue.get(), create_timeout_ms + 1'000)};
  const auto* result = event ? rd_kafka_event_CreateTopics_result(event.get()) : nullptr;
  if (result == nullptr || rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    failures.push_back(event ? rd_kafka_event_error_string(event.get()) : "no answer");
    return failures;
  }
  std::size_t count = 0;
  const rd_kafka_topic_result_t** answers = rd_kafka_CreateTopics_result_topics(result, &count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto code = rd_kafka_topic_result_error(answers[i]);
    // Somebody else was faster: what it is like is checked afterwards.
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) continue;
    const char* why = rd_kafka_topic_result_error_string(answers[i]);
    failures.push_back(std::string(rd_kafka_topic_result_name(answers[i])) + ": " +
                       (why != nullptr ? why : rd_kafka_err2str(code)));
  }
  return failures;
}

}  // namespace tocsin
