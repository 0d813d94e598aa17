// A member of a Kafka consumer group, and the transactional producer that commits its positions.
//
// Each partition has a queue of its own, so that its owner says which one is read next; what nobody reads fills its
// queue, and librdkafka stops fetching it. One eventfd wakes the owner for all of them.
//
// Eager `range` assignment: topics with equally many partitions go to the same member, partition by partition.
// (librdkafka before 2.10 loses assignments with cooperative-sticky: its issues 4059 and 4783.)
//
// Thread: its owner's, but for wake().

#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "edge/kafka/kafka_handle.h"
#include "edge/kafka/kafka_settings.h"
#include "ports/bus.h"

namespace tocsin {

// What the members of one process share. Thread: any.
struct KafkaShared {
  std::atomic<std::int64_t> transactions{0};
  std::atomic<std::int64_t> transactions_failed{0};
  std::atomic<std::int64_t> rebalances{0};
  std::atomic<std::int64_t> fetched_bytes{0};
  std::atomic<bool> is_stopping{false};  // nobody waits long for a broker any more
  std::atomic<bool> is_replaced{false};  // another process has the static name of this one, which must end

  // The group has given this member's static name to somebody else. Once is no proof: where the answer to our own
  // join was lost, its repetition is that somebody. A second process takes the name back each time.
  void note_fenced(const std::string& member);

 private:
  std::mutex mutex_;
  std::map<std::string, std::deque<std::int64_t>> fenced_at_ms_;  // lately, by member
};

// Since the machine was started, the time that it was suspended included.
std::int64_t boot_time_ms();

class KafkaMember final : public Member {
 public:
  struct Options {
    std::string group;
    std::vector<Topic> topics;
    std::string name;
    std::string process;  // tells processes apart where they have no instance name
  };

  // Joins, and takes over from an earlier producer of this name. Requires: references live longer than this.
  static Result<std::unique_ptr<Member>, std::string> join(const KafkaSettings& settings, const TopicNames& names,
                                                           Options options, LogLine log, KafkaShared& shared);
  ~KafkaMember() override;

  void wait(Duration timeout) override;
  void wake() override;
  void serve() override;
  std::optional<std::vector<Assigned>> take_assignment() override;
  bool assignment_changed() const override { return changed_ || lost_.has_value(); }
  const std::optional<std::string>& lost() const override { return lost_; }
  void before_revoke(std::function<void()> hook) override { before_revoke_ = std::move(hook); }
  std::size_t read(TopicPartition from, std::size_t most, const OnRecord& on_record) override;
  std::int64_t reached(TopicPartition of) const override;
  void send(NewRecord record) override;
  bool commit(const std::vector<BusPosition>& positions) override;
  void start_commit(const std::vector<BusPosition>& positions) override;
  std::optional<bool> commit_result() override;
  bool may_act() const override;

 private:
  struct Owned {
    KafkaQueue queue;
    std::int64_t reached = 0;
    bool is_fresh = true;  // nothing came yet
  };

  KafkaMember(const KafkaSettings& settings, const TopicNames& names, Options options, KafkaShared& shared);
  static void on_rebalance(rd_kafka_t* client, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* list,
                           void* owner);
  void assign(rd_kafka_topic_partition_list_t* list);
  void revoke();
  bool find_positions(rd_kafka_topic_partition_list_t* list);
  std::optional<std::int64_t> oldest_in_place_of(const rd_kafka_topic_partition_t& position) const;
  void lose(const std::string& why);
  void note_error(const rd_kafka_message_t& message);
  KafkaPartitions list_of(const std::vector<BusPosition>& positions) const;
  bool begin();
  void abort();
  bool end_commit();
  void note_if_fenced();
  static void on_sent(std::int16_t api, void* owner);
  static void on_answered(std::int16_t api, void* owner);

  const KafkaSettings& settings_;
  const TopicNames& names_;
  Options options_;
  KafkaShared& shared_;
  KafkaCallbacks consumer_callbacks_;
  KafkaCallbacks producer_callbacks_;
  KafkaHandle consumer_;
  KafkaHandle producer_;
  std::vector<KafkaTopic> warm_;
  KafkaQueue main_queue_;
  int wake_fd_ = -1;
  std::map<TopicPartition, Owned> owned_;
  std::vector<Assigned> assigned_;
  std::vector<rd_kafka_message_t*> batch_;
  std::function<void()> before_revoke_;
  bool changed_ = false;
  bool in_transaction_ = false;
  // By boot_time_ms(), from librdkafka's threads. See may_act().
  std::atomic<std::int64_t> asked_at_ms_{0};  // the group was last told that this member lives
  std::atomic<bool> is_answered_{false};
  std::atomic<std::int64_t> known_alive_at_ms_{0};
  // A transaction takes tens of milliseconds, and halts must not wait behind it: it runs on a thread of its own,
  // which touches the producer alone.
  std::future<KafkaError> commit_;
  std::optional<std::string> lost_;
  bool is_fenced_ = false;
};

}  // namespace tocsin
