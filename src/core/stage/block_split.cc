#include "core/stage/block_split.h"

#include <string_view>
#include <utility>

#include "base/hash.h"

namespace tocsin {

namespace {

std::uint64_t agent_hash(std::string_view env, std::string_view agent) {
  return mix(hash64(env), hash64(agent));
}

StringField field_of(StringField field) {
  return field;
}
// secret.pattern is no field of an event; any label that is neither env nor agent will do.
StringField field_of(const GroupField& field) {
  return field.field.value_or(StringField::correlation_id);
}

template <class Fields>
std::uint64_t group_hash(const Fields& fields, std::string_view group) {
  std::string_view env;
  std::string_view agent;
  bool has_agent = false;
  std::string_view rest = group;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::size_t end = rest.find('\0');
    if (end == std::string_view::npos && i + 1 < fields.size()) return hash64(group);  // no group: "_overflow"
    const std::string_view value = rest.substr(0, end);
    if (field_of(fields[i]) == StringField::env) env = value;
    if (field_of(fields[i]) == StringField::agent) {
      agent = value;
      has_agent = true;
    }
    if (end != std::string_view::npos) rest.remove_prefix(end + 1);
  }
  return has_agent ? agent_hash(env, agent) : hash64(group);
}

std::uint64_t hash_of(const Cell& cell, const RuleSet& rules) {
  return group_hash(rules.aggregates[cell.aggregate].group_by, cell.group);
}

std::uint64_t hash_of(const Sighting& sighting, const RuleSet&) {
  const std::string_view key = sighting.agent;
  const std::size_t end = key.find('\0');
  return end == std::string_view::npos ? hash64(key) : agent_hash(key.substr(0, end), key.substr(end + 1));
}

std::uint64_t hash_of(const TaskNews& news, const RuleSet& rules) {
  return group_hash(rules.rules[news.rule].group_by, news.group);
}

std::uint64_t hash_of(const UrgentFinding& finding, const RuleSet& rules) {
  if (finding.notice != Notice::none) return hash64(name_of(finding.notice));
  return group_hash(rules.rules[finding.rule].group_by, finding.group);
}

std::uint64_t hash_of(const PastSeries& series, const RuleSet& rules) {
  return group_hash(rules.aggregates[series.aggregate].group_by, series.group);
}

template <class T>
std::size_t place_of(const T& value, const RuleSet& rules, std::size_t count) {
  return hash_of(value, rules) % count;
}

// The lists of a block that are shared out.
constexpr auto cells_of = [](Block& block) -> std::vector<Cell>& { return block.cells; };
constexpr auto sightings_of = [](Block& block) -> std::vector<Sighting>& { return block.sightings; };
constexpr auto tasks_of = [](Block& block) -> std::vector<TaskNews>& { return block.tasks; };
constexpr auto findings_of = [](Block& block) -> std::vector<UrgentFinding>& { return block.findings; };
constexpr auto past_of = [](Block& block) -> std::vector<PastSeries>& { return block.past.series; };

// What shares are of belongs to every partition.
bool is_whole(const Cell& cell, const RuleSet& rules) {
  return rules.aggregates[cell.aggregate].is_whole;
}
bool is_whole(const PastSeries& series, const RuleSet& rules) {
  return rules.aggregates[series.aggregate].is_whole;
}
template <class T>
bool is_whole(const T&, const RuleSet&) {
  return false;
}

template <class ListOf>
void deal(Block& from, ListOf list_of, const RuleSet& rules, std::vector<Block>& blocks) {
  for (auto& value : list_of(from)) {
    if (is_whole(value, rules)) {
      for (Block& block : blocks) list_of(block).push_back(value);
      continue;
    }
    const std::size_t place = place_of(value, rules, blocks.size());
    list_of(blocks[place]).push_back(std::move(value));
  }
}

// What every part of a block says.
void copy_header(const Block& from, Block& to) {
  to.partition = from.partition;
  to.grid = from.grid;
  to.rule_set = from.rule_set;
  to.epoch = from.epoch;
  to.promise = from.promise;
  to.idle = from.idle;
  to.past.epoch = from.past.epoch;
  to.past.is_first = from.past.is_first;
  to.past.is_last = from.past.is_last;
  to.past.since = from.past.since;
  to.owes_past_of = from.owes_past_of;
}

}  // namespace

std::vector<Block> split(Block block, const RuleSet& rules, std::int32_t count) {
  std::vector<Block> blocks(static_cast<std::size_t>(count));
  if (count == 1) {
    blocks[0] = std::move(block);
    return blocks;
  }
  for (Block& part : blocks) copy_header(block, part);
  blocks[0].records = block.records;
  blocks[0].groups_over_cap = block.groups_over_cap;
  deal(block, cells_of, rules, blocks);
  deal(block, sightings_of, rules, blocks);
  deal(block, tasks_of, rules, blocks);
  deal(block, findings_of, rules, blocks);
  deal(block, past_of, rules, blocks);
  return blocks;
}

std::int32_t blocks_partition_of(std::string_view group, const Rule& rule, std::int32_t count) {
  return static_cast<std::int32_t>(group_hash(rule.group_by, group) % static_cast<std::uint64_t>(count));
}

std::int32_t blocks_partition_of(const UrgentFinding& finding, const RuleSet& rules, std::int32_t count) {
  if (count == 1) return 0;
  return static_cast<std::int32_t>(place_of(finding, rules, static_cast<std::size_t>(count)));
}

std::vector<Block> in_parts(Block block, std::size_t most_bytes) {
  std::vector<Block> parts(1);
  std::size_t bytes = 0;
  copy_header(block, parts[0]);
  parts[0].records = block.records;
  parts[0].groups_over_cap = block.groups_over_cap;
  const auto add = [&](auto list_of, auto bytes_of) {
    for (auto& item : list_of(block)) {
      const std::size_t size = bytes_of(item);
      if (bytes > 0 && bytes + size > most_bytes) {
        copy_header(block, parts.emplace_back());
        bytes = 0;
      }
      bytes += size;
      list_of(parts.back()).push_back(std::move(item));
    }
  };
  // Rounded up: numbers take ten bytes at most.
  add(cells_of, [](const Cell& cell) {
    std::size_t size = 60 + cell.group.size() + 10 * cell.distinct.hashes().size() +
                       2 * cell.distinct.registers().size() + 8 * cell.distribution.bins().size();
    for (const Example& example : cell.examples) size += 20 + example.correlation_id.size();
    return size;
  });
  add(sightings_of, [](const Sighting& one) { return 20 + one.agent.size() + one.value.size(); });
  add(tasks_of, [](const TaskNews& news) { return 90 + news.group.size() + news.per.size(); });
  add(findings_of, [](const UrgentFinding& finding) {
    const std::size_t own =
        200 + finding.group.size() + finding.correlation_id.size() + finding.place.size() + finding.rotate.size();
    return finding.halt ? own * 3 + finding.halt->reason.size() : own;
  });
  add(past_of, [](const PastSeries& one) { return 20 + one.group.size() + one.state.size(); });
  for (std::size_t i = 0; i < parts.size(); ++i) {
    parts[i].part = static_cast<std::int32_t>(i);
    parts[i].parts = static_cast<std::int32_t>(parts.size());
  }
  return parts;
}

}  // namespace tocsin
