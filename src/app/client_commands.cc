#include "app/client_commands.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <iostream>
#include <optional>

#include "app/report.h"
#include "edge/http/client.h"
#include "edge/http/url.h"

namespace tocsin {

namespace {

using Json = nlohmann::ordered_json;

std::string url_of(const ClientOptions& options) {
  std::string url = options.url;
  if (url.empty()) {
    const char* variable = std::getenv("TOCSIN_URL");
    url = variable != nullptr && *variable != '\0' ? variable : "http://127.0.0.1:8686";
  }
  while (!url.empty() && url.back() == '/') url.pop_back();
  return url;
}

// The service's answer; nothing, after saying why, where it can't be had.
std::optional<Json> call(const ClientOptions& options, const std::string& method, const std::string& path,
                         const std::string& body = {}) {
  HttpFields headers{{"content-type", "application/json"}};
  // From the environment: what stands on a command line can be read by everybody on the machine.
  if (const char* token = std::getenv("TOCSIN_TOKEN"))
    headers.emplace_back("authorization", std::string("Bearer ") + token);
  const std::string url = url_of(options) + path;
  const auto reply = http_call(method, url, headers, body, std::chrono::seconds{10});
  if (!reply) {
    std::cerr << "tocsin: " << url_of(options) << " can't be reached: " << reply.error()
              << "\nName the service with --url or TOCSIN_URL.\n";
    return std::nullopt;
  }
  Json json = Json::parse(reply.value().body, nullptr, false);
  if (reply.value().status / 100 != 2) {
    const std::string why = json.is_object() ? json.value("error", std::string{}) : std::string{};
    std::cerr << "tocsin: status " << reply.value().status << (why.empty() ? "" : ": " + why) << '\n';
    return std::nullopt;
  }
  if (!json.is_object()) {
    std::cerr << "tocsin: the answer is no JSON; is this a tocsin service?\n";
    return std::nullopt;
  }
  return json;
}

int give_json(const Json& json) {
  std::cout << json.dump(2) << '\n';
  return 0;
}

std::string text_of(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

void print_halts(const Json& halts) {
  if (halts.empty()) std::cout << "No halts.\n";
  for (const Json& halt : halts) {
    const bool released = !halt["release"].is_null();
    std::cout << fmt::format("{:<9} {}  {}  seen {} times\n  {}\n", released ? "released" : text_of(halt, "state"),
                             text_of(halt, "scope"), text_of(halt, "first_at"), halt.value("count", 0),
                             text_of(halt, "reason"));
    if (released) {
      std::cout << fmt::format("  released by {} ({}) at {}\n", text_of(halt["release"], "by"),
                               text_of(halt["release"], "reason"), text_of(halt["release"], "at"));
    }
  }
}

}  // namespace

int run_halts_list(const ClientOptions& options) {
  const auto json = call(options, "GET", "/v1/halts");
  if (!json) return 2;
  if (options.output == "json") return give_json(*json);
  print_halts((*json)["halts"]);
  return 0;
}

int run_halts_show(const ClientOptions& options, const std::string& scope) {
  const auto json = call(options, "GET", "/v1/halts/" + percent_encode(scope));
  if (!json) return 2;
  if (options.output == "json") return give_json(*json);
  std::cout << scope << (json->value("halted", false) ? " is HALTED\n" : " is not halted\n");
  print_halts((*json)["halts"]);
  return 0;
}

int run_halts_release(const ClientOptions& options, const std::string& scope, const std::string& by,
                      const std::string& reason) {
  const auto json =
      call(options, "POST", "/v1/halts/release", Json{{"scope", scope}, {"by", by}, {"reason", reason}}.dump());
  if (!json) return 2;
  if (options.output == "json") return give_json(*json);
  std::cout << scope << ": " << (*json)["released"].size() << " halts released\n";
  return 0;
}

int run_halts_drill(const ClientOptions& options, const std::string& scope, const std::string& by) {
  const auto json = call(options, "POST", "/v1/halts/drill", Json{{"scope", scope}, {"by", by}}.dump());
  if (!json) return 2;
  if (options.output == "json") return give_json(*json);
  std::cout << "drill " << text_of(*json, "state") << " for " << scope << ", expires " << text_of(*json, "expires_at")
            << "; watch for the acknowledgement in /v1/topics/halt-acks\n";
  return 0;
}

int run_alerts_list(const ClientOptions& options) {
  const auto json = call(options, "GET", "/v1/alerts");
  if (!json) return 2;
  if (options.output == "json") return give_json(*json);
  if ((*json)["firing"].empty()) std::cout << "Nothing fires.\n";
  for (const Json& alert : (*json)["firing"]) {
    std::string labels;
    for (const auto& [name, value] : alert["labels"].items()) labels += " " + name + "=" + value.get<std::string>();
    std::cout << fmt::format("{}  since {}\n {}\n  {}\n", text_of(alert, "alert"), text_of(alert, "since"), labels,
                             text_of(alert["annotations"], "summary"));
    if (!text_of(alert, "command").empty()) std::cout << "  " << text_of(alert, "command") << '\n';
  }
  return 0;
}

int run_status(const ClientOptions& options) {
  const auto json = call(options, "GET", "/v1/status");
  if (!json) return 2;
  if (options.output == "json") return give_json(*json);
  const Json& s = *json;
  std::cout << fmt::format("tocsin {}  halts: {}  evaluated up to {}\n", text_of(s, "version"),
                           text_of(s, "halt_mode"), s["evaluated"].is_null() ? "-" : text_of(s, "evaluated"));
  std::cout << fmt::format("{} records, {} events, {} dead letters, {} tasks ({} open), {} series\n",
                           s.value("records", 0LL), s.value("events", 0LL), s.value("dead_letters", 0LL),
                           s.value("tasks", 0LL), s.value("open_tasks", 0LL), s["series"].value("used", 0LL));
  std::cout << fmt::format("\n{:<28}{:>8}{:>9}{:>7}{:>12}{:>9}{:>8}\n", "rule", "live", "warming", "blind",
                           "undeclared", "pending", "firing");
  for (const Json& rule : s["rules"]) {
    std::cout << fmt::format("{:<28}{:>8}{:>9}{:>7}{:>12}{:>9}{:>8}\n", text_of(rule, "alert"), rule.value("live", 0),
                             rule.value("warming", 0), rule.value("blind", 0), rule.value("undeclared", 0),
                             rule.value("pending", 0), rule.value("firing", 0));
  }
  for (const Json& receiver : s["receivers"]) {
    std::cout << fmt::format("receiver {}: {} delivered, {} pending, {} failed attempts, {} parked{}\n",
                             text_of(receiver, "name"), receiver.value("delivered", 0LL),
                             receiver.value("pending", 0LL), receiver.value("failed_attempts", 0LL),
                             receiver.value("parked", 0LL), receiver.value("disabled", false) ? ", DISABLED" : "");
  }
  return 0;
}

}  // namespace tocsin
