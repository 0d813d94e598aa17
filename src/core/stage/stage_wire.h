// How the values that pass between the stages, and the parts of their states, are written: the descriptions that
// block_codec and the states of the stages share. See base/wire.h.

#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/wire.h"
#include "core/alert/alert_change.h"
#include "core/alert/alert_life.h"
#include "core/stage/block.h"
#include "core/window/baseline.h"

namespace tocsin::wire {

template <class Coder>
void pass(Coder& coder, DistinctSet& set) {
  std::vector<std::uint64_t> hashes(set.hashes().begin(), set.hashes().end());
  std::vector<std::uint8_t> registers(set.registers().begin(), set.registers().end());
  coder.list(hashes, [&](std::uint64_t& hash) { coder.number(hash); });
  coder.list(registers, [&](std::uint8_t& rank) { pass_integer(coder, rank); });
  if constexpr (Coder::reads) {
    const std::size_t full = std::size_t{1} << DistinctSet::register_bits;
    if (!registers.empty() && registers.size() != full) return coder.fail();
    set = DistinctSet::from_parts(std::move(hashes), std::move(registers));
  }
}

// Buckets as their distances, and counts.
template <class Coder>
void pass(Coder& coder, Distribution& distribution) {
  std::vector<Distribution::Bin> bins(distribution.bins().begin(), distribution.bins().end());
  std::int64_t least = distribution.empty() ? 0 : distribution.least();
  std::int64_t greatest = distribution.empty() ? 0 : distribution.greatest();
  std::int64_t before = 0;
  coder.list(bins, [&](Distribution::Bin& bin) {
    std::int64_t distance = bin.index - before;
    pass(coder, distance);
    before += distance;
    if constexpr (Coder::reads) {
      if (before < INT16_MIN || before > INT16_MAX) return coder.fail();
    }
    bin.index = static_cast<std::int16_t>(before);
    std::uint64_t count = bin.count;
    coder.number(count);
    bin.count = static_cast<std::uint32_t>(count);
  });
  pass(coder, least);
  pass(coder, greatest);
  if constexpr (Coder::reads) {
    if (!distribution.set_parts(std::move(bins), least, greatest)) coder.fail();
  }
}

template <class Coder>
void pass(Coder& coder, Totals& totals) {
  pass(coder, totals.sum);
  pass(coder, totals.count);
}

template <class Coder>
void pass(Coder& coder, Example& example) {
  pass(coder, example.correlation_id);
  pass(coder, example.amount);
}

template <class Coder>
void pass(Coder& coder, Cell& cell) {
  pass_integer(coder, cell.aggregate);
  pass(coder, cell.group);
  pass(coder, cell.totals);
  coder.list(cell.examples, [&](Example& example) { pass(coder, example); });
  pass(coder, cell.distinct);
}

template <class Coder>
void pass(Coder& coder, Sighting& sighting) {
  pass(coder, sighting.agent);
  pass_enum(coder, sighting.field, string_field_count);
  pass(coder, sighting.value);
}

template <class Coder>
void pass(Coder& coder, TaskNews& news) {
  pass_enum(coder, news.kind, 3);
  pass_integer(coder, news.rule);
  pass(coder, news.group);
  pass(coder, news.started);
  pass(coder, news.elapsed);
  pass(coder, news.limit);
  pass(coder, news.wall_clock);
  pass_enum(coder, news.outcome, 6);
}

// What releases before did not know of them; in a section.
template <class Coder>
void pass_count(Coder& coder, TaskNews& news) {
  pass(coder, news.value);
  pass(coder, news.per);
}

template <class Coder>
void pass(Coder& coder, HaltRecord& halt) {
  pass(coder, halt.id);
  pass(coder, halt.scope);
  pass_enum(coder, halt.state, 3);
  pass(coder, halt.rule);
  pass(coder, halt.reason);
  pass(coder, halt.pattern);
  pass(coder, halt.fingerprint);
  pass(coder, halt.env);
  pass(coder, halt.agent);
  pass(coder, halt.correlation_id);
  pass_integer(coder, halt.count);
  pass(coder, halt.first_at);
  pass(coder, halt.last_at);
  pass(coder, halt.expires_at);
}

template <class Coder>
void pass(Coder& coder, UrgentFinding& finding) {
  pass(coder, finding.id);
  pass_integer(coder, finding.rule);
  pass(coder, finding.rule_name);
  pass(coder, finding.group);
  pass(coder, finding.pattern);
  pass(coder, finding.fingerprint);
  pass(coder, finding.place);
  pass(coder, finding.correlation_id);
  pass(coder, finding.event_time);
  pass(coder, finding.at);
  bool has_halt = finding.halt.has_value();
  pass(coder, has_halt);
  if (has_halt && !finding.halt) finding.halt.emplace();
  if (has_halt) pass(coder, *finding.halt);
  pass(coder, finding.is_repeat);
  pass_enum(coder, finding.notice, notice_count);
}

template <class Coder>
void pass(Coder& coder, Past& past) {
  pass(coder, past.epoch);
  pass(coder, past.is_first);
  pass(coder, past.is_last);
  pass(coder, past.since);
  coder.list(past.series, [&](PastSeries& series) {
    pass_integer(coder, series.aggregate);
    pass(coder, series.group);
    pass(coder, series.state);
  });
}

// But for what stands in its sections.
template <class Coder>
void pass(Coder& coder, Block& block) {
  pass_integer(coder, block.partition);
  pass(coder, block.grid);
  pass(coder, block.rule_set);
  pass(coder, block.idle);
  pass_integer(coder, block.part);
  pass_integer(coder, block.parts);
  pass(coder, block.records);
  pass(coder, block.groups_over_cap);
  coder.list(block.cells, [&](Cell& cell) { pass(coder, cell); });
  coder.list(block.sightings, [&](Sighting& sighting) { pass(coder, sighting); });
  coder.list(block.tasks, [&](TaskNews& news) { pass(coder, news); });
  coder.list(block.findings, [&](UrgentFinding& finding) { pass(coder, finding); });
}

template <class Coder>
void pass(Coder& coder, std::set<std::string>& texts) {
  std::vector<std::string> list(texts.begin(), texts.end());
  coder.list(list, [&](std::string& text) { pass(coder, text); });
  if constexpr (Coder::reads) texts = {list.begin(), list.end()};
}

template <class Coder>
void pass(Coder& coder, std::map<std::string, std::string>& texts) {
  Labels list(texts.begin(), texts.end());
  coder.list(list, [&](auto& entry) {
    pass(coder, entry.first);
    pass(coder, entry.second);
  });
  if constexpr (Coder::reads) texts = {list.begin(), list.end()};
}

template <class Coder>
void pass(Coder& coder, Labels& labels) {
  coder.list(labels, [&](auto& label) {
    pass(coder, label.first);
    pass(coder, label.second);
  });
}

template <class Coder>
void pass(Coder& coder, Actions& actions) {
  pass(coder, actions.page);
  pass(coder, actions.investigate);
  pass(coder, actions.spec_gap);
  pass(coder, actions.eval_candidate);
  pass_enum(coder, actions.halt, 3);
}

template <class Coder>
void pass(Coder& coder, AlertChange& change) {
  pass(coder, change.at);
  pass(coder, change.alert);
  pass(coder, change.firing);
  pass(coder, change.labels);
  pass(coder, change.annotations);
  pass(coder, change.value);
  pass(coder, change.baseline);
  pass(coder, change.samples);
  pass(coder, change.episode);
  pass(coder, change.reason);
  pass(coder, change.page_id);
  pass(coder, change.sends_page);
  pass(coder, change.alert_id);
  pass(coder, change.dedup_key);
  pass(coder, change.value_unit);
  pass(coder, change.condition);
  pass(coder, change.window);
  pass(coder, change.since);
  pass(coder, change.versions);
  pass(coder, change.changed_versions);
  coder.list(change.examples, [&](AlertExample& example) {
    pass(coder, example.correlation_id);
    pass(coder, example.links);
  });
  pass(coder, change.halt);
  pass(coder, change.halt_id);
  pass(coder, change.halt_scope);
  pass(coder, change.command);
  pass(coder, change.actions);
}

template <class Coder>
void pass(Coder& coder, BaselineFigures& figures) {
  pass(coder, figures.mean);
  pass(coder, figures.deviation);
  pass(coder, figures.blocks);
  pass(coder, figures.samples);
  pass(coder, figures.is_warm);
}

// What releases before do not know of.
template <class Coder>
void pass_more(Coder& coder, BaselineFigures& figures) {
  pass(coder, figures.hits);
  pass(coder, figures.peak);
  pass(coder, figures.first);
}

template <class Coder>
void pass(Coder& coder, AlertLife::Facts& facts) {
  pass_enum(coder, facts.state, 3);
  pass(coder, facts.pending_since);
  pass(coder, facts.firing_since);
  pass(coder, facts.false_since);
  pass(coder, facts.episode);
  pass(coder, facts.learned);
  coder.list(facts.exclusions, [&](Exclusion& exclusion) {
    pass(coder, exclusion.from);
    pass(coder, exclusion.to);
  });
  pass_integer(coder, facts.version);
}

// Any of the above, for wire::write() and wire::read().
inline constexpr auto describe = [](auto& coder, auto& value) { pass(coder, value); };

}  // namespace tocsin::wire
