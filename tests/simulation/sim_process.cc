#include "simulation/sim_process.h"

#include <algorithm>
#include <utility>

namespace tocsin::sim {

RecordTime SimClock::now() const {
  return {process_.scheduler.now() + process_.clock_error};
}
Duration SimClock::monotonic() const {
  return process_.scheduler.now();
}
void SimClock::sleep(Duration duration) const {
  const Duration until = process_.scheduler.now() + duration;
  process_.park_until([&] { return process_.scheduler.now() >= until; }, duration);
}

void Process::start(std::function<void()> loop) {
  auto task = std::make_shared<Task>();
  task->fiber = std::make_unique<Fiber>(std::move(loop));
  task->is_parked = true;
  tasks_.push_back(task);
  scheduler.after(Duration{scheduler.random().below(50)}, [self = shared_from_this(), task] { self->run(task); });
}

void Process::run(const TaskPointer& task) {
  if (!alive_ || !task->is_parked) return;
  if (stopped_) {
    task->is_due = true;
    return;
  }
  task->is_parked = false;
  ++task->parked;
  current_ = task;
  task->fiber->resume();
  current_ = nullptr;
  const auto ended = [](const TaskPointer& one) { return one->fiber->has_ended(); };
  if (alive_ && std::all_of(tasks_.begin(), tasks_.end(), ended)) {
    alive_ = false;
    silent_since_ = wire_cut_ = scheduler.now();
    if (on_ended) scheduler.after(Duration{0}, [self = shared_from_this()] { self->on_ended(); });
  }
}

void Process::kill() {
  if (!alive_) return;
  if (!stopped_) {
    silent_since_ = scheduler.now();
    wire_cut_ = scheduler.now() + Duration{scheduler.random().below(20)};
  }
  alive_ = false;
  deferred_.clear();
  scheduler.after(Duration{0}, [self = shared_from_this()] { self->reap(); });
  if (current_) throw Killed{};
}

void Process::reap() {
  for (const TaskPointer& task : tasks_) task->fiber->kill();
  if (on_ended) on_ended();
}

void Process::release() {
  alive_ = false;
  deferred_.clear();
  for (const TaskPointer& task : tasks_) task->fiber->kill();
  tasks_.clear();
  on_ended = nullptr;
  on_point = nullptr;
}

void Process::stop() {
  if (!is_running()) return;
  stopped_ = true;
  silent_since_ = scheduler.now();
  wire_cut_ = scheduler.now() + Duration{scheduler.random().below(20)};
  if (current_) park(Duration{0});
}

void Process::go_on() {
  if (!alive_ || !stopped_) return;
  stopped_ = false;
  // What waited comes at about one time, in any order but for that of each connection.
  auto deferred = std::move(deferred_);
  deferred_.clear();
  for (auto& action : deferred) {
    if (alive_) action();
  }
  for (const TaskPointer& task : tasks_) {
    if (!std::exchange(task->is_due, false)) continue;
    scheduler.after(Duration{scheduler.random().below(3)}, [self = shared_from_this(), task] { self->run(task); });
  }
}

void Process::post(std::function<void()> action) {
  if (!alive_) return;
  if (stopped_) {
    deferred_.push_back(std::move(action));
  } else {
    action();
  }
}

void Process::park(Duration timeout) {
  if (!alive_) throw Killed{};
  const TaskPointer task = current_;
  task->is_parked = true;
  const std::uint64_t turn = ++task->parked;
  scheduler.after(timeout, [self = shared_from_this(), task, turn] {
    if (task->parked == turn) self->run(task);
  });
  task->fiber->suspend();
}

void Process::wake(const TaskPointer& task) {
  if (!alive_ || !task || !task->is_parked) return;
  scheduler.after(Duration{0}, [self = shared_from_this(), task, turn = task->parked] {
    if (task->parked == turn) self->run(task);
  });
}

bool Process::park_until(const std::function<bool()>& done, Duration timeout) {
  const Duration until = scheduler.now() + timeout;
  while (!done()) {
    const Duration left = until - scheduler.now();
    if (left <= Duration{0}) return false;
    park(left);
  }
  return true;
}

}  // namespace tocsin::sim
