#include "edge/pagerduty/pagerduty_event.h"

#include <algorithm>
#include <array>

#include "base/hash.h"
#include "base/json.h"
#include "edge/http/url.h"

namespace tocsin {

namespace {

constexpr std::size_t most_links = 20;
constexpr std::size_t most_field_characters = 255;
constexpr std::size_t most_link_bytes = 2'048;

const Json& object_at(const Json& object, std::string_view key) {
  static const Json none = Json::object();
  const auto found = object.find(key);
  return found != object.end() && found->is_object() ? *found : none;
}

std::string severity_of(const Json& data) {
  const std::string severity = text_of(data, "severity");
  constexpr std::array<std::string_view, 4> known{"critical", "error", "warning", "info"};
  return std::find(known.begin(), known.end(), severity) != known.end() ? severity : "error";
}

// One that is too long becomes its hash: the same for the trigger and its resolution.
std::string dedup_key_of(const Json& data) {
  std::string key = text_of(data, "dedup_key");
  if (key.empty()) {
    key = text_of(data, "page_id");
    key = key.substr(0, key.rfind(':'));
  }
  return key.size() <= most_dedup_key_bytes ? key : to_hex(hash_parts({"dedup_key", key}));
}

// What the examples link to. An address that PagerDuty may refuse would cost the whole event, so it is left out.
Json links_of(const Json& data) {
  Json links = Json::array();
  const auto examples = data.find("examples");
  if (examples == data.end() || !examples->is_array()) return links;
  for (const Json& example : *examples) {
    if (!example.is_object()) continue;
    for (const auto& [name, address] : object_at(example, "links").items()) {
      if (links.size() == most_links || !address.is_string()) continue;
      const std::string href = address.get<std::string>();
      if (href.size() > most_link_bytes || !parse_url(href)) continue;
      const std::string text = name + " " + text_of(example, "correlation_id");
      links.push_back({{"href", href}, {"text", cut_to_characters(text, most_field_characters)}});
    }
  }
  return links;
}

Json payload_of(const Json& page, const Json& data) {
  const Json& labels = object_at(data, "labels");
  std::string summary = text_of(data, "summary");
  if (summary.empty()) summary = text_of(data, "alert");
  if (summary.empty()) summary = "alert";
  const std::string agent = text_of(labels, "agent");
  Json payload{{"summary", cut_to_characters(summary, most_summary_characters)},
               {"source", agent.empty() ? "tocsin" : cut_to_characters(agent, most_field_characters)},
               {"severity", severity_of(data)}};
  const auto add = [&payload](const char* key, const std::string& value) {
    if (!value.empty()) payload[key] = cut_to_characters(value, most_field_characters);
  };
  add("timestamp", text_of(page, "timestamp"));
  add("component", agent);
  add("group", text_of(labels, "env"));
  add("class", text_of(data, "alert"));
  Json details = data;
  for (const char* key : {"summary", "severity", "dedup_key"}) details.erase(key);  // they stand elsewhere
  payload["custom_details"] = std::move(details);
  return payload;
}

}  // namespace

std::string cut_to_characters(std::string_view text, std::size_t most) {
  std::size_t characters = 0, last_begin = 0;  // where the character begins that "…" would take the place of
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) == 0x80) continue;  // inside a character
    if (++characters > most) return std::string(text.substr(0, last_begin)) + "…";
    last_begin = i;
  }
  return std::string(text);
}

std::optional<std::string> to_pagerduty_event(std::string_view page_json, std::string_view routing_key) {
  const Json page = parse_json(page_json);
  if (!page.is_object()) return std::nullopt;
  const Json& data = object_at(page, "data");
  const std::string state = text_of(data, "state"), dedup_key = dedup_key_of(data);
  if ((state != "firing" && state != "resolved") || dedup_key.empty()) return std::nullopt;
  Json event{{"routing_key", routing_key}, {"event_action", state == "firing" ? "trigger" : "resolve"},
             {"dedup_key", dedup_key},     {"client", "tocsin"},
             {"links", links_of(data)},    {"payload", payload_of(page, data)}};
  std::string text = dump(event);
  if (text.size() <= most_event_bytes) return text;
  event["payload"].erase("custom_details");
  text = dump(event);
  if (text.size() <= most_event_bytes) return text;
  event.erase("links");
  return dump(event);
}

}  // namespace tocsin
