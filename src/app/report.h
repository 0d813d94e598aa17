// What `replay` shows to a person: a timeline of episodes, and what the stream held.

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/alert/alert_change.h"
#include "core/monitor/agent_figures.h"
#include "core/stage/evaluate_stage.h"
#include "core/stage/ingest_stage.h"

namespace tocsin {

// "$31.42", "62.5 %", "22m", "14": a figure as people read it. `unit`: AlertChange::value_unit.
std::string figure_text(double value, const std::string& unit, bool is_ratio);

// One line: when, what, whom, the summary.
std::string line_of(const AlertChange& change);

class ReplayReport {
 public:
  void add(const AlertChange& change);
  void add(const HaltRecord& halt);
  void add(const DeadLetter& letter);
  void finish(const StreamTotals& totals, const std::vector<RuleSight>& sight);
  std::string text() const { return text_; }

 private:
  std::string text_;
  struct Letters {
    std::int64_t count = 0;
    std::int64_t first = 0;  // the number of its line, or its offset
  };
  std::map<std::string, Letters> dead_letters_;  // by reason
  std::int64_t pages_ = 0;
  std::int64_t alerts_ = 0;
  std::int64_t halts_ = 0;
  RecordTime first_;
  RecordTime last_;
};

}  // namespace tocsin
