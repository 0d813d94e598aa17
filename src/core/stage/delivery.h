// One attempt to hand one page to one receiver, and what came of it: values between the deliver stage and its doors.

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/units.h"

namespace tocsin {

struct Delivery {
  std::string page_id;  // the same over every attempt and after every crash: what receivers deduplicate by
  std::string body;     // JSON, sanitized
};

enum class DeliveryOutcome : std::uint8_t {
  delivered,  // the receiver has it
  retry,      // nobody's fault or theirs: time-out, refused connection, redirect, 408, 429, 5xx
  rejected,   // they will never take this one: any other 4xx
  gone,       // 410: the receiver wants no more of anything
};

struct DeliveryResult {
  std::string page_id;
  DeliveryOutcome outcome = DeliveryOutcome::retry;
  int status = 0;                       // HTTP status; 0 where there was none
  std::optional<Duration> retry_after;  // what the receiver asked for
  std::string reason;                   // for people; never a byte of the receiver's answer or of the page
};

}  // namespace tocsin
