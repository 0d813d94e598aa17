#include "core/stage/window_rule.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/hash.h"
#include "base/safeguard.h"
#include "base/time_text.h"
#include "core/alert/group_labels.h"
#include "core/alert/silence.h"
#include "core/stage/evaluate_keys.h"
#include "core/stage/stage_wire.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

// An agent that usually has a task every quarter of an hour is not gone after one hour: by chance alone it would
// be silent that long every other day. Eight times its usual gap happens by chance three times in ten thousand.
constexpr int gaps_of_silence = 8;

// Longer than any alert waits; times go on being reckoned with it.
constexpr Duration endless{INT64_MAX / 4};

constexpr double least_part_of_calendar = 0.05;

constexpr std::uint64_t group_form = 1;  // version of the stored record

// The accepted level of a shorter time is chance, unless the rule's own window is shorter.
constexpr Duration shortest_level = 15min;

bool looks_further_back(const Condition& condition) {
  return condition.uses(Variable::Kind::peak) || condition.uses(Variable::Kind::age);
}

// As an optional is written.
template <class Coder>
void pass_firing(Coder& coder, std::unique_ptr<AlertChange>& firing) {
  bool has_value = firing != nullptr;
  wire::pass(coder, has_value);
  if (!has_value) return firing.reset();
  if (!firing) firing = std::make_unique<AlertChange>();
  wire::pass(coder, *firing);
}

}  // namespace

WindowRule::WindowRule(const RuleSet& rules, const Rule& rule, const std::string& deployment,
                       const SeriesTable& series, const AgentVersions& versions)
    : rules_(rules),
      rule_(rule),
      deployment_(deployment),
      series_(series),
      versions_(versions),
      timing_{rule.hold_for, rule.keep_firing_for, rule.learn_after},
      looks_further_back_(looks_further_back(rule.when) || (rule.keep && looks_further_back(*rule.keep))),
      has_cells_(std::any_of(rule.values.begin(), rule.values.end(), [&](const NamedValue& value) {
        return rules.aggregates[value.aggregate].is_of_cells();
      })) {}

void WindowRule::find_new_groups() {
  std::size_t known = 0;
  for (const NamedValue& value : rule_.values) {
    if (!value.labels) known += series_.of(value.aggregate).size();
  }
  if (known == known_series_) return;
  known_series_ = known;
  for (std::size_t i = 0; i < rule_.values.size(); ++i) {
    if (rule_.values[i].labels) continue;  // of other groups than the rule's
    auto next = groups_.begin();           // both are in order
    for (const auto& [key, series] : series_.of(rule_.values[i].aggregate)) {
      const auto entry = groups_.try_emplace(next, key);
      next = std::next(entry);
      begin_group(key, entry->second);
      entry->second.series[i] = series.get();
    }
  }
}

void WindowRule::begin_group(const GroupKey& key, Group& group) {
  if (!group.series.empty()) return;
  group.series.assign(rule_.values.size(), nullptr);
  group.baselines.resize(cached_baselines());
  AlertLife::Facts facts;
  facts.episode = episodes_.take_out(key);
  if (facts.episode > 0) changed_.insert(key);
  group.life = AlertLife(std::move(facts));
}

void WindowRule::evaluate(RecordTime now, RecordTime known_since, const std::set<GroupKey>& inhibited,
                          std::vector<AlertChange>& out) {
  find_new_groups();
  for (const GroupKey& key : expected_) begin_group(key, groups_[key]);
  for (auto& [key, group] : groups_) {
    const bool is_inhibited = !inhibited.empty() && inhibited.contains(agent_of(key));
    evaluate_group(key, group, now, known_since, is_inhibited, out);
  }
}

void WindowRule::add_firing_agents(std::set<GroupKey>& agents) const {
  for (const auto& [key, group] : groups_) {
    if (group.life.state() == AlertState::firing) agents.insert(agent_of(key));
  }
}

const Series* WindowRule::series_of(const GroupKey& key, const Group& group, std::size_t value) const {
  const NamedValue& named = rule_.values[value];
  if (named.is_previous) {
    auto parts = parts_of_key(key);
    const GroupKey agent = agent_of(key);
    const std::string before = versions_.previous(agent, rule_.compare->by, parts[rule_.compare->label]);
    if (before.empty()) return nullptr;
    parts[rule_.compare->label] = before;
    return series_.find(named.aggregate, join_key(parts));
  }
  const auto& labels = named.labels;
  if (!labels) return group.series[value];
  const auto parts = parts_of_key(key);
  std::vector<std::string_view> whole;
  for (const std::uint32_t place : *labels) whole.push_back(parts[place]);
  return series_.find(named.aggregate, join_key(whole));
}

double WindowRule::figure_at(const Series* series, std::size_t index, RecordTime now, Duration window,
                             Totals totals) const {
  const NamedValue& value = rule_.values[index];
  if (value.view == NamedValue::View::derived) return unknown_number;
  const SeriesCells* const cells = series != nullptr ? series->cells.get() : nullptr;
  const Aggregate::Kind kind = rules_.aggregates[value.aggregate].kind;
  if (kind == Aggregate::Kind::distinct) {
    return cells != nullptr ? static_cast<double>(cells->distinct.window(now, window).count()) : 0.0;
  }
  const Duration length = rule_.calendar ? window : now - window_start(now, window);
  if (kind != Aggregate::Kind::distribution) return figure_of(value, kind, totals, length);
  Distribution distribution;
  if (cells != nullptr) distribution = cells->distributions.window(now, window);
  return figure_of(value, kind, totals, length, &distribution);
}

void WindowRule::read_derived(std::vector<double>& values) const {
  for (std::size_t i = 0; i < rule_.named_values; ++i) {
    const NamedValue& value = rule_.values[i];
    if (value.view != NamedValue::View::derived) continue;
    std::vector<double> inputs;
    for (const Variable& variable : value.formula.variables()) inputs.push_back(values[variable.index]);
    values[i] = value.formula.number(inputs.data());
  }
}

void WindowRule::accept(const Acceptance& acceptance) {
  if (!rule_.baseline) return;
  GroupKey key;
  for (std::size_t i = 0; i < rule_.group_by.size(); ++i) {
    if (i > 0) key += '\0';
    for (const auto& [name, value] : acceptance.labels) {
      if (name == label_name(rule_.group_by[i])) key += value;
    }
  }
  const auto found = groups_.find(key);
  if (found == groups_.end()) return;
  Group& group = found->second;
  if (!group.accepted) group.accepted = std::make_unique<AcceptedLevel>();
  if (acceptance.at <= group.accepted->last_order) return;
  group.accepted->last_order = acceptance.at;
  changed_.insert(key);
  const bool is_meant =
      group.life.state() == AlertState::firing && as_event_time(group.life.firing_since()) <= acceptance.at;
  if (is_meant && !group.order) group.order = std::make_unique<Acceptance>(acceptance);
}

void WindowRule::serve_order(const GroupKey& key, Group& group, RecordTime now) {
  if (group.order) {
    AcceptedLevel& accepted = *group.accepted;
    accepted = {accepted.last_order, group.life.pending_since(), measures(), {}, {}};
    group.life.accept();
  }
  if (group.accepted && group.accepted->since && group.accepted->levels.empty()) read_level(key, group, now);
}

void WindowRule::read_level(const GroupKey& key, Group& group, RecordTime now) {
  AcceptedLevel& accepted = *group.accepted;
  const Duration age = floor_to(now, minute_length) - ceil_to(*accepted.since, minute_length);
  if (age < std::min(rule_.windows.front(), shortest_level)) return;
  const auto totals_of = [&](const Series* series, Duration length) {
    return series != nullptr ? series->history.window(now, length) : Totals{};
  };
  const Series* const first = series_of(key, group, 0);
  // The first of the rule's windows that holds enough; where the condition must hold in all, the longest.
  for (const Duration window : rule_.windows) {
    accepted.window = std::min(window, age);
    if (!rule_.holds_in_every_window && totals_of(first, accepted.window).count >= rule_.min_samples) break;
  }
  if (totals_of(first, accepted.window).count < rule_.min_samples) return;
  std::vector<double> levels;
  for (std::size_t i = 0; i < rule_.values.size(); ++i) {
    const Series* const series = series_of(key, group, i);
    levels.push_back(figure_at(series, i, now, accepted.window, totals_of(series, accepted.window)));
  }
  read_derived(levels);
  if (is_unknown(levels[0])) return;  // a share of nothing
  accepted.levels = std::move(levels);
  changed_.insert(key);
}

const AcceptedLevel* WindowRule::accepted_level(const Group& group, RecordTime window_begin, Duration window) const {
  const AcceptedLevel* const accepted = group.accepted.get();
  if (accepted == nullptr || !accepted->since) return nullptr;
  return baseline_range(*rule_.baseline, window_begin, window).from < *accepted->since ? accepted : nullptr;
}

RecordTime WindowRule::oldest_in(RecordTime now, Duration window) const {
  return has_cells_ ? cells_start(now, window) : window_start(now, window);
}

void WindowRule::choose_window(const Group& group, RecordTime now, Measured& measured) const {
  const Series* first = group.series.front();
  for (const Duration window : rule_.windows) {
    // A window does not grow over an incident that is over: when the hour after it has too few tasks, three hours
    // would find it again and page a second time.
    const bool is_least = window == rule_.windows.front();
    if (!is_least && group.resolved && oldest_in(now, window) < *group.resolved) break;
    measured.window = window;
    measured.totals[0] = first != nullptr ? first->history.window(now, window) : Totals{};
    if (measured.totals[0].count >= rule_.min_samples) break;
  }
  measured.begin = window_start(now, measured.window);
}

WindowRule::Measured WindowRule::measure(const GroupKey& key, Group& group, RecordTime now, RecordTime known_since,
                                         std::optional<Duration> window) const {
  Measured measured;
  measured.now = now;
  measured.totals.resize(rule_.values.size());
  measured.values.resize(rule_.values.size());
  if (rule_.calendar) {
    const Period period = period_of(rule_.calendar->unit, rule_.calendar->zone, now - Duration{1});
    const RecordTime counted = std::max(known_since, series_.counted_since(rule_.values[0].aggregate));
    measured.begin = period.begin;
    measured.window = now - period.begin;
    measured.counted = now - std::max(period.begin, counted);
    measured.left = period.end - now;
  } else if (window) {
    const Series* const first = group.series.front();
    measured.window = *window;
    measured.totals[0] = first != nullptr ? first->history.window(now, *window) : Totals{};
    measured.begin = window_start(now, *window);
  } else {
    choose_window(group, now, measured);
  }
  for (std::size_t i = 0; i < rule_.values.size(); ++i) {
    const NamedValue& value = rule_.values[i];
    const Series* const series = series_of(key, group, i);
    const Duration length = value.is_previous ? rule_.compare->over : measured.window;
    // At the beginning of everything all windows are short; an aggregate that came later knows that it is.
    const RecordTime counted = series_.counted_since(value.aggregate);
    // What of a month was not counted is made up for by the forecast.
    if (counted > known_since && measured.begin < counted && !rule_.calendar) measured.is_covered = false;
    if (rule_.calendar) {
      const PeriodTotals* const period = series != nullptr && series->cells ? &series->cells->period : nullptr;
      if (period != nullptr && period->period.begin == measured.begin) measured.totals[i] = period->totals;
    } else if (i > 0 && series != nullptr) {  // the first's are known: they chose the window
      measured.totals[i] = series->history.window(now, length);
    }
    measured.values[i] = figure_at(series, i, now, length, measured.totals[i]);
  }
  read_derived(measured.values);
  measured.spec = label_of(key, StringField::spec);
  measured.spec_version = label_of(key, StringField::spec_version);
  if (measured.spec.empty()) {
    const GroupKey agent = agent_of(key);
    measured.spec = versions_.current(agent, StringField::spec);
    measured.spec_version = versions_.current(agent, StringField::spec_version);
  }
  measured.baselines.resize(rule_.values.size());
  if (rule_.baseline) {
    for (std::size_t i = 0; i < rule_.values.size(); ++i) {
      if (rule_.values[i].has_baseline) measured.baselines[i] = baseline(key, group, i, measured, known_since);
    }
  }
  return measured;
}

BaselineFigures WindowRule::figures_of_range(const GroupKey& key, const Group& group, std::size_t index,
                                             BaselineRange range, Duration window, RecordTime known_since,
                                             std::vector<double>& blocks) const {
  const Baseline& config = *rule_.baseline;
  const NamedValue& value = rule_.values[index];
  if (value.view != NamedValue::View::derived) {
    const Series* const series = series_of(key, group, index);
    if (series == nullptr) return {};
    return baseline_of(config, value, rules_.aggregates[value.aggregate].kind, series->history, range,
                       group.life.exclusions(), window, std::max(known_since, series_.counted_since(value.aggregate)),
                       series->cells.get(), &blocks);
  }
  const auto& variables = value.formula.variables();
  BaselineFigures figures;
  figures.is_warm = true;
  std::vector<double> middles;
  std::vector<std::vector<double>> blocks_of_parts(variables.size());
  for (std::size_t i = 0; i < variables.size(); ++i) {
    const BaselineFigures part =
        figures_of_range(key, group, variables[i].index, range, window, known_since, blocks_of_parts[i]);
    figures.is_warm = figures.is_warm && part.is_warm;
    figures.blocks = i == 0 ? part.blocks : std::min(figures.blocks, part.blocks);
    if (i == 0) figures.samples = part.samples;
    middles.push_back(part.mean);
  }
  const bool have_same_blocks =
      config.block > Duration{} && std::all_of(blocks_of_parts.begin(), blocks_of_parts.end(), [&](const auto& one) {
        return !one.empty() && one.size() == blocks_of_parts[0].size();
      });
  if (have_same_blocks) {
    for (std::size_t block = 0; block < blocks_of_parts[0].size(); ++block) {
      std::vector<double> inputs;
      for (const auto& part : blocks_of_parts) inputs.push_back(part[block]);
      blocks.push_back(value.formula.number(inputs.data()));
    }
    middle_of(config.stat, blocks, figures);
  }
  if (!have_same_blocks || config.stat == Baseline::Stat::mean) figures.mean = value.formula.number(middles.data());
  figures.is_warm = figures.is_warm && !is_unknown(figures.mean);
  if (!figures.is_warm) figures.mean = figures.deviation = unknown_number;
  return figures;
}

WindowRule::CachedBaseline& WindowRule::cached_baseline(Group& group, std::size_t value, Duration window) const {
  std::size_t place = 0;
  if (rule_.holds_in_any_window) {
    const auto found = std::find(rule_.windows.begin(), rule_.windows.end(), window);
    place = static_cast<std::size_t>(found - rule_.windows.begin());
  }
  return group.baselines[place * rule_.values.size() + value];
}

BaselineFigures WindowRule::unfrozen_baseline(const GroupKey& key, Group& group, std::size_t index,
                                              const Measured& measured, RecordTime known_since) const {
  const Baseline& config = *rule_.baseline;
  if (group.series[index] == nullptr) return {};
  BaselineRange range = baseline_range(config, measured.begin, measured.window);
  const AcceptedLevel* const accepted = accepted_level(group, measured.begin, measured.window);
  if (accepted != nullptr) range.from = std::max(range.from, ceil_to(*accepted->since, quarter_length));
  std::optional<RecordTime> reset;
  if (!config.reset_on.empty()) reset = versions_.last_reset(agent_of(key), config.reset_on);
  if (reset && *reset <= range.from) reset.reset();

  CachedBaseline& cache = cached_baseline(group, index, measured.window);
  const bool is_cached = cache.version == group.life.version() && cache.range.from == range.from &&
                         cache.range.to == range.to && cache.reset == reset;
  if (is_cached) return cache.figures;

  const auto figures_of = [&](BaselineRange part) {
    std::vector<double> blocks;
    return figures_of_range(key, group, index, part, measured.window, known_since, blocks);
  };
  BaselineFigures figures = figures_of(range);
  if (reset) {
    // The new version's own baseline, and the old one, which judges until the new one is warm. After that the
    // larger of the two: a few warm hours of a night must not make the next morning look like a spike.
    const BaselineFigures young = figures_of({ceil_to(*reset, quarter_length), range.to});
    BaselineFigures old = figures_of({range.from, std::min(range.to, floor_to(*reset, quarter_length))});
    if (!old.is_warm) old = figures;  // too little of the old one is left: all together, then
    if (old.is_warm && (!young.is_warm || old.mean >= young.mean)) {
      figures = old;
    } else if (young.is_warm) {
      figures = young;
    }
  }
  if (index == 0 && looks_further_back_) {
    const NamedValue& value = rule_.values[0];
    look_further_back(config, value, rules_.aggregates[value.aggregate].kind, group.series[0]->history, range.to,
                      group.life.exclusions(), measured.window, figures);
  }
  cache = {range, group.life.version(), reset, figures};
  return figures;
}

BaselineFigures WindowRule::baseline(const GroupKey& key, Group& group, std::size_t index, Measured& measured,
                                     RecordTime known_since) const {
  const Baseline& config = *rule_.baseline;
  const bool is_frozen = group.life.freezes_baseline() && index < group.frozen.size();
  BaselineFigures figures =
      is_frozen ? group.frozen[index] : unfrozen_baseline(key, group, index, measured, known_since);
  const AcceptedLevel* const accepted = is_frozen ? nullptr : accepted_level(group, measured.begin, measured.window);
  if (accepted != nullptr && accepted->levels.empty()) {
    measured.warming = true;
    return {};
  }
  if (accepted != nullptr) {
    figures = at_least(*accepted, index, rule_.values[index].view, figures, measured.window);
  }
  if (index > 0) {  // what is declared, and the floor, are of the first value
    if (is_unknown(figures.mean) && !config.declared) measured.warming = true;
    return figures;
  }
  if (!figures.is_warm && config.declared) {
    const auto bound = rules_.specs.bound(measured.spec, measured.spec_version, *config.declared);
    if (bound) {
      figures.mean = *bound;
      figures.deviation = 0;
      figures.samples = 0;
      measured.declared_baseline = true;
    }
  }
  if (is_unknown(figures.mean)) measured.warming = true;
  if (config.floor && !is_unknown(figures.mean)) figures.mean = std::max(figures.mean, *config.floor);
  if (is_unknown(figures.mean) || !(figures.peak >= figures.mean)) figures.peak = figures.mean;
  return figures;
}

Interval WindowRule::interval(std::int64_t hits, std::int64_t samples) const {
  constexpr std::size_t places = 1024;
  const auto k = static_cast<double>(hits), n = static_cast<double>(samples);
  if (!rule_.has_exact_intervals) return wilson_interval(k, n, rule_.z);
  if (intervals_.empty()) intervals_.resize(places);
  KnownInterval& known = intervals_[static_cast<std::size_t>(hits * 31 + samples) % places];
  if (known.hits != hits || known.samples != samples) {
    known = {hits, samples, exact_interval(k, n, rule_.confidence)};
  }
  return known.interval;
}

double WindowRule::input(const Variable& variable, Measured& measured) const {
  const Totals& totals = measured.totals[variable.kind == Variable::Kind::spec ? 0 : variable.index];
  switch (variable.kind) {
    case Variable::Kind::value:
      return measured.values[variable.index];
    case Variable::Kind::baseline:
      return measured.baselines[variable.index].mean;
    case Variable::Kind::deviation:
      return measured.baselines[variable.index].deviation;
    case Variable::Kind::peak:
      return measured.baselines[variable.index].peak;
    case Variable::Kind::age: {
      const auto& first = measured.baselines[variable.index].first;
      return first ? std::chrono::duration<double>(measured.now - *first).count() : unknown_number;
    }
    case Variable::Kind::baseline_low:
    case Variable::Kind::baseline_high: {
      const BaselineFigures& figures = measured.baselines[variable.index];
      // What is declared, accepted or a floor is what it is.
      if (is_unknown(figures.mean) || figures.samples == 0) return figures.mean;
      const Interval ends = interval(figures.hits, figures.samples);
      return variable.kind == Variable::Kind::baseline_low ? std::min(ends.low, figures.mean)
                                                           : std::max(ends.high, figures.mean);
    }
    case Variable::Kind::samples:
      return static_cast<double>(totals.count);
    case Variable::Kind::hits:
      return static_cast<double>(totals.sum);
    case Variable::Kind::window:
      return std::chrono::duration<double>(measured.window).count();
    case Variable::Kind::low:
      return interval(totals.sum, totals.count).low;
    case Variable::Kind::high:
      return interval(totals.sum, totals.count).high;
    case Variable::Kind::spec: {
      const auto bound = static_cast<SpecBound>(variable.index);
      return rules_.specs.bound(measured.spec, measured.spec_version, bound).value_or(unknown_number);
    }
    case Variable::Kind::forecast: {
      // It goes on as it went so far, once a twentieth of the window is known: the first hour of a month says little.
      const double so_far = measured.values[variable.index];
      const auto counted = static_cast<double>(measured.counted.count());
      const auto left = static_cast<double>(measured.left.count());
      const auto all = static_cast<double>((measured.window + measured.left).count());
      return counted < least_part_of_calendar * all ? unknown_number : so_far + so_far / counted * left;
    }
    case Variable::Kind::elapsed:
    case Variable::Kind::silent:
      break;
  }
  return unknown_number;
}

namespace {

std::string span_of(RecordTime from, RecordTime to) {
  return to_rfc3339(from) + " to " + to_rfc3339(to);
}

}  // namespace

std::optional<std::string> WindowRule::explain(const Labels& labels, RecordTime now, RecordTime known_since) {
  const auto found = std::find_if(groups_.begin(), groups_.end(), [&](const auto& entry) {
    return has_labels(all_labels_of_group(rule_.group_by, entry.first), labels);
  });
  if (found == groups_.end()) return std::nullopt;
  const GroupKey& key = found->first;
  Group& group = found->second;
  Measured measured;
  std::string reason;
  const Truth truth = rule_.absence ? judge_absence(key, group, now, known_since, measured, reason)
                                    : judge(key, group, now, known_since, measured);
  std::string text =
      rule_.name + " for " + to_text(all_labels_of_group(rule_.group_by, key)) + " at " + to_rfc3339(now) + "\n";
  if (rule_.absence) return text + absence_text(group, measured, now, truth, reason);
  text += "  window    " + to_text(measured.window) + ", " + span_of(measured.begin, now);
  text += measured.is_covered ? "\n" : "; not all of it was counted yet\n";
  if (rule_.holds_in_every_window) text += "            the condition must hold in the shorter windows, too\n";
  for (std::size_t i = 0; i < rule_.values.size(); ++i) {
    const Totals& totals = measured.totals[i];
    text += "  " + rule_.values[i].name + " = " + number_text(measured.values[i]) + "   (" +
            std::to_string(totals.count) + " samples" +
            (i == 0 && rule_.min_samples > 0 ? ", " + std::to_string(rule_.min_samples) + " needed" : std::string{}) +
            ")\n";
  }
  if (rule_.baseline) {
    const BaselineRange range = baseline_range(*rule_.baseline, measured.begin, measured.window);
    text += "  baseline  " + span_of(range.from, range.to);
    if (group.life.freezes_baseline()) text += ", frozen as it was when the alert fired";
    text += "\n";
    for (std::size_t i = 0; i < rule_.values.size(); ++i) {
      if (!rule_.values[i].has_baseline) continue;
      const BaselineFigures& figures = measured.baselines[i];
      const bool is_median = rule_.baseline->stat == Baseline::Stat::median;
      text += "    of " + rule_.values[i].name + (is_median ? ": median " : ": mean ") + number_text(figures.mean) +
              ", stdev " + number_text(figures.deviation) + ", " + std::to_string(figures.blocks) + " blocks, " +
              std::to_string(figures.samples) + " samples, " +
              (figures.is_warm              ? "warm"
               : measured.declared_baseline ? "declared by the spec"
                                            : "not warm") +
              "\n";
    }
    if (const AcceptedLevel* const accepted = accepted_level(group, measured.begin, measured.window)) {
      text += "    a person accepted the level since " + to_rfc3339(*accepted->since) + ": ";
      text += accepted->levels.empty() ? "too little of it was seen yet, and nothing is judged\n"
                                       : "nothing before counts, and it is never taken as lower than " +
                                             number_text(accepted->levels[0]) + "\n";
    }
    for (const Exclusion& one : group.life.exclusions()) {
      text += "    left out: " + (one.to > now ? to_rfc3339(one.from) + " on" : span_of(one.from, one.to)) + "\n";
    }
    const Duration block = rule_.baseline->block;
    if (block > Duration{} && group.series[0] != nullptr) {
      std::vector<double> figures;
      figures_of_range(key, group, 0, range, measured.window, known_since, figures);
      for (std::size_t i = 0; i < figures.size(); ++i) {
        const RecordTime from = range.from + static_cast<std::int64_t>(i) * block;
        Totals all;
        group.series[0]->history.visit(from, std::min(from + block, range.to),
                                       [&](RecordTime, Duration, Totals cell) { all += cell; });
        text += "    block " + to_rfc3339(from) + ": " +
                (is_unknown(figures[i]) ? "does not count" : number_text(figures[i])) + ", " +
                std::to_string(all.count) + " samples\n";
      }
    }
  }
  const auto& variables = rule_.when.variables();
  for (std::size_t i = 0; i < variables.size(); ++i) {
    text += "  " + name_of(variables[i], rule_) + " = " + number_text(inputs_[i]) + "\n";
  }
  text += "  when      " + rule_.when_text + "\n         =  " + rule_.when.text(inputs_.data()) + "\n";
  text +=
      std::string("  so it ") +
      (truth == Truth::yes  ? "holds"
       : truth == Truth::no ? "does not hold"
                            : "is unknown") +
      (is_enough(measured, rule_.min_samples) ? "" : ": too few samples, or too little of the window was counted");
  return text + "; the alert is " + std::string(name_of(group.life.state())) + "\n";
}

std::string WindowRule::absence_text(const Group& group, const Measured& measured, RecordTime now, Truth truth,
                                     const std::string& reason) const {
  const Absence& absence = *rule_.absence;
  const Series* const series = group.series.front();
  std::string text = "  last      ";
  text += series != nullptr && series->history.last_added() > before_samples
              ? "heard of by " + to_rfc3339(series->history.last_added())
              : "never seen, and expected all the same";
  text += "\n  silent    " + to_text(duration_of_seconds(measured.values[0])) +
          (absence.active ? " of the hours that count" : "") + "; " + to_text(absence.after) + " is allowed\n";
  if (absence.active && !absence.active->is_active(now)) {
    text += "            no such hour now: it fires from " + to_rfc3339(absence.active->next_active(now)) + " on\n";
  }
  text += "  so it " + std::string(truth == Truth::yes  ? "is gone"
                                   : truth == Truth::no ? "is not gone"
                                                        : "is not judged");
  if (!reason.empty()) text += " (" + reason + ")";
  return text + "; the alert is " + std::string(name_of(group.life.state())) + "\n";
}

void WindowRule::note_traffic(Group& group, RecordTime now, const Measured& measured) const {
  // Of the first value alone: resume() can tell what was known by its history.
  const Series* const first = group.series.front();
  const RecordTime last = first != nullptr ? first->history.last_added() : group.last_sample;
  if (last <= group.last_sample || measured.totals[0].count <= 0) return;
  group.last_sample = last;
  group.usual_gap = (now - measured.begin) / measured.totals[0].count;
}

void WindowRule::note_traffic_of_least(Group& group, RecordTime now) const {
  Measured least;
  least.totals.resize(rule_.values.size());
  choose_window(group, now, least);
  note_traffic(group, now, least);
}

bool WindowRule::is_silent(const Group& group, RecordTime now) const {
  return now - group.last_sample >= std::max(rule_.no_data_after, gaps_of_silence * group.usual_gap);
}

Truth WindowRule::judge_window(const GroupKey& key, Group& group, RecordTime now, RecordTime known_since,
                               std::optional<Duration> window, std::int64_t samples, Measured& measured) {
  const auto& variables = rule_.when.variables();
  inputs_.resize(variables.size());
  measured = measure(key, group, now, known_since, window);
  bool has_all_bounds = true;
  for (std::size_t i = 0; i < variables.size(); ++i) {
    inputs_[i] = input(variables[i], measured);
    has_all_bounds = has_all_bounds && (variables[i].kind != Variable::Kind::spec || !is_unknown(inputs_[i]));
  }
  measured.undeclared = !has_all_bounds && !rule_.when.can_hold_without_bounds(inputs_.data());
  // A bound that the spec declares holds for a short window as well.
  if (!measured.is_covered && !measured.declared_baseline) measured.warming = true;
  if (!is_enough(measured, samples)) return Truth::unknown;
  const Truth truth = rule_.when.holds(inputs_.data());
  if (truth == Truth::yes || !rule_.keep || !group.firing) return truth;
  std::vector<double> inputs;
  for (const Variable& variable : rule_.keep->variables()) inputs.push_back(input(variable, measured));
  const Truth goes_on = rule_.keep->holds(inputs.data());
  return goes_on == Truth::no ? truth : goes_on;
}

// From the window that choose_window() takes on, which is the only one where no longer one says more.
Truth WindowRule::judge_any(const GroupKey& key, Group& group, RecordTime now, RecordTime known_since,
                            Measured& measured) {
  const std::int64_t enough = rule_.min_samples;
  const Truth least = judge_window(key, group, now, known_since, std::nullopt, enough, measured);
  if (least == Truth::yes) return least;
  const std::vector<double> inputs = inputs_;
  const auto is_enough_in = [&](Duration window, std::int64_t samples) {
    const Series* const first = group.series.front();
    return first != nullptr && first->history.window(now, window).count >= samples;
  };
  Measured other;
  // What fired in an hour is over when no hour shows it any more, whatever a day says; and it is not over because an
  // hour has a few samples less than it took to be seen.
  const Duration longest = group.firing ? group.firing->window : rule_.windows.back();
  if (measured.window > longest && is_enough_in(longest, (enough + 1) / 2)) {
    const Truth still = judge_window(key, group, now, known_since, longest, (enough + 1) / 2, other);
    measured = std::move(other);
    return still;
  }
  if (!is_enough(measured, enough)) return least;
  std::int64_t samples = measured.totals[0].count;
  for (const Duration window : rule_.windows) {
    if (window <= measured.window) continue;
    if (window > longest || (group.resolved && oldest_in(now, window) < *group.resolved)) break;
    if (!is_enough_in(window, samples + 1)) continue;  // nothing that the shorter one has not
    const Truth longer = judge_window(key, group, now, known_since, window, enough, other);
    if (longer == Truth::yes) {
      measured = std::move(other);
      return longer;
    }
    samples = other.totals[0].count;
  }
  inputs_ = inputs;
  return least;
}

Truth WindowRule::judge(const GroupKey& key, Group& group, RecordTime now, RecordTime known_since,
                        Measured& measured) {
  if (rule_.holds_in_any_window) return judge_any(key, group, now, known_since, measured);
  if (!rule_.holds_in_every_window) {
    return judge_window(key, group, now, known_since, std::nullopt, rule_.min_samples, measured);
  }
  Truth all = Truth::yes;
  for (const Duration window : rule_.windows) {
    const Truth one = judge_window(key, group, now, known_since, window, rule_.min_samples, measured);
    if (one == Truth::no || (one == Truth::unknown && all == Truth::yes)) all = one;
  }
  return all;
}

void WindowRule::evaluate_group(const GroupKey& key, Group& group, RecordTime now, RecordTime known_since,
                                bool is_inhibited, std::vector<AlertChange>& out) {
  const AlertLife::Mark before = group.life.mark();
  serve_order(key, group, now);
  const std::unique_ptr<Acceptance> order = std::move(group.order);
  Measured measured;
  std::string reason;
  Truth truth = rule_.absence ? judge_absence(key, group, now, known_since, measured, reason)
                              : judge(key, group, now, known_since, measured);
  if (rule_.holds_in_any_window) {
    note_traffic_of_least(group, now);
  } else {
    note_traffic(group, now, measured);
  }
  group.sight = measured.undeclared       ? Sight::undeclared
                : measured.warming        ? Sight::warming
                : truth == Truth::unknown ? Sight::blind
                                          : Sight::live;

  const bool silent = !rule_.absence && is_silent(group, now);
  if (silent && rule_.no_data == NoData::fire) truth = Truth::yes;
  AlertTransition transition = AlertTransition::none;
  if (order && truth != Truth::yes) {
    transition = group.life.resolve(now, timing_);
    reason = "accepted by " + order->by + ": " + order->reason;
  } else if (silent && rule_.no_data == NoData::resolve && group.life.state() == AlertState::firing) {
    transition = group.life.resolve(now, timing_);
    reason = "no_traffic";
  } else if (silent && rule_.no_data == NoData::resolve) {
    transition = group.life.update(Truth::no, now, timing_);  // what nobody does any more can't begin to fire
  } else if (is_inhibited && group.life.state() != AlertState::firing) {
    AlertTiming waiting = timing_;
    waiting.hold_for = endless;
    transition = group.life.update(truth, now, waiting);  // it fires when the other alert has ended
  } else {
    transition = group.life.update(truth, now, timing_);
  }
  if (transition == AlertTransition::fired) {
    group.frozen = measured.baselines;
    reason = measured.declared_baseline
                 ? "condition holds, against the bound that the spec declares (the baseline is "
                   "still warming)"
                 : "condition holds";
    if (silent) reason = "no_data";
    if (rule_.absence) reason = "nothing came";
    group.firing = std::make_unique<AlertChange>(change_of(key, group, measured, now, true, reason));
    out.push_back(*group.firing);
  } else if (transition == AlertTransition::resolved) {
    if (reason.empty()) reason = "condition no longer holds";
    out.push_back(change_of(key, group, measured, now, false, reason));
    group.resolved = now;
    group.firing.reset();
    group.frozen.clear();
  }
  if (group.life.mark() != before) changed_.insert(key);
}

Truth WindowRule::judge_absence(const GroupKey& key, const Group& group, RecordTime now, RecordTime known_since,
                                Measured& measured, std::string& reason) const {
  const Absence& absence = *rule_.absence;
  const Series* const series = group.series.front();
  // A rule that came later has not seen who spoke before it, until its past is read.
  const RecordTime counted = std::max(known_since, series_.counted_since(rule_.values[0].aggregate));
  const RecordTime last = std::max(counted, series != nullptr ? series->history.last_added() : before_samples);
  const Duration silence = absence.active ? absence.active->active_between(last, now) : now - last;
  measured.window = absence.after;
  measured.begin = last - minute_length;  // whoever spoke last is an example
  measured.totals.resize(rule_.values.size());
  measured.values.assign(rule_.values.size(), static_cast<double>(silence.count()) / 1'000);
  measured.baselines.resize(rule_.values.size());
  const bool is_always = std::find(absence.always.begin(), absence.always.end(), key) != absence.always.end();
  if (!is_always && (series == nullptr || now - last > absence.seen)) {
    reason = "not seen for " + to_text(absence.seen) + ": it is not expected any more";
    return Truth::no;
  }
  if (silence <= absence.after) return Truth::no;
  return absence.active && !absence.active->is_active(now) ? Truth::unknown : Truth::yes;
}

std::string WindowRule::label_of(const GroupKey& key, StringField field) const {
  const auto parts = parts_of_key(key);
  for (std::size_t i = 0; i < rule_.group_by.size() && i < parts.size(); ++i) {
    if (rule_.group_by[i].field == field) return std::string(parts[i]);
  }
  return {};
}

GroupKey WindowRule::agent_of(const GroupKey& key) const {
  GroupKey agent = label_of(key, StringField::env);
  agent += '\0';
  agent += label_of(key, StringField::agent);
  return agent;
}

AlertChange WindowRule::change_of(const GroupKey& key, const Group& group, Measured& measured, RecordTime now,
                                  bool firing, std::string reason) const {
  AlertChange change;
  change.at = now;
  change.alert = rule_.name;
  change.firing = firing;
  const Labels group_labels = labels_of_group(rule_.group_by, key);
  change.labels = labels_of(rule_, group_labels);
  change.value = measured.values[0];
  change.baseline = measured.baselines[0].mean;
  change.samples = measured.totals[0].count;
  change.episode = group.life.episode();
  change.reason = std::move(reason);
  change.condition = rule_.when_text;
  change.window = measured.window;
  change.evaluated = rule_.when.text(inputs_.data());
  if (const Series* const first = group.series.front(); first != nullptr && !rule_.calendar) {
    change.first_event = first->history.first_in(now, measured.window);
    if (change.first_event) change.last_event = first->history.last_added();
  }
  change.since = group.life.pending_since();
  if (rule_.values[0].unit == Unit::money) change.value_unit = "usd";
  if (rule_.values[0].unit == Unit::duration) change.value_unit = "seconds";
  const GroupKey agent = agent_of(key);
  change.versions = versions_.versions(agent);
  change.changed_versions = versions_.changed(agent, now);
  change.alert_id = alert_id(deployment_, rule_.name, group_labels);
  change.command = silence_command(rule_.name, all_labels_of_group(rule_.group_by, key), {});
  change.dedup_key = change.alert_id + ":" + std::to_string(change.episode);
  change.actions = rule_.actions;
  if (rule_.actions.page) {
    change.page_id = page_id(change.alert_id, change.episode, firing);
    change.sends_page = true;
  }

  const auto label = [&](std::string_view name) -> std::string_view {
    for (const auto& [known, value] : change.labels) {
      if (known == name) return value;
    }
    return {};
  };
  const auto number = [&](const Variable& variable) { return input(variable, measured); };
  for (const auto& [name, text] : rule_.annotations)
    change.annotations.emplace_back(name, text.render(label, number));
  std::vector<std::string> ids;
  for (const Series* series : group.series) {
    if (ids.empty() && series != nullptr) ids = series->examples_since(measured.begin);
  }
  for (const std::string& id : ids) {
    AlertExample example{id, {}};
    const auto link_label = [&](std::string_view name) -> std::string_view {
      return name == "correlation_id" ? std::string_view(id) : label(name);
    };
    for (const auto& [name, text] : rule_.links) example.links.emplace_back(name, text.render(link_label, number));
    change.examples.push_back(std::move(example));
  }
  return change;
}

// A group's labels must still mean the same when its record is read again.
std::string WindowRule::shape() const {
  std::string text;
  for (const GroupField& field : rule_.group_by) text += label_name(field) + ",";
  return text;
}

void WindowRule::take_changes(std::vector<StateRecord>& out) {
  for (const GroupKey& key : changed_) {
    const auto found = groups_.find(key);
    std::string value;
    if (found != groups_.end()) {
      Group& group = found->second;
      AlertLife::Facts facts = group.life.facts();
      std::string text = shape();
      wire::Writer writer;
      writer.number(group_form);
      wire::pass(writer, text);
      wire::pass(writer, facts);
      writer.list(group.frozen, [&](BaselineFigures& figures) { wire::pass(writer, figures); });
      wire::pass(writer, group.last_sample);
      wire::pass(writer, group.usual_gap);
      wire::pass(writer, group.resolved);
      pass_firing(writer, group.firing);
      const bool has_more = std::any_of(group.frozen.begin(), group.frozen.end(), [](const BaselineFigures& one) {
        return one.hits > 0 || one.first || !is_unknown(one.peak);
      });
      std::string sections;
      if (group.accepted || has_more) {
        wire::Writer section;
        if (group.accepted) wire::pass(section, *group.accepted);
        wire::append_section(sections, section.take());
      }
      if (has_more) {
        wire::Writer section;
        section.list(group.frozen, [&](BaselineFigures& figures) { wire::pass_more(section, figures); });
        wire::append_section(sections, section.take());
      }
      value = wire::join(writer.take(), sections);
    }
    out.push_back({rule_key(window_prefix, rule_.name, key), std::move(value)});
  }
  changed_.clear();
  episodes_.take_changes([&](const std::string& key, std::string value) {
    out.push_back({rule_key(episode_prefix, rule_.name, key), std::move(value)});
  });
}

void WindowRule::end_all(RecordTime now, const std::string& reason, std::vector<AlertChange>& out) {
  for (auto& [key, group] : groups_) {
    const AlertLife::Mark before = group.life.mark();
    if (group.firing) {
      AlertChange change = *group.firing;
      change.at = now;
      change.firing = false;
      change.reason = reason;
      change.evaluated.clear();  // these are not stored, and must be the same after a restart
      change.first_event = change.last_event = std::nullopt;
      if (rule_.actions.page) change.page_id = page_id(change.alert_id, change.episode, false);
      out.push_back(std::move(change));
      group.life.resolve(now, timing_);
      group.resolved = now;
      group.firing.reset();
      group.frozen.clear();
    } else if (group.life.state() == AlertState::pending) {
      group.life.update(Truth::no, now, timing_);
    }
    if (group.life.mark() != before) changed_.insert(key);
  }
}

void WindowRule::take_all(std::vector<StateRecord>& out) {
  for (const auto& [key, group] : groups_) {
    if (group.life.mark() != AlertLife::Mark{}) changed_.insert(key);
  }
  episodes_.take_all();
  take_changes(out);
}

void WindowRule::store_all() {
  for (const auto& [key, group] : groups_) {
    if (group.life.mark() != AlertLife::Mark{}) changed_.insert(key);
  }
}

// What its values are: an accepted level is one of these alone.
std::string WindowRule::measures() const {
  std::string text;
  for (const NamedValue& value : rule_.values) {
    text += rules_.aggregates[value.aggregate].canonical() + ' ' + std::to_string(static_cast<int>(value.view)) +
            ' ' + std::to_string(value.per.count()) + ' ' + number_text(value.q) + '\n';
  }
  return to_hex(hash_parts({text}));
}

bool WindowRule::is_of_other_groups(std::string_view value) const {
  const auto parts = wire::parts_of(value);
  wire::Reader reader(parts ? parts->record : value);
  std::uint64_t form = 0;
  reader.number(form);
  std::string text;
  wire::pass(reader, text);
  return !value.empty() && form == group_form && text != shape();
}

bool WindowRule::restore(const GroupKey& key, std::string_view value) {
  if (value.empty()) {
    groups_.erase(key);
    return true;
  }
  const auto parts = wire::parts_of(value);
  if (!parts) return false;
  wire::Reader reader(parts->record);
  std::uint64_t form = 0;
  reader.number(form);
  if (form != group_form) return false;
  std::string text;
  AlertLife::Facts facts;
  Group group;
  wire::pass(reader, text);
  wire::pass(reader, facts);
  reader.list(group.frozen, [&](BaselineFigures& figures) { wire::pass(reader, figures); });
  wire::pass(reader, group.last_sample);
  wire::pass(reader, group.usual_gap);
  wire::pass(reader, group.resolved);
  pass_firing(reader, group.firing);
  if (!reader.read_all() || !AlertLife::is_whole(facts)) return false;
  std::string_view sections = parts->sections;
  if (const auto own = sections.empty() ? std::string_view{} : *wire::next_section(sections); !own.empty()) {
    wire::Reader section(own);
    group.accepted = std::make_unique<AcceptedLevel>();
    wire::pass(section, *group.accepted);
    if (!section.read_all()) return false;
    if (group.accepted->measures != measures()) *group.accepted = {group.accepted->last_order, {}, {}, {}, {}};
  }
  if (const auto own = sections.empty() ? std::string_view{} : *wire::next_section(sections); !own.empty()) {
    wire::Reader section(own);
    std::vector<BaselineFigures> more;
    section.list(more, [&](BaselineFigures& figures) { wire::pass_more(section, figures); });
    if (!section.read_all() || more.size() != group.frozen.size()) return false;
    for (std::size_t i = 0; i < more.size(); ++i) {
      group.frozen[i].hits = more[i].hits;
      group.frozen[i].peak = more[i].peak;
      group.frozen[i].first = more[i].first;
    }
  }
  if (text != shape()) return true;  // another rule of that name
  if (!holds(Safeguard::episodes_stored)) facts.episode = 0;
  group.life = AlertLife(std::move(facts));
  group.series.assign(rule_.values.size(), nullptr);
  group.baselines.resize(cached_baselines());
  groups_[key] = std::move(group);
  return true;
}

void WindowRule::resume() {
  find_new_groups();
  for (auto& [key, group] : groups_) {
    const Series* const first = group.series.front();
    if (first == nullptr || first->history.last_added() <= group.last_sample) continue;
    // Since the record was written no alert of the group changed, so the window that was looked at last is known.
    note_traffic_of_least(group, first->history.last_added());
  }
}

bool WindowRule::uses_any(const std::vector<std::uint32_t>& aggregates) const {
  return std::any_of(rule_.values.begin(), rule_.values.end(), [&](const NamedValue& value) {
    return std::find(aggregates.begin(), aggregates.end(), value.aggregate) != aggregates.end();
  });
}

void WindowRule::look_at_past() {
  for (auto& [key, group] : groups_) {
    std::fill(group.baselines.begin(), group.baselines.end(), CachedBaseline{});
    group.last_sample = before_samples;
    group.usual_gap = {};
  }
  known_series_ = 0;  // another group may have come for one that has gone
  resume();
  store_all();
}

void WindowRule::forget(RecordTime now) {
  for (auto& [key, group] : groups_) {
    for (std::size_t i = 0; i < rule_.values.size(); ++i) {
      if (!rule_.values[i].labels) group.series[i] = series_.find(rule_.values[i].aggregate, key);
    }
  }
  std::erase_if(groups_, [&](const auto& entry) {
    const auto& series = entry.second.series;
    const bool is_over = entry.second.life.is_forgettable() &&
                         std::all_of(series.begin(), series.end(), [](const Series* s) { return s == nullptr; });
    if (!is_over) return false;
    const AlertLife& life = entry.second.life;
    if (life.version() > 0 || life.episode() > 0) changed_.insert(entry.first);
    episodes_.put_away(entry.first, life.episode(), now);
    return true;
  });
  known_series_ = 0;
}

std::vector<WindowRule::GroupSight> WindowRule::sight() const {
  std::vector<GroupSight> list;
  for (const auto& [key, group] : groups_) list.push_back({group.sight, group.life.state()});
  return list;
}

void WindowRule::active(std::vector<AlertChange>& out) const {
  for (const auto& [key, group] : groups_) {
    if (group.firing) out.push_back(*group.firing);
  }
}

}  // namespace tocsin
