// The level of a group that a person accepted as usual, and how it stands in for a baseline.
//
// From an acceptance on, what lies before the episode that was accepted says nothing. The level is what the rule's
// window shows, cut so that it begins with that episode. Until that is enough to go by, nothing is judged. Then the
// level judges, until the time since is a warm baseline; and the larger of the two until the episode's beginning has
// aged out of the baseline's range: a quiet night must not make the accepted level look like a spike.

#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "base/wire.h"
#include "core/rule/rule.h"
#include "core/window/baseline.h"

namespace tocsin {

struct AcceptedLevel {
  EventTime last_order{};           // when the last acceptance was given that was looked at
  std::optional<RecordTime> since;  // when the accepted episode began; nothing where none was accepted
  std::string measures;             // what `levels` are levels of
  Duration window{};                // that totals among them are of
  std::vector<double> levels;       // by named value; none while too little was seen
};

// The level in the place of a baseline, or the baseline taken to be as high at least. `window`: the nominal length
// that totals are scaled to. Requires: `accepted` has levels.
inline BaselineFigures at_least(const AcceptedLevel& accepted, std::size_t value, NamedValue::View view,
                                BaselineFigures figures, Duration window) {
  if (value >= accepted.levels.size()) return figures;
  double level = accepted.levels[value];
  if (view == NamedValue::View::total && accepted.window > Duration{}) {
    level *= static_cast<double>(window.count()) / static_cast<double>(accepted.window.count());
  }
  if (figures.is_warm) {
    if (is_unknown(level)) return figures;
    figures.mean = std::max(figures.mean, level);
    figures.peak = std::max(figures.peak, level);
    return figures;
  }
  figures.mean = level;
  figures.deviation = 0;
  figures.is_warm = !is_unknown(level);
  return figures;
}

namespace wire {

template <class Coder>
void pass(Coder& coder, AcceptedLevel& accepted) {
  pass(coder, accepted.last_order);
  pass(coder, accepted.since);
  pass(coder, accepted.measures);
  pass(coder, accepted.window);
  coder.list(accepted.levels, [&](double& level) { pass(coder, level); });
}

}  // namespace wire

}  // namespace tocsin
