// The log that joins the stages, as they see it: topics of partitions of records, in order and numbered.
//
// Implemented by edge/memory (embedded) and, with the same contract, by Kafka: what is appended in one commit
// becomes visible together, or not at all, with the positions that it moves.
//
// Thread: every method may be called from any thread.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"

namespace tocsin {

enum class Topic : std::uint8_t {
  source,        // events as they came; key: correlation id
  blocks,        // closed slices; ingest -> evaluate
  findings,      // what one event decides; ingest -> evaluate, ahead of its block
  halts,         // compacted; agents read it
  halt_acks,     // agents write it
  outbox,        // pages; evaluate -> deliver
  events,        // sanitized events
  dead_letters,  // pointers to records that could not be read
  investigations,
  spec_gaps,
  eval_candidates,
  tasks,        // compacted; an ingest partition's own state, as of its last cut
  states,       // compacted; an evaluate partition's own state, as of its last commit
  page_status,  // compacted; what became of each page at each receiver
  silences,     // compacted; what people do not want to be paged for
  heartbeat,    // records of Tocsin's own, which pass through all stages as a source's do
  control,      // compacted; which rules are in force, from which grid time on
  unkeyed,      // telemetry in any order and under any key, on topics of a deployment's own; rekey -> source
  keyed,        // where the source is, if telemetry comes unkeyed
  spans,        // sanitized events as spans of OpenTelemetry
};
inline constexpr std::size_t topic_count = 20;

// Key and value of the outbox's record which says that a heartbeat has gone through ingest and evaluate.
inline constexpr std::string_view heartbeat_key = "heartbeat";

// As topics are called after the prefix: "dead-letters".
std::string_view name_of(Topic topic);
std::optional<Topic> topic_named(std::string_view name);

struct LogRecord {
  std::int64_t offset = 0;
  std::string key;
  std::string value;               // empty on a compacted topic: a tombstone
  std::optional<RecordTime> time;  // absent where the embedded log is driven by the events' own times
};

struct NewRecord {
  Topic topic = Topic::source;
  std::int32_t partition = 0;
  std::string key;
  std::string value;
  std::optional<RecordTime> time = std::nullopt;  // absent: when it is written
};

// A reader's position: the next offset that it has not read.
struct Position {
  std::string group;
  Topic topic = Topic::source;
  std::int32_t partition = 0;
  std::int64_t next_offset = 0;
};

class Log {
 public:
  virtual ~Log() = default;

  // Appends all or nothing. False where the topic is full: back-pressure, to be tried again.
  virtual bool append(std::vector<NewRecord> records) = 0;

  // Appends and moves positions, all or nothing.
  virtual void commit(std::vector<NewRecord> records, const std::vector<Position>& positions) = 0;

  // Up to `most` records from `from` on, into `out`; returns the offset to go on from. Records that are no
  // longer kept are passed over. An offset beyond the end belongs to another log: reading begins anew.
  virtual std::int64_t fetch(Topic topic, std::int32_t partition, std::int64_t from, std::size_t most,
                             std::vector<LogRecord>& out) = 0;

  // The offset that the next record will have.
  virtual std::int64_t end(Topic topic, std::int32_t partition) const = 0;
  virtual std::int64_t position(const std::string& group, Topic topic, std::int32_t partition) const = 0;

  // Waits until something was appended anywhere since the call that returned `seen`, or `timeout` has passed.
  // Returns the number to wait with next time.
  virtual std::uint64_t wait(std::uint64_t seen, Duration timeout) = 0;

  // Ends every wait(), as an append would.
  virtual void wake() = 0;
};

}  // namespace tocsin
