// The life of one alert: inactive -> pending -> firing -> resolved, and what its past keeps out of its baseline.
//
// Pure: time comes in as an argument, decisions go out as values. What happens while an alert is pending or
// firing is not usual, so its baseline leaves that time out, or a spike would hide itself within hours. But only
// for `learn_after`: what lasts longer is the new normal.

#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
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
std::string_view name_of(AlertState state);
enum class AlertTransition : std::uint8_t { none, became_pending, fired, resolved, pending_dropped };

class AlertLife {
 public:
  // All that there is to know about it: what outlives a process.
  struct Facts {
    AlertState state = AlertState::inactive;
    RecordTime pending_since{};
    RecordTime firing_since{};
    std::optional<RecordTime> false_since;  // set while firing but no longer true
    std::int64_t episode = 0;
    bool learned = false;
    std::vector<Exclusion> exclusions;  // the last one is open while pending or firing, unless learned
    std::uint32_t version = 0;          // of the exclusions
  };

  // Whether facts that were read are those of any alert: what is pending, or fires and is not learned, has an open
  // exclusion.
  static bool is_whole(const Facts& facts);

  AlertLife() = default;
  explicit AlertLife(Facts facts) : facts_(std::move(facts)) {}
  const Facts& facts() const { return facts_; }

  // Equal as long as nothing about it changes.
  struct Mark {
    AlertState state = AlertState::inactive;
    RecordTime pending_since{};
    std::optional<RecordTime> false_since;
    std::int64_t episode = 0;
    std::uint32_t version = 0;
    friend bool operator==(const Mark&, const Mark&) = default;
  };
  Mark mark() const {
    return {facts_.state, facts_.pending_since, facts_.false_since, facts_.episode, facts_.version};
  }

  // Tells how the condition stands at `now`. An unknown condition is no news: it neither starts nor ends
  // anything, and resets no clock.
  // Requires: `now` is later than in the previous call.
  AlertTransition update(Truth condition, RecordTime now, const AlertTiming& timing);

  // A person says that what fires is the new normal: as if `learn_after` were over.
  void accept();

  // Ends a firing alert whatever its condition is.
  AlertTransition resolve(RecordTime now, const AlertTiming& timing);

  AlertState state() const { return facts_.state; }
  RecordTime pending_since() const { return facts_.pending_since; }
  RecordTime firing_since() const { return facts_.firing_since; }
  std::int64_t episode() const { return facts_.episode; }

  // The baseline stays as it was at firing: until the episode ends, or is learned.
  bool freezes_baseline() const { return facts_.state == AlertState::firing && !facts_.learned; }

  // The times that the baseline leaves out. `version()` changes with every change of them.
  const std::vector<Exclusion>& exclusions() const { return facts_.exclusions; }
  std::uint32_t version() const { return facts_.version; }

  // Nothing about it matters any more.
  bool is_forgettable() const { return facts_.state == AlertState::inactive && facts_.exclusions.empty(); }

 private:
  void begin_exclusion();
  void drop_exclusion();
  void close_exclusion(RecordTime now);
  void learn(RecordTime now, const AlertTiming& timing);

  Facts facts_;
};

}  // namespace tocsin
