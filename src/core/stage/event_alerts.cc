#include "core/stage/event_alerts.h"

#include <algorithm>
#include <utility>

#include "base/safeguard.h"
#include "base/time_text.h"
#include "core/alert/group_labels.h"
#include "core/alert/silence.h"
#include "core/stage/evaluate_keys.h"
#include "core/stage/oldest.h"
#include "core/stage/stage_wire.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

// What nobody resolved by hand ends with its halt, after seven days without a sign.
constexpr Duration forgotten_after = 168h;
constexpr Duration own_alerts_quiet = 1h;
// Of those that do not fire; the quietest go first.
constexpr std::size_t most_alerts = 100'000;
constexpr std::size_t most_secrets = 1'000;  // that one alert tells apart
const std::string not_acknowledged = "HaltNotAcknowledged";
const std::string rules_not_loaded = "RulesNotLoaded";

constexpr std::uint64_t event_alert_form = 1;  // version of the stored record

std::string halt_word(HaltState state) {
  switch (state) {
    case HaltState::enforced:
      return "HALTED";
    case HaltState::dry_run:
      return "WOULD HALT";
    case HaltState::held:
      return "HELD";
  }
  return {};
}

std::string name_of_secret(const UrgentFinding& finding) {
  return finding.fingerprint.empty() && finding.halt ? finding.halt->id : finding.fingerprint;
}

constexpr auto describe_event_alert = [](auto& coder, auto& alert) {
  wire::pass(coder, alert.firing);
  wire::pass(coder, alert.episode);
  wire::pass(coder, alert.times);
  wire::pass(coder, alert.last);
  wire::pass(coder, alert.resolved);
  wire::pass(coder, alert.quiet_for);
  wire::pass(coder, alert.accepted);
  wire::pass(coder, alert.fingerprints);
  wire::pass(coder, alert.change);
};

}  // namespace

EventAlerts::EventAlerts(const RuleSet& rules, std::string deployment, std::string command_url,
                         const AgentVersions& versions)
    : rules_(&rules), deployment_(std::move(deployment)), command_url_(std::move(command_url)), versions_(versions) {}

void EventAlerts::change_rules(const RuleSet& rules, RecordTime now, std::vector<AlertChange>& out) {
  for (auto& [key, alert] : alerts_) {
    const Rule* const old = rules_->find(key.first);
    if (old == nullptr || old->mode != RuleMode::event) continue;  // Tocsin's own
    const Rule* const next = rules.find(key.first);
    if (next != nullptr && next->mode == RuleMode::event && next->group_by == old->group_by) continue;
    if (!alert.firing) continue;
    resolve(alert, now, next == nullptr ? std::string(rule_removed) : std::string(rule_regrouped), out);
    changed_.insert(key);
  }
  rules_ = &rules;
}

void EventAlerts::apply(const UrgentFinding& finding, std::vector<AlertChange>& out) {
  switch (finding.notice) {
    case Notice::halt_storm:
      return raise(std::string(name_of(finding.notice)), {},
                   "more halts came at once than the limit allows; the rest is held for a person to decide",
                   finding.at, out);
    case Notice::source_not_keyed:
      return raise(
          std::string(name_of(finding.notice)), {{"topic", finding.place}},
          "records come without their correlation id as key, so that the events of one task lie in several "
          "partitions and nothing can say when such a task runs too long: set the producer's key to the "
          "correlation id (the Collector's Kafka exporter: partition_traces_by_id: true), or write 'keyed_by: none' "
          "under 'kafka'",
          finding.at, out);
    case Notice::poison_record:
      return raise(std::string(name_of(finding.notice)), {{"record", finding.place}},
                   "reading this record ended the process three times; it is passed over, counts nowhere and stands "
                   "among the dead letters: report it, with the record if you may",
                   finding.at, out);
    case Notice::records_gone:
      return raise(std::string(name_of(finding.notice)), {{"topic", finding.place}},
                   "telemetry was gone before it was read, " + finding.pattern +
                       ": its topic's retention was faster, or somebody made the topic anew; what it would have "
                       "raised, nobody knows",
                   finding.at, out);
    case Notice::heartbeat:
      return;
    case Notice::none:
      break;
  }
  // By name where it has one: it may come from a process with other rules.
  const Rule* const known = finding.rule_name.empty() && finding.rule < rules_->rules.size()
                                ? &rules_->rules[finding.rule]
                                : rules_->find(finding.rule_name);
  if (known == nullptr || known->mode != RuleMode::event) return;
  const Rule& rule = *known;
  const Key key{rule.name, finding.group};
  Alert& alert = alert_of(key);
  changed_.insert(key);
  if (const std::string secret = name_of_secret(finding); !secret.empty() && alert.accepted.contains(secret)) return;
  if (finding.halt) note_halt(alert, finding);
  if (alert.firing) {
    // A secret's halt counts its arrivals; without one only what is later is no copy of what was answered.
    if (finding.halt && !finding.fingerprint.empty()) {
      alert.times = std::max(alert.times, static_cast<std::int64_t>(finding.halt->count));
    } else if (finding.at > alert.last) {
      ++alert.times;
    }
    alert.last = std::max(alert.last, finding.at);
    return;
  }
  // The copy in the block of a finding that was answered, and resolved, before its slice closed.
  if (finding.at <= alert.resolved) return;
  alert.quiet_for = rule.resolve_manually ? Duration{} : rule.keep_firing_for;
  alert.last = finding.at;
  alert.times = 1;
  fire(alert, change_of(rule, finding), out);
}

EventAlerts::Alert& EventAlerts::alert_of(const Key& key) {
  const auto [entry, is_new] = alerts_.try_emplace(key);
  if (is_new) entry->second.episode = episodes_.take_out(rule_key({}, key.first, key.second));
  return entry->second;
}

void EventAlerts::note_halt(Alert& alert, const UrgentFinding& finding) {
  if (alert.fingerprints.size() < most_secrets || alert.fingerprints.contains(finding.halt->id)) {
    alert.fingerprints[finding.halt->id] = name_of_secret(finding);
  } else {
    alert.fingerprints[{}] = {};
  }
}

void EventAlerts::raise(const std::string& name, const Labels& labels, const std::string& summary, RecordTime at,
                        std::vector<AlertChange>& out) {
  const Key key{name, to_text(labels)};
  Alert& alert = alert_of(key);
  changed_.insert(key);
  alert.last = at;
  ++alert.times;
  if (alert.firing) return;
  alert.quiet_for = own_alerts_quiet;
  raise(alert, name, labels, summary, at, out);
}

void EventAlerts::apply(const AckReport& report, RecordTime at, std::vector<AlertChange>& out) {
  std::set<std::string> overdue;
  for (const Unacknowledged& one : report.overdue) {
    const Labels labels{{"scope", one.scope}};
    overdue.insert(to_text(labels));
    const std::string of_agent = one.agent.empty() ? "" : " of agent " + one.agent;
    apply({.alert = not_acknowledged,
           .labels = labels,
           .holds = true,
           .summary = "nobody has acknowledged the halt of " + one.scope + of_agent + " for " +
                      to_text(AckWatch::patience) +
                      ": it may run on, as an agent that does not read halts is stopped by none; look at it, and "
                      "stop it by hand",
           .over = {}},
          at, out);
  }
  end_others(not_acknowledged, overdue, at, out, [&](const GroupKey& labels) -> std::string {
    for (const auto& [scope, why] : report.ended) {
      if (to_text(Labels{{"scope", scope}}) == labels) return why;
    }
    return "no halt waits for an acknowledgement any more";
  });
}

void EventAlerts::apply(const std::vector<RuleTrouble>& troubles, RecordTime at, std::vector<AlertChange>& out) {
  std::set<std::string> standing;
  for (const RuleTrouble& trouble : troubles) {
    const Labels labels{{"process", trouble.process}};
    standing.insert(to_text(labels));
    apply({.alert = rules_not_loaded,
           .labels = labels,
           .holds = true,
           .summary = "the rule files of " + trouble.process +
                      " have a mistake, so the rules in force stay as they were: " + trouble.summary,
           .over = {}},
          at, out);
  }
  end_others(rules_not_loaded, standing, at, out,
             [](const GroupKey&) -> std::string { return "the files can be read again"; });
}

void EventAlerts::end_others(const std::string& name, const std::set<std::string>& standing, RecordTime at,
                             std::vector<AlertChange>& out,
                             const std::function<std::string(const GroupKey&)>& reason) {
  for (auto& [key, alert] : alerts_) {
    if (key.first != name || !alert.firing || standing.contains(key.second)) continue;
    changed_.insert(key);
    resolve(alert, at, reason(key.second), out);
  }
}

void EventAlerts::apply(const OwnCondition& condition, RecordTime at, std::vector<AlertChange>& out) {
  const Key key{condition.alert, to_text(condition.labels)};
  if (!condition.holds) {
    const auto known = alerts_.find(key);
    if (known == alerts_.end() || !known->second.firing) return;
    resolve(known->second, at, condition.over, out);
    changed_.insert(key);
    return;
  }
  Alert& alert = alert_of(key);
  alert.last = at;
  if (alert.firing) return;
  alert.times = 1;
  alert.quiet_for = Duration{};
  changed_.insert(key);
  raise(alert, condition.alert, condition.labels, condition.summary, at, out);
}

void EventAlerts::raise(Alert& alert, const std::string& name, const Labels& labels, const std::string& summary,
                        RecordTime at, std::vector<AlertChange>& out) {
  AlertChange change;
  change.at = at;
  change.alert = name;
  change.labels = labels;
  change.labels.emplace_back("severity", "critical");
  change.annotations = {{"summary", summary}};
  change.since = at;
  change.reason = "about Tocsin itself";
  change.alert_id = alert_id(deployment_, name, labels);
  change.actions.page = true;
  change.command = silence_command(name, labels, command_url_);
  fire(alert, std::move(change), out);
}

void EventAlerts::fire(Alert& alert, AlertChange change, std::vector<AlertChange>& out) {
  alert.firing = true;
  ++alert.episode;
  change.firing = true;
  change.episode = alert.episode;
  change.dedup_key = change.alert_id + ":" + std::to_string(alert.episode);
  if (change.actions.page) {
    change.page_id = page_id(change.alert_id, alert.episode, true);
    change.sends_page = true;
  }
  alert.change = change;
  out.push_back(std::move(change));
}

void EventAlerts::resolve(Alert& alert, RecordTime at, std::string reason, std::vector<AlertChange>& out) {
  alert.firing = false;
  alert.resolved = std::max(at, alert.last);
  AlertChange change = alert.change;
  change.at = at;
  change.firing = false;
  change.reason = std::move(reason);
  change.samples = alert.times;
  if (change.actions.page) change.page_id = page_id(change.alert_id, alert.episode, false);
  out.push_back(std::move(change));
}

AlertChange EventAlerts::change_of(const Rule& rule, const UrgentFinding& finding) const {
  AlertChange change;
  change.at = finding.at;
  change.alert = rule.name;
  const Labels group_labels = labels_of_group(rule.group_by, finding.group);
  change.labels = labels_of(rule, group_labels);
  change.value = 1;
  change.samples = 1;
  change.since = finding.at;
  change.alert_id = alert_id(deployment_, rule.name, group_labels);
  change.actions = rule.actions;
  change.reason = finding.pattern.empty() ? "the event matches"
                                          : "found in " + finding.place + ", fingerprint " + finding.fingerprint;

  const auto label = [&](std::string_view name) -> std::string_view {
    for (const auto& [known, value] : change.labels) {
      if (known == name) return value;
    }
    return {};
  };
  const auto number = [](const Variable&) { return unknown_number; };
  for (const auto& [name, text] : rule.annotations) change.annotations.emplace_back(name, text.render(label, number));
  const auto annotate = [&](std::string_view name, const std::string& text) {
    const auto is_there = [name](const auto& known) { return known.first == name; };
    if (!text.empty() && std::none_of(change.annotations.begin(), change.annotations.end(), is_there)) {
      change.annotations.emplace_back(name, text);
    }
  };
  annotate("pattern", finding.pattern);
  annotate("place", finding.place);
  annotate("fingerprint", finding.fingerprint);
  annotate("record", finding.record);
  annotate("rotate", finding.rotate);
  if (!finding.correlation_id.empty()) {
    AlertExample example{finding.correlation_id, {}};
    for (const auto& [name, text] : rule.links) {
      const auto link_label = [&](std::string_view wanted) -> std::string_view {
        return wanted == "correlation_id" ? std::string_view(finding.correlation_id) : label(wanted);
      };
      example.links.emplace_back(name, text.render(link_label, number));
    }
    change.examples.push_back(std::move(example));
  }
  GroupKey agent(label("env"));
  agent += '\0';
  agent += label("agent");
  change.versions = versions_.versions(agent);
  change.changed_versions = versions_.changed(agent, finding.at);
  if (finding.halt) {
    change.halt = halt_word(finding.halt->state);
    change.halt_id = finding.halt->id;
    change.halt_scope = finding.halt->scope;
    change.command = "tocsin halts release '" + finding.halt->scope + "' --by YOUR-NAME --reason WHY";
    if (!command_url_.empty()) change.command += " --url " + command_url_;
  } else {
    change.command = silence_command(rule.name, all_labels_of_group(rule.group_by, finding.group), command_url_);
  }
  return change;
}

void EventAlerts::release(const HaltRelease& release, std::vector<AlertChange>& out) {
  for (auto& [key, alert] : alerts_) {
    const auto halted = alert.fingerprints.find(release.id);
    if (halted == alert.fingerprints.end()) continue;
    alert.accepted.insert(halted->second);
    if (alert.accepted.size() > most_secrets) alert.accepted.erase(alert.accepted.begin());
    changed_.insert(key);
    // Another secret of the same kind in the same task keeps the alert firing.
    const bool all_accepted =
        std::all_of(alert.fingerprints.begin(), alert.fingerprints.end(),
                    [&accepted = alert.accepted](const auto& known) { return accepted.contains(known.second); });
    if (alert.firing && all_accepted) resolve(alert, as_record_time(release.at), "released by " + release.by, out);
  }
}

void EventAlerts::advance(RecordTime now, std::vector<AlertChange>& out) {
  for (auto entry = alerts_.begin(); entry != alerts_.end();) {
    Alert& alert = entry->second;
    const Duration quiet = now - alert.last;
    if (alert.firing && alert.quiet_for > 0s && quiet >= alert.quiet_for) {
      resolve(alert, now, "not seen for " + std::to_string(alert.quiet_for / 1min) + " min", out);
      changed_.insert(entry->first);
    } else if (alert.firing && quiet >= forgotten_after) {
      resolve(alert, now, "expired", out);
    }
    const bool forget = !alert.firing && quiet >= forgotten_after;
    if (forget) {
      changed_.insert(entry->first);
      episodes_.put_away(rule_key({}, entry->first.first, entry->first.second), alert.episode, now);
    }
    entry = forget ? alerts_.erase(entry) : std::next(entry);
  }
  if (alerts_.size() > most_alerts) forget_quietest(now);
}

void EventAlerts::forget_quietest(RecordTime now) {
  const auto quietest = oldest_of(
      alerts_, alerts_.size() - most_alerts, [](const Alert& alert) { return !alert.firing; },
      [](const Alert& alert) { return alert.last; });
  for (const Key& key : quietest) {
    changed_.insert(key);
    episodes_.put_away(rule_key({}, key.first, key.second), alerts_.at(key).episode, now);
    alerts_.erase(key);
  }
}

void EventAlerts::take_changes(std::vector<StateRecord>& out) {
  if (!holds(Safeguard::event_alerts_stored)) changed_.clear();
  for (const Key& key : changed_) {
    const auto found = alerts_.find(key);
    std::string value =
        found == alerts_.end() ? std::string{} : wire::write(found->second, event_alert_form, describe_event_alert);
    out.push_back({rule_key(event_prefix, key.first, key.second), std::move(value)});
  }
  changed_.clear();
  episodes_.take_changes([&](const std::string& key, std::string value) {
    out.push_back({std::string(episode_prefix) + key, std::move(value)});
  });
}

bool EventAlerts::restore(std::string_view rule, std::string_view group, std::string_view value) {
  const Key key{std::string(rule), GroupKey(group)};
  if (value.empty()) {
    alerts_.erase(key);
    return true;
  }
  Alert alert;
  if (!wire::read(value, event_alert_form, alert, describe_event_alert)) return false;
  alerts_[key] = std::move(alert);
  return true;
}

std::vector<EventAlerts::Active> EventAlerts::active() const {
  std::vector<Active> list;
  for (const auto& [key, alert] : alerts_) {
    if (alert.firing) list.push_back({alert.change, alert.times});
  }
  return list;
}

std::size_t EventAlerts::firing(const std::string& name) const {
  std::size_t count = 0;
  for (const auto& [key, alert] : alerts_) count += key.first == name && alert.firing ? 1 : 0;
  return count;
}

}  // namespace tocsin
