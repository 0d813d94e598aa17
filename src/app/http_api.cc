#include "app/http_api.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <charconv>

#include "app/bus_log.h"
#include "app/console_page.h"
#include "app/metrics.h"
#include "app/record_reader.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/time_text.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

HttpResponse json_response(int status, const Json& json) {
  HttpResponse response;
  response.status = status;
  response.body = dump(json) + "\n";
  return response;
}

HttpResponse error_response(int status, const std::string& message) {
  return json_response(status, {{"error", message}});
}

HttpResponse text_response(int status, std::string text, std::string type = "text/plain; charset=utf-8") {
  HttpResponse response;
  response.status = status;
  response.content_type = std::move(type);
  response.body = std::move(text);
  return response;
}

HttpResponse not_written() {
  return error_response(503, "Kafka did not acknowledge it in time; look whether it is there before you try again");
}

std::int64_t number_of(const HttpRequest& request, std::string_view name, std::int64_t otherwise) {
  const auto text = request.query_value(name);
  if (!text) return otherwise;
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(text->data(), text->data() + text->size(), value);
  return code == std::errc{} && end == text->data() + text->size() ? value : otherwise;
}

Json labels_json(const Labels& labels) {
  Json json = Json::object();
  for (const auto& [name, value] : labels) json[name] = value;
  return json;
}

}  // namespace

std::vector<BodyRecord> split_body(std::string_view body) {
  std::vector<BodyRecord> records;
  const std::size_t first = body.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return records;
  if (body[first] == '[') {
    // The items of the array, by brackets outside of strings; what is no JSON is found when it is decoded.
    std::int64_t line = 1 + std::count(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(first), '\n');
    int depth = 0;
    bool in_string = false;
    std::size_t begin = std::string_view::npos;
    std::int64_t begin_line = line;
    for (std::size_t i = first + 1; i < body.size(); ++i) {
      const char c = body[i];
      if (c == '\n') ++line;
      if (in_string) {
        if (c == '\\') {
          ++i;
        } else if (c == '"') {
          in_string = false;
        }
        continue;
      }
      const bool ends_item = depth == 0 && (c == ',' || c == ']');
      if (ends_item) {
        if (begin != std::string_view::npos) records.push_back({{}, body.substr(begin, i - begin), begin_line});
        begin = std::string_view::npos;
        if (c == ']') break;
        continue;
      }
      if (begin == std::string_view::npos && c > ' ') {
        begin = i;
        begin_line = line;
      }
      if (c == '"') in_string = true;
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
    }
    if (begin != std::string_view::npos) records.push_back({{}, body.substr(begin), begin_line});
    return records;
  }
  // One object over many lines has a second line that does not begin with a bracket.
  const std::size_t line_end = body.find('\n', first);
  const std::size_t second =
      line_end == std::string_view::npos ? line_end : body.find_first_not_of(" \t\r\n", line_end);
  const std::size_t last =
      line_end == std::string_view::npos ? line_end : body.find_last_not_of(" \t\r", line_end - 1);
  const bool one_object = body[first] == '{' && second != std::string_view::npos && body[second] != '{' &&
                          body[last] != '}' && body.substr(second).find('\t') == std::string_view::npos;
  if (one_object) return {{{}, body.substr(first), 1}};
  std::int64_t number = 0;
  for (std::size_t at = 0; at < body.size();) {
    std::size_t end = body.find('\n', at);
    if (end == std::string_view::npos) end = body.size();
    std::string_view line = body.substr(at, end - at);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    ++number;
    at = end + 1;
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    const RecordLine record = split_record(line, number);
    records.push_back({record.key, record.value, number});
  }
  return records;
}

HttpApi::HttpApi(Options options, const ServiceView& service, Log& log, const Clock& clock)
    : options_(std::move(options)),
      service_(service),
      log_(log),
      clock_(clock),
      long_poll_(log, clock),
      desk_({service.deployment(), service.halts().enforce}) {}

EventTime HttpApi::now() const {
  return as_event_time(clock_.now());
}

EventTime HttpApi::stream_now() const {
  if (!service_.clock_of_events()) return now();
  EventTime latest{};
  for (const RecordTime time : service_.ingest().log_times) latest = std::max(latest, as_event_time(time));
  return latest > EventTime{} ? latest : now();
}

bool HttpApi::is_allowed(const HttpRequest& request) const {
  if (options_.token.empty()) return true;
  const auto header = request.header("authorization");
  const std::string wanted = "Bearer " + options_.token;
  // In constant time, so that the token can't be found out letter by letter.
  return header && header->size() == wanted.size() &&
         CRYPTO_memcmp(header->data(), wanted.data(), wanted.size()) == 0;
}

void HttpApi::handle(HttpRequest request, Responder responder) {
  const auto path = request.path_segments();
  const auto is = [&](std::initializer_list<std::string_view> wanted) {
    return std::equal(path.begin(), path.end(), wanted.begin(), wanted.end());
  };
  const bool get = request.method == "GET";
  const bool post = request.method == "POST";
  if (get && (is({"healthz"}) || is({"-", "healthy"}))) return responder.send(get_health(false));
  if (get && (is({"readyz"}) || is({"-", "ready"}))) return responder.send(get_health(true));
  if (get && is({"metrics"})) {
    return responder.send(text_response(200, metrics_text(service_, clock_, options_.rule_control) + door_metrics(),
                                        "text/plain; version=0.0.4; charset=utf-8"));
  }
  if (get && path.empty()) return responder.send(text_response(200, console_page(), "text/html; charset=utf-8"));
  // In memory, native events are taken as they are, whole or not at all.
  const bool is_native = !options_.on_kafka && is({"v1", "events"});
  if (options_.door != nullptr && !is_native && UploadDoor::takes(request)) {
    return options_.door->handle(std::move(request), std::move(responder));
  }
  if (!is_allowed(request)) {
    return responder.send(error_response(401, "this door asks for the header 'Authorization: Bearer TOKEN'"));
  }
  if (post && is({"v1", "events"})) return responder.send(post_events(request));
  if (get && path.size() == 3 && path[0] == "v1" && path[1] == "topics")
    return get_topic(request, path[2], responder);
  if (get && is({"v1", "alerts"})) return responder.send(get_alerts());
  if (get && is({"v1", "status"})) return responder.send(get_status());
  if (get && is({"v1", "rules"})) return responder.send(get_rules());
  if (post && is({"-", "reload"})) return responder.send(reload_rules());
  if (auto response = ask_desk(request, path)) return responder.send(std::move(*response));
  responder.send(error_response(404, "there is no such door; GET / shows them"));
}

std::string HttpApi::door_metrics() const {
  return options_.door == nullptr ? std::string{} : metrics_text(options_.door->figures());
}

HttpResponse HttpApi::reload_rules() {
  if (options_.rule_files == nullptr) {
    return error_response(409, "rules can't be changed while the events' own times drive the clock; start it again");
  }
  const RuleFiles::Outcome outcome = options_.rule_files->reload("POST /-/reload");
  if (!outcome.problems.empty()) {
    return json_response(400, {{"error", "the rules in force stay; mend the files"}, {"problems", outcome.problems}});
  }
  // Every source partition has to answer first; GET /v1/rules tells when they are in force.
  return json_response(outcome.is_new ? 202 : 200,
                       {{"hash", outcome.hash}, {"state", outcome.is_new ? "proposed" : "in force"}});
}

HttpResponse HttpApi::get_rules() const {
  Json json;
  if (options_.rule_control != nullptr) {
    const RuleStatus status = options_.rule_control->status();
    json["epoch"] = status.epoch;
    json["hash"] = status.hash;
    json["from"] = status.epoch == 0 ? Json() : Json(to_rfc3339(as_event_time(status.from)));
    json["own_hash"] = status.own_hash;
    json["own_are_in_force"] = !status.files_differ && !status.is_waiting;
    json["proposed"] = status.is_waiting;
    if (!status.trouble.empty()) json["trouble"] = status.trouble;
  }
  Json alerts = Json::array();
  for (const Rule& rule : service_.rules()->rules) alerts.push_back(rule.name);
  json["alerts"] = std::move(alerts);
  return json_response(200, json);
}

HttpResponse HttpApi::post_events(const HttpRequest& request) {
  if (options_.on_kafka) {
    return error_response(404, "this service reads events from its Kafka topics; write them there");
  }
  const std::vector<BodyRecord> records = split_body(request.body);
  if (records.empty()) return error_response(400, "the body holds no event");
  std::vector<NewRecord> batch;
  batch.reserve(records.size());
  {
    const std::lock_guard lock(mutex_);
    for (const BodyRecord& record : records) {
      const auto decoded = decoder_.decode(record.value, record.key);
      std::string_view reason;
      std::string_view correlation_id;
      if (!decoded) {
        reason = name_of(decoded.error());
      } else {
        const EventFields& fields = decoded.value()->fields;
        correlation_id = fields.get(StringField::correlation_id);
        if (correlation_id.empty() && fields.type <= EventType::tool_call) {
          reason = name_of(DecodeError::no_correlation_id);
        }
      }
      if (!reason.empty()) {
        return json_response(
            400, {{"error", "nothing was taken: line " + std::to_string(record.line) + " is " + std::string(reason)},
                  {"line", record.line},
                  {"reason", reason}});
      }
      const auto partitions = static_cast<std::uint64_t>(options_.partitions);
      const auto partition = static_cast<std::int32_t>(hash64(correlation_id) % partitions);
      std::string key(record.key.empty() ? correlation_id : record.key);
      batch.push_back({Topic::source, partition, std::move(key), std::string(record.value)});
    }
  }
  const std::size_t count = batch.size();
  if (!log_.append(std::move(batch))) {
    HttpResponse response = error_response(503, "nothing was taken: ingest is behind; send it again");
    response.headers.emplace_back("Retry-After", "1");
    return response;
  }
  return json_response(202, {{"accepted", count}});
}

void HttpApi::get_topic(const HttpRequest& request, const std::string& name, Responder responder) {
  const auto topic = topic_named(name);
  // The source holds what people wrote, blocks are no JSON: both stay inside.
  if (!topic || *topic == Topic::source || *topic == Topic::blocks || *topic == Topic::findings) {
    return responder.send(error_response(404, "there is no such topic to read"));
  }
  if (options_.on_kafka && !BusLog::holds(*topic)) {
    return responder.send(error_response(404, "read this topic from Kafka"));
  }
  const std::int64_t from = std::max<std::int64_t>(0, number_of(request, "from", 0));
  const std::int64_t wait = std::clamp<std::int64_t>(number_of(request, "wait_ms", 0), 0, 25'000);
  const std::int64_t limit = std::clamp<std::int64_t>(number_of(request, "limit", 1'000), 1, 10'000);
  long_poll_.answer(*topic, from, static_cast<std::size_t>(limit), Duration{wait}, std::move(responder));
}

void HttpApi::read_orders() {
  for (auto& [topic, next] : orders_next_) {
    std::vector<LogRecord> records;
    next = log_.fetch(topic, 0, next, 1'000'000, records);
    for (const LogRecord& record : records) desk_.apply(topic, record.key, record.value);
  }
}

std::optional<HttpResponse> HttpApi::ask_desk(const HttpRequest& request, const std::vector<std::string>& path) {
  // Under the lock from the read to the append: of two people who release one halt, one is told that it is done.
  const std::lock_guard lock(mutex_);
  read_orders();
  AlertsNow alerts;
  if (path.size() > 1 && path[1] == "baselines") {
    const auto evaluate = service_.evaluate();
    alerts = {service_.rules(), evaluate->active, evaluate->has_all};
  }
  auto answer = desk_.handle({request.method, path, request.body}, now(), stream_now(), &alerts);
  if (!answer) return std::nullopt;
  if (!answer->records.empty() && !log_.append(std::move(answer->records))) return not_written();
  if (!answer->log_line.empty() && options_.say) options_.say(false, answer->log_line);
  HttpResponse response;
  response.status = answer->status;
  response.body = answer->body + "\n";
  return response;
}

HttpResponse HttpApi::get_alerts() {
  const auto view = service_.evaluate();
  const std::lock_guard lock(mutex_);
  read_orders();
  Json firing = Json::array(), recent = Json::array();
  for (const ActiveAlert& alert : view->active) {
    Json json = parse_json(to_replay_json(alert.change));
    json["since"] = to_rfc3339(alert.change.since);
    json["times"] = alert.times;
    json["condition"] = alert.change.condition;
    json["unit"] = alert.change.value_unit;
    json["halt"] = alert.change.halt;
    json["command"] = alert.change.command;
    const Silence* silence = desk_.silences().covers(alert.change.alert, alert.change.labels, stream_now());
    json["silenced_by"] = silence != nullptr ? Json(silence->id) : Json(nullptr);
    firing.push_back(std::move(json));
  }
  for (auto change = view->recent.rbegin(); change != view->recent.rend(); ++change) {
    recent.push_back(parse_json(to_replay_json(*change)));
  }
  return json_response(200, {{"firing", firing}, {"recent", recent}});
}

HttpResponse HttpApi::get_status() const {
  const IngestView ingest = service_.ingest();
  const auto evaluate = service_.evaluate();
  Json rules = Json::array();
  for (const RuleSight& rule : evaluate->sight) {
    rules.push_back({{"alert", rule.alert},
                     {"live", rule.live},
                     {"warming", rule.warming},
                     {"blind", rule.blind},
                     {"undeclared", rule.undeclared},
                     {"pending", rule.pending},
                     {"firing", rule.firing}});
  }
  Json agents = Json::array();
  for (const AgentFigures& agent : ingest.agents) {
    agents.push_back(
        {{"env", agent.env},
         {"agent", agent.agent},
         {"open_tasks", agent.open_tasks},
         {"completed", agent.tasks_by_outcome[static_cast<std::size_t>(Outcome::completed)]},
         {"surfaced", agent.tasks_by_outcome[static_cast<std::size_t>(Outcome::surfaced)]},
         {"errored", agent.tasks_by_outcome[static_cast<std::size_t>(Outcome::errored)]},
         {"timed_out", agent.tasks_by_outcome[static_cast<std::size_t>(Outcome::timed_out)]},
         {"model_calls", agent.model_calls},
         {"tool_calls", agent.tool_calls},
         {"cost_usd", agent.cost_known ? Json(static_cast<double>(agent.cost) / 1e6) : Json(nullptr)},
         {"labels", labels_json({{"spec_version", agent.spec_version}, {"model_version", agent.model_version}})}});
  }
  Json receivers = Json::array();
  for (const ReceiverView& view : service_.receivers()) {
    receivers.push_back({{"name", view.receiver},
                         {"delivered", view.figures.delivered},
                         {"pending", view.figures.pending},
                         {"failed_attempts", view.figures.failed_attempts},
                         {"parked", view.figures.parked},
                         {"disabled", view.figures.disabled}});
  }
  const bool started = evaluate->evaluated.since_epoch.count() > 0;
  return json_response(
      200, {{"version", TOCSIN_VERSION},
            {"idle", service_.is_idle()},
            {"records", ingest.totals.records},
            {"events", ingest.totals.events},
            {"dead_letters", ingest.totals.all_dead_letters()},
            {"tasks", ingest.totals.tasks},
            {"open_tasks", ingest.open_tasks},
            {"evaluated", started ? Json(to_rfc3339(evaluate->evaluated)) : Json(nullptr)},
            {"halt_mode", service_.halts().enforce ? "enforce" : "dry_run"},
            {"series",
             {{"used", evaluate->series.used}, {"cap", evaluate->series.cap}, {"bytes", evaluate->series.bytes}}},
            {"rules", rules},
            {"agents", agents},
            {"receivers", receivers}});
}

HttpResponse HttpApi::get_health(bool readiness) const {
  // Alive is who answers. Ready is who also gets through: pages that nobody takes are not for the load balancer
  // to judge, a source that nobody reads is.
  if (readiness) {
    if (const auto why = service_.not_ready()) return text_response(503, *why + "\n");
  }
  return text_response(200, "ok\n");
}

}  // namespace tocsin
