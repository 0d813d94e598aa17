// One shard of ingest: fetches, decodes, sanitizes and aggregates the source partitions that it owns.
//
// Partition p belongs to shard p mod N. The hot path crosses no thread and takes no lock but the log's own, once
// a batch.

#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "core/stage/ingest_stage.h"
#include "ports/clock.h"
#include "ports/log.h"
#include "runtime/mailbox.h"
#include "runtime/rule_source.h"
#include "runtime/views.h"

namespace tocsin {

class IngestLoop {
 public:
  struct Options {
    IngestOptions ingest;                  // its partition is set for each
    std::vector<std::int32_t> partitions;  // that this shard owns
    bool closes_when_idle = true;          // false where the events' own times drive the clock
    Duration idle_grace = std::chrono::seconds{3};
  };

  IngestLoop(Options options, Log& log, const Clock& clock, const RuleSource& rules,
             const Fingerprinter& fingerprinter);

  // Runs until `stop` is set. Thread: the shard's.
  void run(const std::atomic<bool>& stop);

  std::shared_ptr<const IngestView> view() const { return view_.get(); }

 private:
  struct Owned {
    std::int32_t number = 0;
    std::int64_t next_offset = 0;
    std::unique_ptr<IngestPartition> partition;
  };

  void refresh_rules();
  // True where something was read.
  bool read_some(Owned& owned);
  void close_idle(Owned& owned);
  // What cannot wait: halts first, then the findings that page.
  void give_out_urgent();
  void commit(const Owned& owned);
  void publish();

  Options options_;
  Log& log_;
  const Clock& clock_;
  const RuleSource& rules_;
  std::shared_ptr<const RuleEpochs> epochs_;  // as the partitions know them
  std::vector<Owned> owned_;
  IngestOutput out_;
  std::vector<LogRecord> batch_;
  std::int64_t cuts_ = 0;
  std::int64_t halts_ = 0;
  Mailbox<IngestView> view_;
};

}  // namespace tocsin
