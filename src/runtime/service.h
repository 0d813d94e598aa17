// A running service: the three stages, each on threads of its own, joined by a log.
//
//   shard 0..N-1   ingest of partitions p mod N
//   evaluate       one thread
//   deliver        one thread a receiver that gets pages of its own; it serves the receiver's fallbacks, too
//
// Starts back to front and stops front to back, so that nothing is produced that nobody reads.

#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ports/clock.h"
#include "ports/log.h"
#include "runtime/deliver_loop.h"
#include "runtime/evaluate_loop.h"
#include "runtime/ingest_loop.h"
#include "runtime/service_view.h"

namespace tocsin {

class Service final : public ServiceView {
 public:
  struct Options {
    std::string deployment;
    std::string command_url;
    HaltPolicy halts;
    std::int32_t partitions = 1;
    std::int32_t shards = 1;
    bool clock_of_events = false;
    bool publish_events = true;
    DeliveryPolicy delivery;
  };

  // A deliver thread for each of `chains`: a receiver, with its fallbacks behind it.
  // Requires: `log`, `clock` and the receivers live longer than this; `receivers` has all that the chains name.
  Service(Options options, Log& log, const Clock& clock, RuleSource& rules, const Fingerprinter& fingerprinter,
          const std::vector<std::vector<DeliverLane>>& chains, const ReceiversByName& receivers,
          const DeliverLoop::OnResult& on_result);
  ~Service() override;

  // Stops all threads; idempotent. What was appended and not read stays in the log.
  void stop();

  IngestView ingest() const override;
  std::shared_ptr<const EvaluateView> evaluate() const override;
  std::vector<ReceiverView> receivers() const override;
  bool is_idle() const override;
  // More than a million records of a partition wait.
  std::optional<std::string> not_ready() const override;
  std::optional<BusFigures> bus() const override { return std::nullopt; }
  std::shared_ptr<const RuleSet> rules() const override { return rules_.epochs()->newest().rules; }
  const std::string& deployment() const override { return options_.deployment; }
  const HaltPolicy& halts() const override { return options_.halts; }
  bool clock_of_events() const override { return options_.clock_of_events; }

 private:
  std::int64_t waiting(std::int32_t partition) const;

  Options options_;
  Log& log_;
  RuleSource& rules_;
  std::vector<std::unique_ptr<IngestLoop>> shards_;
  EvaluateLoop evaluate_;
  std::vector<std::unique_ptr<DeliverLoop>> chains_;
  // Set once; relaxed is enough, as the log's wake-up orders what matters and a late look costs a wait.
  std::atomic<bool> stop_ingest_{false};
  std::atomic<bool> stop_evaluate_{false};
  std::atomic<bool> stop_deliver_{false};
  std::vector<std::thread> ingest_threads_;
  std::vector<std::thread> evaluate_threads_;
  std::vector<std::thread> deliver_threads_;
};

}  // namespace tocsin
