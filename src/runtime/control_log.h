// The topic `control`, wherever it is: on a bus of several processes, or in memory.

#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/units.h"
#include "ports/bus.h"
#include "ports/log.h"

namespace tocsin {

// Thread: its owner's.
class ControlLog {
 public:
  virtual ~ControlLog() = default;

  using OnControl = std::function<void(std::string_view key, std::string_view value)>;
  // Hands over what is new, from the topic's beginning on; waits for it a while.
  virtual void read(const OnControl& on_record, Duration timeout) = 0;
  // It has been to where the topic ended when it was opened.
  virtual bool caught_up() const = 0;
  // At least once.
  virtual void write(std::string key, std::string value) = 0;
};

// Requires: what is given lives longer.
std::unique_ptr<ControlLog> control_log_of(Bus& bus);
std::unique_ptr<ControlLog> control_log_of(Log& log);

}  // namespace tocsin
