#include "core/alert/alert_change.h"

#include <algorithm>
#include <cmath>

#include "base/hash.h"
#include "base/json.h"
#include "base/json_version.h"
#include "base/time_text.h"

namespace tocsin {

namespace {

Json object_of(const Labels& labels) {
  Json json = Json::object();
  for (const auto& [name, value] : labels) json[name] = value;
  return json;
}

// Six decimals are a micro-dollar: enough for every figure, and no 0.30000000000000004.
Json number_of(double number) {
  if (is_unknown(number) || !std::isfinite(number)) return nullptr;
  return std::round(number * 1e6) / 1e6;
}

Json time_of(std::optional<RecordTime> time) {
  return time ? Json(to_rfc3339(*time)) : Json(nullptr);
}

std::string_view state_of(const AlertChange& change) {
  return change.firing ? "firing" : "resolved";
}

std::string value_of(const Labels& labels, std::string_view name) {
  const auto found =
      std::find_if(labels.begin(), labels.end(), [&](const auto& label) { return label.first == name; });
  return found == labels.end() ? std::string{} : found->second;
}

Json facts_of(const AlertChange& change) {
  Json examples = Json::array();
  for (const AlertExample& example : change.examples) {
    examples.push_back({{"correlation_id", example.correlation_id}, {"links", object_of(example.links)}});
  }
  Json halt = nullptr;
  if (!change.halt.empty()) {
    halt = {{"state", change.halt}, {"halt_id", change.halt_id}, {"scope", change.halt_scope}};
  }
  return {{"alert", change.alert},
          {"state", state_of(change)},
          {"labels", object_of(change.labels)},
          {"annotations", object_of(change.annotations)},
          {"value", number_of(change.value)},
          {"baseline", number_of(change.baseline)},
          {"unit", change.value_unit},
          {"samples", change.samples},
          {"window", change.window == Duration{} ? Json(nullptr) : Json(to_text(change.window))},
          {"condition", change.condition},
          {"evaluated", change.evaluated.empty() ? Json(nullptr) : Json(change.evaluated)},
          {"first_event", time_of(change.first_event)},
          {"last_event", time_of(change.last_event)},
          {"since", to_rfc3339(change.since)},
          {"episode", change.episode},
          {"reason", change.reason},
          {"versions", object_of(change.versions)},
          {"changed_in_last_hour", object_of(change.changed_versions)},
          {"examples", examples},
          {"halt", halt},
          {"command", change.command}};
}

}  // namespace

std::string alert_id(std::string_view deployment, std::string_view alert, const Labels& group_labels) {
  std::string labels;
  for (const auto& [name, value] : group_labels) {
    labels += name + "=" + std::to_string(value.size()) + ":" + value + ",";
  }
  return to_hex(hash_parts({"alert", deployment, alert, labels}));
}

std::string page_id(std::string_view alert_id, std::int64_t episode, bool firing) {
  return std::string(alert_id) + ":" + std::to_string(episode) + (firing ? ":firing" : ":resolved");
}

std::string to_replay_json(const AlertChange& change) {
  return dump({{"kind", "alert"},
               {"time", to_rfc3339(change.at)},
               {"alert", change.alert},
               {"state", state_of(change)},
               {"labels", object_of(change.labels)},
               {"annotations", object_of(change.annotations)},
               {"value", number_of(change.value)},
               {"baseline", number_of(change.baseline)},
               {"samples", change.samples},
               {"episode", change.episode},
               {"reason", change.reason},
               {"page_id", change.page_id ? Json(*change.page_id) : Json(nullptr)}});
}

std::string to_page_json(const AlertChange& change) {
  std::string summary = value_of(change.annotations, "summary");
  if (summary.empty()) summary = change.alert;
  if (!change.halt.empty()) summary = change.halt + ": " + summary;
  Json data = facts_of(change);
  data["page_id"] = change.page_id.value_or("");
  data["dedup_key"] = change.dedup_key;
  data["severity"] = value_of(change.labels, "severity");
  data["summary"] = summary;
  return dump({{"type", change.firing ? "alert.firing" : "alert.resolved"},
               {"timestamp", to_rfc3339(change.at)},
               {"data", data},
               {"version", json_version}});
}

std::string page_id_in(std::string_view page_json) {
  const Json json = parse_json(page_json);
  const auto data = json.is_object() ? json.find("data") : json.end();
  if (!json.is_object() || data == json.end() || !data->is_object()) return {};
  return text_of(*data, "page_id");
}

std::string to_feed_json(const AlertChange& change, std::string_view feed) {
  Json json = facts_of(change);
  json["feed"] = feed;
  json["time"] = to_rfc3339(change.at);
  json["dedup_key"] = change.dedup_key;
  json["version"] = json_version;
  return dump(json);
}

std::string to_text(const Labels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    if (!text.empty()) text += ' ';
    text += name + "=" + value;
  }
  return text;
}

}  // namespace tocsin
