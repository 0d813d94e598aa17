#include "edge/kafka/kafka_member.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <thread>
#include <utility>

namespace tocsin {

namespace {

constexpr Duration commit_timeout = std::chrono::seconds{10};
// While the service stops: three stages one after the other have to fit into the time that a stop may take.
constexpr Duration commit_timeout_at_stop = std::chrono::seconds{1};
constexpr int step_ms = 250;
// Heartbeats in a session: so that an answer to one is younger than half a session even where the next is late.
constexpr int heartbeats_in_session = 8;
// Of Kafka's protocol.
constexpr std::int16_t heartbeat_request = 12, sync_group_request = 14;

// Above its broker's abort scan a dead owner's transaction hides what follows it; below the time that a broker takes
// to fail over, live ones are lost.
constexpr const char* transaction_timeout_ms = "15000";

std::string text_of(const KafkaError& error) {
  return std::string(rd_kafka_error_name(error.get())) + ": " + rd_kafka_error_string(error.get());
}

// Waits for what librdkafka goes on with in the background, in steps, so that a stop ends the wait.
// `call(timeout_ms)` must be one that may be called again after it timed out.
template <class Call>
KafkaError in_steps(const std::atomic<bool>& is_stopping, Call call) {
  for (const std::int64_t begun = boot_time_ms();;) {
    KafkaError error{call(step_ms)};
    if (!error || rd_kafka_error_is_retriable(error.get()) == 0) return error;
    if (boot_time_ms() - begun >= (is_stopping ? commit_timeout_at_stop : commit_timeout).count()) return error;
    // It may have come back at once: "in progress" is an answer, too.
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
}

}  // namespace

std::int64_t boot_time_ms() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000 + now.tv_nsec / 1'000'000;
}

KafkaMember::KafkaMember(const KafkaSettings& settings, const TopicNames& names, Options options, KafkaShared& shared)
    : settings_(settings), names_(names), options_(std::move(options)), shared_(shared) {}

Result<std::unique_ptr<Member>, std::string> KafkaMember::join(const KafkaSettings& settings, const TopicNames& names,
                                                               Options options, LogLine log, KafkaShared& shared) {
  std::unique_ptr<KafkaMember> self(new KafkaMember(settings, names, std::move(options), shared));
  self->wake_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  self->producer_callbacks_.log = self->consumer_callbacks_.log = std::move(log);
  self->consumer_callbacks_.owner = self.get();
  self->consumer_callbacks_.rebalance = &KafkaMember::on_rebalance;
  self->consumer_callbacks_.sent = &KafkaMember::on_sent;
  self->consumer_callbacks_.answered = &KafkaMember::on_answered;

  const std::string group = settings.group_prefix + self->options_.group;
  const std::string who = settings.instance.empty() ? self->options_.process : settings.instance;
  auto producer = make_kafka_client(RD_KAFKA_PRODUCER, settings,
                                    {{"linger.ms", "1"},
                                     {"compression.type", "lz4"},
                                     {"queue.buffering.max.messages", "500000"},
                                     {"queue.buffering.max.kbytes", "262144"},
                                     {"partitioner", "murmur2_random"},
                                     {"transaction.timeout.ms", transaction_timeout_ms},
                                     {"message.timeout.ms", transaction_timeout_ms}},
                                    {{"transactional.id", group + "-" + who + "-" + self->options_.name}},
                                    self->producer_callbacks_);
  if (!producer) return failure(producer.error());
  self->producer_ = std::move(producer.value());
  self->warm_ = warm_topics(self->producer_.get(), names);
  // Fences an earlier producer of this name, and ends its open transaction.
  if (const KafkaError error = in_steps(shared.is_stopping, [&](int timeout_ms) {
        return rd_kafka_init_transactions(self->producer_.get(), timeout_ms);
      })) {
    return failure(text_of(error));
  }

  std::map<std::string, std::string> ours{{"group.id", group},
                                          {"enable.auto.commit", "false"},
                                          {"enable.auto.offset.store", "false"},
                                          {"isolation.level", "read_committed"},
                                          {"auto.offset.reset", "error"},  // looked at before: see assign()
                                          {"enable.partition.eof", "true"},
                                          {"partition.assignment.strategy", "range"}};
  if (!settings.instance.empty()) ours["group.instance.id"] = settings.instance + "-" + self->options_.name;
  auto consumer = make_kafka_client(
      RD_KAFKA_CONSUMER, settings,
      {{"session.timeout.ms", std::to_string(settings.session_timeout.count())},
       {"heartbeat.interval.ms", std::to_string(settings.session_timeout.count() / heartbeats_in_session)},
       {"queued.min.messages", "20000"},
       {"queued.max.messages.kbytes", "16384"},
       {"fetch.max.bytes", "2097152"},
       {"fetch.message.max.bytes", "1048576"},
       {"fetch.wait.max.ms", "100"},
       {"fetch.error.backoff.ms", "50"}},
      ours, self->consumer_callbacks_);
  if (!consumer) return failure(consumer.error());
  self->consumer_ = std::move(consumer.value());
  rd_kafka_poll_set_consumer(self->consumer_.get());
  self->main_queue_.reset(rd_kafka_queue_get_consumer(self->consumer_.get()));
  static constexpr std::uint64_t one = 1;
  rd_kafka_queue_io_event_enable(self->main_queue_.get(), self->wake_fd_, &one, sizeof one);

  const auto topics = names.names_of(self->options_.topics);
  const KafkaPartitions subscription{rd_kafka_topic_partition_list_new(static_cast<int>(topics.size()))};
  for (const std::string& topic : topics) {
    rd_kafka_topic_partition_list_add(subscription.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  }
  if (const auto code = rd_kafka_subscribe(self->consumer_.get(), subscription.get())) {
    return failure(std::string(rd_kafka_err2str(code)));
  }
  return success(std::unique_ptr<Member>(std::move(self)));
}

KafkaMember::~KafkaMember() {
  if (commit_.valid()) end_commit();
  if (consumer_) {
    // From here on the group takes nothing from us any more; leaving tells the others at once.
    rd_kafka_queue_io_event_enable(main_queue_.get(), -1, nullptr, 0);
    owned_.clear();
    rd_kafka_consumer_close(consumer_.get());
    main_queue_.reset();
    consumer_.reset();
  }
  if (producer_ && in_transaction_) abort();
  warm_.clear();
  producer_.reset();
  if (wake_fd_ >= 0) close(wake_fd_);
}

void KafkaMember::wait(Duration timeout) {
  pollfd waiting{wake_fd_, POLLIN, 0};
  if (::poll(&waiting, 1, static_cast<int>(timeout.count())) > 0) {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(wake_fd_, &count, sizeof count);
  }
}

void KafkaMember::wake() {
  constexpr std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_fd_, &one, sizeof one);
}

void KafkaMember::serve() {
  while (rd_kafka_message_t* message = rd_kafka_consumer_poll(consumer_.get(), 0)) {
    // Records come by the partitions' own queues. One that got here would be missing there: read from the position.
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      note_error(*message);
    } else if (names_.known(rd_kafka_topic_name(message->rkt), message->partition)) {
      lose("a record came by the wrong queue");
    }
    rd_kafka_message_destroy(message);
  }
}

void KafkaMember::note_error(const rd_kafka_message_t& message) {
  if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) return;
  // Joining anew finds out where to go on, and says what is missing.
  if (message.err == RD_KAFKA_RESP_ERR__FATAL || message.err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
      message.err == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED || message.err == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID ||
      message.err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
      message.err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
    lose(rd_kafka_err2str(message.err));
    return;
  }
  consumer_callbacks_.log(LogLevel::debug, std::string("kafka: ") + rd_kafka_err2name(message.err));
}

void KafkaMember::lose(const std::string& why) {
  if (!lost_) lost_ = why;
  note_if_fenced();
}

// Two processes with one static name go on taking it from each other; the older one was fenced first.
void KafkaShared::note_fenced(const std::string& member) {
  constexpr std::size_t times = 3;
  constexpr std::int64_t within_ms = 60'000;
  const std::lock_guard lock(mutex_);
  auto& at = fenced_at_ms_[member];
  at.push_back(boot_time_ms());
  while (at.back() - at.front() > within_ms) at.pop_front();
  if (at.size() >= times) is_replaced = true;
}

void KafkaMember::note_if_fenced() {
  if (is_fenced_ || !consumer_) return;
  if (rd_kafka_fatal_error(consumer_.get(), nullptr, 0) != RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID) return;
  is_fenced_ = true;
  shared_.note_fenced(options_.name);
}

void KafkaMember::on_sent(std::int16_t api, void* owner) {
  auto* self = static_cast<KafkaMember*>(owner);
  if (api != heartbeat_request && api != sync_group_request) return;
  // librdkafka sends the next one once it has read the answer to the last, and found that the member still is one.
  if (self->is_answered_.exchange(false)) self->known_alive_at_ms_ = self->asked_at_ms_.load();
  self->asked_at_ms_ = boot_time_ms();
}

void KafkaMember::on_answered(std::int16_t api, void* owner) {
  if (api == heartbeat_request || api == sync_group_request) static_cast<KafkaMember*>(owner)->is_answered_ = true;
}

void KafkaMember::on_rebalance(rd_kafka_t* client, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* list,
                               void* owner) {
  auto* self = static_cast<KafkaMember*>(owner);
  ++self->shared_.rebalances;
  if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    self->assign(list);
  } else {
    if (self->before_revoke_ && !self->lost_ && rd_kafka_assignment_lost(client) == 0) self->before_revoke_();
    self->revoke();
    rd_kafka_assign(client, nullptr);
  }
}

// The committed positions with what was said beside them; an owner's open transaction is waited for.
bool KafkaMember::find_positions(rd_kafka_topic_partition_list_t* list) {
  for (int attempt = 0; attempt < 15 && !shared_.is_stopping; ++attempt) {
    if (rd_kafka_committed(consumer_.get(), list, 1'000) == RD_KAFKA_RESP_ERR_NO_ERROR) {
      bool all = true;
      for (int i = 0; i < list->cnt; ++i) all = all && list->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR;
      if (all) return true;
    }
  }
  return false;
}

// Where to read on if there is nothing at this position any more; nothing if it is good, or nobody can say now.
std::optional<std::int64_t> KafkaMember::oldest_in_place_of(const rd_kafka_topic_partition_t& position) const {
  const auto bounds = ask_bounds(consumer_.get(), position.topic, position.partition, 1'000);
  if (!bounds || (bounds->low <= position.offset && position.offset <= bounds->high)) return std::nullopt;
  return bounds->low;
}

void KafkaMember::assign(rd_kafka_topic_partition_list_t* list) {
  revoke();
  if (!find_positions(list)) {
    lose("the group's positions can't be read");
    rd_kafka_assign(consumer_.get(), nullptr);
    return;
  }
  for (int i = 0; i < list->cnt; ++i) {
    rd_kafka_topic_partition_t& each = list->elems[i];
    const auto known = names_.known(each.topic, each.partition);
    if (!known) {
      consumer_callbacks_.log(LogLevel::error, std::string(each.topic) + " has a partition more than at the start (" +
                                                   std::to_string(each.partition) +
                                                   "); restart tocsin so that it is read");
      each.offset = RD_KAFKA_OFFSET_END;
      continue;
    }
    Assigned assigned{*known, std::nullopt, {}};
    Owned owned;
    if (each.offset >= 0) {
      if (const auto oldest = oldest_in_place_of(each)) {
        assigned.gone_from = each.offset;
        consumer_callbacks_.log(LogLevel::error, std::string(each.topic) + " partition " +
                                                     std::to_string(each.partition) + ": its group is at offset " +
                                                     std::to_string(each.offset) +
                                                     ", which is not there any more; read on from the oldest, " +
                                                     std::to_string(*oldest));
        each.offset = *oldest;
      }
      assigned.next_offset = owned.reached = each.offset;
      if (each.metadata != nullptr) {
        assigned.metadata.assign(static_cast<const char*>(each.metadata), each.metadata_size);
      }
    } else {
      // A source of Tocsin's own begins where what it is made of does.
      const Topic telemetry = settings_.unkeyed.empty() ? Topic::source : Topic::unkeyed;
      const bool at_end = settings_.start_at_end && known->topic == telemetry && !names_.is_added(*known);
      each.offset = at_end ? RD_KAFKA_OFFSET_END : RD_KAFKA_OFFSET_BEGINNING;
    }
    assigned_.push_back(std::move(assigned));
    owned_.emplace(*known, std::move(owned));
  }
  // Queues of their own before anything is fetched: what came between would go to the main queue, and be passed over.
  static constexpr std::uint64_t one = 1;
  for (auto& [partition, owned] : owned_) {
    const auto [name, number] = names_.native(partition);
    owned.queue.reset(rd_kafka_queue_get_partition(consumer_.get(), name->c_str(), number));
    rd_kafka_queue_forward(owned.queue.get(), nullptr);
    rd_kafka_queue_io_event_enable(owned.queue.get(), wake_fd_, &one, sizeof one);
  }
  rd_kafka_assign(consumer_.get(), list);
}

void KafkaMember::revoke() {
  if (commit_.valid()) end_commit();
  if (in_transaction_) abort();
  owned_.clear();
  assigned_.clear();
  changed_ = true;
}

std::optional<std::vector<Assigned>> KafkaMember::take_assignment() {
  if (!changed_) return std::nullopt;
  changed_ = false;
  return assigned_;
}

std::size_t KafkaMember::read(TopicPartition from, std::size_t most, const OnRecord& on_record) {
  const auto found = owned_.find(from);
  if (found == owned_.end()) return 0;
  Owned& owned = found->second;
  batch_.resize(most);
  const ssize_t count = rd_kafka_consume_batch_queue(owned.queue.get(), 0, batch_.data(), most);
  const KafkaMessages held(batch_.data(), count);
  std::size_t handed_over = 0;
  std::int64_t bytes = 0;
  for (ssize_t i = 0; i < count; ++i) {
    rd_kafka_message_t* message = batch_[static_cast<std::size_t>(i)];
    const bool is_position =
        message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF || message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (owned.is_fresh && is_position && message->offset < owned.reached) {
      // The first thing that comes lies before what was committed: the topic was cut short, or made anew.
      consumer_callbacks_.log(LogLevel::error,
                              *names_.native(from).first +
                                  " ends before the position that was committed: it was cut short or made anew, "
                                  "and is read from where it begins");
      owned.reached = message->offset;
    }
    owned.is_fresh = owned.is_fresh && !is_position;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      owned.reached = std::max(owned.reached, message->offset);
    } else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      note_error(*message);
    } else if (message->offset >= owned.reached) {  // an older one was read before (librdkafka issue 4208)
      on_record(record_of(message, from));
      owned.reached = message->offset + 1;
      bytes += static_cast<std::int64_t>(message->len + message->key_len);
      ++handed_over;
    }
  }
  if (bytes > 0) shared_.fetched_bytes.fetch_add(bytes, std::memory_order_relaxed);
  return handed_over;
}

std::int64_t KafkaMember::reached(TopicPartition of) const {
  const auto found = owned_.find(of);
  return found == owned_.end() ? -1 : found->second.reached;
}

bool KafkaMember::begin() {
  if (in_transaction_) return true;
  if (lost_) return false;
  if (const KafkaError error{rd_kafka_begin_transaction(producer_.get())}) {
    lose(text_of(error));
    return false;
  }
  in_transaction_ = true;
  return true;
}

void KafkaMember::abort() {
  in_transaction_ = false;
  ++shared_.transactions_failed;
  const KafkaError error = in_steps(shared_.is_stopping, [this](int timeout_ms) {
    return rd_kafka_abort_transaction(producer_.get(), timeout_ms);
  });
  if (error) lose(text_of(error));
}

void KafkaMember::send(NewRecord record) {
  if (!begin()) return;
  const std::string& topic = *names_.native({record.topic, 0}).first;
  for (int attempt = 0; attempt < 300; ++attempt) {
    const auto code = produce(producer_.get(), topic, record, nullptr);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return;
    if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) return lose(rd_kafka_err2str(code));
    rd_kafka_poll(producer_.get(), 50);
  }
  lose("the broker takes no records");
}

KafkaPartitions KafkaMember::list_of(const std::vector<BusPosition>& positions) const {
  KafkaPartitions list{rd_kafka_topic_partition_list_new(static_cast<int>(positions.size()))};
  for (const BusPosition& position : positions) {
    const auto [name, number] = names_.native(position.of);
    rd_kafka_topic_partition_t* each = rd_kafka_topic_partition_list_add(list.get(), name->c_str(), number);
    each->offset = position.next_offset;
    if (!position.metadata.empty()) {
      // librdkafka frees it with the list.
      each->metadata = rd_kafka_mem_malloc(nullptr, position.metadata.size());
      position.metadata.copy(static_cast<char*>(each->metadata), position.metadata.size());
      each->metadata_size = position.metadata.size();
    }
  }
  return list;
}

void KafkaMember::start_commit(const std::vector<BusPosition>& positions) {
  if (!begin()) return;
  commit_ = std::async(std::launch::async, [producer = producer_.get(), list = list_of(positions), wake_fd = wake_fd_,
                                            &is_stopping = shared_.is_stopping,
                                            group = rd_kafka_consumer_group_metadata(consumer_.get())] {
    // Not in steps: each call would ask anew.
    const Duration timeout = is_stopping ? commit_timeout_at_stop : commit_timeout;
    KafkaError error{
        rd_kafka_send_offsets_to_transaction(producer, list.get(), group, static_cast<int>(timeout.count()))};
    rd_kafka_consumer_group_metadata_destroy(group);
    if (!error) {
      error =
          in_steps(is_stopping, [&](int timeout_ms) { return rd_kafka_commit_transaction(producer, timeout_ms); });
    }
    constexpr std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_fd, &one, sizeof one);
    return error;
  });
}

std::optional<bool> KafkaMember::commit_result() {
  if (!commit_.valid()) return false;  // it could not begin
  if (commit_.wait_for(std::chrono::seconds{0}) != std::future_status::ready) return std::nullopt;
  return end_commit();
}

bool KafkaMember::end_commit() {
  if (!commit_.valid()) return false;
  const KafkaError error = commit_.get();
  if (!error) {
    in_transaction_ = false;
    ++shared_.transactions;
    return true;
  }
  // Whatever became of it: a new producer of the same name fences this one, and what was committed tells.
  lose(text_of(error));
  const auto code = rd_kafka_error_code(error.get());
  if (!settings_.instance.empty() &&
      (code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH)) {
    // Somebody has this producer's name. If it is a second process with our static name, the group says so with the
    // next heartbeats.
    const std::int64_t until = boot_time_ms() + settings_.session_timeout.count() * 3 / heartbeats_in_session;
    while (!is_fenced_ && !shared_.is_stopping && boot_time_ms() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
      note_if_fenced();
    }
  }
  if (rd_kafka_error_txn_requires_abort(error.get()) != 0) {
    abort();
  } else {
    in_transaction_ = false;
    ++shared_.transactions_failed;
  }
  return false;
}

bool KafkaMember::commit(const std::vector<BusPosition>& positions) {
  start_commit(positions);
  return end_commit();
}

// Not longer ago than half a session, the group itself was told that we live, said that we do, and librdkafka has
// read that: until the other half is over, it gives our partitions to nobody. What other brokers answer says nothing.
bool KafkaMember::may_act() const {
  const std::int64_t known_alive_at_ms = known_alive_at_ms_;  // before the look at what may have been lost since
  if (lost_ || changed_ || rd_kafka_assignment_lost(consumer_.get()) != 0) return false;
  return boot_time_ms() - known_alive_at_ms < settings_.session_timeout.count() / 2;
}

}  // namespace tocsin
