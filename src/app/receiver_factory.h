// Receivers as the configuration names them: the one place that knows every kind.

#pragma once

#include <memory>
#include <string>

#include "app/receiver_config.h"
#include "base/result.h"
#include "ports/clock.h"
#include "ports/receiver.h"

namespace tocsin {

// The error is for people, begins with the receiver's name and quotes no secret and no address.
// Requires: `clock` lives longer than the receiver.
Result<std::unique_ptr<Receiver>, std::string> make_receiver(const ReceiverConfig& config, const Clock& clock);

}  // namespace tocsin
