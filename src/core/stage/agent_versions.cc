#include "core/stage/agent_versions.h"

#include <algorithm>

#include "core/stage/evaluate_keys.h"
#include "core/stage/stage_wire.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

constexpr Duration showing_gap = 24h;
constexpr Duration remembered = 192h;
constexpr std::uint64_t agent_form = 1;  // version of the stored record
constexpr std::size_t most_values = 64;  // of one agent; more are noise, and the oldest go

constexpr std::array<StringField, 5> shown_fields{StringField::agent_version, StringField::spec,
                                                  StringField::spec_version, StringField::model,
                                                  StringField::model_version};

}  // namespace

void AgentVersions::note(const Sighting& sighting, RecordTime grid) {
  Agent& agent = agents_[sighting.agent];
  if (grid <= agent.stored) return;  // read again after a restart: it is in the record
  agent.noted = grid;
  std::vector<Shown>& shown = agent.shown;
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
  for (const Shown& shown : found->second.shown) {
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
  for (const Shown& shown : found->second.shown) {
    if (std::find(fields.begin(), fields.end(), shown.field) == fields.end()) continue;
    const bool had_another =
        std::any_of(found->second.shown.begin(), found->second.shown.end(), [&](const Shown& other) {
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
    const Shown* old = before(found->second, *shown);
    if (old != nullptr) labels.emplace_back(name_of(field), old->value + " -> " + shown->value);
  }
  return labels;
}

const AgentVersions::Shown* AgentVersions::before(const Agent& agent, const Shown& shown) {
  const Shown* best = nullptr;
  for (const Shown& other : agent.shown) {
    if (other.field != shown.field || &other == &shown || other.since >= shown.since) continue;
    if (best == nullptr || other.last > best->last) best = &other;
  }
  return best;
}

std::string AgentVersions::previous(const GroupKey& agent, StringField field, std::string_view value) const {
  const auto found = agents_.find(agent);
  if (found == agents_.end()) return {};
  for (const Shown& shown : found->second.shown) {
    if (shown.field != field || shown.value != value) continue;
    const Shown* old = before(found->second, shown);
    return old == nullptr ? std::string{} : old->value;
  }
  return {};
}

void AgentVersions::forget(RecordTime now, std::vector<StateRecord>& out) {
  for (auto entry = agents_.begin(); entry != agents_.end();) {
    std::erase_if(entry->second.shown, [&](const Shown& shown) { return now - shown.last > remembered; });
    if (!entry->second.shown.empty()) {
      ++entry;
      continue;
    }
    out.push_back({std::string(versions_prefix) + entry->first, {}});
    entry = agents_.erase(entry);
  }
}

void AgentVersions::store(RecordTime grid, std::vector<StateRecord>& out) {
  for (auto& [name, agent] : agents_) {
    if (agent.noted <= agent.stored || !is_turn_of(name, grid)) continue;
    agent.stored = grid;
    wire::Writer writer;
    writer.number(agent_form);
    wire::pass(writer, agent.stored);
    writer.list(agent.shown, [&](Shown& shown) {
      wire::pass_enum(writer, shown.field, string_field_count);
      wire::pass(writer, shown.value);
      wire::pass(writer, shown.since);
      wire::pass(writer, shown.last);
    });
    out.push_back({std::string(versions_prefix) + name, writer.take()});
  }
}

bool AgentVersions::restore(std::string_view key, std::string_view value) {
  const GroupKey name(key.substr(versions_prefix.size()));
  if (value.empty()) {
    agents_.erase(name);
    return true;
  }
  wire::Reader reader(value);
  std::uint64_t version = 0;
  reader.number(version);
  if (version != agent_form) return false;
  Agent agent;
  wire::pass(reader, agent.stored);
  reader.list(agent.shown, [&](Shown& shown) {
    wire::pass_enum(reader, shown.field, string_field_count);
    wire::pass(reader, shown.value);
    wire::pass(reader, shown.since);
    wire::pass(reader, shown.last);
  });
  if (!reader.read_all()) return false;
  agent.noted = agent.stored;
  agents_[name] = std::move(agent);
  return true;
}

}  // namespace tocsin
