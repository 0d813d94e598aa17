// `tocsin run`: the service.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"

namespace tocsin {

struct RunOptions {
  std::string config;
  bool embedded = false;
  std::optional<std::uint16_t> port;  // in the configuration's place
  std::string halts;                  // dry_run or enforce, in the configuration's place
  std::string clock;                  // wall or events, in the configuration's place
  std::vector<std::string> stages;    // on Kafka: those that this process takes part in; empty: all
};

int run_service(const RunOptions& options);

// Blocks SIGINT, SIGTERM and SIGHUP in this thread and those it starts, to be waited for.
// Requires: called before any thread is started.
void block_stop_signals();
void wait_for_stop_signal();
// True where one came in time.
bool stop_signal_within(Duration time);
// The same of SIGHUP as well, which asks for the rule files to be read again; 0 where none came.
int signal_within(Duration time);

}  // namespace tocsin
