// `tocsin run`: the service.

#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tocsin {

struct RunOptions {
  std::string config;
  bool embedded = false;
  std::optional<std::uint16_t> port;  // in the configuration's place
  std::string halts;                  // dry_run or enforce, in the configuration's place
  std::string clock;                  // wall or events, in the configuration's place
};

int run_service(const RunOptions& options);

// Blocks SIGINT and SIGTERM in this thread and those it starts, to be waited for.
// Requires: called before any thread is started.
void block_stop_signals();
void wait_for_stop_signal();

}  // namespace tocsin
