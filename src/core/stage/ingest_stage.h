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

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/epoch/rule_epochs.h"
#include "core/halt/halt_ledger.h"
#include "core/monitor/agent_figures.h"
#include "core/rule/rule_set.h"
#include "core/sanitize/fingerprint.h"
#include "core/sanitize/sanitized_event.h"
#include "core/stage/block.h"
#include "core/stage/ingest_state.h"
#include "core/task/task_explanation.h"

namespace tocsin {

struct RawRecord {
  std::string_view key;  // the correlation id, as the producer wrote it; empty where it wrote none
  std::string_view value;
  // The log's timestamp. Absent in files: then the greatest event time is the log's time.
  std::optional<RecordTime> time;
  std::int64_t offset = 0;
  // The stamp lies further ahead of the wall clock than any clock is wrong: the record counts at the time that the
  // log has, and its stamp moves nothing.
  bool time_is_ahead = false;
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
  std::shared_ptr<const RuleSet> rules;  // that it was counted by
};

// The key is the correlation id as it may be seen: a record's own key holds whatever a producer put there.
struct PublishedEvent {
  std::string key;
  std::string value;
};

// What one call gives. In this order: cuts belong before the record that caused them, halts before findings.
struct IngestOutput {
  std::vector<Cut> cuts;
  std::vector<HaltRecord> halts;
  std::vector<UrgentFinding> findings;
  std::vector<DeadLetter> dead_letters;
  std::vector<PublishedEvent> published;  // sanitized, as JSON, where IngestOptions::publish_events says so
  std::vector<PublishedEvent> spans;      // and as spans, in OTLP, where publish_spans does

  void clear();
};

struct IngestOptions {
  std::int32_t partition = 0;
  std::string deployment;
  HaltPolicy halts;
  std::size_t most_open_tasks = 1'000'000;
  // Called at each grid time, when all before it was counted and nothing after it. For explanations.
  std::function<void(RecordTime)> after_cut = {};
  std::size_t most_groups = 200'000;
  bool publish_events = false;
  bool publish_spans = false;
  // Records are to have their correlation id as key: all of a task are then in one partition. Where a record has not,
  // its task is never said to be over a limit, and ten within ten minutes are a notice about `source`, the topic.
  bool expects_keys = false;
  std::string source;
  // Its records are Tocsin's own: none is decoded, and each becomes a notice in the block of its slice.
  bool is_heartbeat = false;
  // What new aggregates missed is counted by its owner (see PastCount), and given to take_past().
  bool gives_past = false;
};

class IngestPartition {
 public:
  IngestPartition(IngestOptions options, std::shared_ptr<const RuleSet> rules,
                  std::shared_ptr<const PatternLibrary> patterns, Fingerprinter fingerprinter);
  ~IngestPartition();

  // Takes one record; first closes every grid time up to its own. Appends to `out`.
  void apply(const RawRecord& record, IngestOutput& out);

  // Takes the place of apply() for a record that nobody survived reading: it counts in its slice, becomes a dead
  // letter, and a notice in the slice's block. `name`: of the record, for people. Nothing of it is seen before the
  // cut is committed, so that it is passed over once and for all, or tried again.
  void pass_over(const RawRecord& record, const std::string& name, IngestOutput& out);

  // Closes what apply() of a record with this stamp would close first, so that its cuts can be committed before it.
  // Called or not, and however often, apply() then comes to the same.
  void close_before(RecordTime time, bool time_is_ahead, IngestOutput& out);

  // Closes every grid time up to `now`: the partition is known to be read to its end.
  void close_until(RecordTime now, IngestOutput& out);

  // Which rules are in force when, as far as it is known now. At the next cut after a proposal it promises to count
  // nothing in the slice that begins at held_until(), nor to close any later one, before the decision; the rules
  // change between the two slices where their epoch begins. Requires: the epochs that it was told before are among
  // these.
  void know(std::shared_ptr<const RuleEpochs> epochs);
  std::optional<RecordTime> held_until() const;
  // A record of this time must wait until know() brings the decision, and so must any where a close has come to
  // held_until(), which it may: there is no other slice for it to count in.
  bool must_wait(RecordTime time) const {
    const auto held = held_until();
    return held && std::max(time, log_time()) >= *held;
  }

  // What new aggregates missed, and nobody counted yet: the first epoch of which that is so, and the offset at which
  // its slices begin. Nothing is owed by a partition that had read nothing.
  std::optional<OwedPast> owed_past() const;
  // The next cut takes it along; with the last piece its epoch is owed no longer. Requires: has_room_for_past(); it
  // is of the epoch that owed_past() names, its aggregates numbered as that epoch's.
  void take_past(Past past);
  bool has_room_for_past() const;  // else a piece waits already

  // Those that the slice which is filling is counted by.
  const RuleSet& rules() const;

  // Of a partition that was added to a topic: it begins at grid time `begin`, whatever its records' stamps say, and
  // gives an empty block for it at once. Requires: nothing was applied.
  void begin_at(RecordTime begin, IngestOutput& out);

  // From here on events of tasks may be in other partitions: no open one, and none that has an event before `until`
  // of log time, is ever said to be over a limit. The first is part of the state, the second is not.
  void lose_track();
  void expect_moves_until(RecordTime until);

  // R; before the first record, the beginning of time.
  RecordTime log_time() const;

  // The partition's own state, for a restart to go on exactly from a cut: what changed since the last call, and where
  // the log stands, as ASCII of at most `most_position_bytes`. Counters and agents' figures are not in it: they begin
  // anew.
  // Requires: nothing was applied since a cut.
  void take_changes(std::vector<StateRecord>& out);
  std::string position() const;

  // A new partition takes back all records of its state in the order in which they were taken (one for each key at
  // least, the last one), then the position that was taken with the last of them. The rules may be others.
  //
  // restore(): false where the record is none of take_changes(); it then changed nothing. resume(): false where the
  // position can't be read, or the records are not all there. The partition is then of no use.
  // Requires: nothing was applied yet.
  bool restore(std::string_view key, std::string_view value);
  bool resume(std::string_view position, std::int64_t next_offset);
  // By which epoch's rules a partition of that position is to be made; nothing where it can't be read.
  static std::optional<std::int64_t> epoch_of(std::string_view position);

  const StreamTotals& totals() const;
  const std::vector<AgentFigures>& agents() const;
  std::size_t open_tasks() const;
  // As TaskTracker::explain(), for rules of mode task.
  std::optional<TaskExplanation> explain(std::string_view alert, const Labels& labels, RecordTime grid) const;
  std::size_t groups() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tocsin
