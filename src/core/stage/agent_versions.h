// Which versions each agent shows: for baselines that a new version opens anew, for declared bounds, and for the
// page, which says what changed in the last hour.

#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "core/alert/alert_change.h"
#include "core/stage/block.h"
#include "core/stage/state_record.h"

namespace tocsin {

class AgentVersions {
 public:
  // That an agent showed a version in the slice that ends at `grid`.
  void note(const Sighting& sighting, RecordTime grid);

  // The version that came before this one; empty where none did, or it is not known.
  std::string previous(const GroupKey& agent, StringField field, std::string_view value) const;

  // The version shown last; empty where none was.
  std::string current(const GroupKey& agent, StringField field) const;

  // When the last of `fields` began to show a value that it had not shown for a day before, beside or after
  // another one: the time from which a second baseline counts. An agent with two models does not flap.
  std::optional<RecordTime> last_reset(const GroupKey& agent, const std::vector<StringField>& fields) const;

  Labels versions(const GroupKey& agent) const;
  // Those that began within the hour before `now` and came in place of another: name, and "old -> new".
  Labels changed(const GroupKey& agent, RecordTime now) const;

  // Forgets what was not shown for eight days. Appends what becomes of its stored records.
  void forget(RecordTime now, std::vector<StateRecord>& out);

  // As SeriesTable's: stored once an hour, note() leaves out what a stored record has already.
  void store(RecordTime grid, std::vector<StateRecord>& out);
  bool restore(std::string_view key, std::string_view value);

 private:
  struct Shown {
    StringField field = StringField::model;
    std::string value;
    RecordTime since;  // of this showing: a gap of a day begins another
    RecordTime last;
  };
  struct Agent {
    std::vector<Shown> shown;
    RecordTime noted{Duration{INT64_MIN / 2}};   // the grid time of the last sighting
    RecordTime stored{Duration{INT64_MIN / 2}};  // as of this grid time
  };
  const Shown* newest(const GroupKey& agent, StringField field) const;
  // Of those that began earlier, the one that was shown last; null where there is none.
  static const Shown* before(const Agent& agent, const Shown& shown);

  std::map<GroupKey, Agent> agents_;
};

}  // namespace tocsin
