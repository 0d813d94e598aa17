// The plain reading: what one program that reads the whole log in one go answers. It shares no deciding code with
// Tocsin, keeps everything, and knows the simulation's six rules only.
//
// Its input is each partition's records in offset order and the idle closes that were recorded, and nothing else.

#pragma once

#include <compare>
#include <cstdint>
#include <map>
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
PlainAnswer read_plainly(const std::vector<SourcePartition>& partitions, RecordTime until);

}  // namespace tocsin::sim
