// Which enforced halts no agent has acknowledged in time: an agent that does not read halts is one that nobody can
// stop.
//
// Fed with the records of the halts topic and of the acknowledgements, in any order between the two. Drills count,
// as finding this out is what they are for; dry runs and held halts stop nobody and are never waited for. What is
// reported is by scope, and says all that is overdue each time, so that whoever raises alerts from it needs no
// memory.
//
// Thread: its owner's.

#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/units.h"

namespace tocsin {

struct Unacknowledged {
  std::string scope;
  std::string halt_id;  // of the one that has waited longest
  std::string agent;    // empty in a drill
  RecordTime since;     // when it was written
};

struct AckReport {
  std::vector<Unacknowledged> overdue;                     // by scope; all that are
  std::vector<std::pair<std::string, std::string>> ended;  // scopes that were, before this report, and why not now
};

class AckWatch {
 public:
  // Within which agents acknowledge.
  static constexpr Duration patience = std::chrono::seconds{30};

  // A record of the halts topic that was written at `arrived`; repeats of a halt count from its first one.
  // False where it is no record of ours.
  bool apply_halt(std::string_view key, std::string_view value, RecordTime arrived);
  // A record of the acknowledgements. False where it is none.
  bool apply_ack(std::string_view value);

  // Requires: both topics were read to where they ended at the start, else what was acknowledged looks overdue.
  AckReport advance(RecordTime now);

  std::size_t waiting() const { return waiting_.size(); }

 private:
  struct Waiting {
    std::string scope;
    std::string agent;
    RecordTime since;
    EventTime expires_at;
  };

  void end(const std::string& name, const std::string& reason);
  void remember_ack(std::string name);

  // All by scope/id.
  std::map<std::string, Waiting, std::less<>> waiting_;
  std::set<std::string, std::less<>> released_;
  std::set<std::string, std::less<>> acknowledged_;
  std::deque<std::string> acknowledged_order_;
  std::set<std::string, std::less<>> overdue_;                   // scopes of the last report
  std::map<std::string, std::string, std::less<>> end_reasons_;  // of those scopes
};

}  // namespace tocsin
