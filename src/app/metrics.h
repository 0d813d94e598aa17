// What /metrics says of a running service: the agents' figures, and Tocsin's own.

#pragma once

#include <string>

#include "app/upload_door.h"
#include "ports/clock.h"
#include "ports/log.h"
#include "runtime/rule_control.h"
#include "runtime/service_view.h"

namespace tocsin {

// `rules`: null where rules never change.
std::string metrics_text(const ServiceView& service, const Clock& clock, const RuleControl* rules = nullptr);

// Of the doors for uploads.
std::string metrics_text(const ReceiveFigures& figures);

}  // namespace tocsin
