#include "edge/kafka/topic_rights.h"

#include <chrono>

#include "edge/kafka/kafka_handle.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr auto rights_patience = 5s;

void try_reading(const KafkaSettings& settings, const std::vector<WantedTopic>& topics, ClusterView& view,
                 const LogLine& log) {
  KafkaCallbacks callbacks{log};
  const auto made = make_kafka_client(
      RD_KAFKA_CONSUMER, settings, {},
      {{"enable.partition.eof", "true"}, {"fetch.wait.max.ms", "50"}, {"allow.auto.create.topics", "false"}},
      callbacks);
  if (!made) return;
  const KafkaQueue queue{rd_kafka_queue_new(made.value().get())};
  std::vector<KafkaTopic> open;
  for (const WantedTopic& topic : topics) {
    if (!topic.read || !view.topics[topic.name].exists) continue;
    open.emplace_back(rd_kafka_topic_new(made.value().get(), topic.name.c_str(), nullptr));
    rd_kafka_consume_start_queue(open.back().get(), 0, RD_KAFKA_OFFSET_END, queue.get());
  }
  std::size_t answers = 0;
  for (const auto until = Steady::now() + rights_patience; answers < open.size() && Steady::now() < until;) {
    rd_kafka_message_t* message = nullptr;
    if (rd_kafka_consume_batch_queue(queue.get(), 100, &message, 1) < 1) continue;
    auto& may_read = view.topics[rd_kafka_topic_name(message->rkt)].may_read;
    const bool denied = message->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    const bool read = message->err == RD_KAFKA_RESP_ERR_NO_ERROR || message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
    if (!may_read && (denied || read)) {
      may_read = read;
      ++answers;
    }
    rd_kafka_message_destroy(message);
  }
  for (const KafkaTopic& topic : open) rd_kafka_consume_stop(topic.get(), 0);
}

struct Writing {
  ClusterView& view;
  std::size_t waiting = 0;
};

void note_answer(rd_kafka_t*, const rd_kafka_message_t* message, void* owner) {
  auto& writing = *static_cast<Writing*>(owner);
  --writing.waiting;
  auto& may_write = writing.view.topics[rd_kafka_topic_name(message->rkt)].may_write;
  if (message->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) may_write = false;
  if (message->err == RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS || message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    may_write = true;
  }
}

void try_writing(const KafkaSettings& settings, const std::vector<WantedTopic>& topics, ClusterView& view,
                 const LogLine& log) {
  Writing writing{view};
  KafkaCallbacks callbacks{log, &writing, nullptr, &note_answer};
  // Brokers know acks of -1, 0 and 1. They look at the right first, then refuse the 2, and store nothing.
  const auto made = make_kafka_client(
      RD_KAFKA_PRODUCER, settings, {},
      {{"acks", "2"}, {"linger.ms", "0"}, {"message.send.max.retries", "0"}, {"message.timeout.ms", "5000"}},
      callbacks);
  if (!made) return;
  rd_kafka_t* const producer = made.value().get();
  for (const WantedTopic& topic : topics) {
    if (!topic.write || !view.topics[topic.name].exists) continue;
    NewRecord empty;
    if (produce(producer, topic.name, empty, nullptr) == RD_KAFKA_RESP_ERR_NO_ERROR) ++writing.waiting;
  }
  for (const auto until = Steady::now() + rights_patience; writing.waiting > 0 && Steady::now() < until;) {
    rd_kafka_poll(producer, 100);
  }
  // What was not answered must not come back to `writing` when it is gone.
  rd_kafka_purge(producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  rd_kafka_flush(producer, 1'000);
}

}  // namespace

void try_rights(const KafkaSettings& settings, const std::vector<WantedTopic>& topics, ClusterView& view,
                const LogLine& log) {
  try_reading(settings, topics, view, log);
  try_writing(settings, topics, view, log);
}

}  // namespace tocsin
