#include "core/stage/block_split.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/hash.h"
#include "core/stage/block_codec.h"
#include "core/test_support.h"

namespace tocsin {
namespace block_split_test {

using namespace std::chrono_literals;
using test::at;

// One aggregate a rule, in the order of the rules; each groups in its own way.
const std::shared_ptr<const RuleSet>& rules() {
  static const auto set = test::rules_from(R"(
groups:
- name: g
  rules:
  - {alert: A, from: step, value: sum(cost), window: 1h, when: value > 5, group_by: [env, agent]}
  - {alert: B, from: step, value: sum(tokens_in), window: 1h, when: value > 5, group_by: [model, agent, env]}
  - {alert: C, from: step, value: count(), window: 1h, when: value > 5, group_by: [model]}
  - {alert: D, from: step, value: count(), window: 1h, when: value > 5, group_by: [agent]}
  - {alert: Leak, mode: event, where: has(secret.pattern), group_by: [secret.pattern, agent, correlation_id, env]}
  - {alert: Over, mode: task, when: elapsed > 5m}
)");
  return set;
}

std::uint32_t rule_index(std::string_view name) {
  return static_cast<std::uint32_t>(rules()->find(name) - rules()->rules.data());
}
std::uint32_t aggregate_of(std::string_view name) {
  return rules()->find(name)->values.at(0).aggregate;
}

GroupKey joined(std::initializer_list<std::string> values) {
  GroupKey key;
  for (const std::string& value : values) key += (&value == values.begin() ? "" : std::string(1, '\0')) + value;
  return key;
}

TaskNews over(const std::string& env, const std::string& agent, const std::string& task) {
  std::map<StringField, std::string> values{
      {StringField::env, env}, {StringField::agent, agent}, {StringField::correlation_id, task}};
  TaskNews news;
  news.rule = rule_index("Over");
  const auto& fields = rules()->rules[news.rule].group_by;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) news.group += '\0';
    news.group += values[*fields[i].field];
  }
  return news;
}

UrgentFinding leak(const std::string& env, const std::string& agent, const std::string& task) {
  UrgentFinding finding;
  finding.id = agent + task;
  finding.rule = rule_index("Leak");
  finding.group = joined({"github.token", agent, task, env});
  return finding;
}

Block block_of_agents(int agents) {
  Block block;
  block.partition = 7;
  block.grid = at(10s);
  block.rule_set = rules()->hash;
  block.idle = true;
  block.records = 1'234;
  block.groups_over_cap = 3;
  for (int i = 0; i < agents; ++i) {
    const std::string agent = "agent-" + std::to_string(i) + "!";
    const auto cell = [&](std::string_view rule, GroupKey group) {
      Cell made;
      made.aggregate = aggregate_of(rule);
      made.group = std::move(group);
      made.totals = {i, 1};
      block.cells.push_back(std::move(made));
    };
    cell("A", joined({"prod", agent}));
    cell("B", joined({"gpt", agent, "prod"}));
    cell("B", joined({"other", agent, "prod"}));
    block.sightings.push_back({joined({"prod", agent}), StringField::model, "gpt"});
    block.tasks.push_back(over("prod", agent, "t" + std::to_string(i)));
    block.findings.push_back(leak("prod", agent, "t" + std::to_string(i)));
  }
  return block;
}

// What a block holds, as a set of texts; a block of one value is its bytes.
std::multiset<std::string> contents(const Block& block) {
  std::multiset<std::string> texts;
  const auto add = [&](auto member, const auto& value) {
    Block one;
    (one.*member).push_back(value);
    texts.insert(encode(one));
  };
  for (const auto& value : block.cells) add(&Block::cells, value);
  for (const auto& value : block.sightings) add(&Block::sightings, value);
  for (const auto& value : block.tasks) add(&Block::tasks, value);
  for (const auto& value : block.findings) add(&Block::findings, value);
  return texts;
}

std::size_t only_place(const std::vector<Block>& blocks, bool (*holds)(const Block&)) {
  std::size_t found = blocks.size();
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (!holds(blocks[i])) continue;
    EXPECT_EQ(found, blocks.size()) << "in two blocks";
    found = i;
  }
  EXPECT_LT(found, blocks.size()) << "in none";
  return found;
}

TEST(BlockSplit, TheBlocksTogetherAreTheBlock) {
  const Block whole = block_of_agents(200);
  for (const std::int32_t count : {1, 2, 7, 64}) {
    const std::vector<Block> blocks = split(whole, *rules(), count);
    ASSERT_EQ(blocks.size(), static_cast<std::size_t>(count));
    std::multiset<std::string> together;
    std::int64_t records = 0, over_cap = 0;
    for (const Block& block : blocks) {
      EXPECT_EQ(block.partition, 7);
      EXPECT_EQ(block.grid, at(10s));
      EXPECT_EQ(block.rule_set, rules()->hash);
      EXPECT_TRUE(block.idle);
      records += block.records;
      over_cap += block.groups_over_cap;
      together.merge(contents(block));
    }
    EXPECT_EQ(records, 1'234);
    EXPECT_EQ(over_cap, 3);
    EXPECT_EQ(together, contents(whole));
  }
}

TEST(BlockSplit, OneBlockIsTheBlockItself) {
  const Block whole = block_of_agents(20);
  EXPECT_EQ(encode(split(whole, *rules(), 1).at(0)), encode(whole));
}

TEST(BlockSplit, AnEmptyBlockGoesToEveryPartition) {
  const std::vector<Block> blocks = split(block_of_agents(0), *rules(), 5);
  ASSERT_EQ(blocks.size(), 5u);
  for (const Block& block : blocks) EXPECT_TRUE(contents(block).empty());
}

TEST(BlockSplit, AllOfOneAgentMeetsInOneBlockWhateverTheOrderOfItsLabels) {
  const std::vector<Block> blocks = split(block_of_agents(300), *rules(), 16);
  std::map<std::string, std::set<std::size_t>> places;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    for (const std::string& text : contents(blocks[i])) {
      const std::size_t begin = text.find("agent-");
      places[text.substr(begin, text.find('!', begin) - begin)].insert(i);
    }
    EXPECT_GT(blocks[i].sightings.size(), 5u) << "they spread";
  }
  EXPECT_EQ(places.size(), 300u);
  for (const auto& [agent, where] : places) EXPECT_EQ(where.size(), 1u) << agent;
}

TEST(BlockSplit, AFindingThatWaitsForNoBlockGoesWhereItsBlockGoes) {
  const Block whole = block_of_agents(50);
  const std::vector<Block> blocks = split(whole, *rules(), 8);
  std::size_t seen = 0;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    for (const UrgentFinding& finding : blocks[i].findings) {
      EXPECT_EQ(blocks_partition_of(finding, *rules(), 8), static_cast<std::int32_t>(i));
      ++seen;
    }
  }
  EXPECT_EQ(seen, 50u);
  EXPECT_EQ(blocks_partition_of(whole.findings[0], *rules(), 1), 0);
}

TEST(BlockSplit, AGroupWithoutAnAgentStaysTogether) {
  std::set<std::size_t> places;
  for (std::int32_t partition = 0; partition < 4; ++partition) {
    Block block;
    block.partition = partition;
    Cell cell;
    cell.aggregate = aggregate_of("C");
    cell.group = "gpt";
    block.cells = {cell};
    places.insert(only_place(split(block, *rules(), 16), [](const Block& part) { return !part.cells.empty(); }));
  }
  EXPECT_EQ(places.size(), 1u);
}

TEST(BlockSplit, GroupsOverTheCapAreOneGroup) {
  Block block;
  for (const char* rule : {"A", "B"}) {
    Cell cell;
    cell.aggregate = aggregate_of(rule);
    cell.group = "_overflow";
    block.cells.push_back(cell);
  }
  only_place(split(block, *rules(), 16), [](const Block& part) { return !part.cells.empty(); });
}

TEST(BlockSplit, ANoticeGoesToOnePlaceWhateverCausedIt) {
  std::set<std::int32_t> places;
  for (int i = 0; i < 20; ++i) {
    UrgentFinding storm = leak("prod", "agent-" + std::to_string(i), "t");
    storm.notice = Notice::halt_storm;
    places.insert(blocks_partition_of(storm, *rules(), 16));
  }
  EXPECT_EQ(places.size(), 1u);
  UrgentFinding of_no_rule;
  of_no_rule.notice = Notice::source_not_keyed;
  of_no_rule.rule = 1'000;  // means nothing
  EXPECT_LT(blocks_partition_of(of_no_rule, *rules(), 16), 16);
}

TEST(BlockSplit, ThePlaceIsAContractBetweenMachines) {
  EXPECT_EQ(blocks_partition_of(leak("prod", "support", "t1"), *rules(), 64),
            static_cast<std::int32_t>(mix(hash64("prod"), hash64("support")) % 64));
  std::vector<std::int32_t> places;
  for (const char* agent : {"a", "b", "support"}) {
    places.push_back(blocks_partition_of(leak("prod", agent, "t"), *rules(), 64));
  }
  EXPECT_EQ(places, (std::vector<std::int32_t>{27, 1, 37}));
}

TEST(BlockSplit, WhatSharesAreOfGoesToEveryPartition) {
  const auto shares = test::rules_from(R"(
groups:
- name: g
  rules:
  - {alert: S, from: step, value: 'share(sum(cost), of: [env])', window: 1h, when: value > 0.5}
)");
  const Rule& rule = *shares->find("S");
  ASSERT_EQ(rule.named_values, 1U);
  ASSERT_EQ(rule.values.size(), 3U);
  Block block;
  block.rule_set = shares->hash;
  for (const std::size_t value : {1, 2}) {
    const std::uint32_t aggregate = rule.values[value].aggregate;
    const bool is_whole = shares->aggregates[aggregate].is_whole;
    block.cells.push_back({aggregate, is_whole ? "prod" : joined({"prod", "a"}), {500, 1}, {}, {}});
    block.past.series.push_back({aggregate, block.cells.back().group, "bytes"});
  }
  int parts = 0;
  for (const Block& one : split(block, *shares, 4)) {
    int wholes = 0;
    for (const Cell& cell : one.cells) wholes += shares->aggregates[cell.aggregate].is_whole ? 1 : 0;
    EXPECT_EQ(wholes, 1);
    parts += static_cast<int>(one.cells.size()) - wholes;
    EXPECT_EQ(one.past.series.size(), one.cells.size());
  }
  EXPECT_EQ(parts, 1) << "what is shared stands in one";
}

TEST(BlockSplit, AnExpectedGroupBelongsWhereItsCellsWouldGo) {
  const Rule& rule = *rules()->find("A");
  std::set<std::int32_t> places;
  for (int i = 0; i < 40; ++i) {
    const GroupKey group = joined({"prod", "agent-" + std::to_string(i)});
    Block block;
    block.rule_set = rules()->hash;
    block.cells.push_back({aggregate_of("A"), group, {1, 1}, {}, {}});
    const auto blocks = split(block, *rules(), 4);
    const std::int32_t place = blocks_partition_of(group, rule, 4);
    EXPECT_EQ(blocks[static_cast<std::size_t>(place)].cells.size(), 1U) << i;
    places.insert(place);
  }
  EXPECT_EQ(places.size(), 4U);
}

}  // namespace block_split_test
}  // namespace tocsin
