#include "core/stage/evaluate_stage.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "base/safeguard.h"
#include "core/stage/agent_versions.h"
#include "core/stage/block_split.h"
#include "core/stage/evaluate_keys.h"
#include "core/stage/event_alerts.h"
#include "core/stage/past_book.h"
#include "core/stage/series_table.h"
#include "core/stage/task_alerts.h"
#include "core/stage/unknown_sections.h"
#include "core/stage/window_rule.h"

namespace tocsin {

namespace {

constexpr Duration forget_every = std::chrono::hours{1};
constexpr std::int64_t position_form = 1;
constexpr std::uint64_t sources_form = 1;

}  // namespace

struct EvaluatePartition::State {
  EvaluateOptions options;
  std::shared_ptr<const RuleSet> rules;
  std::shared_ptr<const RuleEpochs> epochs;  // null: these rules, and no others
  std::int64_t epoch = 0;
  std::map<std::string, std::string, std::less<>> orphans;  // records of rules that are gone, and may come again
  SeriesTable series;
  AgentVersions versions;
  EventAlerts event_alerts;
  std::vector<std::unique_ptr<WindowRule>> window_rules;
  std::vector<std::unique_ptr<TaskAlerts>> task_rules;
  std::vector<std::uint32_t> task_rule_numbers;  // their indices into RuleSet::rules

  // Blocks whose grid time some partition has not closed yet.
  std::map<RecordTime, std::map<std::int32_t, Block>> waiting;
  std::map<std::int32_t, RecordTime> reached;  // the last grid time of each partition
  bool reached_changed = false;                // has another partition
  std::int64_t blocks_refused = 0;
  RecordTime evaluated = before_all;
  RecordTime known_since = before_all;
  RecordTime last_forgotten = before_all;
  bool saw_heartbeat = false;
  std::optional<RecordTime> resuming_to;  // grid times up to this one were evaluated before
  int unevaluated = 0;                    // grid times that are folded only; see end_resume()
  PastBook pasts;
  UnknownSections unknown{evaluate_sections};
  std::vector<Acceptance> acceptances;  // since the last grid time
  std::vector<StateRecord> stored;      // of the parts that have their turns, since the last take_changes()
  // The numbers that aggregates of other rules have by now, and since when they were counted.
  struct Translation {
    const RuleSet* from = nullptr;
    std::shared_ptr<const RuleEpochs> epochs;  // keeps `from`
    std::int64_t to = 0;                       // epoch
    std::vector<std::pair<std::optional<std::uint32_t>, RecordTime>> numbers;
  };
  Translation translation;

  State(EvaluateOptions given, std::shared_ptr<const RuleSet> rule_set)
      : options(std::move(given)),
        rules(std::move(rule_set)),
        series(*rules),
        event_alerts(*rules, options.deployment, options.command_url, versions) {
    make_rules();
  }

  void make_rules() {
    window_rules.clear();
    task_rules.clear();
    task_rule_numbers.clear();
    for (std::uint32_t i = 0; i < rules->rules.size(); ++i) {
      const Rule& rule = rules->rules[i];
      if (rule.mode == RuleMode::window) {
        window_rules.push_back(std::make_unique<WindowRule>(*rules, rule, options.deployment, series, versions));
        if (rule.absence) window_rules.back()->expect(expected_here(rule));
      } else if (rule.mode == RuleMode::task) {
        task_rules.push_back(std::make_unique<TaskAlerts>(rule, options.deployment, versions));
        task_rule_numbers.push_back(i);
      }
    }
  }

  std::vector<GroupKey> expected_here(const Rule& rule) const {
    std::vector<GroupKey> groups = rule.absence->always;
    std::erase_if(groups, [&](const GroupKey& group) {
      return blocks_partition_of(group, rule, options.partitions) != options.partition;
    });
    return groups;
  }

  const RuleEpoch* epoch_at(RecordTime grid) const { return epochs ? &epochs->at(grid) : nullptr; }

  // Before grid time `grid` is evaluated. The old rules' alerts go on under the new rules of their names.
  void change_rules_for(RecordTime grid, std::vector<AlertChange>& out) {
    const RuleEpoch* const due = epoch_at(grid);
    if (due == nullptr || due->number == epoch) return;
    const auto reason_to_end = [&](const Rule& old) -> std::string {
      const Rule* const next = due->rules->find(old.name);
      if (next == nullptr) return std::string(rule_removed);
      const bool stays = next->mode == old.mode && next->group_by == old.group_by && next->page_by == old.page_by;
      return stays ? std::string{} : std::string(rule_regrouped);
    };
    std::vector<StateRecord> all;
    const auto take = [&](auto& rule) {
      if (const std::string reason = reason_to_end(rule.rule()); !reason.empty()) rule.end_all(grid, reason, out);
      rule.take_changes(stored);
      rule.take_all(all);
    };
    for (auto& rule : window_rules) take(*rule);
    for (auto& rule : task_rules) take(*rule);
    event_alerts.change_rules(*due->rules, grid, out);
    series.change_rules(*due->rules, grid - slice_length, stored);
    const auto old_rules = std::exchange(rules, due->rules);
    epoch = due->number;
    make_rules();
    for (auto& [key, value] : std::exchange(orphans, {})) take_back(key, value);
    for (const StateRecord& record : all) restore(record.key, record.value);
    for (auto& rule : window_rules) {
      rule->resume();
      rule->store_all();
    }
  }

  void apply(Block block, std::vector<AlertChange>& out) {
    // Indices into another rule set mean other rules: such a block is not ours to fold.
    const RuleEpoch* const due = epoch_at(block.grid);
    if (block.rule_set != (due != nullptr ? due->rules : rules)->hash) {
      ++blocks_refused;
      return;
    }
    // A partition that was added: every grid time from here on waits for it.
    if (evaluated != before_all && reached.try_emplace(block.partition, evaluated).second) reached_changed = true;
    // A second copy of what counted already.
    if (block.grid <= evaluated && holds(Safeguard::first_block_wins)) return;
    if (resuming_to && block.grid <= *resuming_to - folded_again) {
      if (!pasts.wants(block)) return;  // stands in the records
      block.cells.clear();
      block.sightings.clear();
      block.tasks.clear();
      block.findings.clear();
    }
    const std::int32_t partition = block.partition;
    const RecordTime grid = block.grid;
    if (!gather(std::move(block))) return;
    const auto [own, is_new] = reached.try_emplace(partition, before_all);
    reached_changed = reached_changed || is_new;
    own->second = std::max(own->second, grid);
    close_complete(out);
  }

  // Puts the parts of a block behind each other as they come; a part that was there is a second copy. True where the
  // block is whole.
  bool gather(Block block) {
    const auto [entry, is_new] = waiting[block.grid].try_emplace(block.partition, std::move(block));
    Block& known = entry->second;
    if (!is_new) {
      const bool is_next = block.part == known.part + 1 && block.parts == known.parts;
      if (!is_next && holds(Safeguard::first_block_wins)) return false;
      known.part = block.part;
      const auto append = [](auto& to, auto& from) {
        to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
      };
      append(known.cells, block.cells);
      append(known.sightings, block.sightings);
      append(known.tasks, block.tasks);
      append(known.findings, block.findings);
      append(known.past.series, block.past.series);
    }
    return known.part + 1 == known.parts;
  }

  void close_complete(std::vector<AlertChange>& out) {
    while (!waiting.empty() && is_complete(waiting.begin()->first)) {
      const auto first = waiting.begin();
      if (resuming_to && first->first > *resuming_to) return;
      if (resuming_to || unevaluated > 0) {
        if (!resuming_to) --unevaluated;
        fold_again(first->first, first->second);
      } else {
        close(first->first, first->second, out);
      }
      waiting.erase(first);
    }
  }

  void fold_again(RecordTime grid, std::map<std::int32_t, Block>& blocks) {
    for (const auto& [partition, block] : blocks) {
      for (const Sighting& sighting : block.sightings) versions.note(sighting, grid);
    }
    gather_pasts(grid, blocks);
    const RuleEpoch* const of_block = epoch_at(grid);
    if (of_block != nullptr && of_block->number != epoch) {
      for (auto& [partition, block] : blocks) translate(block, *of_block->rules);
    }
    fold(blocks, grid - slice_length);
    evaluated = grid;
  }

  // Cells that other rules counted, as these rules number them. What these rules have not had ever since is left out.
  void translate(Block& block, const RuleSet& from) {
    const bool is_known = translation.from == &from && translation.to == epoch && translation.epochs == epochs;
    if (!is_known) read_translation(from);
    const auto number_now = [&](const Cell& cell) -> std::optional<std::uint32_t> {
      if (cell.aggregate >= translation.numbers.size()) return std::nullopt;
      const auto& [number, since] = translation.numbers[cell.aggregate];
      return since < block.grid ? number : std::nullopt;
    };
    std::vector<Cell> cells;
    for (Cell& cell : block.cells) {
      const auto number = number_now(cell);
      if (!number) continue;
      cell.aggregate = *number;
      cells.push_back(std::move(cell));
    }
    std::stable_sort(cells.begin(), cells.end(), [](const Cell& a, const Cell& b) {
      return a.aggregate != b.aggregate ? a.aggregate < b.aggregate : a.group < b.group;
    });
    block.cells = std::move(cells);
  }

  void read_translation(const RuleSet& from) {
    translation = {&from, epochs, epoch, {}};
    for (const Aggregate& aggregate : from.aggregates) {
      const std::string name = aggregate.canonical();
      const auto since = epochs->counted_since(name, epoch);
      translation.numbers.emplace_back(since ? rules->aggregate_named(name) : std::nullopt,
                                       since.value_or(before_all));
    }
  }

  // Every partition has closed this grid time, or has begun only after it.
  bool is_complete(RecordTime grid) const {
    if (!holds(Safeguard::every_partition_closed)) return true;
    const bool all_known =
        evaluated != before_all || static_cast<std::int32_t>(reached.size()) >= options.source_partitions;
    return all_known &&
           std::all_of(reached.begin(), reached.end(), [&](const auto& entry) { return entry.second >= grid; });
  }

  void close(RecordTime grid, std::map<std::int32_t, Block>& blocks, std::vector<AlertChange>& out) {
    change_rules_for(grid, out);
    const RecordTime begin = grid - slice_length;
    if (known_since == before_all) known_since = begin;
    std::vector<const TaskNews*> news;
    for (auto& [partition, block] : blocks) {
      for (const Sighting& sighting : block.sightings) versions.note(sighting, grid);
      for (const UrgentFinding& finding : block.findings) {
        if (finding.notice == Notice::heartbeat) saw_heartbeat = true;
        event_alerts.apply(finding, out);
      }
      for (const TaskNews& item : block.tasks) news.push_back(&item);
    }
    gather_pasts(grid, blocks);
    fold(blocks, begin);
    merge_pasts(grid, blocks);
    for (const std::uint32_t aggregate : series.take_overflowed()) raise_overflow(aggregate, grid, out);
    for (const Acceptance& one : std::exchange(acceptances, {})) {
      for (auto& rule : window_rules) {
        if (rule->rule().name == one.alert) rule->accept(one);
      }
    }
    evaluate_rules(news, grid, out);
    event_alerts.advance(grid, out);
    evaluated = grid;
    if (grid - last_forgotten >= forget_every) {
      last_forgotten = grid;
      series.forget(grid, stored);
      versions.forget(grid, stored);
      for (auto& rule : window_rules) rule->forget(grid);
    }
    if (options.keeps_state) {
      series.store(grid, stored);
      versions.store(grid, stored);
    } else {
      stored.clear();
      for (auto& rule : window_rules) rule->drop_changes();
      for (auto& rule : task_rules) rule->drop_changes();
      event_alerts.drop_changes();
    }
  }

  void gather_pasts(RecordTime grid, std::map<std::int32_t, Block>& blocks) {
    const RuleEpoch* const of_block = epoch_at(grid);
    for (auto& [partition, block] : blocks) {
      if (of_block == nullptr || !pasts.wants(block)) continue;
      pasts.take(partition, std::move(block.past), of_block->rules->aggregates, grid);
    }
  }

  // What new aggregates missed, once no partition owes it any more: from this grid time on they have always been
  // there.
  void merge_pasts(RecordTime grid, const std::map<std::int32_t, Block>& blocks) {
    const auto ready = pasts.next(blocks);
    if (!ready) return;
    const RuleEpoch* const brought = epochs->numbered(*ready);
    const PastBook::Step step = pasts.take_step(brought != nullptr ? brought->from : grid, blocks);
    if (brought == nullptr) return;
    std::vector<std::uint32_t> changed;
    for (const std::uint32_t index : epochs->new_aggregates(*ready)) {
      const std::string name = brought->rules->aggregates[index].canonical();
      const auto number = aggregate_since(name, *brought);
      if (!number) continue;
      if (const auto past = step.series.find(name); past != step.series.end()) {
        series.merge_past(*number, past->second, grid, stored);
      }
      if (step.is_last) series.move_back(*number, step.since, stored);
      changed.push_back(*number);
    }
    for (auto& rule : window_rules) {
      if (rule->uses_any(changed)) rule->look_at_past();
    }
  }

  // An aggregate's number now; nothing where it has not been there ever since that epoch.
  std::optional<std::uint32_t> aggregate_since(const std::string& name, const RuleEpoch& brought) const {
    if (epochs->counted_since(name, epoch) != brought.from) return std::nullopt;
    return rules->aggregate_named(name);
  }

  void take_changes(std::vector<StateRecord>& out) {
    std::move(stored.begin(), stored.end(), std::back_inserter(out));
    stored.clear();
    for (auto& rule : window_rules) rule->take_changes(out);
    for (auto& rule : task_rules) rule->take_changes(out);
    event_alerts.take_changes(out);
    if (std::exchange(reached_changed, false)) {
      wire::Writer writer;
      writer.number(sources_form);
      writer.number(reached.size());
      for (const auto& [partition, grid] : reached) writer.number(static_cast<std::uint64_t>(partition));
      out.push_back({std::string(sources_key), writer.take()});
    }
  }

  bool restore_sources(std::string_view value) {
    wire::Reader reader(value);
    std::uint64_t form = 0, count = 0, partition = 0;
    reader.number(form);
    reader.number(count);
    if (form != sources_form) return false;
    reached.clear();
    for (std::uint64_t i = 0; i < count && reader.good(); ++i) {
      reader.number(partition);
      reached.emplace(static_cast<std::int32_t>(partition), before_all);
    }
    return reader.read_all();
  }

  bool restore(std::string_view key, std::string_view value) {
    if (key == sources_key) return restore_sources(value);
    if (key.starts_with(series_prefix)) return series.restore(key, value);
    if (key.starts_with(since_prefix)) return series.restore_since(key, value);
    if (key.starts_with(versions_prefix)) return versions.restore(key, value);
    if (const auto parts = split_rule_key(event_prefix, key)) {
      return event_alerts.restore(parts->first, parts->second, value);
    }
    // What belongs to a rule that is no longer there is kept aside: its episodes go on counting when it comes again.
    if (const auto parts = split_rule_key(window_prefix, key)) {
      for (auto& rule : window_rules) {
        if (rule->rule().name != parts->first || rule->is_of_other_groups(value)) continue;
        return rule->restore(GroupKey(parts->second), value);
      }
      return set_aside(key, value);
    }
    if (const auto parts = split_rule_key(episode_prefix, key)) {
      if (const auto restored = restore_episode(parts->first, GroupKey(parts->second), value)) return *restored;
      // An event rule's, Tocsin's own, or of a rule that may come again.
      if (rules->find(parts->first) == nullptr) set_aside(key, value);
      return event_alerts.restore_episode(key.substr(episode_prefix.size()), value);
    }
    for (const auto& [prefix, restore_part] : {std::pair(overrun_prefix, &TaskAlerts::restore_alert),
                                               std::pair(folding_prefix, &TaskAlerts::restore_folding)}) {
      const auto parts = split_rule_key(prefix, key);
      if (!parts) continue;
      for (auto& rule : task_rules) {
        if (rule->rule().name == parts->first) return ((*rule).*restore_part)(GroupKey(parts->second), value);
      }
      return set_aside(key, value);
    }
    return false;
  }

  // Nothing where no window or task rule has that name.
  std::optional<bool> restore_episode(std::string_view name, const GroupKey& group, std::string_view value) {
    for (auto& rule : task_rules) {
      if (rule->rule().name == name) return rule->restore_episode(group, value);
    }
    for (auto& rule : window_rules) {
      if (rule->rule().name == name) return rule->restore_episode(group, value);
    }
    return std::nullopt;
  }

  // Event rules' episodes never left event_alerts, and may have gone on there.
  void take_back(const std::string& key, const std::string& value) {
    const auto episode = split_rule_key(episode_prefix, key);
    if (!episode) {
      restore(key, value);
    } else if (!restore_episode(episode->first, GroupKey(episode->second), value) &&
               rules->find(episode->first) == nullptr) {
      set_aside(key, value);
    }
  }

  bool set_aside(std::string_view key, std::string_view value) {
    if (value.empty()) {
      if (const auto known = orphans.find(key); known != orphans.end()) orphans.erase(known);
    } else {
      orphans.insert_or_assign(std::string(key), std::string(value));
    }
    return true;
  }

  std::string position() const {
    std::string text = std::to_string(position_form);
    for (const RecordTime time : {evaluated, known_since, last_forgotten}) {
      text += ' ' + std::to_string(time.since_epoch.count());
    }
    for (const std::int64_t number : {epoch, pasts.merged(), pasts.steps()}) text += ' ' + std::to_string(number);
    return text;
  }

  struct Position {
    RecordTime evaluated, known_since, last_forgotten;
    std::int64_t epoch = 0;
    std::int64_t pasts_merged = 0, past_steps = 0;
  };

  static std::optional<Position> read_position(std::string_view text) {
    std::vector<std::int64_t> numbers;
    const char* at = text.data();
    const char* const end = text.data() + text.size();
    while (at != end) {
      if (!numbers.empty() && *at == ' ') ++at;
      const auto [next, error] = std::from_chars(at, end, numbers.emplace_back());
      if (error != std::errc{}) return std::nullopt;
      at = next;
    }
    // The others came later, and more may come.
    if (numbers.size() < 4 || numbers[0] != position_form) return std::nullopt;
    numbers.resize(std::max<std::size_t>(numbers.size(), 7));
    const auto time = [&](std::size_t i) { return RecordTime{Duration{numbers[i]}}; };
    return Position{time(1), time(2), time(3), numbers[4], numbers[5], numbers[6]};
  }

  bool begin_resume(std::string_view text) {
    const auto position = read_position(text);
    if (!position) return false;
    known_since = position->known_since;
    last_forgotten = position->last_forgotten;
    resuming_to = position->evaluated;
    epoch = position->epoch;
    pasts.resume(position->pasts_merged, position->past_steps);
    series.end_restore();
    return true;
  }

  void end_resume(std::vector<AlertChange>& out) {
    while (!waiting.empty() && waiting.begin()->first <= *resuming_to) {
      fold_again(waiting.begin()->first, waiting.begin()->second);
      waiting.erase(waiting.begin());
    }
    series.take_overflowed();  // was said before
    evaluated = *resuming_to;
    resuming_to.reset();
    if (!holds(Safeguard::every_grid_evaluated)) unevaluated = 3;
    // Whatever was evaluated, every partition had closed.
    if (evaluated > before_all) {
      // States of earlier versions do not say which there were.
      for (std::int32_t p = 0; reached.empty() && p < options.source_partitions; ++p) reached.emplace(p, evaluated);
      for (auto& [partition, grid] : reached) grid = std::max(grid, evaluated);
    } else {
      std::erase_if(reached, [](const auto& entry) { return entry.second == before_all; });
    }
    for (auto& rule : window_rules) rule->resume();
    // Blocks that another rule set could not read may be ours.
    close_complete(out);
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

  // Rules in the order of their files, whatever their mode; then those that others inhibit, as they ask what fires.
  void evaluate_rules(const std::vector<const TaskNews*>& news, RecordTime grid, std::vector<AlertChange>& out) {
    std::size_t window = 0, task = 0;
    for (const Rule& rule : rules->rules) {
      if (rule.mode == RuleMode::window) {
        if (rule.inhibited_by.empty()) window_rules[window]->evaluate(grid, known_since, {}, out);
        ++window;
      } else if (rule.mode == RuleMode::task) {
        std::vector<const TaskNews*> own;
        for (const TaskNews* item : news) {
          if (item->rule == task_rule_numbers[task]) own.push_back(item);
        }
        task_rules[task++]->advance(own, grid, out);
      }
    }
    for (auto& rule : window_rules) {
      const auto& names = rule->rule().inhibited_by;
      if (names.empty()) continue;
      std::set<GroupKey> inhibited;
      for (const auto& other : window_rules) {
        const bool inhibits = std::find(names.begin(), names.end(), other->rule().name) != names.end();
        if (inhibits) other->add_firing_agents(inhibited);
      }
      rule->evaluate(grid, known_since, inhibited, out);
    }
  }

  std::int64_t stalled(Duration behind) const {
    if (reached.empty()) return 0;
    RecordTime furthest = before_all;
    for (const auto& [partition, grid] : reached) furthest = std::max(furthest, grid);
    const auto keep_up = std::count_if(reached.begin(), reached.end(),
                                       [&](const auto& entry) { return furthest - entry.second <= behind; });
    const auto all = std::max<std::int64_t>(options.source_partitions, static_cast<std::int64_t>(reached.size()));
    return all - keep_up;
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

void EvaluatePartition::apply(const Acceptance& acceptance) {
  state_->acceptances.push_back(acceptance);
}

void EvaluatePartition::know(std::shared_ptr<const RuleEpochs> epochs) {
  state_->epochs = std::move(epochs);
}
bool EvaluatePartition::must_wait(const Block& block) const {
  return state_->epochs && block.epoch > state_->epochs->settled();
}
std::optional<std::int64_t> EvaluatePartition::epoch_of(std::string_view position) {
  const auto read = State::read_position(position);
  return read ? std::optional(read->epoch) : std::nullopt;
}
void EvaluatePartition::apply(const std::vector<RuleTrouble>& troubles, RecordTime now,
                              std::vector<AlertChange>& out) {
  state_->event_alerts.apply(troubles, now, out);
}
void EvaluatePartition::apply(const OwnCondition& condition, RecordTime now, std::vector<AlertChange>& out) {
  state_->event_alerts.apply(condition, now, out);
}

RecordTime EvaluatePartition::evaluated() const {
  return state_->evaluated;
}
bool EvaluatePartition::take_heartbeat() {
  return std::exchange(state_->saw_heartbeat, false);
}
void EvaluatePartition::take_changes(std::vector<StateRecord>& out) {
  const std::size_t from = out.size();
  state_->take_changes(out);
  state_->unknown.put_back(out, from);
}
std::string EvaluatePartition::position() const {
  return state_->position();
}
RecordTime EvaluatePartition::needs_blocks_after() const {
  const RecordTime recent = state_->resuming_to.value_or(state_->evaluated) - folded_again;
  const auto past = state_->pasts.first_grid();
  return past ? std::min(recent, *past - slice_length) : recent;
}
bool EvaluatePartition::restore(std::string_view key, std::string_view value) {
  const auto record = state_->unknown.take_off(key, value);
  return record && state_->restore(key, *record);
}
bool EvaluatePartition::begin_resume(std::string_view position) {
  return state_->begin_resume(position);
}
void EvaluatePartition::resume(Block block) {
  std::vector<AlertChange> none;
  state_->apply(std::move(block), none);
}
void EvaluatePartition::end_resume(std::vector<AlertChange>& out) {
  state_->end_resume(out);
}
std::int64_t EvaluatePartition::stalled(Duration behind) const {
  return state_->stalled(behind);
}
std::optional<std::string> EvaluatePartition::explain(std::string_view alert, const Labels& labels) const {
  for (const auto& rule : state_->window_rules) {
    if (rule->rule().name == alert) return rule->explain(labels, state_->evaluated, state_->known_since);
  }
  return std::nullopt;
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
