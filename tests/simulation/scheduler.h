// Virtual time, and what happens in it, in an order that one seed decides.

#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "base/units.h"

namespace tocsin::sim {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ULL + 0x1234567) {}

  std::uint64_t bits() {
    std::uint64_t x = state_ += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
  }
  // In [0, below).
  std::int64_t below(std::int64_t bound) {
    return static_cast<std::int64_t>(bits() % static_cast<std::uint64_t>(bound));
  }
  double unit() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  bool chance(double probability) { return unit() < probability; }
  Duration between(Duration least, Duration most) { return least + Duration{below((most - least).count() + 1)}; }
  Duration exponential(Duration mean);

 private:
  std::uint64_t state_;
};

class Scheduler {
 public:
  Scheduler(std::uint64_t seed, Duration begin) : random_(seed), now_(begin) {}

  // Since the epoch, by a clock that is right.
  Duration now() const { return now_; }
  Random& random() { return random_; }

  void at(Duration time, std::function<void()> action);
  void after(Duration delay, std::function<void()> action) { at(now_ + delay, std::move(action)); }

  // Does everything up to `until`, or until done() says so.
  void run(Duration until, const std::function<bool()>& done);
  std::uint64_t steps() const { return steps_; }

  bool traces = false;
  void trace(const std::string& line) const;

 private:
  struct Event {
    Duration time;
    std::uint64_t order;  // among those of one time: any
    std::function<void()> action;
  };
  struct Later {
    bool operator()(const Event& a, const Event& b) const {
      return a.time != b.time ? a.time > b.time : a.order > b.order;
    }
  };

  Random random_;
  Duration now_;
  std::uint64_t steps_ = 0;
  std::priority_queue<Event, std::vector<Event>, Later> events_;
};

}  // namespace tocsin::sim
