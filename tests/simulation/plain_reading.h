// The plain reading: what one program that reads the whole log in one go answers. It shares no deciding code with
// Tocsin, keeps everything, and knows the simulation's seven rules only.
//
// Its input is each partition's records in offset order, the idle closes that were recorded, from when to when the
// rule Recent was in force, and when what it had missed was there; nothing else.

#pragma once

#include <compare>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/units.h"

namespace tocsin::sim {

struct SourceRecord {
  RecordTime stamp;
  Duration arrived;
  std::string key;
  std::string value;
};

// The partition was found idle at this grid time, when so many of its records were read.
struct IdleClose {
  RecordTime grid;
  std::int64_t records = 0;
};

struct SourcePartition {
  std::vector<SourceRecord> records;
  std::vector<IdleClose> idle;  // in order
  RecordTime first_grid;        // the first grid time that it closed
  RecordTime last_grid;
  std::map<RecordTime, std::int64_t> reads;  // how many records were read when it closed this grid time

  // How many were read before the slice that begins at `time`.
  std::int64_t read_until(RecordTime time) const {
    const auto after = reads.upper_bound(time);
    return after == reads.begin() ? 0 : std::prev(after)->second;
  }
};

// A stretch of epochs that all have the rule Recent.
struct RecentRun {
  RecordTime from;                // its first slice begins here
  std::optional<RecordTime> end;  // the slices from here on are of an epoch without it
  bool from_the_beginning = false;
  // The grid time at which its past had come, and from which partitions.
  std::optional<RecordTime> past_at;
  std::set<std::int32_t> past_of;
};

struct Sum {
  std::int64_t sum = 0;
  std::int64_t count = 0;
  friend bool operator==(const Sum&, const Sum&) = default;
};

// One page, by what it is about.
struct PageName {
  std::string alert;
  std::string labels;  // of its group: "agent=claims env=prod"
  std::int64_t episode = 0;
  bool firing = true;
  friend auto operator<=>(const PageName&, const PageName&) = default;
};

struct PlainAnswer {
  std::map<PageName, RecordTime> pages;                 // and when
  std::set<std::pair<std::string, std::string>> halts;  // scope, secret
  // What each slice added to each series: partition, rule, group, grid time.
  std::map<std::tuple<std::int32_t, std::string, std::string, std::int64_t>, Sum> slices;
};

// Up to and with grid time `until`.
PlainAnswer read_plainly(const std::vector<SourcePartition>& partitions, const std::vector<RecentRun>& runs,
                         RecordTime until);

}  // namespace tocsin::sim
