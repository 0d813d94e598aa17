// The door to a receiver of pages, as its configuration says.

#pragma once

#include <memory>
#include <string>

#include "app/config.h"
#include "base/result.h"
#include "ports/clock.h"
#include "ports/receiver.h"

namespace tocsin {

// The error is for people. Requires: `clock` lives longer than the receiver.
Result<std::unique_ptr<Receiver>, std::string> make_receiver(const ReceiverConfig& config, const Clock& clock);

}  // namespace tocsin
