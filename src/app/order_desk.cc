#include "app/order_desk.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

#include "base/json_version.h"
#include "base/time_text.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

DeskAnswer answer(int status, const Json& json, std::vector<NewRecord> records = {}) {
  return {status, dump(json), std::move(records)};
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
  Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  return json;
}

std::string text_of(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_string()) return {};
  return found->get<std::string>().substr(0, 512);
}

std::string_view state_of(const Silence& silence, EventTime now) {
  return now < silence.from ? "pending" : silence.is_active(now) ? "active" : "ended";
}

Json json_of(const Silence& silence, EventTime now) {
  Json json = Json::parse(to_json(silence));
  json["state"] = state_of(silence, now);
  return json;
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

std::optional<DeskAnswer> OrderDesk::handle(const DeskRequest& request, EventTime now, EventTime stream_now) const {
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
  return std::nullopt;
}

DeskAnswer OrderDesk::list_halts(const std::string& scope, EventTime stream_now) const {
  Json list = Json::array();
  for (const HaltBook::Item& item : scope.empty() ? halts_.items() : halts_.of_scope(scope)) {
    Json json = Json::parse(to_json(item.halt));
    json["active"] = item.is_active(stream_now);
    json["release"] = item.release ? Json::parse(to_json(*item.release)) : Json(nullptr);
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
  const std::string scope = text_of(*json, "scope"), by = text_of(*json, "by"), reason = text_of(*json, "reason");
  if (scope.empty() || by.empty() || reason.empty()) {
    return error(400, "'scope', 'by' and 'reason' are needed: a release has a name and a reason");
  }
  const std::string only = text_of(*json, "halt_id");
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
  const std::string scope = json ? text_of(*json, "scope") : std::string{};
  const std::string by = json ? text_of(*json, "by") : std::string{};
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
  return answer(200, Json::parse(to_json(halt)), {{Topic::halts, 0, halt.key(), to_json(halt)}});
}

DeskAnswer OrderDesk::acknowledge(const std::string& body, EventTime now) {
  const auto json = small_object(body);
  const std::string id = json ? text_of(*json, "halt_id") : std::string{};
  const std::string scope = json ? text_of(*json, "scope") : std::string{};
  if (id.empty() || scope.empty()) return error(400, "'halt_id' and 'scope' are needed");
  const Json ack{{"kind", "halt_ack"},         {"halt_id", id},         {"scope", scope},
                 {"by", text_of(*json, "by")}, {"at", to_rfc3339(now)}, {"version", json_version}};
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
    const auto given = parse_rfc3339(text_of(*json, "from"));
    if (!given) return error(400, "'from' must be a time such as 2026-01-07T12:00:00Z");
    from = *given;
  }
  const auto until = parse_rfc3339(text_of(*json, "until"));
  const auto length = parse_duration(text_of(*json, "for"));
  if (until.has_value() == length.has_value()) {
    return error(400, "either 'for' (such as 2h) or 'until' (such as 2026-01-07T12:00:00Z) is needed");
  }
  // Longer ones are refused anyway; as they are, they could leave the range of times.
  const EventTime end = until ? *until : from + std::min(*length, Duration{1'000 * 24h});
  const auto silence =
      make_silence(matchers_of(*json), from, end, text_of(*json, "by"), text_of(*json, "reason"), stream_now);
  if (!silence) return error(400, silence.error());
  return answer(200, json_of(silence.value(), stream_now),
                {{Topic::silences, 0, silence.value().key(), to_json(silence.value())}});
}

DeskAnswer OrderDesk::expire_silence(const std::string& body, EventTime stream_now) const {
  const auto json = small_object(body);
  const std::string id = json ? text_of(*json, "id") : std::string{};
  const std::string by = json ? text_of(*json, "by") : std::string{};
  if (id.empty() || by.empty()) return error(400, "'id' and 'by' are needed");
  const Silence* known = silences_.find(id);
  if (known == nullptr) return error(404, "there is no silence with this id");
  if (stream_now >= known->ends_at()) return error(404, "this silence has ended already");
  Silence silence = *known;
  silence.expired_at = stream_now;
  silence.expired_by = by;
  return answer(200, json_of(silence, stream_now), {{Topic::silences, 0, silence.key(), to_json(silence)}});
}

}  // namespace tocsin
