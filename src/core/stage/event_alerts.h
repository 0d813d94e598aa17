// Alerts that one event decides (mode: event), and those about Tocsin itself: they fire at once, and end by a
// person's word, or when they have been quiet for long enough.
//
// Thread: the evaluate partition's.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/alert/alert_change.h"
#include "core/alert/episode_book.h"
#include "core/epoch/control_record.h"
#include "core/halt/ack_watch.h"
#include "core/rule/rule_set.h"
#include "core/stage/agent_versions.h"
#include "core/stage/block.h"
#include "core/stage/state_record.h"

namespace tocsin {

// A condition of Tocsin's own that lasts, as its owner sees it.
struct OwnCondition {
  std::string alert;
  Labels labels;
  bool holds = false;
  std::string summary;  // why somebody should look, where it holds
  std::string over;     // why it ended, where it does not
};

class EventAlerts {
 public:
  EventAlerts(const RuleSet& rules, std::string deployment, std::string command_url, const AgentVersions& versions);

  // Other rules from now on. Alerts of rules that are gone, or have other groups, end.
  // Requires: `rules` lives longer than this.
  void change_rules(const RuleSet& rules, RecordTime now, std::vector<AlertChange>& out);

  // Fires unless it fires already, or a person accepted this very secret. Idempotent: the same finding may come
  // again in its block, or in every later prompt.
  void apply(const UrgentFinding& finding, std::vector<AlertChange>& out);

  // A condition of Tocsin's own: SeriesOverflow, HaltStorm, SourceNotKeyed, RecordsGone.
  void raise(const std::string& alert, const Labels& labels, const std::string& summary, RecordTime at,
             std::vector<AlertChange>& out);

  // A condition of Tocsin's own that lasts: HaltNotAcknowledged fires for each scope that is overdue in `report`, and
  // ends for each that no longer is.
  void apply(const AckReport& report, RecordTime at, std::vector<AlertChange>& out);

  // The same: RulesNotLoaded fires for each process whose files have a mistake.
  void apply(const std::vector<RuleTrouble>& troubles, RecordTime at, std::vector<AlertChange>& out);
  // Fires while the condition holds.
  void apply(const OwnCondition& condition, RecordTime at, std::vector<AlertChange>& out);

  void release(const HaltRelease& release, std::vector<AlertChange>& out);

  // Ends what has been quiet for long enough at `now`.
  void advance(RecordTime now, std::vector<AlertChange>& out);

  // What outlives the process: all that changed since the last call. restore(): false where the record can't be read.
  void take_changes(std::vector<StateRecord>& out);
  void drop_changes() {
    changed_.clear();
    episodes_.drop_changes();
  }
  bool restore(std::string_view rule, std::string_view group, std::string_view value);
  bool restore_episode(std::string_view rule_and_group, std::string_view value) {
    return episodes_.restore(rule_and_group, value);
  }

  struct Active {
    AlertChange change;
    std::int64_t times = 1;
  };
  std::vector<Active> active() const;
  std::size_t firing(const std::string& alert) const;

 private:
  using Key = std::pair<std::string, GroupKey>;
  struct Alert {
    bool firing = false;
    std::int64_t episode = 0;
    std::int64_t times = 0;
    RecordTime last;
    RecordTime resolved{Duration{INT64_MIN / 2}};
    Duration quiet_for{};  // resolves after it; zero: only by a person's word
    // Fingerprints that a person accepted; where an event has none, the halt's id stands for it. Of more than a
    // thousand some are forgotten, and page again.
    std::set<std::string> accepted;
    // The same of what it fires for, by halt id. Those beyond a thousand are one entry without a name, which nobody
    // can accept: such an alert is not ended by releases.
    std::map<std::string, std::string> fingerprints;
    AlertChange change;
  };

  Alert& alert_of(const Key& key);
  void note_halt(Alert& alert, const UrgentFinding& finding);
  void forget_quietest(RecordTime now);
  // Ends what fires under this name with other labels than those; `reason(labels)`.
  void end_others(const std::string& name, const std::set<std::string>& standing, RecordTime at,
                  std::vector<AlertChange>& out, const std::function<std::string(const GroupKey&)>& reason);
  void raise(Alert& alert, const std::string& name, const Labels& labels, const std::string& summary, RecordTime at,
             std::vector<AlertChange>& out);
  void fire(Alert& alert, AlertChange change, std::vector<AlertChange>& out);
  void resolve(Alert& alert, RecordTime at, std::string reason, std::vector<AlertChange>& out);
  AlertChange change_of(const Rule& rule, const UrgentFinding& finding) const;

  const RuleSet* rules_;
  std::string deployment_;
  std::string command_url_;
  const AgentVersions& versions_;
  std::map<Key, Alert> alerts_;  // by rule and group
  std::set<Key> changed_;
  EpisodeBook episodes_;  // of alerts that are forgotten, by rule NUL group
};

}  // namespace tocsin
