// The deliver thread of one receiver: reads the outbox, and does not stop until the receiver has each page.

#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/stage/deliver_stage.h"
#include "ports/clock.h"
#include "ports/log.h"
#include "ports/receiver.h"
#include "runtime/mailbox.h"
#include "runtime/views.h"

namespace tocsin {

class DeliverLoop {
 public:
  // Says what came of each attempt, for logs. Thread: the deliver thread.
  using OnResult = std::function<void(const std::string& receiver, const DeliveryResult& result)>;

  // Requires: `log`, `clock` and `receiver` live longer than this, and `receiver` calls nothing back after run()
  // has returned and it was destroyed.
  DeliverLoop(std::string name, DeliveryPolicy policy, Log& log, const Clock& clock, Receiver& receiver,
              OnResult on_result);

  // Runs until `stop` is set. Thread: the receiver's deliver thread.
  void run(const std::atomic<bool>& stop);

  std::shared_ptr<const DeliverView> view() const { return view_.get(); }
  const std::string& name() const { return name_; }

 private:
  bool take_results();
  bool read_outbox();
  bool start_attempts();
  void publish();

  std::string name_;
  Log& log_;
  const Clock& clock_;
  Receiver& receiver_;
  OnResult on_result_;
  DeliverStage stage_;
  std::int64_t next_ = 0;
  std::vector<OutboxPage> refused_;  // the stage had no room for it
  Mailbox<DeliverView> view_;

  // Results come from the receiver's thread. A mutex and no queue of its own: a page a second is much.
  struct Results {
    std::mutex mutex;
    std::vector<DeliveryResult> list;
  };
  std::shared_ptr<Results> results_ = std::make_shared<Results>();
};

}  // namespace tocsin
