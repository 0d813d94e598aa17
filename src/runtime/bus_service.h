// A running service on a bus of several processes: the stages that this process takes part in, each on threads of its
// own. What another process does, this one does not know; the bus shares the partitions out.
//
//   rekey-0..N-1      partitions of telemetry that comes unkeyed
//   ingest-0..N-1     source partitions, as their group gives them
//   evaluate-0..N-1   blocks partitions
//   deliver-RECEIVER  one thread a receiver
//
// Starts back to front and stops front to back. A worker that throws drops its partitions and begins anew, loudly;
// the others go on.

#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ports/bus.h"
#include "ports/clock.h"
#include "runtime/deliver_worker.h"
#include "runtime/evaluate_worker.h"
#include "runtime/ingest_worker.h"
#include "runtime/rekey_worker.h"
#include "runtime/service_view.h"

namespace tocsin {

struct Stages {
  bool ingest = true;
  bool evaluate = true;
  bool deliver = true;
  bool receive = true;  // where its doors are configured
  bool rekey = true;    // where telemetry comes unkeyed
};

class BusService final : public ServiceView {
 public:
  struct Options {
    Stages stages;
    std::string deployment;
    std::string command_url;
    HaltPolicy halts;
    bool publish_events = true;
    bool publish_spans = false;
    bool closes_when_idle = true;
    std::int32_t threads = 1;  // of ingest, and of evaluate
    Duration heartbeat_every = std::chrono::seconds{30};
    std::vector<DeliverWorker::Options> receivers;
    Attempts* attempts = nullptr;  // null: a record that ends its process is tried for ever
  };

  // Requires: references and receivers live longer than this.
  BusService(Options options, Bus& bus, const Clock& clock, RuleSource& rules, const Fingerprinter& fingerprinter,
             const DeliverLoop::OnResult& on_result, const SayLine& say);
  ~BusService() override;

  // Ends the waits of the workers, as there are other rules. Thread: any.
  void wake();

  // Stops all threads; idempotent.
  void stop();

  IngestView ingest() const override;
  std::shared_ptr<const EvaluateView> evaluate() const override;
  std::vector<ReceiverView> receivers() const override;
  // As far as this process knows.
  bool is_idle() const override;
  std::optional<std::string> not_ready() const override;
  std::optional<BusFigures> bus() const override { return bus_.figures(); }
  std::optional<RekeyView> rekey() const override;
  std::shared_ptr<const RuleSet> rules() const override { return rules_.epochs()->newest().rules; }
  const std::string& deployment() const override { return options_.deployment; }
  const HaltPolicy& halts() const override { return options_.halts; }
  bool clock_of_events() const override { return false; }

 private:
  // Asks the cluster where the source ends; on a thread of its own, as no shard may wait for that.
  void watch_lag();
  void ask_lag(const std::vector<TopicPartition>& of, const std::vector<std::int64_t>& next,
               std::atomic<std::int64_t>& waiting) const;

  Options options_;
  Bus& bus_;
  const Clock& clock_;
  RuleSource& rules_;
  std::vector<std::unique_ptr<RekeyWorker>> rekey_;
  std::vector<std::unique_ptr<IngestWorker>> ingest_;
  std::vector<std::unique_ptr<EvaluateWorker>> evaluate_;
  std::vector<std::unique_ptr<DeliverWorker>> deliver_;
  // Set once; relaxed is enough: a late look costs one turn of a loop.
  std::thread lag_thread_;
  std::atomic<std::int64_t> waiting_{0};  // records of this process's source partitions that were not read
  std::atomic<std::int64_t> unkeyed_waiting_{0};
  std::atomic<std::int64_t> complete_until_{0};  // of the source, which is made of unkeyed topics
  std::atomic<bool> stop_rekey_{false};
  std::atomic<bool> stop_ingest_{false};
  std::atomic<bool> stop_evaluate_{false};
  std::atomic<bool> stop_deliver_{false};
  std::atomic<bool> stop_lag_{false};
  std::vector<std::thread> rekey_threads_;
  std::vector<std::thread> ingest_threads_;
  std::vector<std::thread> evaluate_threads_;
  std::vector<std::thread> deliver_threads_;
};

}  // namespace tocsin
