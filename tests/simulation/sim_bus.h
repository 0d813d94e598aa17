// The bus of one simulated process: members, tails and side requests over the simulated cluster, with the contract of
// ports/bus.h and the habits of edge/kafka.

#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ports/bus.h"
#include "simulation/sim_cluster.h"
#include "simulation/sim_process.h"

namespace tocsin::sim {

class SimBus final : public Bus {
 public:
  SimBus(SimCluster& cluster, ProcessPointer process) : cluster_(cluster), process_(std::move(process)) {}

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
  std::unique_ptr<Tail> tail(const std::vector<Topic>& topics) override;
  std::int32_t partitions(Topic topic) const override { return cluster_.partitions(topic); }
  std::pair<std::string, std::int32_t> name_of(TopicPartition of) const override {
    return {of.topic == Topic::source ? "agent-events" : std::string(tocsin::name_of(of.topic)), of.partition};
  }
  bool reachable() const override { return cluster_.reachable(); }
  BusFigures figures() const override { return {}; }

  // Its clients hear of what happened while the process did not run.
  void note_return();

 private:
  void append_later(NewRecord record, InFlight& in_flight, Duration within);

  SimCluster& cluster_;
  ProcessPointer process_;
  // What send() was given and has not reached its partition.
  struct Unsent {
    NewRecord record;
    Duration at;
    InFlight* in_flight = nullptr;
  };
  std::map<TopicPartition, std::deque<Unsent>> unsent_;
  std::map<TopicPartition, Duration> last_append_;
  std::vector<std::weak_ptr<GroupClient>> clients_;
};

}  // namespace tocsin::sim
