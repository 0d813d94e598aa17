#include "core/stage/task_alerts.h"

#include <algorithm>
#include <utility>

#include "base/time_text.h"
#include "core/alert/group_labels.h"
#include "core/alert/silence.h"
#include "core/stage/evaluate_keys.h"
#include "core/stage/oldest.h"
#include "core/stage/stage_wire.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

// Page groups are remembered as long as there is room, so that their episodes go on counting.
constexpr std::size_t most_pages = 100'000;
constexpr std::size_t most_listed = 20;
constexpr std::size_t most_episodes = 100'000;

// Versions of the stored records.
constexpr std::uint64_t task_alert_form = 1;
constexpr std::uint64_t folding_form = 1;
constexpr std::uint64_t episode_form = 1;

constexpr auto describe_task_alert = [](auto& coder, auto& alert) {
  wire::pass(coder, alert.news);
  wire::pass(coder, alert.change);
  wire::pass(coder, alert.over_since);
  wire::pass(coder, alert.end_reason);
  wire::pass(coder, alert.page_group);
};

// A section of its own: what releases before did not know.
constexpr auto describe_counted = [](auto& coder, auto& alert) {
  wire::pass_count(coder, alert.news);
  wire::pass(coder, alert.held_at);
};

constexpr auto describe_page = [](auto& coder, auto& page) {
  wire::pass(coder, page.episode);
  wire::pass_integer(coder, page.firing);
  wire::pass(coder, page.open);
  wire::pass(coder, page.last_used);
};

// Of one text field of the rule's `per`; `per`: as TaskNews has it.
std::string_view value_of_per(const Rule& rule, std::string_view per, std::string_view name) {
  if (!rule.count) return {};
  const auto values = parts_of_key(per);
  for (std::size_t i = 0; i < rule.count->per.size() && i < values.size(); ++i) {
    if (label_name(rule.count->per[i]) == name) return values[i];
  }
  return {};
}

// Whether the first bound of its condition is one on silence: then that is what an alert says of the task.
bool judges_silence(const Rule& rule) {
  const std::vector<double> inputs(rule.when.variables().size(), 1.0);
  std::vector<Condition::Threshold> thresholds;
  return !rule.count && rule.when.thresholds(inputs.data(), thresholds) && !thresholds.empty() &&
         thresholds.front().kind == Variable::Kind::silent;
}

// An empty value takes the part away again.
template <class Parts, class Describe>
bool restore(Parts& parts, const GroupKey& key, std::string_view value, std::uint64_t form, Describe describe) {
  if (value.empty()) {
    parts.erase(key);
    return true;
  }
  typename Parts::mapped_type part{};
  if (!wire::read(value, form, part, describe)) return false;
  parts[key] = std::move(part);
  return true;
}

}  // namespace

TaskAlerts::TaskAlerts(const Rule& rule, std::string deployment, const AgentVersions& versions)
    : rule_(rule),
      deployment_(std::move(deployment)),
      versions_(versions),
      judges_silence_(tocsin::judges_silence(rule)) {}

void TaskAlerts::describe_count(const TaskNews& news, AlertChange& change) const {
  change.value = news.value;
  change.value_unit = rule_.count->unit == Unit::money ? "usd" : rule_.count->unit == Unit::duration ? "seconds" : "";
  change.window = rule_.count->window.value_or(Duration{});
}

std::string TaskAlerts::reason_of(const TaskNews& news) const {
  const std::string running =
      to_text(floor<std::chrono::seconds>(news.elapsed)) + ", started " + to_rfc3339(news.started);
  if (judges_silence_ && news.value > 0) {
    return "has said nothing for " + to_text(floor<std::chrono::seconds>(duration_of_seconds(news.value))) +
           "; running for " + running;
  }
  if (!rule_.count) return "still running after " + running;
  const TaskCount& count = *rule_.count;
  std::string text = count.sum ? std::string(name_of(*count.sum)) + " of " : std::string{};
  text += std::string(name_of(rule_.from)) + " came to " + number_text(news.value);
  if (count.window) text += " within " + to_text(*count.window);
  for (const auto& [name, value] : labels_of_group(count.per, news.per)) text += ", " + name + "=" + value;
  return text + "; running for " + running;
}

GroupKey TaskAlerts::page_group_of(const GroupKey& group) const {
  if (rule_.page_by.empty()) return group;
  const Labels labels = labels_of_group(rule_.group_by, group);
  GroupKey key;
  for (std::size_t i = 0; i < rule_.page_by.size(); ++i) {
    if (i > 0) key += '\0';
    for (const auto& [name, value] : labels) {
      if (name == label_name(rule_.page_by[i])) key += value;
    }
  }
  return key;
}

std::string TaskAlerts::page_alert_id(const GroupKey& page_group) const {
  const auto& fields = rule_.page_by.empty() ? rule_.group_by : rule_.page_by;
  return alert_id(deployment_, rule_.name, labels_of_group(fields, page_group));
}

AlertChange TaskAlerts::change_of(const TaskNews& news, const GroupKey& group, RecordTime now) const {
  AlertChange change;
  change.at = now;
  change.alert = rule_.name;
  const Labels group_labels = labels_of_group(rule_.group_by, group);
  change.labels = labels_of(rule_, group_labels);
  const double elapsed = static_cast<double>(news.elapsed.count()) / 1'000;
  const double silent = !rule_.count && news.value > 0 ? news.value : unknown_number;
  change.value = judges_silence_ && !is_unknown(silent) ? silent : elapsed;
  change.value_unit = "seconds";
  change.baseline = news.limit;
  change.samples = 1;
  if (rule_.count) describe_count(news, change);
  change.episode = 1;
  change.condition = rule_.when_text;
  change.since = now;
  change.reason = reason_of(news);
  change.alert_id = alert_id(deployment_, rule_.name, group_labels);
  // What one page covers is silenced together.
  const auto& fields = rule_.page_by.empty() ? rule_.group_by : rule_.page_by;
  change.command = silence_command(rule_.name, all_labels_of_group(fields, page_group_of(group)), {});
  change.actions = rule_.actions;

  std::string correlation_id;
  const auto label = [&](std::string_view name) -> std::string_view {
    for (const auto& [known, value] : change.labels) {
      if (known == name) return value;
    }
    return value_of_per(rule_, news.per, name);
  };
  correlation_id = label("correlation_id");
  const auto number = [&](const Variable& variable) {
    if (variable.kind == Variable::Kind::elapsed) return elapsed;
    if (variable.kind == Variable::Kind::silent) return silent;
    if (variable.kind == Variable::Kind::value) {
      return variable.index == threshold_number ? news.limit : news.value;
    }
    const bool is_wall_clock =
        variable.kind == Variable::Kind::spec && static_cast<SpecBound>(variable.index) == SpecBound::wall_clock;
    return is_wall_clock ? news.wall_clock : unknown_number;
  };
  for (const auto& [name, text] : rule_.annotations)
    change.annotations.emplace_back(name, text.render(label, number));
  AlertExample example{correlation_id, {}};
  for (const auto& [name, text] : rule_.links) example.links.emplace_back(name, text.render(label, number));
  change.examples.push_back(std::move(example));
  GroupKey agent(label("env"));
  agent += '\0';
  agent += label("agent");
  change.versions = versions_.versions(agent);
  change.changed_versions = versions_.changed(agent, now);
  return change;
}

void TaskAlerts::begin(const TaskNews& news, RecordTime now, std::vector<Changed>& changed) {
  Alert alert;
  alert.news = news;
  alert.page_group = page_group_of(news.group);
  alert.held_at = now;
  alert.change = change_of(news, news.group, now);
  alert.change.episode = ++episodes_[news.group];
  changed_episodes_.insert(news.group);
  changed_alerts_.insert(news.group);
  PageGroup& page = pages_[alert.page_group];
  ++page.firing;
  page.last_used = now;
  changed.push_back({news.group, alert.page_group, alert.change});
  alerts_.emplace(news.group, std::move(alert));
}

void TaskAlerts::note_end(Alert& alert, const TaskNews& news, RecordTime now) const {
  alert.over_since = now;
  alert.news.elapsed = news.elapsed;
  alert.end_reason = "the task ended";
  if (news.outcome != Outcome::absent) alert.end_reason += ": " + std::string(name_of(news.outcome));
  if (news.kind == TaskNews::Kind::lost) alert.end_reason = "lost: the task never ended";
}

std::optional<std::string> TaskAlerts::end_reason_of(const Alert& alert, RecordTime now) const {
  if (alert.over_since) {
    return now - *alert.over_since < rule_.keep_firing_for ? std::nullopt : std::optional(alert.end_reason);
  }
  if (!rule_.count || !rule_.count->window) return std::nullopt;
  const Duration quiet = *rule_.count->window + rule_.keep_firing_for;
  if (now - alert.held_at < quiet) return std::nullopt;
  return "nothing made the condition hold for " + to_text(quiet);
}

void TaskAlerts::end_due(RecordTime now, std::vector<Changed>& changed) {
  for (auto entry = alerts_.begin(); entry != alerts_.end();) {
    Alert& alert = entry->second;
    const auto reason = end_reason_of(alert, now);
    if (!reason) {
      ++entry;
      continue;
    }
    AlertChange change = change_of(alert.news, entry->first, now);
    change.firing = false;
    change.episode = alert.change.episode;
    change.since = alert.change.since;
    change.reason = *reason;
    PageGroup& page = pages_[alert.page_group];
    --page.firing;
    page.last_used = now;
    changed_alerts_.insert(entry->first);
    changed.push_back({entry->first, alert.page_group, std::move(change)});
    entry = alerts_.erase(entry);
  }
}

void TaskAlerts::fold_pages(std::vector<Changed>& changed) {
  std::map<GroupKey, std::vector<Changed*>> by_page;
  for (Changed& one : changed) by_page[one.page_group].push_back(&one);
  for (auto& [key, changes] : by_page) {
    PageGroup& page = pages_[key];
    changed_pages_.insert(key);
    const bool opens = !page.open && page.firing > 0;
    const bool closes = page.open && page.firing == 0;
    if (opens) ++page.episode;
    page.open = page.firing > 0;
    const std::string id = page_alert_id(key);
    for (Changed* one : changes) {
      AlertChange& change = one->change;
      change.dedup_key = id + ":" + std::to_string(page.episode);
      change.page_id = page_id(id, page.episode, change.firing || page.open);
      if (const auto alert = alerts_.find(one->group); alert != alerts_.end()) {
        alert->second.change.page_id = change.page_id;
        alert->second.change.dedup_key = change.dedup_key;
      }
    }
    if (!opens && !closes) continue;
    AlertChange& sender = opens ? changes.front()->change : changes.back()->change;
    sender.sends_page = true;
    if (closes) continue;
    sender.examples.clear();
    for (const auto& [group, alert] : alerts_) {
      if (alert.page_group == key && sender.examples.size() < most_listed) {
        sender.examples.push_back(alert.change.examples.front());
      }
    }
  }
}

void TaskAlerts::advance(const std::vector<const TaskNews*>& news, RecordTime now, std::vector<AlertChange>& out) {
  std::vector<Changed> changed;
  for (const TaskNews* item : news) {
    const auto known = alerts_.find(item->group);
    if (item->kind == TaskNews::Kind::over) {
      if (known == alerts_.end()) {
        begin(*item, now, changed);
      } else if (rule_.count) {
        known->second.held_at = now;
        changed_alerts_.insert(item->group);
      }
    } else if (known != alerts_.end() && !known->second.over_since) {
      note_end(known->second, *item, now);
      changed_alerts_.insert(item->group);
    }
  }
  end_due(now, changed);
  if (changed.empty()) return;
  if (rule_.actions.page) fold_pages(changed);
  for (const Changed& one : changed) changed_pages_.insert(one.page_group);
  for (Changed& one : changed) out.push_back(std::move(one.change));
  if (pages_.size() > most_pages) {
    const auto oldest = oldest_of(
        pages_, pages_.size() - most_pages, [](const PageGroup& page) { return page.firing == 0; },
        [](const PageGroup& page) { return page.last_used; });
    for (const GroupKey& key : oldest) {
      changed_pages_.insert(key);
      pages_.erase(key);
    }
  }
  std::erase_if(episodes_, [&](const auto& entry) {
    const bool is_over = !alerts_.contains(entry.first) && episodes_.size() > most_episodes;
    if (is_over) changed_episodes_.insert(entry.first);
    return is_over;
  });
}

void TaskAlerts::end_all(RecordTime now, const std::string& reason, std::vector<AlertChange>& out) {
  std::vector<Changed> changed;
  for (auto& [group, alert] : alerts_) {
    AlertChange change = alert.change;
    change.at = now;
    change.firing = false;
    change.reason = reason;
    change.sends_page = false;
    PageGroup& page = pages_[alert.page_group];
    --page.firing;
    page.last_used = now;
    changed_alerts_.insert(group);
    changed_pages_.insert(alert.page_group);
    changed.push_back({group, alert.page_group, std::move(change)});
  }
  alerts_.clear();
  if (rule_.actions.page && !changed.empty()) fold_pages(changed);
  for (Changed& one : changed) out.push_back(std::move(one.change));
}

std::string TaskAlerts::encode(const Alert& alert) const {
  std::string record = wire::write(alert, task_alert_form, describe_task_alert);
  wire::Writer counted;
  Alert copy = alert;
  describe_counted(counted, copy);
  std::string sections;
  wire::append_section(sections, counted.take());
  return wire::join(record, sections);
}

void TaskAlerts::take_all(std::vector<StateRecord>& out) {
  for (const auto& [group, alert] : alerts_) changed_alerts_.insert(group);
  for (const auto& [group, page] : pages_) changed_pages_.insert(group);
  for (const auto& [group, episode] : episodes_) changed_episodes_.insert(group);
  take_changes(out);
}

void TaskAlerts::take_changes(std::vector<StateRecord>& out) {
  // Each part that is still there is written by `encode`; the record of one that is gone is empty.
  const auto take = [&](std::set<GroupKey>& changed, auto& parts, std::string_view prefix, auto encode) {
    for (const GroupKey& key : changed) {
      const auto part = parts.find(key);
      out.push_back({rule_key(prefix, rule_.name, key), part == parts.end() ? std::string{} : encode(part->second)});
    }
    changed.clear();
  };
  take(changed_alerts_, alerts_, overrun_prefix, [&](const Alert& alert) { return encode(alert); });
  take(changed_pages_, pages_, folding_prefix,
       [](const PageGroup& page) { return wire::write(page, folding_form, describe_page); });
  take(changed_episodes_, episodes_, episode_prefix,
       [](std::int64_t episode) { return wire::write(episode, episode_form, wire::describe); });
}

bool TaskAlerts::restore_alert(const GroupKey& group, std::string_view value) {
  auto parts = wire::parts_of(value);
  if (!parts || !restore(alerts_, group, parts->record, task_alert_form, describe_task_alert)) return false;
  if (value.empty()) return true;
  Alert& alert = alerts_[group];
  alert.held_at = alert.change.at;
  const auto own = parts->sections.empty() ? std::string_view{} : *wire::next_section(parts->sections);
  if (own.empty()) return true;
  wire::Reader counted(own);
  describe_counted(counted, alert);  // behind it a later release may say more
  return counted.good();
}

bool TaskAlerts::restore_folding(const GroupKey& page_group, std::string_view value) {
  return restore(pages_, page_group, value, folding_form, describe_page);
}

bool TaskAlerts::restore_episode(const GroupKey& group, std::string_view value) {
  return restore(episodes_, group, value, episode_form, wire::describe);
}

void TaskAlerts::active(std::vector<AlertChange>& out) const {
  for (const auto& [group, alert] : alerts_) out.push_back(alert.change);
}

}  // namespace tocsin
