// Which partition of the topics between ingest and evaluate a value belongs to, and a block in as many parts.
//
// Everything about one agent meets in one partition, whatever the order of the labels in a rule's group_by: its
// series, its tasks, its findings and its versions. A group that has no agent goes by its whole key.
//
// A contract between machines and over time: the place is mix(hash64(env), hash64(agent)) modulo the count, of
// a group without an agent hash64(group), of a notice hash64 of its name. Whoever changes it needs new topics.

#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/rule/rule_set.h"
#include "core/stage/block.h"

namespace tocsin {

// Always `count` blocks, the empty ones too: each is also the sign that the source partition has come this far.
// All have the header; what only sums up (records, groups over the cap) stands in the first. The order within a
// block is kept. Requires: count >= 1, and a block made under `rules`.
std::vector<Block> split(Block block, const RuleSet& rules, std::int32_t count);

// The block in parts of about `most_bytes` each once they are encoded; one for most blocks. What only sums up stands
// in the first. Parts in their order, put behind each other, are the block.
std::vector<Block> in_parts(Block block, std::size_t most_bytes);

// Where everything about this group of the rule goes.
std::int32_t blocks_partition_of(std::string_view group, const Rule& rule, std::int32_t count);

// Where a finding goes that waits for no block. Requires: as above.
std::int32_t blocks_partition_of(const UrgentFinding& finding, const RuleSet& rules, std::int32_t count);

}  // namespace tocsin
