#include "edge/kafka/topic_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <compare>
#include <functional>
#include <future>
#include <limits>
#include <queue>
#include <thread>
#include <utility>
#include <vector>

#include "edge/kafka/cluster_view.h"
#include "edge/kafka/kafka_handle.h"
#include "edge/kafka/topic_print.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

// What librdkafka may read ahead in all partitions together; each has a queue of its own.
constexpr std::int64_t room_kib = 48 * 1024;
constexpr std::int64_t least_room_kib = 64, most_room_kib = 16 * 1024;
constexpr std::size_t most_read = 500;  // taken out of a queue at once
constexpr int times_timeout_ms = 5'000;
constexpr int wake_timeout_ms = 500;
constexpr int wait_ms = 20;
constexpr auto read_patience = 30s;    // a broker that is killed is replaced sooner
constexpr auto believed_missing = 5s;  // of a partition
constexpr auto close_timeout = 3s;

// As live: what is stamped later than that was stamped by a wrong clock.
constexpr Duration most_ahead = 60s;
// That a clock was wrong is seen by how many records after it are stamped earlier.
constexpr std::size_t seen_after = 64;
// Producers stamp records before they send them: behind the first one past the end there may be some from before it.
constexpr Duration most_late = 10min;

constexpr RecordTime before_all{Duration{std::numeric_limits<std::int64_t>::min()}};

struct Stamp {
  std::optional<RecordTime> time;
  bool is_of_broker = false;
};

Stamp stamp_of(const rd_kafka_message_t* message) {
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const std::int64_t stamp = rd_kafka_message_timestamp(message, &type);
  if (type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || stamp < 0) return {};
  return {RecordTime{Duration{stamp}}, type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME};
}

// Offsets of all partitions at a time, or at RD_KAFKA_OFFSET_BEGINNING or _END; below 0: nothing is that young.
using Offsets = Result<std::vector<std::int64_t>, rd_kafka_resp_err_t>;

Offsets ask_offsets(rd_kafka_t* client, const std::string& topic, std::int32_t partitions, std::int64_t at) {
  rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
  for (const auto until = Steady::now() + read_patience; Steady::now() < until; std::this_thread::sleep_for(100ms)) {
    const KafkaPartitions list{rd_kafka_topic_partition_list_new(partitions)};
    for (std::int32_t p = 0; p < partitions; ++p) {
      rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), p)->offset = at;
    }
    code = rd_kafka_offsets_for_times(client, list.get(), times_timeout_ms);
    std::vector<std::int64_t> offsets(static_cast<std::size_t>(partitions));
    for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
      code = list->elems[i].err;
      offsets[static_cast<std::size_t>(list->elems[i].partition)] = list->elems[i].offset;
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return success(std::move(offsets));
    if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) break;
  }
  return failure(code);
}

std::string brokers_of(const KafkaSettings& settings) {
  const auto brokers = settings.properties.find("bootstrap.servers");
  return brokers == settings.properties.end() ? "?" : brokers->second;
}

std::string denied(const KafkaSettings& settings, const std::string& topic) {
  return "the right to read topic " + topic + " is missing; an administrator gives it:\n    " +
         allow_command(settings, topic, {"Describe", "Read"});
}

// What is wrong with the topic; nothing where it can be read.
std::optional<std::string> fault_of(const KafkaSettings& settings, const std::string& topic, ClusterView& view) {
  if (!view.reachable) {
    return fmt::format(
        "no broker answers at {}: {}; look at its address, and at what the configuration says of its security",
        brokers_of(settings), view.why);
  }
  const SeenTopic& seen = view.topics[topic];
  if (seen.denied || seen.may_read == false) return denied(settings, topic);
  if (!seen.fault.empty()) return fmt::format("topic {} can't be read: {}", topic, seen.fault);
  if (!seen.exists || seen.partitions == 0) {
    return fmt::format("there is no topic {} at {}; look at its name (kafka-topics.sh --bootstrap-server {} --list)",
                       topic, brokers_of(settings), brokers_of(settings));
  }
  return std::nullopt;
}

// The legacy consumer: it needs no group, so that nobody has to give a right to one.
Result<KafkaHandle, std::string> make_reader(const KafkaSettings& settings, std::int32_t partitions,
                                             KafkaCallbacks& callbacks) {
  const std::int64_t room = std::clamp(room_kib / partitions, least_room_kib, most_room_kib);
  return make_kafka_client(RD_KAFKA_CONSUMER, settings, {{"fetch.error.backoff.ms", "50"}},
                           {{"isolation.level", "read_committed"},
                            {"enable.partition.eof", "true"},
                            {"enable.auto.commit", "false"},
                            {"enable.auto.offset.store", "false"},
                            {"allow.auto.create.topics", "false"},
                            // What is gone must not be passed over in silence.
                            {"auto.offset.reset", "error"},
                            {"queued.min.messages", "100000"},
                            {"queued.max.messages.kbytes", std::to_string(room)},
                            {"fetch.message.max.bytes", std::to_string(std::min<std::int64_t>(room, 1'024) * 1'024)},
                            {"fetch.max.bytes", "2097152"},
                            // A fetch that waits at one partition's end keeps the others from being read.
                            {"fetch.wait.max.ms", "10"}},
                           callbacks);
}

// One partition, read from `next` until `end`.
class Part {
 public:
  Part(rd_kafka_t* client, std::string topic, std::int32_t number, std::int64_t begin, std::int64_t end,
       const TopicRange& range)
      : client_(client), name_(std::move(topic)), number_(number), begin_(begin), end_(end), range_(range) {}
  Part(Part&&) = default;
  ~Part() {
    give_back(messages_.size());
    if (topic_ && !is_read_) rd_kafka_consume_stop(topic_.get(), number_);
  }

  std::int64_t size() const { return end_ - begin_; }
  std::int64_t done() const { return std::clamp(position_ - begin_, std::int64_t{0}, size()); }

  bool start() {
    position_ = reached_ = begin_;
    is_read_ = begin_ >= end_;
    if (is_read_) return true;
    topic_.reset(rd_kafka_topic_new(client_, name_.c_str(), nullptr));
    return topic_ && rd_kafka_consume_start(topic_.get(), number_, begin_) == 0;
  }

  // Goes on to the next record; false at the end, and where there is an error.
  bool advance() {
    if (has_head_) ++head_;
    has_head_ = false;
    if (!fill(1)) {
      position_ = end_;
      return false;
    }
    judge_head();
    has_head_ = !error_;
    return has_head_;
  }

  // Of the head. Where it comes in the order of all.
  RecordTime place() const { return place_; }
  TopicRecord record() {
    const rd_kafka_message_t* const message = messages_[head_];
    const BusRecord fields = record_of(message, {});
    position_ = message->offset + 1;
    return {number_, message->offset, fields.key, fields.value, stamp_of(message).time, is_ahead_};
  }

  const std::optional<std::string>& error() const { return error_; }

 private:
  std::size_t held() const { return messages_.size() - head_; }

  void give_back(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) rd_kafka_message_destroy(messages_[i]);
    messages_.erase(messages_.begin(), messages_.begin() + static_cast<std::ptrdiff_t>(count));
    head_ = 0;
  }

  // Waits until so many records are at hand, or all there are; false where there is none.
  bool fill(std::size_t wanted) {
    if (held() >= wanted) return true;
    give_back(head_);
    missing_since_ = std::nullopt;
    std::int64_t reached = reached_;
    for (auto last = Steady::now(); held() < wanted && !is_read_ && !error_;) {
      if (!read()) wake();
      if (reached_ > reached) last = Steady::now();
      reached = reached_;
      if (Steady::now() - last > read_patience) fail_for_silence();
    }
    return held() > 0 && !error_;
  }

  // What is in the queue; else waits a moment. False where nothing came, be it wanted or not.
  bool read() {
    std::array<rd_kafka_message_t*, most_read> batch{};
    ssize_t count = rd_kafka_consume_batch(topic_.get(), number_, 0, batch.data(), batch.size());
    if (count <= 0) {
      // A batch would wait until it is full.
      batch[0] = rd_kafka_consume(topic_.get(), number_, wait_ms);
      count = batch[0] == nullptr ? 0 : 1;
    }
    for (ssize_t i = 0; i < count; ++i) take(batch[static_cast<std::size_t>(i)]);
    if (is_read_) rd_kafka_consume_stop(topic_.get(), number_);
    return count > 0;
  }

  void take(rd_kafka_message_t* message) {
    if (is_wanted(message)) {
      messages_.push_back(message);
    } else {
      rd_kafka_message_destroy(message);
    }
  }

  bool is_wanted(const rd_kafka_message_t* message) {
    if (is_read_ || error_) return false;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      is_read_ = message->offset >= end_;
      return false;
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      note(message->err);
      return false;
    }
    if (message->offset < reached_) return false;  // was read before (librdkafka issue 4208)
    reached_ = message->offset + 1;
    if (message->offset >= end_) {
      is_read_ = true;
      return false;
    }
    is_read_ = reached_ >= end_;
    const Stamp stamp = stamp_of(message);
    if (!stamp.time) return true;
    if (range_.to && *stamp.time >= *range_.to) {
      is_read_ = is_read_ || stamp.is_of_broker;  // such stamps do not go back
      return false;
    }
    return !range_.from || *stamp.time >= *range_.from;
  }

  // What came in a record's place, or for an answer. Errors of connections come and go.
  void note(rd_kafka_resp_err_t code) {
    last_code_ = code;
    switch (code) {
      case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
      case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
      case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        note_missing();
        return;
      case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        error_ = fmt::format("the right to read topic {} was taken away", name_);
        break;
      case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
      case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        error_ = fmt::format(
            "partition {} of topic {} has no record at offset {} any more: it was removed while it was waited for; "
            "begin later (--from), or keep records for longer",
            number_, name_, reached_);
        break;
      default:
        break;
    }
    missing_since_ = std::nullopt;
  }

  // A broker that has just come may not know of a partition yet.
  void note_missing() {
    const auto now = Steady::now();
    if (!missing_since_) missing_since_ = now;
    if (now - *missing_since_ < believed_missing) return;
    error_ = fmt::format("partition {} of topic {} is not there any more; was the topic deleted?", number_, name_);
  }

  void fail_for_silence() {
    error_ = fmt::format("nothing has come of partition {} of topic {} for {} s ({}); is its broker well?", number_,
                         name_, read_patience.count(), rd_kafka_err2str(last_code_));
  }

  // A client that had read ahead as far as it may sleeps up to a second (librdkafka issue 2879); a question to the
  // broker wakes it.
  void wake() {
    const KafkaPartitions list{rd_kafka_topic_partition_list_new(1)};
    rd_kafka_topic_partition_list_add(list.get(), name_.c_str(), number_)->offset = RD_KAFKA_OFFSET_END;
    const auto code = rd_kafka_offsets_for_times(client_, list.get(), wake_timeout_ms);
    note(code == RD_KAFKA_RESP_ERR_NO_ERROR ? list->elems[0].err : code);
    rd_kafka_poll(client_, 0);
  }

  void judge_head() {
    const auto time = stamp_of(messages_[head_]).time;
    is_ahead_ = time && is_ahead(*time);
    // What has no time of its own comes right after what was before it.
    place_ = time && !is_ahead_ ? *time : latest_;
    latest_ = std::max(latest_, place_);
  }

  bool is_ahead(RecordTime time) {
    if (time > now_ + most_ahead) return true;
    if (latest_ != before_all && time <= latest_ + most_ahead) return false;
    if (!fill(seen_after + 1)) return false;
    std::size_t after = 0, earlier = 0;
    for (std::size_t i = head_ + 1; i < messages_.size() && after < seen_after; ++i, ++after) {
      const auto other = stamp_of(messages_[i]).time;
      if (other && time - *other > most_ahead) ++earlier;
    }
    return 2 * earlier > after;
  }

  rd_kafka_t* client_;
  std::string name_;
  std::int32_t number_ = 0;
  std::int64_t begin_ = 0, end_ = 0;
  TopicRange range_;
  RecordTime now_ = as_record_time(std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()));
  KafkaTopic topic_;
  std::vector<rd_kafka_message_t*> messages_;
  std::size_t head_ = 0;  // of `messages_`; those before it were handed out
  bool has_head_ = false;
  bool is_ahead_ = false;
  bool is_read_ = false;  // nothing more is to come
  std::int64_t reached_ = 0, position_ = 0;
  RecordTime place_ = before_all, latest_ = before_all;
  std::optional<std::string> error_;
  rd_kafka_resp_err_t last_code_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  std::optional<Steady::time_point> missing_since_;
};

}  // namespace

struct TopicReader::State {
  // The partition whose head is next: the earliest, then the lowest.
  struct Head {
    RecordTime place;
    std::size_t part = 0;
    friend auto operator<=>(const Head&, const Head&) = default;
  };

  void go_on(std::size_t index) {
    Part& part = parts[index];
    if (part.advance()) heads.push({part.place(), index});
    if (part.error()) error = part.error();
  }

  KafkaCallbacks callbacks;
  KafkaHandle client;
  std::vector<Part> parts;
  std::priority_queue<Head, std::vector<Head>, std::greater<>> heads;
  std::optional<std::size_t> current;  // whose record was handed out
  bool is_begun = false;
  std::int64_t size = 0;
  std::optional<std::string> error;
};

TopicReader::TopicReader(std::unique_ptr<State> state) : state_(std::move(state)) {}

// librdkafka 2.0 never comes back from closing a client whose topic was deleted. Then it is left to the process' end.
TopicReader::~TopicReader() {
  std::promise<void> closed;
  const auto is_closed = closed.get_future();
  std::thread([state = std::move(state_), closed = std::move(closed)]() mutable {
    state.reset();
    closed.set_value();
  }).detach();
  is_closed.wait_for(close_timeout);
}

Result<std::unique_ptr<TopicReader>, std::string> TopicReader::open(KafkaSettings settings, TopicRange range) {
  // With a group's name the client would look for its coordinator, and the brokers make a topic for that.
  settings.properties.erase("group.id");
  ClusterView view = look_at_cluster(settings, {{range.topic, true, false}}, {});
  if (auto fault = fault_of(settings, range.topic, view)) return failure(std::move(*fault));
  const std::int32_t partitions = view.topics[range.topic].partitions;

  auto state = std::make_unique<State>();
  auto client = make_reader(settings, partitions, state->callbacks);
  if (!client) return failure(client.error());
  state->client = std::move(client.value());
  const auto ask = [&](std::int64_t at) { return ask_offsets(state->client.get(), range.topic, partitions, at); };
  const auto cannot = [&](rd_kafka_resp_err_t code) {
    if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) return denied(settings, range.topic);
    return fmt::format(
        "where topic {} begins and ends can't be found out ({}); are all of its partitions' brokers up?", range.topic,
        rd_kafka_err2str(code));
  };
  auto begins = ask(RD_KAFKA_OFFSET_BEGINNING);
  if (!begins) return failure(cannot(begins.error()));
  auto ends = ask(RD_KAFKA_OFFSET_END);
  if (!ends) return failure(cannot(ends.error()));
  // Partition by partition, the offset of the first record that is as young; the end where none is.
  const auto cut = [&](RecordTime at, auto apply) -> std::optional<std::string> {
    const auto offsets = ask(std::max<std::int64_t>(at.since_epoch.count(), 0));
    if (!offsets) return cannot(offsets.error());
    for (std::size_t p = 0; p < offsets.value().size(); ++p) {
      const std::int64_t end = ends.value()[p];
      const std::int64_t offset = offsets.value()[p];
      apply(p, offset < 0 ? end : std::min(offset, end));
    }
    return std::nullopt;
  };
  if (range.from) {
    auto fault = cut(*range.from, [&](std::size_t p, std::int64_t offset) {
      begins.value()[p] = std::max(begins.value()[p], offset);
    });
    if (fault) return failure(std::move(*fault));
  }
  if (range.to) {
    auto fault = cut(*range.to + most_late, [&](std::size_t p, std::int64_t offset) { ends.value()[p] = offset; });
    if (fault) return failure(std::move(*fault));
  }
  state->parts.reserve(static_cast<std::size_t>(partitions));
  for (std::int32_t p = 0; p < partitions; ++p) {
    const auto at = static_cast<std::size_t>(p);
    state->parts.emplace_back(state->client.get(), range.topic, p, begins.value()[at],
                              std::max(begins.value()[at], ends.value()[at]), range);
    state->size += state->parts.back().size();
    if (!state->parts.back().start()) {
      return failure(fmt::format("partition {} of topic {} can't be read: {}", p, range.topic,
                                 rd_kafka_err2str(rd_kafka_last_error())));
    }
  }
  return success(std::unique_ptr<TopicReader>(new TopicReader(std::move(state))));
}

std::optional<TopicRecord> TopicReader::next() {
  State& state = *state_;
  if (state.error) return std::nullopt;
  if (!std::exchange(state.is_begun, true)) {
    for (std::size_t i = 0; i < state.parts.size() && !state.error; ++i) state.go_on(i);
  } else if (state.current) {
    state.go_on(*std::exchange(state.current, std::nullopt));
  }
  if (state.error || state.heads.empty()) return std::nullopt;
  state.current = state.heads.top().part;
  state.heads.pop();
  return state.parts[*state.current].record();
}

const std::optional<std::string>& TopicReader::error() const {
  return state_->error;
}

double TopicReader::progress() const {
  if (state_->size == 0) return 1;
  std::int64_t done = 0;
  for (const Part& part : state_->parts) done += part.done();
  return static_cast<double>(done) / static_cast<double>(state_->size);
}

}  // namespace tocsin
