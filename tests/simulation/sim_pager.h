// The scripted receiver of pages: takes them, refuses them, is slow, is away, or takes one whose answer is lost; and
// keeps a journal of what arrived, in order.

#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ports/receiver.h"
#include "simulation/sim_process.h"

namespace tocsin::sim {

class SimPager {
 public:
  struct Arrival {
    Duration at;
    std::string page_id;
    int process = 0;
    bool was_frozen = false;  // between the decision to send it and the sending
  };
  struct Mood {
    double fails = 0;         // 500
    double is_busy = 0;       // 429
    double loses_answer = 0;  // it took the page, and the caller's time runs out
    bool is_down = false;
  };

  explicit SimPager(Scheduler& scheduler) : scheduler_(scheduler) {}

  void attempt(const std::shared_ptr<Process>& from, const std::string& page_id, bool was_frozen,
               std::function<void(DeliveryResult)> done);

  Mood mood;
  std::vector<Arrival> journal;
  std::int64_t attempts = 0, refused = 0, answers_lost = 0;

 private:
  Scheduler& scheduler_;
};

// Its door in one process.
class SimReceiver final : public Receiver {
 public:
  using OnAttempt = std::function<void(Process& by, const std::string& page_id)>;
  SimReceiver(SimPager& pager, std::shared_ptr<Process> process, OnAttempt on_attempt)
      : pager_(pager), process_(std::move(process)), on_attempt_(std::move(on_attempt)) {}

  void attempt(Delivery delivery, std::function<void(DeliveryResult)> done) override;

 private:
  SimPager& pager_;
  std::shared_ptr<Process> process_;
  OnAttempt on_attempt_;
};

}  // namespace tocsin::sim
