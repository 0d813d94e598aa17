// What of an ingest partition outlives its process: records of a compacted topic, and a position in the source.
//
// Keys are "task/CORRELATION-ID", "halt/HALT-ID" and "identities/PLACE", values are binary as those of block_codec,
// after a version byte; an empty value forgets its key. Rules go by a hash of their name, since their numbers change
// when rules are edited. A decoder refuses what is cut short or says more than it holds.

#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/halt/halt_ledger.h"
#include "core/stage/block.h"
#include "core/stage/state_record.h"
#include "core/stage/unkeyed_watch.h"
#include "core/task/recent_identities.h"
#include "core/task/task_table.h"

namespace tocsin {

inline constexpr std::string_view task_prefix = "task/";
inline constexpr std::string_view halt_prefix = "halt/";
inline constexpr std::string_view identities_prefix = "identities/";

// All but the correlation id, which is the key.
// Sections of its own say what releases before this one did not know: whether a person has the task, its session and
// what its calls add up to; the attributes of the deployment's own that it has said; and what rules count of it.
inline constexpr std::size_t task_sections = 3;
std::string encode(const Task& task, const std::vector<std::uint64_t>& fired_rules);
bool decode_task(std::string_view bytes, Task& task, std::vector<std::uint64_t>& fired_rules);

std::string encode(const HaltLedger::Known& halt);
std::optional<HaltLedger::Known> decode_halt(std::string_view bytes);

// All but the place, which is the key's. `storage` holds the identities that the page shows.
std::string encode(const RecentIdentities::Page& page);
std::optional<RecentIdentities::Page> decode_page(std::string_view place, std::string_view bytes,
                                                  std::vector<std::uint64_t>& storage);

// What an epoch's new aggregates would have added up in the records before this offset is still to be said.
struct OwedPast {
  std::int64_t epoch = 0;  // 0: none
  std::int64_t until = 0;
};
inline constexpr std::size_t most_owed_pasts = 4;

// What is small and changes with every cut: it stands in the metadata of the source's offset.
struct IngestPosition {
  RecordTime log_time;
  RecordTime next_grid;
  std::int64_t leaps_in_a_row = 0;
  RecordTime last_held;
  std::int64_t generation = 0;  // of recent identities
  std::int64_t identities = 0;
  UnkeyedWatch unkeyed;
  std::int64_t epoch = 0;  // of the rules that slices are counted by
  Promise promise;
  std::array<OwedPast, most_owed_pasts> owed;  // in order; those that are none last

  static constexpr std::size_t numbers = 10 + UnkeyedWatch::enough + 2 * most_owed_pasts;
};
// Its version and its numbers have 20 characters at most, and a space before each. A broker takes metadata of 4,096
// bytes, and fails the transaction of a longer one; a source's mark stands before the position.
inline constexpr std::size_t most_position_bytes = 20 + 21 * IngestPosition::numbers;
static_assert(most_position_bytes <= 768);

// Decimal numbers with a space between them. What a later release appends is passed over and not written again: a
// position is of one cut, so a number that another release left for an older cut would be wrong.
std::string to_text(const IngestPosition& position);
std::optional<IngestPosition> read_position(std::string_view text);

}  // namespace tocsin
