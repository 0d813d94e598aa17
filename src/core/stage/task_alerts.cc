#include "core/stage/task_alerts.h"

#include <algorithm>
#include <utility>

#include "base/time_text.h"
#include "core/alert/silence.h"
#include "core/stage/evaluate_keys.h"
#include "core/stage/oldest.h"
#include "core/stage/stage_wire.h"
#include "core/stage/window_rule.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

// Page groups are remembered as long as there is room, so that their episodes go on counting.
constexpr std::size_t most_pages = 100'000;
constexpr std::size_t most_listed = 20;
constexpr std::size_t most_episodes = 100'000;

// Versions of the stored records.
constexpr std::uint64_t alert_form = 1;
constexpr std::uint64_t folding_form = 1;
constexpr std::uint64_t episode_form = 1;

constexpr auto describe_alert = [](auto& coder, auto& alert) {
  wire::pass(coder, alert.news);
  wire::pass(coder, alert.change);
  wire::pass(coder, alert.over_since);
  wire::pass(coder, alert.end_reason);
  wire::pass(coder, alert.page_group);
};

constexpr auto describe_page = [](auto& coder, auto& page) {
  wire::pass(coder, page.episode);
  wire::pass_integer(coder, page.firing);
  wire::pass(coder, page.open);
  wire::pass(coder, page.last_used);
};

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
    : rule_(rule), deployment_(std::move(deployment)), versions_(versions) {}

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
  change.labels = group_labels;
  change.labels.insert(change.labels.end(), rule_.labels.begin(), rule_.labels.end());
  change.value = static_cast<double>(news.elapsed.count()) / 1'000;
  change.value_unit = "seconds";
  change.baseline = news.limit;
  change.samples = 1;
  change.episode = 1;
  change.condition = rule_.when_text;
  change.since = now;
  change.reason = "still running after " + to_text(floor<std::chrono::seconds>(news.elapsed)) + ", started " +
                  to_rfc3339(news.started);
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
    return {};
  };
  correlation_id = label("correlation_id");
  const auto number = [&](const Variable& variable) {
    if (variable.kind == Variable::Kind::elapsed) return change.value;
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

void TaskAlerts::end_due(RecordTime now, std::vector<Changed>& changed) {
  for (auto entry = alerts_.begin(); entry != alerts_.end();) {
    Alert& alert = entry->second;
    if (!alert.over_since || now - *alert.over_since < rule_.keep_firing_for) {
      ++entry;
      continue;
    }
    AlertChange change = change_of(alert.news, entry->first, now);
    change.firing = false;
    change.episode = alert.change.episode;
    change.since = alert.change.since;
    change.reason = alert.end_reason;
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
      if (known == alerts_.end()) begin(*item, now, changed);
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

void TaskAlerts::take_all(std::vector<StateRecord>& out) {
  for (const auto& [group, alert] : alerts_) changed_alerts_.insert(group);
  for (const auto& [group, page] : pages_) changed_pages_.insert(group);
  for (const auto& [group, episode] : episodes_) changed_episodes_.insert(group);
  take_changes(out);
}

void TaskAlerts::take_changes(std::vector<StateRecord>& out) {
  // Each part that is still there is written by `describe`; the record of one that is gone is empty.
  const auto take = [&](std::set<GroupKey>& changed, auto& parts, std::string_view prefix, std::uint64_t form,
                        auto describe) {
    for (const GroupKey& key : changed) {
      const auto part = parts.find(key);
      std::string value = part == parts.end() ? std::string{} : wire::write(part->second, form, describe);
      out.push_back({rule_key(prefix, rule_.name, key), std::move(value)});
    }
    changed.clear();
  };
  take(changed_alerts_, alerts_, overrun_prefix, alert_form, describe_alert);
  take(changed_pages_, pages_, folding_prefix, folding_form, describe_page);
  take(changed_episodes_, episodes_, episode_prefix, episode_form, wire::describe);
}

bool TaskAlerts::restore_alert(const GroupKey& group, std::string_view value) {
  return restore(alerts_, group, value, alert_form, describe_alert);
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
