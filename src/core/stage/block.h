// What crosses from ingest to evaluate: values, which are also the records of the topics between them.
//
// A block is one closed slice of one source partition. It goes out even when it is empty: it is also the sign
// that the partition has come this far.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/units.h"
#include "core/event/event_fields.h"
#include "core/halt/halt_record.h"
#include "core/window/distinct_set.h"
#include "core/window/distribution.h"
#include "core/window/history.h"

namespace tocsin {

// The values of a group's labels, in the order of its rule's group_by, joined with NUL (which no value holds).
using GroupKey = std::string;

inline constexpr std::size_t most_examples = 3;

// A task that contributed much to a cell: what a person who is woken looks at first.
struct Example {
  std::string correlation_id;
  std::int64_t amount = 0;  // in the unit of the cell's sum; 1 where it counts
};

// What one slice of one partition adds to one series. `distinct` and `distribution` are empty but for cells of their
// kinds.
struct Cell {
  std::uint32_t aggregate = 0;  // index into RuleSet::aggregates
  GroupKey group;
  Totals totals;
  DistinctSet distinct;
  std::vector<Example> examples;
  Distribution distribution{};
};

// That an agent showed a version in this slice.
struct Sighting {
  GroupKey agent;  // env, agent
  StringField field = StringField::model;
  std::string value;
};

// What became of a running task under a rule of mode task.
struct TaskNews {
  enum class Kind : std::uint8_t { over, ended, lost };
  Kind kind = Kind::over;
  std::uint32_t rule = 0;  // index into RuleSet::rules
  GroupKey group;          // by the rule's group_by
  EventTime started{};
  Duration elapsed{};
  double limit = 0;                   // the bound that `elapsed`, or `silent`, passed, in seconds
  double wall_clock = 0;              // seconds; the budget or the spec's
  Outcome outcome = Outcome::absent;  // of `ended`
  // Of `over`, where the rule counts: then `limit` is what `value` reached. Said again in each slice in which events
  // make the condition hold, where it has a window. Where the rule does not count: for how many seconds the task had
  // said nothing; 0 in what releases before wrote.
  double value = 0;
  std::string per;  // the values of its text fields, joined with NUL
};

// A condition of Tocsin's own that ingest sees first. It is about no rule and no group.
enum class Notice : std::uint8_t {
  none,
  halt_storm,        // more halts at once than the limits allow
  source_not_keyed,  // records come without their correlation id as key; `place` names the topic
  heartbeat,         // a record of Tocsin's own came by; raises nothing
  poison_record,     // one was passed over, as reading it had ended the process each time; `place` says which
  records_gone,  // they were not there any more when they were to be read; `place` names the topic, `pattern` which
};
inline constexpr std::int64_t notice_count = 6;

// As its alert is called; empty where it raises none.
constexpr std::string_view name_of(Notice notice) {
  switch (notice) {
    case Notice::halt_storm:
      return "HaltStorm";
    case Notice::source_not_keyed:
      return "SourceNotKeyed";
    case Notice::poison_record:
      return "PoisonRecord";
    case Notice::records_gone:
      return "RecordsGone";
    case Notice::heartbeat:
    case Notice::none:
      break;
  }
  return {};
}

// One event that decides by itself (mode event): on its way to evaluate it waits for no slice. Or a notice.
struct UrgentFinding {
  std::string id;          // the same however often it arrives
  std::uint32_t rule = 0;  // index into RuleSet::rules of who made it; others go by the name
  std::string rule_name;
  GroupKey group;
  std::string pattern;
  std::string fingerprint;
  std::string place;  // "content", "argument", or the field's name; of a notice, what it is about
  std::string correlation_id;
  EventTime event_time{};
  RecordTime at;                   // log time
  std::optional<HaltRecord> halt;  // the order that went out before it
  bool is_repeat = false;          // of a halt or finding that went out before
  Notice notice = Notice::none;    // else `rule` and `group` mean nothing
  std::string rotate;              // where the holder revokes what was found
  std::string record;              // which holds it: partition and offset of the telemetry that was read
};

// `place`: what it is about.
inline UrgentFinding notice_of(Notice notice, std::string id, std::string place, RecordTime at) {
  UrgentFinding finding;
  finding.notice = notice;
  finding.id = std::move(id);
  finding.place = std::move(place);
  finding.at = at;
  finding.event_time = as_event_time(at);
  return finding;
}

// That a source partition neither counts anything in the slice that begins at `until` nor closes a later one before
// proposal `number` of new rules is decided.
struct Promise {
  std::int64_t number = 0;  // 0: none; the first rules need no decision
  RecordTime until;
};

// What a source partition holds of a series from before its aggregate was asked for.
struct PastSeries {
  std::uint32_t aggregate = 0;  // index into RuleSet::aggregates
  GroupKey group;
  std::string state;  // as SeriesTable::as_past() gives it
};

// A piece of what new aggregates would have added up before their epoch, in one source partition. The pieces go out
// in order, in blocks of their own grid times.
struct Past {
  std::int64_t epoch = 0;  // that brought the aggregates; 0: this is none
  bool is_first = false;   // whatever came before of this epoch was of an attempt that broke off
  bool is_last = false;
  RecordTime since;  // records from here on were read
  std::vector<PastSeries> series;
};

struct Block {
  std::int32_t partition = 0;
  RecordTime grid;         // the slice is [grid - 10 s, grid)
  std::string rule_set;    // RuleSet::hash
  std::int64_t epoch = 0;  // RuleEpoch::number: by which its slice was counted
  Promise promise;
  bool idle = false;      // closed by silence, not by a later record
  std::int32_t part = 0;  // of so many parts: a record of a topic has a largest size
  std::int32_t parts = 1;
  std::int64_t records = 0;
  std::int64_t groups_over_cap = 0;
  std::vector<Cell> cells;  // by aggregate and group
  std::vector<Sighting> sightings;
  std::vector<TaskNews> tasks;
  std::vector<UrgentFinding> findings;  // those of the slice, once more: a crash between the two loses none
  Past past;
  std::int64_t owes_past_of = 0;  // the first epoch whose past the partition still owes after this block; 0: none
};

}  // namespace tocsin
