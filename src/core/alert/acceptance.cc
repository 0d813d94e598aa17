#include "core/alert/acceptance.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "base/json.h"
#include "base/json_version.h"
#include "base/time_text.h"

namespace tocsin {

namespace {

constexpr std::size_t most_accepted_text_bytes = 512;
constexpr std::size_t most_acceptance_bytes = 128 << 10;
constexpr std::size_t most_acceptances = 10'000;
// Longer than any process that has to read it is away; after that its group has forgotten its past anyway.
constexpr Duration acceptance_remembered = std::chrono::days{5};

void make_one_line(std::string& text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7F; }, ' ');
}

}  // namespace

Result<Acceptance, std::string> make_acceptance(std::string alert, Labels labels, std::string by, std::string reason,
                                                EventTime at) {
  if (alert.empty()) return failure(std::string("'alert' is needed: the name of the alert that fires"));
  if (by.empty() || reason.empty()) {
    return failure(std::string("'by' and 'reason' are needed: who accepts the level, and why"));
  }
  if (alert.size() > most_accepted_text_bytes || by.size() > most_accepted_text_bytes ||
      reason.size() > most_accepted_text_bytes) {
    return failure(std::string("'alert', 'by' and 'reason' have at most 512 bytes"));
  }
  make_one_line(by);
  make_one_line(reason);
  std::erase_if(labels, [](const auto& label) { return label.second.empty(); });
  std::string group;
  for (const auto& [name, value] : labels) group += name + "=" + std::to_string(value.size()) + ":" + value + ",";
  constexpr std::size_t digits = 12;
  const std::string id =
      to_hex(hash_parts({"acceptance", alert, group, by, reason, to_rfc3339(at)})).substr(0, digits);
  return success(Acceptance{id, std::move(alert), std::move(labels), std::move(by), std::move(reason), at});
}

std::string to_json(const Acceptance& acceptance) {
  Json labels = Json::object();
  for (const auto& [name, value] : acceptance.labels) labels[name] = value;
  const Json json{{"kind", "acceptance"},
                  {"acceptance_id", acceptance.id},
                  {"alert", acceptance.alert},
                  {"labels", labels},
                  {"by", acceptance.by},
                  {"reason", acceptance.reason},
                  {"at", to_rfc3339(acceptance.at)},
                  {"version", json_version}};
  return dump(json);
}

std::optional<Acceptance> acceptance_from_json(std::string_view text) {
  if (text.size() > most_acceptance_bytes) return std::nullopt;
  // What lies deeper than an acceptance goes is left out: the parser itself has no bound.
  const Json json = parse_json(text, 4);
  if (!json.is_object() || text_of(json, "kind") != "acceptance" || !has_readable_version(json)) return std::nullopt;
  Acceptance acceptance;
  acceptance.id = text_of(json, "acceptance_id");
  acceptance.alert = text_of(json, "alert");
  acceptance.by = text_of(json, "by");
  acceptance.reason = text_of(json, "reason");
  const auto at = parse_rfc3339(text_of(json, "at"));
  const auto labels = json.find("labels");
  if (acceptance.id.empty() || acceptance.alert.empty() || !at || labels == json.end() || !labels->is_object()) {
    return std::nullopt;
  }
  for (const auto& [name, value] : labels->items()) {
    if (!value.is_string()) return std::nullopt;
    acceptance.labels.emplace_back(name, value.get<std::string>());
  }
  acceptance.at = *at;
  return acceptance;
}

const Acceptance* AcceptanceBook::apply(std::string_view key, std::string_view value) {
  if (!key.starts_with(accept_prefix)) return nullptr;
  const std::string_view id = key.substr(accept_prefix.size());
  if (value.empty()) {
    if (const auto known = acceptances_.find(id); known != acceptances_.end()) acceptances_.erase(known);
    return nullptr;
  }
  auto acceptance = acceptance_from_json(value);
  if (!acceptance || acceptance->id != id) return nullptr;
  if (acceptances_.size() >= most_acceptances && acceptances_.find(id) == acceptances_.end()) return nullptr;
  return &acceptances_.insert_or_assign(std::string(id), *std::move(acceptance)).first->second;
}

std::vector<Acceptance> AcceptanceBook::items() const {
  std::vector<Acceptance> items;
  for (const auto& [id, acceptance] : acceptances_) items.push_back(acceptance);
  std::stable_sort(items.begin(), items.end(), [](const Acceptance& a, const Acceptance& b) { return a.at < b.at; });
  return items;
}

std::vector<std::string> AcceptanceBook::expire(EventTime now) {
  std::vector<std::string> keys;
  std::erase_if(acceptances_, [&](const auto& entry) {
    if (entry.second.at + acceptance_remembered > now) return false;
    keys.push_back(entry.second.key());
    return true;
  });
  return keys;
}

}  // namespace tocsin
