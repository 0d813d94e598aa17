#include "core/stage/evaluate_stage.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/stage/agent_versions.h"
#include "core/stage/event_alerts.h"
#include "core/stage/series_table.h"
#include "core/stage/task_alerts.h"
#include "core/stage/window_rule.h"

namespace tocsin {

namespace {

constexpr RecordTime before_all{Duration{INT64_MIN / 4}};
constexpr Duration forget_every = std::chrono::hours{1};

}  // namespace

struct EvaluatePartition::State {
  EvaluateOptions options;
  std::shared_ptr<const RuleSet> rules;
  SeriesTable series;
  AgentVersions versions;
  EventAlerts event_alerts;
  std::vector<std::unique_ptr<WindowRule>> window_rules;
  std::vector<std::unique_ptr<TaskAlerts>> task_rules;
  std::vector<std::uint32_t> task_rule_numbers;  // their indices into RuleSet::rules

  // Blocks whose grid time some partition has not closed yet.
  std::map<RecordTime, std::map<std::int32_t, Block>> waiting;
  std::map<std::int32_t, RecordTime> reached;  // the last grid time of each partition
  std::int64_t blocks_refused = 0;
  RecordTime evaluated = before_all;
  RecordTime known_since = before_all;
  RecordTime last_forgotten = before_all;

  State(EvaluateOptions given, std::shared_ptr<const RuleSet> rule_set)
      : options(std::move(given)),
        rules(std::move(rule_set)),
        series(*rules),
        event_alerts(*rules, options.deployment, options.command_url, versions) {
    for (std::uint32_t i = 0; i < rules->rules.size(); ++i) {
      const Rule& rule = rules->rules[i];
      if (rule.mode == RuleMode::window) {
        window_rules.push_back(std::make_unique<WindowRule>(*rules, rule, options.deployment, series, versions));
      } else if (rule.mode == RuleMode::task) {
        task_rules.push_back(std::make_unique<TaskAlerts>(rule, options.deployment, versions));
        task_rule_numbers.push_back(i);
      }
    }
  }

  void apply(Block block, std::vector<AlertChange>& out) {
    // Indices into another rule set mean other rules: such a block is not ours to fold.
    if (block.rule_set != rules->hash) {
      ++blocks_refused;
      return;
    }
    if (block.grid <= evaluated) return;  // a second copy of what counted already
    RecordTime& own = reached.try_emplace(block.partition, before_all).first->second;
    own = std::max(own, block.grid);
    waiting[block.grid].try_emplace(block.partition, std::move(block));
    while (!waiting.empty() && is_complete(waiting.begin()->first)) {
      const auto first = waiting.begin();
      close(first->first, first->second, out);
      waiting.erase(first);
    }
  }

  // Every partition has closed this grid time, or has begun only after it.
  bool is_complete(RecordTime grid) const {
    return static_cast<std::int32_t>(reached.size()) >= options.source_partitions &&
           std::all_of(reached.begin(), reached.end(), [&](const auto& entry) { return entry.second >= grid; });
  }

  void close(RecordTime grid, std::map<std::int32_t, Block>& blocks, std::vector<AlertChange>& out) {
    const RecordTime begin = grid - slice_length;
    if (known_since == before_all) known_since = begin;
    std::vector<const TaskNews*> news;
    for (auto& [partition, block] : blocks) {
      for (const Sighting& sighting : block.sightings) versions.note(sighting, grid);
      for (const UrgentFinding& finding : block.findings) event_alerts.apply(finding, out);
      for (const TaskNews& item : block.tasks) news.push_back(&item);
    }
    fold(blocks, begin);
    for (const std::uint32_t aggregate : series.take_overflowed()) raise_overflow(aggregate, grid, out);
    evaluate_rules(news, grid, out);
    event_alerts.advance(grid, out);
    evaluated = grid;
    if (grid - last_forgotten >= forget_every) {
      last_forgotten = grid;
      series.forget(grid);
      versions.forget(grid);
      for (auto& rule : window_rules) rule->forget();
    }
  }

  // All partitions' cells together and in order, so that the cap lets in the same series however they arrived.
  void fold(std::map<std::int32_t, Block>& blocks, RecordTime begin) {
    if (blocks.size() == 1) {
      series.fold(blocks.begin()->second.cells, begin);
      return;
    }
    std::vector<Cell> cells;
    for (auto& [partition, block] : blocks) {
      cells.insert(cells.end(), std::make_move_iterator(block.cells.begin()),
                   std::make_move_iterator(block.cells.end()));
    }
    std::stable_sort(cells.begin(), cells.end(), [](const Cell& a, const Cell& b) {
      return a.aggregate != b.aggregate ? a.aggregate < b.aggregate : a.group < b.group;
    });
    series.fold(cells, begin);
  }

  void raise_overflow(std::uint32_t aggregate, RecordTime grid, std::vector<AlertChange>& out) {
    for (const Rule& rule : rules->rules) {
      const bool uses = std::any_of(rule.values.begin(), rule.values.end(),
                                    [&](const NamedValue& value) { return value.aggregate == aggregate; });
      if (!uses) continue;
      event_alerts.raise("SeriesOverflow", {{"rule", rule.name}},
                         "rule " + rule.name + " has more groups than max_series allows; new ones are not watched",
                         grid, out);
    }
  }

  // Rules in the order of their files, whatever their mode.
  void evaluate_rules(const std::vector<const TaskNews*>& news, RecordTime grid, std::vector<AlertChange>& out) {
    std::size_t window = 0, task = 0;
    for (const Rule& rule : rules->rules) {
      if (rule.mode == RuleMode::window) {
        window_rules[window++]->evaluate(grid, known_since, out);
      } else if (rule.mode == RuleMode::task) {
        std::vector<const TaskNews*> own;
        for (const TaskNews* item : news) {
          if (item->rule == task_rule_numbers[task]) own.push_back(item);
        }
        task_rules[task++]->advance(own, grid, out);
      }
    }
  }

  std::vector<RuleSight> sight() const {
    std::vector<RuleSight> list;
    std::size_t window = 0, task = 0;
    for (const Rule& rule : rules->rules) {
      RuleSight sight;
      sight.alert = rule.name;
      if (rule.mode == RuleMode::event) {
        sight.firing = static_cast<std::int64_t>(event_alerts.firing(rule.name));
      } else if (rule.mode == RuleMode::task) {
        sight.firing = static_cast<std::int64_t>(task_rules[task++]->firing());
      } else {
        for (const WindowRule::GroupSight& group : window_rules[window++]->sight()) {
          sight.live += group.sight == Sight::live ? 1 : 0;
          sight.warming += group.sight == Sight::warming ? 1 : 0;
          sight.blind += group.sight == Sight::blind ? 1 : 0;
          sight.undeclared += group.sight == Sight::undeclared ? 1 : 0;
          sight.pending += group.state == AlertState::pending ? 1 : 0;
          sight.firing += group.state == AlertState::firing ? 1 : 0;
        }
      }
      list.push_back(std::move(sight));
    }
    return list;
  }

  std::vector<ActiveAlert> active() const {
    std::vector<ActiveAlert> list;
    std::vector<AlertChange> changes;
    for (const auto& rule : window_rules) rule->active(changes);
    for (const auto& rule : task_rules) rule->active(changes);
    for (AlertChange& change : changes) list.push_back({std::move(change), 1});
    for (EventAlerts::Active& alert : event_alerts.active()) list.push_back({std::move(alert.change), alert.times});
    return list;
  }
};

EvaluatePartition::EvaluatePartition(EvaluateOptions options, std::shared_ptr<const RuleSet> rules)
    : state_(std::make_unique<State>(std::move(options), std::move(rules))) {}

EvaluatePartition::~EvaluatePartition() = default;

void EvaluatePartition::apply(Block block, std::vector<AlertChange>& out) {
  state_->apply(std::move(block), out);
}

void EvaluatePartition::apply(const UrgentFinding& finding, std::vector<AlertChange>& out) {
  state_->event_alerts.apply(finding, out);
}

void EvaluatePartition::apply(const HaltRelease& release, std::vector<AlertChange>& out) {
  state_->event_alerts.release(release, out);
}

void EvaluatePartition::apply(const AckReport& report, RecordTime now, std::vector<AlertChange>& out) {
  state_->event_alerts.apply(report, now, out);
}

RecordTime EvaluatePartition::evaluated() const {
  return state_->evaluated;
}
std::vector<RuleSight> EvaluatePartition::sight() const {
  return state_->sight();
}
std::int64_t EvaluatePartition::blocks_refused() const {
  return state_->blocks_refused;
}
std::vector<ActiveAlert> EvaluatePartition::active() const {
  return state_->active();
}
SeriesUse EvaluatePartition::series() const {
  return {state_->series.size(), state_->series.cap(), state_->series.bytes()};
}

}  // namespace tocsin
