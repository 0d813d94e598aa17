// The machine's clocks.

#pragma once

#include <thread>

#include "ports/clock.h"

namespace tocsin {

class SystemClock final : public Clock {
 public:
  RecordTime now() const override {
    return {std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch())};
  }
  Duration monotonic() const override {
    return std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch());
  }
  void sleep(Duration duration) const override { std::this_thread::sleep_for(duration); }
};

}  // namespace tocsin
