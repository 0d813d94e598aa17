// One partition of the simulated log, with what Kafka's have: transactions open, committed and aborted, control
// markers that take offsets, a last stable offset, compaction and retention.
//
// A marker settles every open record of its producer in the partition, whichever transaction that meant: as brokers
// do without KIP-890.

#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "base/units.h"

namespace tocsin::sim {

inline constexpr std::int64_t no_producer = -1;

struct Entry {
  enum class State : std::uint8_t { open, committed, aborted, marker };
  std::int64_t offset = 0;
  std::int64_t producer = no_producer;
  State state = State::committed;
  std::string key;
  std::string value;
  RecordTime time;         // its stamp
  Duration appended_at{};  // by the right clock
};

class PartitionLog {
 public:
  std::int64_t append(std::string key, std::string value, RecordTime time, std::int64_t producer, Duration now);
  // Settles what the producer has open, and writes the marker.
  void settle(std::int64_t producer, bool commit, Duration now);

  std::int64_t begin() const { return begin_; }
  std::int64_t end() const { return end_; }
  // Nothing before it is open.
  std::int64_t stable_end() const;

  // The first entry at `offset` or behind it; entries().size() where there is none.
  std::size_t find(std::int64_t offset) const;
  const std::vector<Entry>& entries() const { return entries_; }

  // Of each key the last committed record stays; a tombstone goes once it is older than `tombstones_before`. What is
  // open, and the newest few entries, are left alone, as the active segment is.
  void compact(Duration tombstones_before);
  // What was appended before this is gone.
  void retain(Duration since);

 private:
  std::vector<Entry> entries_;
  std::map<std::int64_t, std::int64_t> open_since_;  // first open offset by producer
  std::int64_t begin_ = 0;
  std::int64_t end_ = 0;
};

}  // namespace tocsin::sim
