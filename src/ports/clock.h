// The time of day, and a clock that never goes back: read here, and nowhere in the core.

#pragma once

#include "base/units.h"

namespace tocsin {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual RecordTime now() const = 0;      // since the epoch
  virtual Duration monotonic() const = 0;  // since some moment before the start
};

}  // namespace tocsin
