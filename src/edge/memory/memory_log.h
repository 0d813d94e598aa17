// The log in memory: what `run --embedded` and `demo` use in Kafka's place. It lasts as long as the process.
//
// Bounded: the source topic takes so many bytes that nobody has read, and is then full; the other topics keep
// their last records, and the compacted ones the last of each key.

#pragma once

#include <memory>

#include "ports/clock.h"
#include "ports/log.h"

namespace tocsin {

class MemoryLog final : public Log {
 public:
  struct Options {
    std::int32_t partitions = 1;                // of the source topic; the others have one
    bool stamps_records = true;                 // with the clock's time; else records have none
    std::size_t most_source_bytes = 256 << 20;  // appended and not yet read by the reader named below
    std::string source_reader = "ingest";
    std::size_t kept_records = 10'000;  // of each other topic that nobody has to read
  };

  // Requires: `clock` lives longer than this.
  MemoryLog(Options options, const Clock& clock);
  ~MemoryLog() override;

  bool append(std::vector<NewRecord> records) override;
  void commit(std::vector<NewRecord> records, const std::vector<Position>& positions) override;
  std::int64_t fetch(Topic topic, std::int32_t partition, std::int64_t from, std::size_t most,
                     std::vector<LogRecord>& out) override;
  std::int64_t end(Topic topic, std::int32_t partition) const override;
  std::int64_t position(const std::string& group, Topic topic, std::int32_t partition) const override;
  std::uint64_t wait(std::uint64_t seen, Duration timeout) override;
  void wake() override;

  // What is kept until `group` has moved its position past it.
  void keep_for(Topic topic, const std::string& group);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tocsin
