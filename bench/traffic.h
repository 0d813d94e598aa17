// Records that a benchmark can feed for as long as it likes: one set of events, sent again and again as other
// tasks at later times, so that nothing is a duplicate and every table reaches its steady state.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/stage/ingest_stage.h"

namespace tocsin {

// What one pass over the records adds up to, read from them by another parser.
struct TrafficSums {
  std::int64_t model_calls = 0;
  std::int64_t tool_calls = 0;
  std::int64_t tokens_in = 0;
  std::int64_t tokens_out = 0;
  std::int64_t cost = 0;  // micro-dollars
  std::int64_t tasks = 0;
};

class Traffic {
 public:
  // Every tenth task of a day of the demo's six agents, without incidents.
  static Traffic generated();
  // The recorded runs of an airline's agent: $TOCSIN_DATA, else ../shared/data/airline/events.jsonl beside the
  // project. Empty where there is no such file.
  static Traffic airline();

  // Spreads the tasks over `count` agents in turn, pass after pass.
  void use_agents(std::size_t count);

  // Makes the records those of the next pass. `every`: between two records. `same_agents`: as the pass before.
  void begin_pass(std::chrono::microseconds every, bool same_agents = false);
  // Lets log time pass without a record, to the beginning of a slice.
  void skip(Duration length);

  std::size_t size() const { return records_.size(); }
  std::size_t bytes() const;
  std::int64_t passes() const { return passes_; }
  const TrafficSums& sums() const { return sums_; }  // of one pass
  RecordTime now() const { return now_; }

  RawRecord record(std::size_t i) const {
    const Record& own = records_[i];
    return {own.key, own.value, own.time, own.offset};
  }
  // Begins, ends, pauses or resumes a task.
  bool moves_task(std::size_t i) const { return records_[i].moves_task; }
  // Whether a slice ends before this record.
  bool cuts(std::size_t i) const { return records_[i].cuts; }

 private:
  struct Record {
    std::string key;
    std::string value;
    RecordTime time;
    std::int64_t offset = 0;
    // Where in `value` what changes stands; npos where it does not.
    std::size_t time_at = std::string::npos;
    std::size_t event_id_at = std::string::npos;
    std::size_t correlation_at = std::string::npos;
    std::size_t agent_at = std::string::npos;
    std::size_t task = 0;
    bool moves_task = false;
    bool cuts = false;
  };

  void add(std::string key, std::string value);
  void finish();

  std::vector<Record> records_;
  TrafficSums sums_;
  RecordTime now_{std::chrono::sys_days{std::chrono::year{2026} / 1 / 5}.time_since_epoch()};
  std::int64_t passes_ = 0;
  std::size_t agents_ = 0;  // zero: as the records name them
  std::size_t first_agent_ = 0;
};

}  // namespace tocsin
