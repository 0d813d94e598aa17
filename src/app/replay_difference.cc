#include "app/replay_difference.h"

#include <algorithm>

namespace tocsin {

namespace {

using namespace std::chrono_literals;

bool is_one(const Episode& a, const Episode& b) {
  if (a.alert != b.alert || a.labels != b.labels) return false;
  constexpr Duration near = 1h;
  const auto is_within = [](RecordTime time, const Episode& other) {
    return time >= other.fired && (!other.resolved || time <= *other.resolved);
  };
  const Duration apart = a.fired < b.fired ? b.fired - a.fired : a.fired - b.fired;
  return apart <= near || is_within(a.fired, b) || is_within(b.fired, a);
}

RecordTime time_of(const EpisodeDifference& one) {
  return one.kind == EpisodeDifference::Kind::added ? one.after.fired : one.before.fired;
}

}  // namespace

void EpisodeLog::add(const AlertChange& change) {
  if (change.firing) {
    open_[change.alert_id] = episodes_.size();
    episodes_.push_back({change.alert, change.labels, change.at, std::nullopt});
    return;
  }
  const auto open = open_.find(change.alert_id);
  if (open == open_.end()) return;
  episodes_[open->second].resolved = change.at;
  open_.erase(open);
}

std::string_view name_of(EpisodeDifference::Kind kind) {
  switch (kind) {
    case EpisodeDifference::Kind::added:
      return "new";
    case EpisodeDifference::Kind::gone:
      return "gone";
    case EpisodeDifference::Kind::earlier:
      return "earlier";
    case EpisodeDifference::Kind::later:
      return "later";
  }
  return {};
}

std::vector<EpisodeDifference> differences(const std::vector<Episode>& before, const std::vector<Episode>& after) {
  using Kind = EpisodeDifference::Kind;
  std::vector<EpisodeDifference> list;
  std::vector<bool> is_known(after.size());
  for (const Episode& old : before) {
    std::size_t i = 0;
    while (i < after.size() && (is_known[i] || !is_one(old, after[i]))) ++i;
    if (i == after.size()) {
      list.push_back({Kind::gone, old, {}});
      continue;
    }
    is_known[i] = true;
    if (after[i].fired != old.fired) {
      list.push_back({after[i].fired < old.fired ? Kind::earlier : Kind::later, old, after[i]});
    }
  }
  for (std::size_t i = 0; i < after.size(); ++i) {
    if (!is_known[i]) list.push_back({Kind::added, {}, after[i]});
  }
  std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return time_of(a) < time_of(b); });
  return list;
}

}  // namespace tocsin
