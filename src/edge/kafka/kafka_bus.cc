#include "edge/kafka/kafka_bus.h"

#include <unistd.h>

#include <array>
#include <chrono>
#include <functional>
#include <random>
#include <utility>

#include "base/hash.h"
#include "edge/kafka/kafka_handle.h"
#include "edge/kafka/kafka_member.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr Duration no_progress = 30s;
constexpr int side_timeout_ms = 2'000;

void note_delivered(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  auto* in_flight = static_cast<InFlight*>(message->_private);
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) in_flight->failed.fetch_add(1, std::memory_order_acq_rel);
  // Sent without a time limit: it fails only where the broker refuses it for good, or at the very end.
  if (in_flight->records.fetch_sub(1, std::memory_order_acq_rel) == 1 && in_flight->on_empty) in_flight->on_empty();
}

std::string random_name() {
  std::random_device source;
  return to_hex(hash_parts({std::to_string(getpid()), std::to_string(source()), std::to_string(source())}))
      .substr(0, 12);
}

// A stretch of one partition, read without a group.
class KafkaAgain final : public Again {
 public:
  KafkaAgain(KafkaHandle client, KafkaTopic topic, std::int32_t number, TopicPartition of, std::int64_t from,
             std::int64_t until, bool is_cut_off)
      : client_(std::move(client)),
        topic_(std::move(topic)),
        number_(number),
        of_(of),
        from_(from),
        until_(until),
        is_cut_off_(is_cut_off) {}
  ~KafkaAgain() override {
    rd_kafka_consume_stop(topic_.get(), number_);
    topic_.reset();
  }

  std::size_t read(std::size_t most, const OnRecord& on_record) override { return read_within(0, most, on_record); }
  // Waits up to so many milliseconds until there are as many.
  std::size_t read_within(int milliseconds, std::size_t most, const OnRecord& on_record) {
    if (at_end()) return 0;
    batch_.resize(most);
    std::size_t handed = 0;
    const ssize_t count = rd_kafka_consume_batch(topic_.get(), number_, milliseconds, batch_.data(), most);
    const KafkaMessages held(batch_.data(), count);
    for (ssize_t i = 0; i < count; ++i) {
      rd_kafka_message_t* const message = batch_[static_cast<std::size_t>(i)];
      if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        from_ = std::max(from_, message->offset);
      } else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR && message->offset >= until_) {
        from_ = until_;
      } else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR && !at_end()) {
        on_record(record_of(message, of_));
        from_ = message->offset + 1;
        ++handed;
      }
    }
    return handed;
  }
  bool at_end() const override { return from_ >= until_; }
  bool is_cut_off() const override { return is_cut_off_; }

 private:
  KafkaHandle client_;
  KafkaTopic topic_;
  std::int32_t number_ = 0;
  TopicPartition of_;
  std::int64_t from_ = 0;
  std::int64_t until_ = 0;
  bool is_cut_off_ = false;
  std::vector<rd_kafka_message_t*> batch_;
};

}  // namespace

struct KafkaBus::State {
  KafkaSettings settings;
  TopicNames names;
  LogLine log;
  std::string process = random_name();
  KafkaShared shared;
  std::function<void()> on_replaced;
  KafkaCallbacks producer_callbacks;
  KafkaCallbacks side_callbacks;
  KafkaHandle at_once;
  KafkaHandle later;
  std::vector<KafkaTopic> warm;
  KafkaHandle side;            // asks where partitions end: on a consuming client that would wait behind its fetch
  KafkaHandle asks_for_group;  // which positions another group has
  std::vector<std::int64_t> ends_before;  // of unkeyed partitions, to which the group has not come yet
  RecordTime ends_asked_at;
  std::atomic<bool> stop{false};
  std::atomic<bool> reachable{false};
  std::vector<std::thread> threads;
  // Of each source topic, as the cluster said last. Relaxed: a late look costs one turn of a loop.
  std::map<std::string, std::atomic<std::int32_t>> seen;

  void serve(rd_kafka_t* producer) const {
    while (!stop.load(std::memory_order_relaxed)) rd_kafka_poll(producer, 100);
  }

  // Says once that the cluster can't be reached, and once that it can.
  void watch() {
    bool said = false;
    // The client's own topics are those that it is told of below.
    std::vector<KafkaTopic> topics;
    for (const auto& [name, count] : seen) topics.emplace_back(rd_kafka_topic_new(side.get(), name.c_str(), nullptr));
    while (!stop.load(std::memory_order_relaxed)) {
      const rd_kafka_metadata_t* metadata = nullptr;
      const bool ok =
          rd_kafka_metadata(side.get(), 0, nullptr, &metadata, side_timeout_ms) == RD_KAFKA_RESP_ERR_NO_ERROR;
      for (int i = 0; metadata != nullptr && i < metadata->topic_cnt; ++i) {
        const auto source = seen.find(metadata->topics[i].topic);
        if (source == seen.end() || metadata->topics[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
        source->second.store(metadata->topics[i].partition_cnt, std::memory_order_relaxed);
      }
      if (metadata != nullptr) rd_kafka_metadata_destroy(metadata);
      reachable = ok;
      if (!ok && !said) log(LogLevel::warning, "Kafka can't be reached; waiting for it");
      if (ok && said) log(LogLevel::info, "Kafka can be reached again");
      said = !ok;
      for (int i = 0; i < 20 && !stop.load(std::memory_order_relaxed); ++i) {
        std::this_thread::sleep_for(100ms);
        if (on_replaced && shared.is_replaced) std::exchange(on_replaced, nullptr)();
      }
    }
  }

  void send(rd_kafka_t* producer, NewRecord record, InFlight& in_flight) {
    const std::string& topic = *names.native({record.topic, 0}).first;
    in_flight.records.fetch_add(1, std::memory_order_acq_rel);
    for (;;) {
      const auto code = produce(producer, topic, record, &in_flight);
      if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return;
      if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && !shared.is_stopping) {
        std::this_thread::sleep_for(5ms);
        continue;
      }
      log(LogLevel::error, topic + ": a record can't be written: " + rd_kafka_err2str(code));
      in_flight.failed.fetch_add(1, std::memory_order_acq_rel);
      in_flight.records.fetch_sub(1, std::memory_order_acq_rel);
      return;
    }
  }

  // How much a client reads ahead. A full queue costs up to a second until librdkafka (before 2.2) fetches again.
  struct Room {
    const char* kilobytes;
    const char* messages;
    const char* fetched_bytes;  // of a partition at once
  };
  static constexpr Room little{"16384", "20000", "1048576"}, much{"262144", "2000000", "8388608"};

  // A client that reads single partitions without a group.
  KafkaHandle make_reader(Room room) {
    auto made = make_kafka_client(RD_KAFKA_CONSUMER, settings,
                                  {{"fetch.wait.max.ms", "100"},
                                   {"fetch.error.backoff.ms", "50"},
                                   {"queued.max.messages.kbytes", room.kilobytes},
                                   {"queued.min.messages", room.messages},
                                   {"fetch.message.max.bytes", room.fetched_bytes}},
                                  {{"isolation.level", "read_committed"},
                                   {"enable.partition.eof", "true"},
                                   {"auto.offset.reset", "earliest"},
                                   {"enable.auto.commit", "false"},
                                   {"enable.auto.offset.store", "false"}},
                                  side_callbacks);
    return made ? std::move(made.value()) : nullptr;
  }

  ReadOutcome read_range(TopicPartition of, std::int64_t from, std::int64_t until, const OnRecord& on_record,
                         const std::function<bool()>& keep_going) {
    if (from >= until) return ReadOutcome::complete;
    const auto stretch = read_stretch(of, from, until, false);
    if (!stretch) return ReadOutcome::stuck;
    for (auto last = Steady::now(); Steady::now() - last < no_progress;) {
      if (!keep_going()) return ReadOutcome::stopped;
      if (stretch->read_within(20, 1'000, on_record) > 0) last = Steady::now();
      if (stretch->at_end()) return ReadOutcome::complete;
    }
    return ReadOutcome::stuck;
  }

  // Null where it can't be begun.
  std::unique_ptr<KafkaAgain> read_stretch(TopicPartition of, std::int64_t from, std::int64_t until,
                                           bool is_cut_off) {
    KafkaHandle client = make_reader(much);
    if (!client) return nullptr;
    const auto [name, number] = names.native(of);
    KafkaTopic topic{rd_kafka_topic_new(client.get(), name->c_str(), nullptr)};
    if (!topic || rd_kafka_consume_start(topic.get(), number, from) != 0) return nullptr;
    return std::make_unique<KafkaAgain>(std::move(client), std::move(topic), number, of, from, until, is_cut_off);
  }
};

namespace {

// Several partitions read by one client through one queue.
class KafkaTail final : public Tail {
 public:
  struct Part {
    KafkaTopic topic;
    std::int32_t partition = 0;  // in the cluster
    TopicPartition of;
    std::int64_t end = 0;
    std::int64_t reached = 0;
  };

  explicit KafkaTail(KafkaHandle client) : client_(std::move(client)) {
    queue_.reset(rd_kafka_queue_new(client_.get()));
  }
  ~KafkaTail() override {
    for (const Part& part : parts_) rd_kafka_consume_stop(part.topic.get(), part.partition);
    parts_.clear();
    queue_.reset();
  }

  void add(const std::string& name, std::int32_t partition, TopicPartition of, std::int64_t end) {
    Part part{KafkaTopic(rd_kafka_topic_new(client_.get(), name.c_str(), nullptr)), partition, of, end, 0};
    rd_kafka_consume_start_queue(part.topic.get(), partition, RD_KAFKA_OFFSET_BEGINNING, queue_.get());
    parts_.push_back(std::move(part));
  }

  std::size_t read(const OnRecord& on_record, Duration timeout) override {
    std::size_t count = 0;
    for (int wait = static_cast<int>(timeout.count());; wait = 0) {
      // One by one: a batch call would wait until it is full.
      rd_kafka_message_t* message = nullptr;
      if (rd_kafka_consume_batch_queue(queue_.get(), wait, &message, 1) < 1) return count;
      const KafkaMessages held(&message, 1);
      TopicPartition from;
      for (Part& part : parts_) {
        if (part.topic.get() != message->rkt || part.partition != message->partition) continue;
        from = part.of;
        const bool is_record = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
        if (is_record || message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
          part.reached = std::max(part.reached, message->offset + (is_record ? 1 : 0));
        }
      }
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        on_record(record_of(message, from));
        ++count;
      }
      if (count >= 1'000) return count;
    }
  }

  bool caught_up() const override {
    for (const Part& part : parts_) {
      if (part.reached < part.end) return false;
    }
    return true;
  }

 private:
  KafkaHandle client_;
  KafkaQueue queue_;
  std::vector<Part> parts_;
};

}  // namespace

KafkaBus::KafkaBus(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<KafkaBus>, std::string> KafkaBus::start(KafkaSettings settings, TopicNames names, LogLine log,
                                                               std::function<void()> on_replaced) {
  auto state = std::make_unique<State>();
  state->settings = std::move(settings);
  state->names = std::move(names);
  state->log = std::move(log);
  state->on_replaced = std::move(on_replaced);
  state->producer_callbacks.log = state->side_callbacks.log = state->log;
  state->producer_callbacks.delivered = &note_delivered;
  const std::map<std::string, std::string> exact{{"enable.idempotence", "true"}, {"message.timeout.ms", "0"}};
  auto at_once =
      make_kafka_client(RD_KAFKA_PRODUCER, state->settings, {{"linger.ms", "0"}, {"partitioner", "murmur2_random"}},
                        exact, state->producer_callbacks);
  if (!at_once) return failure(at_once.error());
  auto later =
      make_kafka_client(RD_KAFKA_PRODUCER, state->settings,
                        {{"linger.ms", "50"}, {"compression.type", "lz4"}, {"partitioner", "murmur2_random"}}, exact,
                        state->producer_callbacks);
  if (!later) return failure(later.error());
  auto side = make_kafka_client(RD_KAFKA_CONSUMER, state->settings, {}, {{"isolation.level", "read_uncommitted"}},
                                state->side_callbacks);
  if (!side) return failure(side.error());
  state->at_once = std::move(at_once.value());
  state->later = std::move(later.value());
  state->side = std::move(side.value());
  for (KafkaTopic& topic : warm_topics(state->at_once.get(), state->names)) state->warm.push_back(std::move(topic));
  for (KafkaTopic& topic : warm_topics(state->later.get(), state->names)) state->warm.push_back(std::move(topic));
  for (const TopicNames::Source& source : state->names.sources()) state->seen[source.name] = source.partitions;
  for (const TopicNames::Source& topic : state->names.unkeyed()) state->seen[topic.name] = topic.partitions;
  State* const self = state.get();
  state->threads.emplace_back([self] { self->serve(self->at_once.get()); });
  state->threads.emplace_back([self] { self->serve(self->later.get()); });
  state->threads.emplace_back([self] { self->watch(); });
  return success(std::unique_ptr<KafkaBus>(new KafkaBus(std::move(state))));
}

KafkaBus::~KafkaBus() {
  stop();
}

void KafkaBus::begin_stop() {
  state_->shared.is_stopping = true;
}

void KafkaBus::stop() {
  if (state_->threads.empty()) return;
  begin_stop();
  rd_kafka_flush(state_->at_once.get(), 2'000);
  rd_kafka_flush(state_->later.get(), 3'000);
  state_->stop = true;
  for (std::thread& thread : state_->threads) thread.join();
  state_->threads.clear();
}

Result<std::unique_ptr<Member>, std::string> KafkaBus::join(const std::string& group,
                                                            const std::vector<Topic>& topics,
                                                            const std::string& name) {
  if (state_->shared.is_replaced) return failure("another process has the name " + state_->settings.instance);
  return KafkaMember::join(state_->settings, state_->names, {group, topics, name, state_->process}, state_->log,
                           state_->shared);
}

void KafkaBus::send(NewRecord record, InFlight& in_flight) {
  state_->send(state_->at_once.get(), std::move(record), in_flight);
}

void KafkaBus::send_later(NewRecord record, InFlight& in_flight) {
  state_->send(state_->later.get(), std::move(record), in_flight);
}

ReadOutcome KafkaBus::read_range(TopicPartition of, std::int64_t from, std::int64_t until, const OnRecord& on_record,
                                 const std::function<bool()>& keep_going) {
  return state_->read_range(of, from, until, on_record, keep_going);
}

ReadOutcome KafkaBus::read_to_end(TopicPartition of, std::int64_t from, const OnRecord& on_record,
                                  const std::function<bool()>& keep_going) {
  // The high watermark, not what read_committed calls the end: a dead owner's open transaction lies between the two.
  const auto [name, number] = state_->names.native(of);
  std::optional<KafkaBounds> bounds;
  for (auto begin = Steady::now();;) {
    bounds = ask_bounds(state_->side.get(), *name, number, side_timeout_ms);
    if (bounds) break;
    if (!keep_going()) return ReadOutcome::stopped;
    if (Steady::now() - begin > no_progress) return ReadOutcome::stuck;
    std::this_thread::sleep_for(50ms);  // it may have answered at once
  }
  return state_->read_range(of, std::max(from, bounds->low), bounds->high, on_record, keep_going);
}

std::unique_ptr<Again> KafkaBus::read_again(TopicPartition of, RecordTime from, std::int64_t until) {
  const auto [name, number] = state_->names.native(of);
  const KafkaPartitions list{rd_kafka_topic_partition_list_new(1)};
  auto* const asked = rd_kafka_topic_partition_list_add(list.get(), name->c_str(), number);
  asked->offset = std::max<std::int64_t>(from.since_epoch.count(), 0);
  const auto bounds = ask_bounds(state_->side.get(), *name, number, side_timeout_ms);
  const bool is_answered =
      bounds &&
      rd_kafka_offsets_for_times(state_->side.get(), list.get(), side_timeout_ms) == RD_KAFKA_RESP_ERR_NO_ERROR &&
      asked->err == RD_KAFKA_RESP_ERR_NO_ERROR;
  if (!is_answered) return nullptr;
  until = std::min(until, bounds->high);  // the topic may have been made anew
  // Negative: no record is that young.
  const std::int64_t begin = asked->offset < 0 ? until : std::max(asked->offset, bounds->low);
  return state_->read_stretch(of, std::min(begin, until), until, bounds->low > 0 && begin <= bounds->low);
}

std::optional<std::vector<std::int64_t>> KafkaBus::ends(std::span<const TopicPartition> of) {
  const KafkaPartitions list{rd_kafka_topic_partition_list_new(static_cast<int>(of.size()))};
  for (const TopicPartition& each : of) {
    const auto [name, number] = state_->names.native(each);
    rd_kafka_topic_partition_list_add(list.get(), name->c_str(), number)->offset = RD_KAFKA_OFFSET_END;
  }
  if (rd_kafka_offsets_for_times(state_->side.get(), list.get(), 1'000) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::nullopt;
  }
  std::vector<std::int64_t> ends;
  for (int i = 0; i < list->cnt; ++i) {
    if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
    ends.push_back(list->elems[i].offset);
  }
  return ends;
}

// Under a steady stream nobody ever stands at the end: what counts is having come to where it was some time ago.
std::optional<RecordTime> KafkaBus::unkeyed_read_until(const std::string& group, RecordTime now) {
  State& state = *state_;
  if (state.settings.unkeyed.empty()) return now;
  if (!state.asks_for_group) {
    auto client = make_kafka_client(RD_KAFKA_CONSUMER, state.settings, {},
                                    {{"group.id", state.settings.group_prefix + group},
                                     {"enable.auto.commit", "false"},
                                     {"isolation.level", "read_uncommitted"}},
                                    state.side_callbacks);
    if (!client) return std::nullopt;
    state.asks_for_group = std::move(client.value());
  }
  const KafkaPartitions list{rd_kafka_topic_partition_list_new(8)};
  for (const std::string& topic : state.settings.unkeyed) {
    const std::int32_t count = state.seen.at(topic).load(std::memory_order_relaxed);
    for (std::int32_t p = 0; p < count; ++p) rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), p);
  }
  rd_kafka_t* const client = state.asks_for_group.get();
  // The ends first: what is committed later than they were asked for was read as well.
  const KafkaPartitions asked{rd_kafka_topic_partition_list_copy(list.get())};
  for (int i = 0; i < asked->cnt; ++i) asked->elems[i].offset = RD_KAFKA_OFFSET_END;
  if (rd_kafka_offsets_for_times(client, asked.get(), 1'000) != RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
  if (rd_kafka_committed(client, list.get(), 1'000) != RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
  std::vector<std::int64_t> ends, positions;
  for (int i = 0; i < list->cnt; ++i) {
    if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR || asked->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR)
      return std::nullopt;
    ends.push_back(asked->elems[i].offset);
    // Without a position it was never read; there may be nothing in it.
    positions.push_back(std::max<std::int64_t>(list->elems[i].offset, 0));
  }
  const auto has_come_to = [&](const std::vector<std::int64_t>& those) {
    return std::equal(positions.begin(), positions.end(), those.begin(), those.end(), std::greater_equal<>());
  };
  if (has_come_to(ends)) {
    state.ends_before.clear();
    return now;
  }
  std::optional<RecordTime> until;
  if (has_come_to(state.ends_before)) until = state.ends_asked_at;
  // More partitions than before: what was known of the others is of no use.
  if (until || state.ends_before.size() != ends.size()) {
    state.ends_before = std::move(ends);
    state.ends_asked_at = now;
  }
  return until;
}

std::unique_ptr<Tail> KafkaBus::tail(const std::vector<Topic>& topics) {
  auto tail = std::make_unique<KafkaTail>(state_->make_reader(State::little));
  for (const Topic topic : topics) {
    for (std::int32_t p = 0; p < partitions(topic); ++p) {
      const TopicPartition one[] = {{topic, p}};
      const auto end = ends(one);
      if (!end) return nullptr;
      const auto [name, number] = state_->names.native(one[0]);
      tail->add(*name, number, one[0], end->front());
    }
  }
  return tail;
}

std::int32_t KafkaBus::partitions(Topic topic) const {
  return state_->names.partitions(topic);
}

std::pair<std::string, std::int32_t> KafkaBus::name_of(TopicPartition of) const {
  const auto [name, number] = state_->names.native(of);
  return {*name, number};
}

bool KafkaBus::reachable() const {
  return state_->reachable;
}

std::int32_t KafkaBus::partitions_seen(TopicPartition of) const {
  const auto source = state_->seen.find(name_of(of).first);
  return source == state_->seen.end() ? 0 : source->second.load(std::memory_order_relaxed);
}

std::int32_t KafkaBus::partitions_read(TopicPartition of) const {
  return state_->names.numbered(name_of(of).first);
}

bool KafkaBus::is_added(TopicPartition of) const {
  return state_->names.is_added(of);
}

std::vector<std::pair<std::string, std::int32_t>> KafkaBus::unread_partitions() const {
  std::vector<std::pair<std::string, std::int32_t>> list;
  for (const TopicNames::Source& source : state_->names.sources()) {
    const std::int32_t count = state_->seen.at(source.name).load(std::memory_order_relaxed);
    list.emplace_back(source.name, std::max(0, count - state_->names.numbered(source.name)));
  }
  return list;
}

BusFigures KafkaBus::figures() const {
  const KafkaShared& shared = state_->shared;
  return {shared.transactions, shared.transactions_failed, shared.rebalances, shared.fetched_bytes,
          state_->reachable};
}

}  // namespace tocsin
