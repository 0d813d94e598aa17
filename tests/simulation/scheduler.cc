#include "simulation/scheduler.h"

#include <algorithm>
#include <cmath>

#include "base/time_text.h"

namespace tocsin::sim {

Duration Random::exponential(Duration mean) {
  return Duration{static_cast<std::int64_t>(-std::log(1 - unit()) * static_cast<double>(mean.count()))};
}

void Scheduler::at(Duration time, std::function<void()> action) {
  events_.push({std::max(time, now_), random_.bits(), std::move(action)});
}

void Scheduler::run(Duration until, const std::function<bool()>& done) {
  while (!events_.empty() && events_.top().time <= until && !done()) {
    // Taken out before it is done: it may add others.
    std::function<void()> action = std::move(const_cast<Event&>(events_.top()).action);
    now_ = events_.top().time;
    events_.pop();
    ++steps_;
    action();
  }
  if (!done()) now_ = std::max(now_, until);
}

void Scheduler::trace(const std::string& line) const {
  if (traces) std::printf("%s %s\n", to_rfc3339(EventTime{now_}).c_str(), line.c_str());
}

}  // namespace tocsin::sim
