// The evaluate stage: folds the blocks of all source partitions into series, and at each grid time decides which
// alerts begin and end.
//
// Pure. A grid time is evaluated when every source partition has closed it, and every grid time is evaluated, in
// order: after a crash, in replay and live alike. Within one, rules go in the order of their files and groups in
// the order of their keys, so the output has one order.
//
// Findings of rules with mode: event come in ahead of their slice and are answered at once; they stand in the
// block as well, so that a crash between the two loses none.
//
// Thread: owned by the shard that owns the blocks partition.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/alert/acceptance.h"
#include "core/alert/alert_change.h"
#include "core/epoch/control_record.h"
#include "core/epoch/rule_epochs.h"
#include "core/halt/ack_watch.h"
#include "core/halt/halt_record.h"
#include "core/rule/rule_set.h"
#include "core/stage/block.h"
#include "core/stage/event_alerts.h"
#include "core/stage/state_record.h"

namespace tocsin {

struct EvaluateOptions {
  std::string deployment;
  std::int32_t source_partitions = 1;
  std::string command_url;     // what pages name in their commands; empty: the command's default
  bool keeps_state = false;    // take_changes() is called; else nothing is collected for it
  std::int32_t partition = 0;  // of so many partitions of blocks: whose groups are expected here
  std::int32_t partitions = 1;
};

// How well a rule sees: how many of its groups are in which state.
struct RuleSight {
  std::string alert;
  std::int64_t live = 0;
  std::int64_t warming = 0;     // the baseline has too little history
  std::int64_t blind = 0;       // too few samples
  std::int64_t undeclared = 0;  // a bound of the spec is missing
  std::int64_t pending = 0;
  std::int64_t firing = 0;
};

// An alert that fires now, for people who look.
struct ActiveAlert {
  AlertChange change;
  std::int64_t times = 1;  // of event alerts: how often it was seen
};

struct SeriesUse {
  std::size_t used = 0;
  std::size_t cap = 0;
  std::size_t bytes = 0;
};

class EvaluatePartition {
 public:
  EvaluatePartition(EvaluateOptions options, std::shared_ptr<const RuleSet> rules);
  ~EvaluatePartition();

  // Which rules are in force when, as far as it is known now: they change at the first grid time of their epoch. A
  // block of an epoch that is not known yet must wait until it is.
  // Requires: the epochs that it was told before are among these.
  void know(std::shared_ptr<const RuleEpochs> epochs);
  bool must_wait(const Block& block) const;

  // One closed slice of one partition. Appends what changed at the grid times that are now complete.
  // The first block of a partition and grid time counts; a second one is ignored.
  void apply(Block block, std::vector<AlertChange>& out);

  // A finding, ahead of its slice.
  void apply(const UrgentFinding& finding, std::vector<AlertChange>& out);

  // A person released a halt: its alert ends, and the same secret in the same scope is accepted from now on.
  void apply(const HaltRelease& release, std::vector<AlertChange>& out);

  // A person accepted the level for which an alert of this or another partition fires: done at the next grid time.
  void apply(const Acceptance& acceptance);

  // Which halts nobody has acknowledged in time: each such scope is an alert until it is reported no longer.
  void apply(const AckReport& report, RecordTime now, std::vector<AlertChange>& out);

  // Which processes' rule files have a mistake, of those that this partition is to speak of: the same.
  void apply(const std::vector<RuleTrouble>& troubles, RecordTime now, std::vector<AlertChange>& out);
  // A condition of Tocsin's own: an alert while it holds.
  void apply(const OwnCondition& condition, RecordTime now, std::vector<AlertChange>& out);

  // The last grid time that was evaluated; the beginning of time before the first.
  RecordTime evaluated() const;

  // Since the last call: a record of Tocsin's own has gone through ingest, and its grid time was evaluated.
  bool take_heartbeat();

  // The partition's own state, for a restart to go on exactly from here: what changed since the last call, and what
  // belongs beside the position in the topics, as ASCII of at most 200 bytes.
  void take_changes(std::vector<StateRecord>& out);
  std::string position() const;

  // Only what blocks after this grid time hold is needed again, beside the records.
  RecordTime needs_blocks_after() const;

  // A new partition takes back all records of its state in the order in which they were taken (one for each key at
  // least, the last one), then the position, then every block of a later grid time than needs_blocks_after() that had
  // been applied when the position was taken, in their order in the topic; then it goes on. Blocks of grid times that
  // were evaluated are only added up again. The rules may be others; what no longer fits them is passed over.
  //
  // restore(): false where the record is none of take_changes(). begin_resume(): false where the position can't be
  // read. The partition is then of no use. Requires: nothing was applied yet.
  bool restore(std::string_view key, std::string_view value);
  bool begin_resume(std::string_view position);
  // By which epoch's rules a partition of that position is to be made; nothing where it can't be read.
  static std::optional<std::int64_t> epoch_of(std::string_view position);
  void resume(Block block);
  void end_resume(std::vector<AlertChange>& out);

  // Blocks that another rule set made: they are not folded.
  std::int64_t blocks_refused() const;

  // How many source partitions have closed no slice of the last `behind`, by the clock of the one that is furthest:
  // all windowed rules wait for them.
  std::int64_t stalled(Duration behind) const;

  // The whole reasoning of a windowed rule at the grid time that was evaluated last, for people; nothing where there
  // is no such rule, or no group with these labels.
  std::optional<std::string> explain(std::string_view alert, const Labels& labels) const;

  std::vector<RuleSight> sight() const;
  std::vector<ActiveAlert> active() const;
  SeriesUse series() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tocsin
