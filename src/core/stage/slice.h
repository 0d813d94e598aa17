// The slice that is filling: what each event adds to each series, until the slice is cut.
//
// Groups are found by hash, once for each group_by that rules use; what of a rule's `where` depends on the group
// alone is asked when the group appears, so a rule about one agent costs the others nothing.
//
// Thread: the shard that owns the partition. Allocates for new groups, not for events.

#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "core/rule/rule_set.h"
#include "core/stage/block.h"

namespace tocsin {

class Slice {
 public:
  // Requires: `rules` lives longer than this.
  Slice(const RuleSet& rules, std::size_t most_groups);
  Slice(Slice&&) noexcept;
  Slice& operator=(Slice&&) noexcept;
  ~Slice();

  // Adds the event to every series it belongs to. Returns how many groups were skipped because the event lacks
  // a label. An absent `env` is the empty label; any other absent label has no group.
  int add(const EventFields& event);

  // Moves what was added into the block, by aggregate and group, and begins anew.
  void close(Block& block);

  std::size_t groups() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tocsin
