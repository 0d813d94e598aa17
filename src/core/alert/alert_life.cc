#include "core/alert/alert_life.h"

namespace tocsin {

namespace {
constexpr RecordTime open_end{Duration{INT64_MAX / 4}};
}

AlertTransition AlertLife::update(Truth condition, RecordTime now, const AlertTiming& timing) {
  learn(now, timing);
  if (condition == Truth::unknown) return AlertTransition::none;
  if (condition == Truth::yes) {
    false_since_.reset();
    if (state_ == AlertState::firing) return AlertTransition::none;
    const bool is_new = state_ == AlertState::inactive;
    if (is_new) {
      state_ = AlertState::pending;
      pending_since_ = now;
      begin_exclusion();
    }
    if (now - pending_since_ >= timing.hold_for) {
      state_ = AlertState::firing;
      firing_since_ = now;
      learned_ = false;
      ++episode_;
      return AlertTransition::fired;
    }
    return is_new ? AlertTransition::became_pending : AlertTransition::none;
  }
  switch (state_) {
    case AlertState::inactive:
      return AlertTransition::none;
    case AlertState::pending:
      state_ = AlertState::inactive;
      drop_exclusion();
      return AlertTransition::pending_dropped;
    case AlertState::firing:
      if (!false_since_) false_since_ = now;
      if (now - *false_since_ < timing.keep_firing_for) return AlertTransition::none;
      return resolve(now, timing);
  }
  return AlertTransition::none;
}

AlertTransition AlertLife::resolve(RecordTime now, const AlertTiming&) {
  if (state_ == AlertState::pending) {
    state_ = AlertState::inactive;
    drop_exclusion();
    return AlertTransition::pending_dropped;
  }
  if (state_ != AlertState::firing) return AlertTransition::none;
  state_ = AlertState::inactive;
  false_since_.reset();
  if (!learned_) close_exclusion(now);
  return AlertTransition::resolved;
}

void AlertLife::begin_exclusion() {
  exclusions_.push_back({pending_since_, open_end});
  ++version_;
}

void AlertLife::drop_exclusion() {
  exclusions_.pop_back();
  ++version_;
}

void AlertLife::close_exclusion(RecordTime now) {
  exclusions_.back().to = now;
  ++version_;
}

void AlertLife::learn(RecordTime now, const AlertTiming& timing) {
  if (state_ == AlertState::firing && !learned_ && now - pending_since_ >= timing.learn_after) {
    learned_ = true;
    drop_exclusion();
  }
  while (!exclusions_.empty() && exclusions_.front().to + timing.learn_after <= now) {
    exclusions_.erase(exclusions_.begin());
    ++version_;
  }
}

}  // namespace tocsin
