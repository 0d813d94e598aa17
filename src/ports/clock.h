// The time of day, a clock that never goes back, and sleep: read and done here, and nowhere in the core.

#pragma once

#include "base/units.h"

namespace tocsin {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual RecordTime now() const = 0;      // since the epoch
  virtual Duration monotonic() const = 0;  // since some moment before the start
  virtual void sleep(Duration duration) const = 0;
};

}  // namespace tocsin
