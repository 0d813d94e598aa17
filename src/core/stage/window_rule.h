// One rule of mode window, over all its groups: measures, compares, and keeps each group's alert.
//
// Thread: the evaluate partition's.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/alert/acceptance.h"
#include "core/alert/alert_change.h"
#include "core/alert/alert_life.h"
#include "core/alert/episode_book.h"
#include "core/rule/rule_set.h"
#include "core/stage/accepted_level.h"
#include "core/stage/agent_versions.h"
#include "core/stage/series_table.h"
#include "core/stage/state_record.h"

namespace tocsin {

// Why a condition could not be decided, the most serious first.
enum class Sight : std::uint8_t { undeclared, warming, blind, live };

class WindowRule {
 public:
  // Requires: all references live longer than this.
  WindowRule(const RuleSet& rules, const Rule& rule, const std::string& deployment, const SeriesTable& series,
             const AgentVersions& versions);

  // Evaluates every group at grid time `now`. `known_since`: before it nothing was counted anywhere. `inhibited`:
  // agents (env and agent) whose alerts do not begin to fire now.
  void evaluate(RecordTime now, RecordTime known_since, const std::set<GroupKey>& inhibited,
                std::vector<AlertChange>& out);

  // The agents of which an alert fires.
  void add_firing_agents(std::set<GroupKey>& agents) const;
  // Groups that are there without having a series: those of Rule::absence that this partition owns.
  void expect(std::vector<GroupKey> groups) { expected_ = std::move(groups); }

  // A person accepts the level for which a group's alert fires: the next evaluate() does it. Nothing comes of one
  // that was looked at before, or is about an episode that is over. See accepted_level.h.
  void accept(const Acceptance& acceptance);

  // Series have more of a past than they had when they were looked at.
  bool uses_any(const std::vector<std::uint32_t>& aggregates) const;
  void look_at_past();

  // Its rule is taken away, or changes what its groups are: whatever fires ends, for this reason.
  void end_all(RecordTime now, const std::string& reason, std::vector<AlertChange>& out);
  // The groups whose alert has a past, as take_changes() gives them.
  void take_all(std::vector<StateRecord>& out);

  // Drops groups whose series are gone and whose alert has no past but how often it fired.
  void forget(RecordTime now);

  // What outlives the process: each group whose alert changed since the last call. Groups that never had one come
  // back with their series; resume() finds the rest of what evaluate() knew. Requires for it: the series are
  // restored.
  void take_changes(std::vector<StateRecord>& out);
  void drop_changes() {
    changed_.clear();
    episodes_.drop_changes();
  }
  bool restore(const GroupKey& key, std::string_view value);
  // The record was made by a rule of that name with other groups.
  bool is_of_other_groups(std::string_view value) const;
  // All that was restored is stored once more: this rule's settings make something else of it.
  void store_all();
  bool restore_episode(const GroupKey& key, std::string_view value) { return episodes_.restore(key, value); }
  void resume();

  struct GroupSight {
    Sight sight = Sight::blind;
    AlertState state = AlertState::inactive;
  };
  std::vector<GroupSight> sight() const;
  void active(std::vector<AlertChange>& out) const;
  // The whole reasoning of the evaluation at `now`, for people; nothing where no group has these labels. Requires:
  // everything before `now`, and nothing after it, has been added.
  std::optional<std::string> explain(const Labels& labels, RecordTime now, RecordTime known_since);
  const Rule& rule() const { return rule_; }

 private:
  static constexpr RecordTime before_samples{Duration{INT64_MIN / 2}};

  struct KnownInterval {
    std::int64_t hits = -1, samples = -1;
    Interval interval;
  };
  struct CachedBaseline {
    BaselineRange range{};
    std::uint32_t version = UINT32_MAX;
    std::optional<RecordTime> reset;
    BaselineFigures figures;
  };
  struct Group {
    std::vector<const Series*> series;  // by named value; null while it has none
    AlertLife life;
    std::vector<CachedBaseline> baselines;
    std::vector<BaselineFigures> frozen;
    RecordTime last_sample = before_samples;
    Duration usual_gap{};  // between samples, as long as there were any
    Sight sight = Sight::blind;
    std::optional<RecordTime> resolved;       // when the last episode ended
    std::unique_ptr<AlertChange> firing;      // as it was announced; most groups never had one
    std::unique_ptr<AcceptedLevel> accepted;  // the same
    std::unique_ptr<Acceptance> order;        // to be done at the next grid time
  };
  // Of a value, for a window of this length: a rule may look at several in turn.
  CachedBaseline& cached_baseline(Group& group, std::size_t value, Duration window) const;
  std::size_t cached_baselines() const {
    return rule_.values.size() * (rule_.holds_in_any_window ? rule_.windows.size() : 1);
  }
  // What one evaluation measured.
  struct Measured {
    RecordTime now;
    Duration window{};
    RecordTime begin;
    Duration counted{};  // of a calendar window: since it began, or since anything was counted
    Duration left{};     // until it ends
    std::vector<Totals> totals;
    std::vector<double> values;
    std::vector<BaselineFigures> baselines;
    bool declared_baseline = false;
    bool is_covered = true;  // everything in the window was counted
    bool warming = false;
    bool undeclared = false;
    std::string spec, spec_version;
  };

  void find_new_groups();
  void evaluate_group(const GroupKey& key, Group& group, RecordTime now, RecordTime known_since, bool is_inhibited,
                      std::vector<AlertChange>& out);
  void begin_group(const GroupKey& key, Group& group);
  // mode: absence. Whether nothing came for too long; `reason`: why an alert ends, where that is no event.
  Truth judge_absence(const GroupKey& key, const Group& group, RecordTime now, RecordTime known_since,
                      Measured& measured, std::string& reason) const;
  // The part of explain() that differs.
  std::string absence_text(const Group& group, const Measured& measured, RecordTime now, Truth truth,
                           const std::string& reason) const;
  // `window`: of those in which the condition must hold; nothing where the rule chooses it itself.
  Measured measure(const GroupKey& key, Group& group, RecordTime now, RecordTime known_since,
                   std::optional<Duration> window = std::nullopt) const;
  // Whether the condition can be judged by it.
  static bool is_enough(const Measured& measured, std::int64_t samples) {
    return measured.totals[0].count >= samples && (measured.is_covered || measured.declared_baseline);
  }
  // How the condition stands in every window that it must hold in; `measured` and `inputs_` are of the longest. Where
  // it may hold in any, they are of the first in which it does, or else of the first that holds enough.
  Truth judge(const GroupKey& key, Group& group, RecordTime now, RecordTime known_since, Measured& measured);
  Truth judge_window(const GroupKey& key, Group& group, RecordTime now, RecordTime known_since,
                     std::optional<Duration> window, std::int64_t samples, Measured& measured);
  Truth judge_any(const GroupKey& key, Group& group, RecordTime now, RecordTime known_since, Measured& measured);
  // Where what the window holds may begin: of sets and distributions, where it is long, at a quarter of an hour.
  RecordTime oldest_in(RecordTime now, Duration window) const;
  void choose_window(const Group& group, RecordTime now, Measured& measured) const;
  BaselineFigures baseline(const GroupKey& key, Group& group, std::size_t value, Measured& measured,
                           RecordTime known_since) const;
  BaselineFigures unfrozen_baseline(const GroupKey& key, Group& group, std::size_t value, const Measured& measured,
                                    RecordTime known_since) const;
  // Of a range, over what the series of this value hold; of a derived value, its formula over those of its parts.
  BaselineFigures figures_of_range(const GroupKey& key, const Group& group, std::size_t value, BaselineRange range,
                                   Duration window, RecordTime known_since, std::vector<double>& blocks) const;
  // The series that a value of this group reads; null where there is none.
  const Series* series_of(const GroupKey& key, const Group& group, std::size_t value) const;
  // What a value that is not derived comes to over a window of its series that ends at `now`, of which the totals are
  // known. The series may be null.
  double figure_at(const Series* series, std::size_t value, RecordTime now, Duration window, Totals totals) const;
  // Puts what derived values come to in their places.
  void read_derived(std::vector<double>& values) const;
  // Null where none was accepted, or it has aged out.
  const AcceptedLevel* accepted_level(const Group& group, RecordTime window_begin, Duration window) const;
  // Does what a person ordered, and reads the accepted level once enough was seen of it.
  void serve_order(const GroupKey& key, Group& group, RecordTime now);
  void read_level(const GroupKey& key, Group& group, RecordTime now);
  double input(const Variable& variable, Measured& measured) const;
  // Exact ones are remembered: they cost much more than Wilson's, and shares change more rarely than they are looked
  // at.
  Interval interval(std::int64_t hits, std::int64_t samples) const;
  void note_traffic(Group& group, RecordTime now, const Measured& measured) const;
  void note_traffic_of_least(Group& group, RecordTime now) const;  // in the window that choose_window() takes
  bool is_silent(const Group& group, RecordTime now) const;
  std::string shape() const;
  std::string measures() const;
  std::string label_of(const GroupKey& key, StringField field) const;
  GroupKey agent_of(const GroupKey& key) const;
  AlertChange change_of(const GroupKey& key, const Group& group, Measured& measured, RecordTime now, bool firing,
                        std::string reason) const;

  const RuleSet& rules_;
  const Rule& rule_;
  const std::string& deployment_;
  const SeriesTable& series_;
  const AgentVersions& versions_;
  AlertTiming timing_;
  bool looks_further_back_;                       // the condition asks for the baseline's peak or age
  bool has_cells_;                                // of its values one is of sets or distributions
  mutable std::vector<KnownInterval> intervals_;  // exact ones; at a place what was reckoned last
  std::map<GroupKey, Group> groups_;
  std::set<GroupKey> changed_;
  EpisodeBook episodes_;  // of groups that were dropped
  std::vector<GroupKey> expected_;
  std::size_t known_series_ = 0;
  std::vector<double> inputs_;  // of the condition; kept for its memory
};

}  // namespace tocsin
