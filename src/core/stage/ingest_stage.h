// Everything the ingest stage knows about one source partition: its open tasks, the 10 s slice that is filling,
// and how far the partition's own time has come.
//
// Pure. Records and closes go in, values come out; the same calls in the same order give the same values, live,
// after a crash, in replay and in simulation. Rules over a group are never evaluated here: this partition has
// only its share of the group.
//
// Log time: R is the running maximum of the records' timestamps. A record counts in the slice of R, so nothing
// is late and no agent's clock moves anybody's windows; its own time serves deadlines and what people read.
//
// Thread: owned by the shard that owns the partition; nothing here is shared.

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/halt/halt_ledger.h"
#include "core/monitor/agent_figures.h"
#include "core/rule/rule_set.h"
#include "core/sanitize/fingerprint.h"
#include "core/sanitize/sanitized_event.h"
#include "core/stage/block.h"

namespace tocsin {

struct RawRecord {
  std::string_view key;  // the correlation id, as the producer wrote it; empty where it wrote none
  std::string_view value;
  // The log's timestamp. Absent in files: then the greatest event time is the log's time.
  std::optional<RecordTime> time;
  std::int64_t offset = 0;
};

// A record that could not be read: where it is and why, never a byte of it.
struct DeadLetter {
  std::int64_t offset = 0;
  DecodeError reason = DecodeError::not_json;
  std::size_t bytes = 0;
};

// One closed slice, and the position that a restart goes on from.
struct Cut {
  RecordTime grid;
  std::int64_t next_offset = 0;
  Block block;
};

// What one call gives. In this order: cuts belong before the record that caused them, halts before findings.
struct IngestOutput {
  std::vector<Cut> cuts;
  std::vector<HaltRecord> halts;
  std::vector<UrgentFinding> findings;
  std::vector<DeadLetter> dead_letters;
  std::vector<std::string> published;  // sanitized events as JSON, where IngestOptions::publish_events says so

  void clear();
};

struct IngestOptions {
  std::int32_t partition = 0;
  std::string deployment;
  HaltPolicy halts;
  std::size_t most_open_tasks = 1'000'000;
  std::size_t most_groups = 200'000;
  bool publish_events = false;
  // Records are to have their correlation id as key: all of a task are then in one partition. Where a record has not,
  // its task is never said to be over a limit, and ten within ten minutes are a notice about `source`, the topic.
  bool expects_keys = false;
  std::string source;
};

class IngestPartition {
 public:
  IngestPartition(IngestOptions options, std::shared_ptr<const RuleSet> rules,
                  std::shared_ptr<const PatternLibrary> patterns, Fingerprinter fingerprinter);
  ~IngestPartition();

  // Takes one record; first closes every grid time up to its own. Appends to `out`.
  void apply(const RawRecord& record, IngestOutput& out);

  // Closes every grid time up to `now`: the partition is known to be read to its end.
  void close_until(RecordTime now, IngestOutput& out);

  // R; before the first record, the beginning of time.
  RecordTime log_time() const;

  const StreamTotals& totals() const;
  const std::vector<AgentFigures>& agents() const;
  std::size_t open_tasks() const;
  std::size_t groups() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tocsin
