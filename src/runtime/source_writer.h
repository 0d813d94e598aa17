// Records of uploads onto the source topic of a bus: each batch is done when all of it is acknowledged.

#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/stage/receive_stage.h"
#include "ports/bus.h"
#include "ports/clock.h"

namespace tocsin {

class SourceWriter {
 public:
  // Requires: destroyed after the bus was stopped.
  SourceWriter(Bus& bus, const Clock& clock);
  ~SourceWriter();

  // False where the bus can't be reached or too much waits for it already: nothing is written, and `done` is not
  // called. Else `done` is called once, from any thread, within seconds: with whether all of them are there. Thread:
  // any.
  bool write(std::vector<ReceivedRecord> records, std::function<void(bool)> done);

 private:
  struct Slot;
  void finish(Slot& slot);
  void watch();

  Bus& bus_;
  const Clock& clock_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Slot>> slots_;  // reused, as the bus may touch one a moment after its last record
  std::vector<Slot*> free_;
  std::atomic<std::int64_t> waiting_{0};
  std::condition_variable stopped_;
  bool stop_ = false;
  std::thread watch_;
};

}  // namespace tocsin
