// A member of a simulated group, and its transactional producer: the twin of edge/kafka/kafka_member.h.

#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ports/bus.h"
#include "simulation/sim_cluster.h"

namespace tocsin::sim {

class SimMember final : public Member {
 public:
  SimMember(SimCluster& cluster, ClientPointer client);
  ~SimMember() override;

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
    std::int64_t reached = 0;
    std::int64_t fetched = 0;
    bool is_fetching = false;
  };
  // One transaction on its way; shared with the events that move it on.
  struct Transaction {
    Credentials by;
    std::map<TopicPartition, std::vector<NewRecord>> records;
    std::vector<BusPosition> positions;
    std::size_t unwritten = 0;
    std::optional<bool> result;
    bool ends_asked = false;
  };
  using TransactionPointer = std::shared_ptr<Transaction>;

  void join();
  void beat();
  void assign(const std::vector<TopicPartition>& list);
  void revoke();
  void lose(const std::string& why);
  void fetch(TopicPartition of);
  bool end_commit();
  void write(const TransactionPointer& transaction, TopicPartition to);
  void add_positions(const TransactionPointer& transaction);
  void end(const TransactionPointer& transaction);
  void finish(const TransactionPointer& transaction, bool result);
  void abort();

  SimCluster& cluster_;
  ClientPointer client_;
  Process& process_;
  Process::TaskPointer task_;
  std::map<TopicPartition, Owned> owned_;
  std::vector<Assigned> assigned_;
  std::function<void()> before_revoke_;
  std::map<TopicPartition, std::vector<NewRecord>> unsent_;
  TransactionPointer committing_;
  std::shared_ptr<bool> lives_ = std::make_shared<bool>(true);
  bool changed_ = false;
  bool woken_ = false;
  std::optional<std::string> lost_;
  Duration last_serve_{};
  Duration known_alive_at_{};  // when the last heartbeat was sent that the group has answered well
  int serves_ = 0;
};

}  // namespace tocsin::sim
