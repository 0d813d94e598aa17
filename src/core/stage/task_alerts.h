// Alerts on running tasks (mode: task), and the pages that fold them: one page lists all tasks of its group, so
// that a provider that hangs is one page and not a hundred.
//
// Thread: the evaluate partition's.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/alert/alert_change.h"
#include "core/rule/rule_set.h"
#include "core/stage/agent_versions.h"
#include "core/stage/block.h"
#include "core/stage/state_record.h"

namespace tocsin {

class TaskAlerts {
 public:
  // Requires: references live longer than this; `rule.mode` is task.
  TaskAlerts(const Rule& rule, std::string deployment, const AgentVersions& versions);

  // What became of tasks in the slice that ends at `now`, and what ends by itself then.
  void advance(const std::vector<const TaskNews*>& news, RecordTime now, std::vector<AlertChange>& out);

  // Its rule is taken away, or changes what its groups are: whatever fires ends, for this reason.
  void end_all(RecordTime now, const std::string& reason, std::vector<AlertChange>& out);
  // All that there is, as take_changes() gives it.
  void take_all(std::vector<StateRecord>& out);

  // What outlives the process: all that changed since the last call. restore(): false where the record can't be read.
  void take_changes(std::vector<StateRecord>& out);
  void drop_changes() {
    changed_alerts_.clear();
    changed_pages_.clear();
    changed_episodes_.clear();
  }
  bool restore_alert(const GroupKey& group, std::string_view value);
  bool restore_folding(const GroupKey& page_group, std::string_view value);
  bool restore_episode(const GroupKey& group, std::string_view value);

  std::size_t firing() const { return alerts_.size(); }
  void active(std::vector<AlertChange>& out) const;
  const Rule& rule() const { return rule_; }

 private:
  struct Alert {
    TaskNews news;
    AlertChange change;
    std::optional<RecordTime> over_since;  // the task ended, or is lost; the alert is kept for a while
    std::string end_reason;
    GroupKey page_group;
    RecordTime held_at;  // of a rule that counts within a window: when its condition was last said to hold
  };
  // A page that folds alerts; without page_by each alert has its own.
  struct PageGroup {
    std::int64_t episode = 0;
    std::size_t firing = 0;
    bool open = false;
    RecordTime last_used;
  };

  struct Changed {
    GroupKey group;
    GroupKey page_group;
    AlertChange change;
  };

  void begin(const TaskNews& news, RecordTime now, std::vector<Changed>& changed);
  void note_end(Alert& alert, const TaskNews& news, RecordTime now) const;
  void end_due(RecordTime now, std::vector<Changed>& changed);
  // Says for each change which page covers it: one opens with the first alert of its group and lists all that
  // fire, and closes with the last.
  void fold_pages(std::vector<Changed>& changed);
  std::string encode(const Alert& alert) const;
  // Nothing where the alert goes on.
  std::optional<std::string> end_reason_of(const Alert& alert, RecordTime now) const;
  void describe_count(const TaskNews& news, AlertChange& change) const;
  std::string reason_of(const TaskNews& news) const;
  AlertChange change_of(const TaskNews& news, const GroupKey& group, RecordTime now) const;
  GroupKey page_group_of(const GroupKey& group) const;
  std::string page_alert_id(const GroupKey& page_group) const;

  const Rule& rule_;
  std::string deployment_;
  const AgentVersions& versions_;
  bool judges_silence_ = false;
  std::map<GroupKey, Alert> alerts_;
  std::map<GroupKey, PageGroup> pages_;
  std::map<GroupKey, std::int64_t> episodes_;  // of tasks that fire or fired a while ago
  std::set<GroupKey> changed_alerts_, changed_pages_, changed_episodes_;
};

}  // namespace tocsin
