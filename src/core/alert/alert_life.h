// The life of one alert: inactive -> pending -> firing -> resolved, and what its past keeps out of its baseline.
//
// Pure: time comes in as an argument, decisions go out as values. What happens while an alert is pending or
// firing is not usual, so its baseline leaves that time out, or a spike would hide itself within hours. But only
// for `learn_after`: what lasts longer is the new normal.

#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/units.h"
#include "core/rule/predicate.h"
#include "core/window/baseline.h"

namespace tocsin {

struct AlertTiming {
  Duration hold_for{};         // pending this long before it fires
  Duration keep_firing_for{};  // false this long before it resolves
  Duration learn_after{};      // excluded from the baseline for this long at most
};

enum class AlertState : std::uint8_t { inactive, pending, firing };
enum class AlertTransition : std::uint8_t { none, became_pending, fired, resolved, pending_dropped };

class AlertLife {
 public:
  // Tells how the condition stands at `now`. An unknown condition is no news: it neither starts nor ends
  // anything, and resets no clock.
  // Requires: `now` is later than in the previous call.
  AlertTransition update(Truth condition, RecordTime now, const AlertTiming& timing);

  // Ends a firing alert whatever its condition is.
  AlertTransition resolve(RecordTime now, const AlertTiming& timing);

  AlertState state() const { return state_; }
  RecordTime pending_since() const { return pending_since_; }
  RecordTime firing_since() const { return firing_since_; }
  std::int64_t episode() const { return episode_; }

  // The baseline stays as it was at firing: until the episode ends, or is learned.
  bool freezes_baseline() const { return state_ == AlertState::firing && !learned_; }

  // The times that the baseline leaves out. `version()` changes with every change of them.
  const std::vector<Exclusion>& exclusions() const { return exclusions_; }
  std::uint32_t version() const { return version_; }

  // Nothing about it matters any more.
  bool is_forgettable() const { return state_ == AlertState::inactive && exclusions_.empty(); }

 private:
  void begin_exclusion();
  void drop_exclusion();
  void close_exclusion(RecordTime now);
  void learn(RecordTime now, const AlertTiming& timing);

  AlertState state_ = AlertState::inactive;
  RecordTime pending_since_{};
  RecordTime firing_since_{};
  std::optional<RecordTime> false_since_;  // set while firing but no longer true
  std::int64_t episode_ = 0;
  bool learned_ = false;
  std::vector<Exclusion> exclusions_;  // the last one is open while pending or firing, unless learned
  std::uint32_t version_ = 0;
};

}  // namespace tocsin
