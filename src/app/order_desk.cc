#include "app/order_desk.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "base/json_version.h"
#include "base/time_text.h"
#include "core/alert/acceptance.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

DeskAnswer answer(int status, const Json& json, std::vector<NewRecord> records = {}) {
  return {status, dump(json), std::move(records), {}};
}

DeskAnswer error(int status, const std::string& message) {
  return answer(status, {{"error", message}});
}

// A small body of ours: never nested, a few names.
std::optional<Json> small_object(const std::string& body) {
  constexpr std::size_t most_bytes = 64 << 10;
  if (body.size() > most_bytes) return std::nullopt;
  int depth = 0;
  for (const char c : body) {
    if ((c == '{' || c == '[') && ++depth > 64) return std::nullopt;
  }
  Json json = parse_json(body);
  if (!json.is_object()) return std::nullopt;
  return json;
}

std::string shortened_text_of(const Json& json, const char* key) {
  return text_of(json, key).substr(0, 512);
}

std::string_view state_of(const Silence& silence, EventTime now) {
  return now < silence.from ? "pending" : silence.is_active(now) ? "active" : "ended";
}

Json json_of(const Silence& silence, EventTime now) {
  Json json = parse_json(to_json(silence));
  json["state"] = state_of(silence, now);
  return json;
}

Labels labels_of(const Json& json) {
  Labels labels;
  const auto found = json.find("labels");
  if (found == json.end() || !found->is_object()) return labels;
  for (const auto& [name, value] : found->items()) {
    labels.emplace_back(name, value.is_string() ? value.get<std::string>() : std::string{});
  }
  return labels;
}

bool is_among(const std::vector<std::pair<std::string, TemplateText>>& labels, std::string_view name) {
  return std::any_of(labels.begin(), labels.end(), [&](const auto& label) { return label.first == name; });
}

std::string_view label_of(const Labels& labels, std::string_view name) {
  const auto found =
      std::find_if(labels.begin(), labels.end(), [&](const auto& label) { return label.first == name; });
  return found == labels.end() ? std::string_view{} : std::string_view(found->second);
}

std::vector<std::string> group_labels_of(const Rule& rule) {
  std::vector<std::string> names;
  for (const GroupField& field : rule.group_by) names.push_back(label_name(field));
  return names;
}

std::string list_of(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

// Of those that fire, the groups of `rule` with these labels: their own labels, and since when they fire.
std::vector<std::pair<Labels, EventTime>> firing_groups(const Rule& rule, const Labels& labels,
                                                        const AlertsNow& alerts) {
  std::vector<std::pair<Labels, EventTime>> groups;
  for (const ActiveAlert& alert : alerts.firing) {
    const Labels& all = alert.change.labels;
    const bool has_labels = std::all_of(
        labels.begin(), labels.end(), [&](const auto& label) { return label_of(all, label.first) == label.second; });
    if (alert.change.alert != rule.name || !has_labels) continue;
    Labels own;
    for (const std::string& name : group_labels_of(rule)) {
      if (!label_of(all, name).empty()) own.emplace_back(name, label_of(all, name));
    }
    groups.emplace_back(std::move(own), as_event_time(alert.change.at));
  }
  return groups;
}

std::vector<std::string> matchers_of(const Json& json) {
  std::vector<std::string> texts;
  const auto found = json.find("matchers");
  if (found == json.end()) return texts;
  if (found->is_string()) return {found->get<std::string>()};
  for (const Json& item : *found) texts.push_back(item.is_string() ? item.get<std::string>() : std::string{});
  return texts;
}

}  // namespace

void OrderDesk::apply(Topic topic, std::string_view key, std::string_view value) {
  if (topic == Topic::halts) halts_.apply(key, value);
  if (topic == Topic::silences) silences_.apply(key, value);
}

std::optional<DeskAnswer> OrderDesk::handle(const DeskRequest& request, EventTime now, EventTime stream_now,
                                            const AlertsNow* alerts) const {
  const auto is = [&](std::string_view method, std::initializer_list<std::string_view> path) {
    return request.method == method && std::equal(request.path.begin(), request.path.end(), path.begin(), path.end());
  };
  if (is("POST", {"v1", "halts", "release"})) return release(request.body, stream_now);
  if (is("POST", {"v1", "halts", "drill"})) return drill(request.body, now, stream_now);
  if (is("POST", {"v1", "halt-acks"})) return acknowledge(request.body, now);
  if (is("GET", {"v1", "halts"})) return list_halts({}, stream_now);
  if (request.path.size() == 3 && is("GET", {"v1", "halts", request.path[2]})) {
    return list_halts(request.path[2], stream_now);
  }
  if (is("POST", {"v1", "silences"})) return add_silence(request.body, stream_now);
  if (is("POST", {"v1", "silences", "expire"})) return expire_silence(request.body, stream_now);
  if (is("GET", {"v1", "silences"})) return list_silences(stream_now);
  if (alerts != nullptr && is("POST", {"v1", "baselines", "accept"})) {
    return accept_level(request.body, stream_now, *alerts);
  }
  return std::nullopt;
}

DeskAnswer OrderDesk::list_halts(const std::string& scope, EventTime stream_now) const {
  Json list = Json::array();
  for (const HaltBook::Item& item : scope.empty() ? halts_.items() : halts_.of_scope(scope)) {
    Json json = parse_json(to_json(item.halt));
    json["active"] = item.is_active(stream_now);
    json["release"] = item.release ? parse_json(to_json(*item.release)) : Json(nullptr);
    list.push_back(std::move(json));
  }
  Json body{{"halts", std::move(list)}};
  if (!scope.empty()) {
    body["scope"] = scope;
    body["halted"] = halts_.is_halted(scope, stream_now);
  }
  return answer(200, body);
}

DeskAnswer OrderDesk::release(const std::string& body, EventTime stream_now) const {
  const auto json = small_object(body);
  if (!json) return error(400, "a JSON object is needed: {\"scope\", \"by\", \"reason\"}");
  const std::string scope = shortened_text_of(*json, "scope"), by = shortened_text_of(*json, "by"),
                    reason = shortened_text_of(*json, "reason");
  if (scope.empty() || by.empty() || reason.empty()) {
    return error(400, "'scope', 'by' and 'reason' are needed: a release has a name and a reason");
  }
  const std::string only = shortened_text_of(*json, "halt_id");
  std::vector<NewRecord> records;
  Json released = Json::array();
  for (const HaltRecord& halt : halts_.unreleased(scope)) {
    if (!only.empty() && halt.id != only) continue;
    const HaltRelease one{halt.id, scope, by, reason, stream_now};
    records.push_back({Topic::halts, 0, one.key(), to_json(one)});
    released.push_back(halt.id);
  }
  if (records.empty()) return error(404, "nothing to release: the scope has no unreleased halt");
  return answer(200, {{"scope", scope}, {"released", released}}, std::move(records));
}

DeskAnswer OrderDesk::drill(const std::string& body, EventTime now, EventTime stream_now) const {
  const auto json = small_object(body);
  const std::string scope = json ? shortened_text_of(*json, "scope") : std::string{};
  const std::string by = json ? shortened_text_of(*json, "by") : std::string{};
  const bool known = scope.starts_with("task:") || scope.starts_with("agent:");
  if (!known || scope.back() == ':' || by.empty()) {
    return error(400, "'scope' (task:ID or agent:NAME) and 'by' are needed");
  }
  HaltRecord halt;
  halt.scope = scope;
  halt.id = halt_id(options_.deployment, "drill", scope, to_rfc3339(now));
  halt.rule = "drill";
  halt.reason = "a drill, by " + by;
  halt.state = options_.enforce ? HaltState::enforced : HaltState::dry_run;
  halt.first_at = halt.last_at = stream_now;
  halt.expires_at = halt.first_at + 10min;
  return answer(200, parse_json(to_json(halt)), {{Topic::halts, 0, halt.key(), to_json(halt)}});
}

DeskAnswer OrderDesk::acknowledge(const std::string& body, EventTime now) {
  const auto json = small_object(body);
  const std::string id = json ? shortened_text_of(*json, "halt_id") : std::string{};
  const std::string scope = json ? shortened_text_of(*json, "scope") : std::string{};
  if (id.empty() || scope.empty()) return error(400, "'halt_id' and 'scope' are needed");
  const Json ack{{"kind", "halt_ack"},    {"halt_id", id},
                 {"scope", scope},        {"by", shortened_text_of(*json, "by")},
                 {"at", to_rfc3339(now)}, {"version", json_version}};
  return answer(202, {{"acknowledged", id}}, {{Topic::halt_acks, 0, id, dump(ack)}});
}

DeskAnswer OrderDesk::list_silences(EventTime stream_now) const {
  Json list = Json::array();
  for (const Silence& silence : silences_.items()) list.push_back(json_of(silence, stream_now));
  return answer(200, {{"silences", std::move(list)}});
}

DeskAnswer OrderDesk::add_silence(const std::string& body, EventTime stream_now) const {
  const auto json = small_object(body);
  if (!json) return error(400, "a JSON object is needed: {\"matchers\", \"for\" or \"until\", \"by\", \"reason\"}");
  if (silences_.is_full()) return error(409, "there are as many silences as fit; expired ones go after five days");
  EventTime from = stream_now;
  if (json->contains("from")) {
    const auto given = parse_rfc3339(shortened_text_of(*json, "from"));
    if (!given) return error(400, "'from' must be a time such as 2026-01-07T12:00:00Z");
    from = *given;
  }
  const auto until = parse_rfc3339(shortened_text_of(*json, "until"));
  const auto length = parse_duration(shortened_text_of(*json, "for"));
  if (until.has_value() == length.has_value()) {
    return error(400, "either 'for' (such as 2h) or 'until' (such as 2026-01-07T12:00:00Z) is needed");
  }
  // Longer ones are refused anyway; as they are, they could leave the range of times.
  const EventTime end = until ? *until : from + std::min(*length, Duration{1'000 * 24h});
  const auto silence = make_silence(matchers_of(*json), from, end, shortened_text_of(*json, "by"),
                                    shortened_text_of(*json, "reason"), stream_now);
  if (!silence) return error(400, silence.error());
  return answer(200, json_of(silence.value(), stream_now),
                {{Topic::silences, 0, silence.value().key(), to_json(silence.value())}});
}

DeskAnswer OrderDesk::expire_silence(const std::string& body, EventTime stream_now) const {
  const auto json = small_object(body);
  const std::string id = json ? shortened_text_of(*json, "id") : std::string{};
  const std::string by = json ? shortened_text_of(*json, "by") : std::string{};
  if (id.empty() || by.empty()) return error(400, "'id' and 'by' are needed");
  const Silence* known = silences_.find(id);
  if (known == nullptr) return error(404, "there is no silence with this id");
  if (stream_now >= known->ends_at()) return error(404, "this silence has ended already");
  Silence silence = *known;
  silence.expired_at = stream_now;
  silence.expired_by = by;
  return answer(200, json_of(silence, stream_now), {{Topic::silences, 0, silence.key(), to_json(silence)}});
}

DeskAnswer OrderDesk::accept_level(const std::string& body, EventTime stream_now, const AlertsNow& alerts) {
  const auto json = small_object(body);
  if (!json) return error(400, "a JSON object is needed: {\"alert\", \"labels\", \"by\", \"reason\"}");
  EventTime at = stream_now;
  auto order = make_acceptance(shortened_text_of(*json, "alert"), {}, shortened_text_of(*json, "by"),
                               shortened_text_of(*json, "reason"), stream_now);
  if (!order) return error(400, order.error());
  const Rule* const rule = alerts.rules->find(order.value().alert);
  if (rule == nullptr) {
    std::vector<std::string> names;
    for (const Rule& one : alerts.rules->rules) {
      if (one.baseline) names.push_back(one.name);
    }
    return error(404, "there is no alert " + order.value().alert + "; those with a baseline: " + list_of(names));
  }
  if (!rule->baseline) {
    return error(409, rule->name + " has no baseline that could learn a level: edit its rule, or silence it");
  }
  Labels labels = labels_of(*json);
  const std::vector<std::string> names = group_labels_of(*rule);
  for (const auto& [name, value] : labels) {
    const bool is_known = std::find(names.begin(), names.end(), name) != names.end() || is_among(rule->labels, name);
    if (!is_known) return error(400, rule->name + " has no label " + name + "; its groups have: " + list_of(names));
  }
  const auto groups = firing_groups(*rule, labels, alerts);
  if (groups.size() > 1) {
    std::string list;
    for (const auto& group : groups) list += "; " + to_text(group.first);
    return error(409, "several groups fire, name one of them" + list);
  }
  if (groups.size() == 1) {
    labels = groups.front().first;
    at = std::max(at, groups.front().second);  // the stream's clock may be ahead of this one
  } else if (alerts.is_all) {
    return error(404, rule->name + " does not fire for " + (labels.empty() ? "any group" : to_text(labels)) +
                          ": there is no level to accept. GET /v1/alerts (tocsin alerts list) shows what fires");
  } else {
    // The process that has the group knows whether it fires.
    std::erase_if(
        labels, [&](const auto& label) { return std::find(names.begin(), names.end(), label.first) == names.end(); });
    if (labels.size() < names.size()) {
      return error(404, rule->name + " does not fire here for a group with these labels. To order it of whichever " +
                            "process has the group, name all its labels: " + list_of(names));
    }
  }
  order = make_acceptance(rule->name, std::move(labels), order.value().by, order.value().reason, at);
  if (!order) return error(400, order.error());
  const Acceptance& made = order.value();
  Json told = parse_json(to_json(made));
  told["fires_here"] = !groups.empty();
  DeskAnswer given = answer(groups.empty() ? 202 : 200, told, {{Topic::silences, 0, made.key(), to_json(made)}});
  given.log_line = "the level of " + made.alert + " for " + to_text(made.labels) + " was accepted by " + made.by +
                   ": " + made.reason + " (" + made.id + ")";
  return given;
}

}  // namespace tocsin
