// The deliver thread of one receiver: reads the outbox, and does not stop until the receiver has each page. What it
// does not take goes to its fallback.

#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/stage/deliver_chain.h"
#include "ports/clock.h"
#include "ports/log.h"
#include "ports/receiver.h"
#include "runtime/mailbox.h"
#include "runtime/views.h"

namespace tocsin {

using ReceiversByName = std::map<std::string, Receiver*>;

class DeliverLoop {
 public:
  // Says what came of each attempt, for logs. Thread: the deliver thread.
  using OnResult = std::function<void(const std::string& receiver, const DeliveryResult& result)>;

  // Requires: `receivers` has one for each lane; `log`, `clock` and they live longer than this, and they call nothing
  // back after run() has returned and they were destroyed.
  DeliverLoop(const std::vector<DeliverLane>& lanes, DeliveryPolicy policy, Log& log, const Clock& clock,
              const ReceiversByName& receivers, OnResult on_result);

  // Runs until `stop` is set. Thread: the receiver's deliver thread.
  void run(const std::atomic<bool>& stop);

  std::shared_ptr<const DeliverView> view() const { return view_.get(); }

 private:
  bool take_results();
  bool read_outbox();
  bool start_attempts();
  std::int64_t committed() const;
  void publish();

  std::string group_;  // under which the log keeps the position
  Log& log_;
  const Clock& clock_;
  DeliverChain chain_;
  std::vector<Receiver*> receivers_;  // by lane
  OnResult on_result_;
  std::int64_t next_ = 0;
  std::deque<OutboxPage> refused_;  // the chain had no room for them
  Mailbox<DeliverView> view_;

  // Results come from the receiver's thread. A mutex and no queue of its own: a page a second is much.
  struct LaneResult {
    std::size_t lane = 0;
    DeliveryResult result;
  };
  struct Results {
    std::mutex mutex;
    std::vector<LaneResult> list;
  };
  std::shared_ptr<Results> results_ = std::make_shared<Results>();
};

}  // namespace tocsin
