// What keeps the answer exact, by name, so that tests can take one safeguard away and see that it is missed.
//
// In every build but that of the simulator, holds() is the constant true and costs nothing.

#pragma once

#include <cstdint>

namespace tocsin {

enum class Safeguard : std::uint8_t {
  one_origin,        // tasks and slices go on from the same cut: both are in one transaction with the position
  drop_after_abort,  // whatever fails, everything in memory is dropped and restored
  outside_sends_acknowledged,  // a cut is committed when all that its records sent outside of transactions is written
  halts_before_findings,       // nobody is told of a halt that is not in its topic
  stamps_ahead_ignored,        // one producer's clock moves nobody's time
  read_to_end_before_idle,     // a partition is idle when it was read to its end, not when nothing came
  deadlines_by_log_time,       // a deadline is looked at when the log has come there, whatever an agent's clock says
  stable_halt_ids,             // no time in an id: what comes again is the same halt
  first_block_wins,            // the first block of a partition and grid time counts
  every_partition_closed,      // a grid time is evaluated when every partition has closed it
  every_grid_evaluated,        // also those that come at once after a restore
  episodes_stored,             // an alert's episode is in its state
  event_alerts_stored,         // so are the alerts that single events raised
  delivered_before_position,   // the outbox's position moves over pages that are settled
  statuses_read,               // a new owner knows which pages the former one has settled
  attempts_by_owner_only,      // no attempt without fresh contact with the group
  pasts_stay_owed,             // a new owner knows which pasts were not given yet
  pasts_end_at_their_epoch,    // what a past holds, no slice of its epoch holds as well
  pasts_of_all,                // what new aggregates missed is added once every partition has said its part
};
inline constexpr int safeguard_count = 19;

#ifdef TOCSIN_SAFEGUARD_SWITCHES
// The one that is taken away; none where it is not in the enumeration.
inline Safeguard removed_safeguard = static_cast<Safeguard>(safeguard_count);
inline bool holds(Safeguard safeguard) {
  return safeguard != removed_safeguard;
}
#else
constexpr bool holds(Safeguard) {
  return true;
}
#endif

}  // namespace tocsin
