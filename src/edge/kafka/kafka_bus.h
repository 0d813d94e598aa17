// The production bus: a Kafka cluster.

#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/result.h"
#include "edge/kafka/kafka_settings.h"
#include "ports/bus.h"

namespace tocsin {

class KafkaBus final : public Bus {
 public:
  // Starts the producers and a watch on the connection. Waits for nothing. `names` as they were checked.
  // `on_replaced` is called once, from a thread of the bus, when another process has joined under our static name:
  // this process, the older one, must end; its members join no more.
  static Result<std::unique_ptr<KafkaBus>, std::string> start(KafkaSettings settings, TopicNames names, LogLine log,
                                                              std::function<void()> on_replaced = {});
  // stop(). Requires: members and tails are gone.
  ~KafkaBus() override;

  // From here on nobody waits long: a full queue makes send() fail at once, and a commit has a second.
  // Thread: any.
  void begin_stop();
  // Waits up to 5 s for what was sent; after it nobody's InFlight is touched any more. Idempotent.
  void stop();

  Result<std::unique_ptr<Member>, std::string> join(const std::string& group, const std::vector<Topic>& topics,
                                                    const std::string& name) override;
  void send(NewRecord record, InFlight& in_flight) override;
  void send_later(NewRecord record, InFlight& in_flight) override;
  ReadOutcome read_to_end(TopicPartition of, std::int64_t from, const OnRecord& on_record,
                          const std::function<bool()>& keep_going) override;
  ReadOutcome read_range(TopicPartition of, std::int64_t from, std::int64_t until, const OnRecord& on_record,
                         const std::function<bool()>& keep_going) override;
  std::unique_ptr<Again> read_again(TopicPartition of, RecordTime from, std::int64_t until) override;
  std::optional<std::vector<std::int64_t>> ends(std::span<const TopicPartition> of) override;
  std::optional<RecordTime> unkeyed_read_until(const std::string& group, RecordTime now) override;
  std::unique_ptr<Tail> tail(const std::vector<Topic>& topics) override;
  std::int32_t partitions(Topic topic) const override;
  std::pair<std::string, std::int32_t> name_of(TopicPartition of) const override;
  bool reachable() const override;
  std::int32_t partitions_seen(TopicPartition of) const override;
  std::int32_t partitions_read(TopicPartition of) const override;
  bool is_added(TopicPartition of) const override;
  std::vector<std::pair<std::string, std::int32_t>> unread_partitions() const override;
  BusFigures figures() const override;

 private:
  struct State;
  explicit KafkaBus(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tocsin
