// Where pages go: one attempt to hand one page to one receiver.
//
// The deliver stage decides when to try, in which order and how often; a Receiver only tries, once, and says
// what came of it. Implemented by edge/webhook and edge/pagerduty (production) and by tests.

#pragma once

#include <functional>

#include "core/stage/delivery.h"

namespace tocsin {

class Receiver {
 public:
  virtual ~Receiver() = default;

  // Starts one attempt and returns at once. `done` is called exactly once, from a thread of the receiver's own.
  virtual void attempt(Delivery delivery, std::function<void(DeliveryResult)> done) = 0;
};

}  // namespace tocsin
