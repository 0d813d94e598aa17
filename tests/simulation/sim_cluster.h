// The simulated cluster: its partitions, the coordinators of transactions and groups, and the network before it.
//
// Requests take time, may come late, and wait while a broker or the coordinator is away. What has left a process
// arrives whatever becomes of the process.

#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ports/bus.h"
#include "simulation/scheduler.h"
#include "simulation/sim_log.h"
#include "simulation/sim_process.h"

namespace tocsin::sim {

// What the real cluster and its client give, and a simulation can take away.
enum class Promise : std::uint8_t {
  reads_to_high_watermark,   // a restore waits for open transactions
  fences_by_generation,      // a group takes no positions from who has lost its partitions
  positions_in_transaction,  // positions are in the transaction of the records
  none,
};

using ProcessPointer = std::shared_ptr<Process>;

// A member of a group as its client library knows it. Shared with the events that are on their way to it.
struct GroupClient {
  ProcessPointer process;
  std::string group;
  std::vector<Topic> topics;
  std::string transactional_id;
  std::string instance;
  int epoch = 0;  // of its producer

  std::string member_id;  // empty: not in the group
  int generation = -1;
  bool rebalance_asked = false;
  bool assignment_lost = false;
  bool closed = false;
  std::optional<std::string> fatal;
  std::optional<std::vector<TopicPartition>> offered;
  std::function<void()> on_news;                // something of the above has changed
  std::function<void(TopicPartition)> on_data;  // a partition has grown
  std::vector<TopicPartition> assigned;         // as the group has it
  Duration assigned_at{};
};
using ClientPointer = std::shared_ptr<GroupClient>;

// What a client says of itself when it commits.
struct Credentials {
  std::string group;
  std::string member_id;
  int generation = -1;
  std::string transactional_id;
  int epoch = 0;
};
inline Credentials credentials_of(const GroupClient& client) {
  return {client.group, client.member_id, client.generation, client.transactional_id, client.epoch};
}

class SimCluster {
 public:
  struct Layout {
    std::int32_t source = 3;
    std::int32_t blocks = 2;
    std::int32_t outbox = 2;
  };
  // What watches the log grow.
  class Watcher {
   public:
    virtual ~Watcher() = default;
    virtual void on_append(TopicPartition of, const Entry& entry) = 0;
    virtual void on_position(const std::string& group, const BusPosition* before, const BusPosition& now) = 0;
  };

  SimCluster(Scheduler& scheduler, Layout layout, Duration session_timeout);

  Scheduler& scheduler() { return scheduler_; }
  std::int32_t partitions(Topic topic) const;
  PartitionLog& log(TopicPartition of);
  std::int32_t place_of(const NewRecord& record);
  Duration session_timeout() const { return session_timeout_; }
  void watch(Watcher* watcher) { watcher_ = watcher; }
  void take_away(Promise promise) { broken_ = promise; }
  bool keeps(Promise promise) const { return promise != broken_; }
  double trouble = 0;  // how likely a request is late, a marker slow, a read held back

  // ---- faults ----
  void take_broker_down(int broker, Duration for_so_long);
  void take_coordinator_down(Duration for_so_long);
  void heal();
  bool reachable() const;
  // What this process sends to the coordinator to end a transaction takes so much longer.
  Duration commit_delay{};

  // ---- the network ----
  // `handle` is done at the broker of `to`, or at the coordinator; then `then` in the process.
  void request(const ProcessPointer& from, std::optional<TopicPartition> to, std::function<void()> handle,
               std::function<void()> then);
  Duration latency();
  Duration back_at(std::optional<TopicPartition> to) const;

  // ---- records ----
  void append(TopicPartition of, std::string key, std::string value, RecordTime time);
  void note_growth(TopicPartition of);

  // ---- transactions; at the coordinator ----
  enum class Reply : std::uint8_t { done, again, refused, fenced };
  std::optional<int> init_producer(const std::string& transactional_id);  // its epoch; nothing: ask again
  Reply produce(const std::string& transactional_id, int epoch, TopicPartition to, std::vector<NewRecord> records);
  Reply add_positions(const Credentials& client, const std::vector<BusPosition>& positions);
  Reply end_transaction(const std::string& transactional_id, int epoch, bool commit);
  Reply commit_positions(const Credentials& client, const std::vector<BusPosition>& positions);

  // ---- groups; at the coordinator ----
  void join(const ClientPointer& client);
  void leave(const ClientPointer& client);
  // Nothing while a transaction has positions there that are not decided.
  std::optional<std::vector<std::optional<BusPosition>>> positions(const std::string& group,
                                                                   const std::vector<TopicPartition>& of) const;
  std::optional<BusPosition> position(const std::string& group, TopicPartition of) const;
  // It will not be heard of from now on.
  void note_silence(const ProcessPointer& process);
  // A heartbeat of this client: it may have been taken out of its group.
  bool is_member(const ClientPointer& client) const;
  // Who has it now; null in a rebalance.
  ClientPointer owner(const std::string& group, TopicPartition of) const;

  std::int64_t transactions_committed = 0, transactions_aborted = 0, rebalances = 0, fenced = 0, late_ends = 0;

 private:
  struct Pending {
    std::string group;
    BusPosition position;
  };
  struct Producer {
    enum class State : std::uint8_t { empty, ongoing, ending };
    std::int64_t id = 0;
    int epoch = 0;
    State state = State::empty;
    std::uint64_t transaction = 0;
    std::set<TopicPartition> partitions;
    std::vector<Pending> pending;
    int markers = 0;
    bool commits = false;
  };
  struct Group {
    enum class State : std::uint8_t { stable, preparing };
    State state = State::stable;
    int generation = 0;
    std::map<std::string, ClientPointer> members;  // by member id
    std::set<std::string> joined;                  // of this round
    std::uint64_t round = 0;
  };
  struct Stored {
    std::optional<BusPosition> position;
    int undecided = 0;
  };

  void deliver(const ProcessPointer& from, std::optional<TopicPartition> to, Duration arrives,
               std::function<void()> handle, std::function<void()> then);
  void begin_transaction(const std::string& transactional_id, Producer& producer);
  void begin_end(const std::string& transactional_id, Producer& producer, bool commit);
  void end_part(const std::string& transactional_id, std::optional<TopicPartition> part);
  void put_position(const std::string& group, const BusPosition& position);
  bool is_current(const Credentials& client) const;
  void prepare(const std::string& name, Group& group);
  void complete_if_all_joined(const std::string& name, Group& group);
  void complete(Group& group);
  void offer(const ClientPointer& client, int generation);
  void remove(const std::string& name, const std::string& member_id);
  void expire(const ProcessPointer& process, Duration silent_since);
  void tell(const ClientPointer& client, std::function<void(GroupClient&)> news, Duration within);

  Scheduler& scheduler_;
  Layout layout_;
  Duration session_timeout_;
  std::map<TopicPartition, PartitionLog> logs_;
  std::map<std::string, Producer> producers_;
  std::map<std::string, Group> groups_;
  std::map<std::string, std::map<TopicPartition, Stored>> offsets_;
  std::int64_t next_producer_ = 1;
  std::uint64_t next_member_ = 1;
  std::array<Duration, 3> broker_back_{};
  Duration coordinator_back_{};
  Watcher* watcher_ = nullptr;
  Promise broken_ = Promise::none;
};

}  // namespace tocsin::sim
