#include "core/alert/alert_life.h"

namespace tocsin {

namespace {
constexpr RecordTime open_end{Duration{INT64_MAX / 4}};
}

std::string_view name_of(AlertState state) {
  switch (state) {
    case AlertState::inactive:
      return "inactive";
    case AlertState::pending:
      return "pending";
    case AlertState::firing:
      return "firing";
  }
  return "";
}

AlertTransition AlertLife::update(Truth condition, RecordTime now, const AlertTiming& timing) {
  learn(now, timing);
  if (condition == Truth::unknown) return AlertTransition::none;
  if (condition == Truth::yes) {
    facts_.false_since.reset();
    if (facts_.state == AlertState::firing) return AlertTransition::none;
    const bool is_new = facts_.state == AlertState::inactive;
    if (is_new) {
      facts_.state = AlertState::pending;
      facts_.pending_since = now;
      begin_exclusion();
    }
    if (now - facts_.pending_since >= timing.hold_for) {
      facts_.state = AlertState::firing;
      facts_.firing_since = now;
      facts_.learned = false;
      ++facts_.episode;
      return AlertTransition::fired;
    }
    return is_new ? AlertTransition::became_pending : AlertTransition::none;
  }
  switch (facts_.state) {
    case AlertState::inactive:
      return AlertTransition::none;
    case AlertState::pending:
      facts_.state = AlertState::inactive;
      drop_exclusion();
      return AlertTransition::pending_dropped;
    case AlertState::firing:
      if (!facts_.false_since) facts_.false_since = now;
      if (now - *facts_.false_since < timing.keep_firing_for) return AlertTransition::none;
      return resolve(now, timing);
  }
  return AlertTransition::none;
}

AlertTransition AlertLife::resolve(RecordTime now, const AlertTiming&) {
  if (facts_.state == AlertState::pending) {
    facts_.state = AlertState::inactive;
    drop_exclusion();
    return AlertTransition::pending_dropped;
  }
  if (facts_.state != AlertState::firing) return AlertTransition::none;
  facts_.state = AlertState::inactive;
  facts_.false_since.reset();
  if (!facts_.learned) close_exclusion(now);
  return AlertTransition::resolved;
}

void AlertLife::accept() {
  if (facts_.state != AlertState::firing || facts_.learned) return;
  facts_.learned = true;
  drop_exclusion();
}

bool AlertLife::is_whole(const Facts& facts) {
  const bool needs_open = facts.state == AlertState::pending || (facts.state == AlertState::firing && !facts.learned);
  return !needs_open || (!facts.exclusions.empty() && facts.exclusions.back().to == open_end);
}

void AlertLife::begin_exclusion() {
  facts_.exclusions.push_back({facts_.pending_since, open_end});
  ++facts_.version;
}

void AlertLife::drop_exclusion() {
  facts_.exclusions.pop_back();
  ++facts_.version;
}

void AlertLife::close_exclusion(RecordTime now) {
  facts_.exclusions.back().to = now;
  ++facts_.version;
}

void AlertLife::learn(RecordTime now, const AlertTiming& timing) {
  if (facts_.state == AlertState::firing && now - facts_.pending_since >= timing.learn_after) accept();
  while (!facts_.exclusions.empty() && facts_.exclusions.front().to + timing.learn_after <= now) {
    facts_.exclusions.erase(facts_.exclusions.begin());
    ++facts_.version;
  }
}

}  // namespace tocsin
