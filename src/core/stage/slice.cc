#include "core/stage/slice.h"

#include <algorithm>
#include <array>

#include "base/hash.h"

namespace tocsin {

namespace {

constexpr std::uint32_t none = UINT32_MAX;

// A group that ingest no longer has room for; evaluate never looks at it, but pages that it exists.
constexpr std::string_view overflow_key = "_overflow";

// One aggregate as events meet it.
struct Adder {
  std::uint32_t aggregate = 0;
  std::vector<Predicate> of_group;  // conjuncts of `where` that read labels only
  PlainTest plain;                  // the others, as far as it says them
  std::vector<Predicate> of_event;  // and the rest of them
};

struct GroupSet {
  std::vector<StringField> fields;
  std::vector<std::uint32_t> adders;  // into State::adders
};

// What a group has to do with one event type. All that most events need of an aggregate stands here, side by side for
// those of one group: of 10,000 rules nothing else is in the cache.
struct Applicable {
  PlainTest test;
  std::uint32_t adder = 0;
  std::uint32_t cell = none;  // in this slice
  Aggregate::Kind kind = Aggregate::Kind::count;
  NumberField number = NumberField::cost;
  bool asks_more = false;  // than `test`
};

// Of the event at hand.
struct SeenTask {
  std::string_view id;
  std::uint64_t hash = 0;
};

struct Group {
  std::uint64_t hash = 0;
  std::uint32_t set = 0;
  std::uint64_t slice = 0;  // in which `cell` of its applicables is valid
  GroupKey key;
  std::vector<Applicable> applicable;
};

// What nearly every event touches stands first.
struct OpenCell {
  std::uint32_t aggregate = 0;
  std::uint32_t group = 0;
  Totals totals;
  // Tasks are told apart by a hash of their ids: if two had one, one would be named for both.
  std::array<std::uint64_t, most_examples> example_hashes{};
  std::array<std::int64_t, most_examples> example_amounts{};
  std::uint8_t example_count = 0;
  std::array<std::string, most_examples> example_ids;
  DistinctSet distinct;
  Distribution distribution;
};

// What agents do, and not what others say of them.
bool is_sign_of_life(EventType type) {
  switch (type) {
    case EventType::review:
    case EventType::eval_result:
    case EventType::spec_gap:
      return false;
    default:
      return true;
  }
}

bool is_optional(StringField field) {
  return field == StringField::env;
}

}  // namespace

struct Slice::State {
  const RuleSet& rules;
  std::size_t most_groups;
  std::vector<Adder> adders;
  // For each event type, the group sets that rules on it use; a set may serve several types.
  std::array<std::vector<GroupSet>, event_type_count> sets_by_type;
  std::vector<Group> groups;
  std::vector<std::uint32_t> buckets = std::vector<std::uint32_t>(256, none);
  std::vector<OpenCell> cells;  // reused from slice to slice with their strings' memory
  std::size_t cell_count = 0;
  std::uint64_t slice = 1;
  std::int64_t over_cap = 0;
  bool has_any = false;  // aggregates that count several types

  State(const RuleSet& rule_set, std::size_t most) : rules(rule_set), most_groups(most) {
    for (std::uint32_t i = 0; i < rules.aggregates.size(); ++i) add_aggregate(i);
  }

  void add_aggregate(std::uint32_t index) {
    const Aggregate& aggregate = rules.aggregates[index];
    StringMask labels = 0;
    for (const StringField field : aggregate.group_by) labels |= bit_of(field);
    Adder adder;
    adder.aggregate = index;
    for (Predicate& part : aggregate.where.conjuncts()) {
      const bool of_group = part.reads_only_strings() && (part.strings_read() & ~labels) == 0;
      if (of_group) {
        adder.of_group.push_back(std::move(part));
      } else if (!part.join(adder.plain)) {
        adder.of_event.push_back(std::move(part));
      }
    }
    for (std::size_t type = 0; type < event_type_count; ++type) {
      const bool counts = aggregate.from_any ? is_sign_of_life(static_cast<EventType>(type))
                                             : type == static_cast<std::size_t>(aggregate.from);
      if (!counts) continue;
      auto& sets = sets_by_type[type];
      auto set = std::find_if(sets.begin(), sets.end(),
                              [&](const GroupSet& known) { return known.fields == aggregate.group_by; });
      if (set == sets.end()) set = sets.insert(set, GroupSet{aggregate.group_by, {}});
      set->adders.push_back(static_cast<std::uint32_t>(adders.size()));
    }
    has_any = has_any || aggregate.from_any;
    adders.push_back(std::move(adder));
  }

  static bool key_matches(const GroupKey& key, const std::vector<StringField>& fields, const EventFields& event) {
    std::string_view rest = key;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      const std::string_view value = event.get(fields[i]);
      if (!rest.starts_with(value)) return false;
      rest.remove_prefix(value.size());
      if (i + 1 < fields.size()) {
        if (rest.empty() || rest.front() != '\0') return false;
        rest.remove_prefix(1);
      }
    }
    return rest.empty();
  }

  // `number`: tells apart the sets of all types, as the same labels mean other aggregates there.
  Group& find_or_add(std::uint32_t number, const GroupSet& set, std::uint64_t hash, const EventFields& event) {
    const std::size_t mask = buckets.size() - 1;
    std::size_t at = hash & mask;
    for (; buckets[at] != none; at = (at + 1) & mask) {
      Group& group = groups[buckets[at]];
      if (group.hash == hash && group.set == number && key_matches(group.key, set.fields, event)) return group;
    }
    return add_group(number, set, hash, event, at);
  }

  Group& add_group(std::uint32_t number, const GroupSet& set, std::uint64_t hash, const EventFields& event,
                   std::size_t at) {
    Group group;
    group.hash = hash;
    group.set = number;
    const bool full = groups.size() >= most_groups;
    if (full) {
      ++over_cap;
      group.hash = hash = mix(hash64(overflow_key), number);
      group.key = overflow_key;
      for (at = hash & (buckets.size() - 1); buckets[at] != none; at = (at + 1) & (buckets.size() - 1)) {
        Group& known = groups[buckets[at]];
        if (known.hash == hash && known.set == number) return known;
      }
    } else {
      for (std::size_t i = 0; i < set.fields.size(); ++i) {
        if (i > 0) group.key += '\0';
        group.key += event.get(set.fields[i]);
      }
    }
    for (const std::uint32_t index : set.adders) {
      const Adder& adder = adders[index];
      const auto& asked = adder.of_group;
      if (full || std::all_of(asked.begin(), asked.end(), [&](const Predicate& p) { return p.holds(event); })) {
        const Aggregate& aggregate = rules.aggregates[adder.aggregate];
        group.applicable.push_back(
            {adder.plain, index, none, aggregate.kind, aggregate.number, !adder.of_event.empty()});
      }
    }
    buckets[at] = static_cast<std::uint32_t>(groups.size());
    groups.push_back(std::move(group));
    if (2 * groups.size() > buckets.size()) grow();
    return groups.back();
  }

  void grow() {
    buckets.assign(2 * buckets.size(), none);
    const std::size_t mask = buckets.size() - 1;
    for (std::uint32_t i = 0; i < groups.size(); ++i) {
      std::size_t at = groups[i].hash & mask;
      while (buckets[at] != none) at = (at + 1) & mask;
      buckets[at] = i;
    }
  }

  OpenCell& cell_of(Applicable& applicable, std::uint32_t group) {
    if (applicable.cell != none) return cells[applicable.cell];
    if (cell_count == cells.size()) cells.emplace_back();
    applicable.cell = static_cast<std::uint32_t>(cell_count);
    OpenCell& cell = cells[cell_count++];
    cell.aggregate = adders[applicable.adder].aggregate;
    cell.group = group;
    cell.totals = {};
    cell.example_count = 0;
    return cell;
  }

  // Keeps the tasks that contribute most; a later one of equal weight takes the place of the earliest.
  static void note_example(OpenCell& cell, const SeenTask& task, std::int64_t amount) {
    if (task.id.empty()) return;
    std::size_t least = 0;
    for (std::size_t i = 0; i < cell.example_count; ++i) {
      if (cell.example_hashes[i] == task.hash) {
        cell.example_amounts[i] = saturating_add(cell.example_amounts[i], amount);
        return;
      }
      if (cell.example_amounts[i] < cell.example_amounts[least]) least = i;
    }
    if (cell.example_count < most_examples) {
      least = cell.example_count++;
    } else if (cell.example_amounts[least] > amount) {
      return;
    }
    cell.example_hashes[least] = task.hash;
    cell.example_amounts[least] = amount;
    cell.example_ids[least].assign(task.id);
  }

  bool holds_more(const Applicable& applicable, const EventFields& event) const {
    const auto& more = adders[applicable.adder].of_event;
    return std::all_of(more.begin(), more.end(), [&](const Predicate& p) { return p.holds(event); });
  }

  const Aggregate& aggregate_of(const Applicable& applicable) const {
    return rules.aggregates[adders[applicable.adder].aggregate];
  }

  void add_to(Group& group, Applicable& applicable, const EventFields& event, const SeenTask& task) {
    if (!applicable.test.holds(event) || (applicable.asks_more && !holds_more(applicable, event))) return;
    std::int64_t amount = 1;
    std::int64_t sum = 0;
    switch (applicable.kind) {
      case Aggregate::Kind::count:
      case Aggregate::Kind::distinct:
        break;
      case Aggregate::Kind::sum:
      case Aggregate::Kind::distribution: {
        const auto number = event.get(applicable.number);
        if (!number) return;  // absent is not 0
        amount = sum = *number;
        break;
      }
      case Aggregate::Kind::hits:
        amount = sum = aggregate_of(applicable).hit.holds(event) ? 1 : 0;
        break;
    }
    OpenCell& cell = cell_of(applicable, static_cast<std::uint32_t>(&group - groups.data()));
    cell.totals += {sum, 1};
    if (amount > 0) note_example(cell, task, amount);
    if (applicable.kind == Aggregate::Kind::distinct) {
      const StringField string = aggregate_of(applicable).string;
      if (event.has(string)) cell.distinct.add(hash64(event.get(string)));
    }
    if (applicable.kind == Aggregate::Kind::distribution) cell.distribution.add(sum);
  }

  int add(const EventFields& event) {
    int skipped = 0;
    const auto type = static_cast<std::uint32_t>(event.type);
    const auto& sets = sets_by_type[type];
    const std::string_view id = event.get(StringField::correlation_id);
    const SeenTask task{id, hash64(id)};
    for (std::uint32_t i = 0; i < sets.size(); ++i) {
      const GroupSet& set = sets[i];
      const std::uint32_t number = type * 256 + i;
      std::uint64_t hash = number;
      bool is_whole = true;
      for (const StringField field : set.fields) {
        is_whole = is_whole && (event.has(field) || is_optional(field));
        hash = mix(hash, hash64(event.get(field)));
      }
      if (!is_whole) {
        ++skipped;
        continue;
      }
      Group& group = find_or_add(number, set, hash, event);
      if (group.slice != slice) {
        group.slice = slice;
        for (Applicable& applicable : group.applicable) applicable.cell = none;
      }
      for (Applicable& applicable : group.applicable) add_to(group, applicable, event, task);
    }
    return skipped;
  }

  // Events of each type had cells of their own. Requires: the cells are in order.
  static void join_types(std::vector<Cell>& cells) {
    std::size_t kept = 0;
    for (std::size_t i = 1; i < cells.size(); ++i) {
      Cell& last = cells[kept];
      if (last.aggregate != cells[i].aggregate || last.group != cells[i].group) {
        if (++kept != i) cells[kept] = std::move(cells[i]);
        continue;
      }
      last.totals += cells[i].totals;
      for (Example& example : cells[i].examples) {
        const bool is_known = std::any_of(last.examples.begin(), last.examples.end(), [&](const Example& one) {
          return one.correlation_id == example.correlation_id;
        });
        if (!is_known && last.examples.size() < most_examples) last.examples.push_back(std::move(example));
      }
    }
    if (!cells.empty()) cells.resize(kept + 1);
  }

  void close(Block& block) {
    block.cells.reserve(cell_count);
    for (std::size_t i = 0; i < cell_count; ++i) {
      OpenCell& open = cells[i];
      Cell cell;
      cell.aggregate = open.aggregate;
      cell.group = groups[open.group].key;
      cell.totals = open.totals;
      cell.examples.reserve(open.example_count);
      for (std::size_t example = 0; example < open.example_count; ++example) {
        cell.examples.push_back({open.example_ids[example], open.example_amounts[example]});
      }
      if (!open.distinct.empty()) {
        cell.distinct = open.distinct;  // copied, so that the next slice finds the memory
        open.distinct.clear();
      }
      if (!open.distribution.empty()) {
        cell.distribution = open.distribution;
        open.distribution.clear();
      }
      block.cells.push_back(std::move(cell));
    }
    std::sort(block.cells.begin(), block.cells.end(), [](const Cell& a, const Cell& b) {
      return a.aggregate != b.aggregate ? a.aggregate < b.aggregate : a.group < b.group;
    });
    if (has_any) join_types(block.cells);
    block.groups_over_cap = over_cap;
    over_cap = 0;
    cell_count = 0;
    ++slice;
  }
};

Slice::Slice(const RuleSet& rules, std::size_t most_groups) : state_(std::make_unique<State>(rules, most_groups)) {}
Slice::Slice(Slice&&) noexcept = default;
Slice& Slice::operator=(Slice&&) noexcept = default;
Slice::~Slice() = default;
int Slice::add(const EventFields& event) {
  return state_->add(event);
}
void Slice::close(Block& block) {
  state_->close(block);
}
std::size_t Slice::groups() const {
  return state_->groups.size();
}

}  // namespace tocsin
