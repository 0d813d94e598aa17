// What an epoch's new aggregates would have added up, had they been there before: the records of a source partition
// before the epoch, read once more by those aggregates alone.
//
// It counts as the stage itself does, but that a record counts at its own stamp, where slices that were closed by the
// clock had it count a little later. Which stamps were ahead of the wall clock is not known any more: one is taken
// for it where the next record is stamped more than a minute before it. Nothing but sums comes of it: no halt,
// finding, task or dead letter.
//
// Thread: its owner's.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/epoch/rule_epochs.h"
#include "core/sanitize/fingerprint.h"
#include "core/stage/block.h"
#include "core/stage/ingest_stage.h"
#include "core/stage/series_table.h"

namespace tocsin {

// A record that outlives the call that brought it.
struct HeldRecord {
  std::string key, value;
  std::optional<RecordTime> time;
  std::int64_t offset = 0;
};

class PastCount {
 public:
  // `options`: the partition's own. Requires: the epoch has new aggregates.
  PastCount(IngestOptions options, const RuleEpochs& epochs, std::int64_t epoch, const Fingerprinter& fingerprinter);

  // The records to be read are those from this stamp on: a little before anything counts, as tasks that began lend
  // their later events what these leave out.
  RecordTime reads_from() const { return begin_ - warm_up; }

  void apply(const RawRecord& record);

  // Everything was applied. `is_cut_off`: older records were there once, and are gone.
  void end(bool is_cut_off);

  // The pieces, in order, each of about so many bytes. Nothing after the last one. Requires: end() was called.
  std::optional<Past> next_piece(std::size_t most_bytes);

 private:
  static constexpr Duration warm_up = std::chrono::hours{1};

  void apply_held(std::optional<RecordTime> next);
  void fold();

  std::int64_t epoch_ = 0;
  RecordTime from_;                       // of the epoch
  RecordTime begin_;                      // what is older is nobody's to look at
  std::vector<std::uint32_t> numbers_;    // of the aggregates, in the epoch's rules
  std::shared_ptr<const RuleSet> rules_;  // with those aggregates, and no rule
  IngestPartition partition_;
  SeriesTable series_;
  IngestOutput out_;
  std::optional<HeldRecord> held_;   // the latest record, until the one after it is known
  std::optional<RecordTime> first_;  // the first record's
  RecordTime since_;
  std::vector<PastSeries> counted_;
  std::size_t given_ = 0;
  bool is_done_ = false;
};

}  // namespace tocsin
