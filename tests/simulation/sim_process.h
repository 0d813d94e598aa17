// A simulated process: the fibers of its workers, its clocks, and what becomes of it: it is stopped and goes on, or
// it is killed, and then nothing that it had begun comes back to it.

#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ports/clock.h"
#include "simulation/fiber.h"
#include "simulation/scheduler.h"

namespace tocsin::sim {

class Process;

class SimClock final : public Clock {
 public:
  explicit SimClock(Process& process) : process_(process) {}
  RecordTime now() const override;
  Duration monotonic() const override;
  void sleep(Duration duration) const override;

 private:
  Process& process_;
};

class Process : public std::enable_shared_from_this<Process> {
 public:
  // One worker's loop.
  struct Task {
    std::unique_ptr<Fiber> fiber;
    bool is_parked = false;
    bool is_due = false;  // to run when the process goes on
    std::uint64_t parked = 0;
  };
  using TaskPointer = std::shared_ptr<Task>;

  Process(Scheduler& runs_in, int place, std::string start_name, std::string lasting_name)
      : scheduler(runs_in), number(place), identity(std::move(start_name)), instance(std::move(lasting_name)) {}

  Scheduler& scheduler;
  const int number;                                           // the place that it takes among the others
  const std::string identity;                                 // new with each start
  const std::string instance;                                 // the same after a restart; empty where it has none
  Duration clock_error{};                                     // of its wall clock
  std::function<void(Process&, const char* where)> on_point;  // where faults may strike
  std::function<void()> on_ended;                             // all of its loops are through

  bool is_alive() const { return alive_; }
  bool is_stopped() const { return stopped_; }
  bool is_running() const { return alive_ && !stopped_; }
  Duration silent_since() const { return silent_since_; }

  void start(std::function<void()> loop);
  // As kill -9, SIGSTOP and SIGCONT do. What runs on a fiber of this process when it is killed ends there.
  void kill();
  void stop();
  void go_on();
  // At the end of a run: what on its fibers has not ended is unwound.
  void release();

  // Whether something that leaves it at `time` still gets out, if it does not live and run by then.
  bool gets_out(Duration time) const { return is_running() || time <= wire_cut_; }
  // Runs in the process: later if it is stopped, never if it is dead.
  void post(std::function<void()> action);

  // Of the running fiber.
  TaskPointer current() const { return current_; }
  // Suspends it until wake() or so long; may wake for no reason.
  void park(Duration timeout);
  void wake(const TaskPointer& task);
  // Suspends it until `done`, at most so long. False: it took longer.
  bool park_until(const std::function<bool()>& done, Duration timeout);
  // A place at which a fault may strike.
  void point(const char* where) {
    if (alive_ && on_point) on_point(*this, where);
  }

 private:
  void run(const TaskPointer& task);
  void reap();

  std::vector<TaskPointer> tasks_;
  TaskPointer current_;
  std::vector<std::function<void()>> deferred_;
  bool alive_ = true;
  bool stopped_ = false;
  Duration silent_since_{};
  Duration wire_cut_{};
};

}  // namespace tocsin::sim
