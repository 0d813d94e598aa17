// The topics that people and agents use, as the HTTP doors see them: what is appended goes to the bus, and what is
// there to read is a copy of `halts`, `halt-acks` and `silences`, a moment old.
//
// Thread: every method may be called from any thread; one of its own follows the topics.

#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "edge/memory/memory_log.h"
#include "ports/bus.h"
#include "ports/clock.h"
#include "ports/log.h"

namespace tocsin {

class BusLog final : public Log {
 public:
  // Requires: references live longer than this.
  BusLog(Bus& bus, const Clock& clock);
  ~BusLog() override;

  // Follows the topics no more; idempotent.
  void stop();

  static bool holds(Topic topic);

  // Waits for the acknowledgement. False where there was none within seconds: it may be written all the same.
  bool append(std::vector<NewRecord> records) override;
  void commit(std::vector<NewRecord> records, const std::vector<Position>& positions) override;
  std::int64_t fetch(Topic topic, std::int32_t partition, std::int64_t from, std::size_t most,
                     std::vector<LogRecord>& out) override;
  std::int64_t end(Topic topic, std::int32_t partition) const override;
  std::int64_t position(const std::string& group, Topic topic, std::int32_t partition) const override;
  std::uint64_t wait(std::uint64_t seen, Duration timeout) override;
  void wake() override;

 private:
  void follow();

  Bus& bus_;
  MemoryLog copy_;
  // Shared with what is still on its way when the wait is over.
  std::atomic<bool> stop_{false};
  std::vector<std::unique_ptr<InFlight>> sent_;
  std::mutex mutex_;  // of `sent_`: doors append from several threads
  std::thread thread_;
};

}  // namespace tocsin
