#include "core/stage/agent_versions.h"

#include <algorithm>

namespace tocsin {

namespace {

using namespace std::chrono_literals;

constexpr Duration showing_gap = 24h;
constexpr Duration remembered = 192h;
constexpr std::size_t most_values = 64;  // of one agent; more are noise, and the oldest go

constexpr std::array<StringField, 5> shown_fields{StringField::agent_version, StringField::spec,
                                                  StringField::spec_version, StringField::model,
                                                  StringField::model_version};

}  // namespace

void AgentVersions::note(const Sighting& sighting, RecordTime grid) {
  std::vector<Shown>& shown = agents_[sighting.agent];
  for (Shown& known : shown) {
    if (known.field != sighting.field || known.value != sighting.value) continue;
    if (grid - known.last > showing_gap) known.since = grid;
    known.last = grid;
    return;
  }
  if (shown.size() >= most_values) {
    shown.erase(
        std::min_element(shown.begin(), shown.end(), [](const Shown& a, const Shown& b) { return a.last < b.last; }));
  }
  shown.push_back({sighting.field, sighting.value, grid, grid});
}

const AgentVersions::Shown* AgentVersions::newest(const GroupKey& agent, StringField field) const {
  const auto found = agents_.find(agent);
  if (found == agents_.end()) return nullptr;
  const Shown* best = nullptr;
  for (const Shown& shown : found->second) {
    if (shown.field != field) continue;
    // Of two in one slice the one that appeared later is the newer version.
    if (best == nullptr || shown.last > best->last || (shown.last == best->last && shown.since >= best->since)) {
      best = &shown;
    }
  }
  return best;
}

std::string AgentVersions::current(const GroupKey& agent, StringField field) const {
  const Shown* shown = newest(agent, field);
  return shown == nullptr ? std::string{} : shown->value;
}

std::optional<RecordTime> AgentVersions::last_reset(const GroupKey& agent,
                                                    const std::vector<StringField>& fields) const {
  std::optional<RecordTime> reset;
  const auto found = agents_.find(agent);
  if (found == agents_.end()) return reset;
  for (const Shown& shown : found->second) {
    if (std::find(fields.begin(), fields.end(), shown.field) == fields.end()) continue;
    const bool had_another = std::any_of(found->second.begin(), found->second.end(), [&](const Shown& other) {
      return other.field == shown.field && other.value != shown.value && other.since < shown.since;
    });
    if (had_another && (!reset || shown.since > *reset)) reset = shown.since;
  }
  return reset;
}

Labels AgentVersions::versions(const GroupKey& agent) const {
  Labels labels;
  for (const StringField field : shown_fields) {
    if (const Shown* shown = newest(agent, field)) labels.emplace_back(name_of(field), shown->value);
  }
  return labels;
}

Labels AgentVersions::changed(const GroupKey& agent, RecordTime now) const {
  Labels labels;
  const auto found = agents_.find(agent);
  if (found == agents_.end()) return labels;
  for (const StringField field : shown_fields) {
    const Shown* shown = newest(agent, field);
    if (shown == nullptr || now - shown->since > 1h) continue;
    const Shown* before = nullptr;
    for (const Shown& other : found->second) {
      if (other.field != field || &other == shown || other.since >= shown->since) continue;
      if (before == nullptr || other.last > before->last) before = &other;
    }
    if (before != nullptr) labels.emplace_back(name_of(field), before->value + " -> " + shown->value);
  }
  return labels;
}

void AgentVersions::forget(RecordTime now) {
  for (auto agent = agents_.begin(); agent != agents_.end();) {
    std::erase_if(agent->second, [&](const Shown& shown) { return now - shown.last > remembered; });
    agent = agent->second.empty() ? agents_.erase(agent) : std::next(agent);
  }
}

}  // namespace tocsin
