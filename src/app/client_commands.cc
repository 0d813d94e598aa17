#include "app/client_commands.h"

#include <fmt/format.h>

#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace tocsin {

namespace {

// The service's answer; nothing, after saying why, where it can't be had.
std::optional<Json> ask(const ClientOptions& options, const std::string& method, std::vector<std::string> path,
                        const Json& body = nullptr) {
  // What stands on a command line need not be UTF-8.
  const std::string text = body.is_null() ? "" : dump(body);
  const auto answer = call(options, {method, std::move(path), text});
  if (!answer) return std::nullopt;
  return parse_json(*answer);
}

int give_json(const Json& json) {
  std::cout << dump(json, 2) << '\n';
  return 0;
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
  const auto json = ask(options, "GET", {"v1", "halts"});
  if (!json) return 2;
  if (options.output == "json") return give_json(*json);
  print_halts((*json)["halts"]);
  return 0;
}

int run_halts_show(const ClientOptions& options, const std::string& scope) {
  const auto json = ask(options, "GET", {"v1", "halts", scope});
  if (!json) return 2;
  if (options.output == "json") return give_json(*json);
  std::cout << scope << (json->value("halted", false) ? " is HALTED\n" : " is not halted\n");
  print_halts((*json)["halts"]);
  return 0;
}

int run_halts_release(const ClientOptions& options, const std::string& scope, const std::string& by,
                      const std::string& reason) {
  const auto json =
      ask(options, "POST", {"v1", "halts", "release"}, Json{{"scope", scope}, {"by", by}, {"reason", reason}});
  if (!json) return 2;
  if (options.output == "json") return give_json(*json);
  std::cout << scope << ": " << (*json)["released"].size() << " halts released\n";
  return 0;
}

int run_halts_drill(const ClientOptions& options, const std::string& scope, const std::string& by) {
  const auto json = ask(options, "POST", {"v1", "halts", "drill"}, Json{{"scope", scope}, {"by", by}});
  if (!json) return 2;
  if (options.output == "json") return give_json(*json);
  std::cout << "drill " << text_of(*json, "state") << " for " << scope << ", expires " << text_of(*json, "expires_at")
            << "; watch for the acknowledgement in the topic halt-acks\n";
  return 0;
}

namespace {

void print_silence(const Json& silence) {
  std::string matchers;
  for (const Json& matcher : silence["matchers"]) matchers += " " + matcher.get<std::string>();
  std::cout << fmt::format("{}  {:<8}{}\n  from {} until {}, by {}: {}\n", text_of(silence, "silence_id"),
                           text_of(silence, "state"), matchers, text_of(silence, "from"), text_of(silence, "until"),
                           text_of(silence, "by"), text_of(silence, "reason"));
  if (silence.contains("expired_at")) {
    std::cout << fmt::format("  expired by {} at {}\n", text_of(silence, "expired_by"),
                             text_of(silence, "expired_at"));
  }
}

}  // namespace

int run_silences_add(const ClientOptions& options, const SilenceRequest& request) {
  Json body{{"matchers", request.matchers}, {"by", request.by}, {"reason", request.reason}};
  if (!request.length.empty()) body["for"] = request.length;
  if (!request.until.empty()) body["until"] = request.until;
  if (!request.from.empty()) body["from"] = request.from;
  const auto json = ask(options, "POST", {"v1", "silences"}, body);
  if (!json) return 2;
  if (options.output == "json") return give_json(*json);
  print_silence(*json);
  return 0;
}

int run_silences_list(const ClientOptions& options) {
  const auto json = ask(options, "GET", {"v1", "silences"});
  if (!json) return 2;
  if (options.output == "json") return give_json(*json);
  if ((*json)["silences"].empty()) std::cout << "No silences.\n";
  for (const Json& silence : (*json)["silences"]) print_silence(silence);
  return 0;
}

int run_silences_expire(const ClientOptions& options, const std::string& id, const std::string& by) {
  const auto json = ask(options, "POST", {"v1", "silences", "expire"}, Json{{"id", id}, {"by", by}});
  if (!json) return 2;
  if (options.output == "json") return give_json(*json);
  print_silence(*json);
  return 0;
}

int run_baselines_accept(const ClientOptions& options, const std::string& alert,
                         const std::vector<std::string>& labels, const std::string& by, const std::string& reason) {
  Json group = Json::object();
  for (const std::string& label : labels) {
    const std::size_t equal = label.find('=');
    if (equal == std::string::npos || equal == 0) {
      std::cerr << "tocsin: '" << label << "' is no LABEL=VALUE, such as agent=support\n";
      return 2;
    }
    group[label.substr(0, equal)] = label.substr(equal + 1);
  }
  const auto json = ask(options, "POST", {"v1", "baselines", "accept"},
                        Json{{"alert", alert}, {"labels", group}, {"by", by}, {"reason", reason}});
  if (!json) return 2;
  if (options.output == "json") return give_json(*json);
  std::string of;
  for (const auto& [name, value] : (*json)["labels"].items()) of += " " + name + "=" + value.get<std::string>();
  std::cout
      << text_of(*json, "alert") << of
      << (json->value("fires_here", false)
              ? ": its level is accepted; the alert resolves with the next slice, and fires for this level no more\n"
              : ": written; the process that has the group accepts its level if the alert fires there\n");
  return 0;
}

int run_alerts_list(const ClientOptions& options) {
  const auto json = ask(options, "GET", {"v1", "alerts"});
  if (!json) return 2;
  if (options.output == "json") return give_json(*json);
  if ((*json)["firing"].empty()) std::cout << "Nothing fires.\n";
  for (const Json& alert : (*json)["firing"]) {
    std::string labels;
    for (const auto& [name, value] : alert["labels"].items()) labels += " " + name + "=" + value.get<std::string>();
    const std::string silenced_by = text_of(alert, "silenced_by");
    std::cout << fmt::format("{}  since {}{}\n {}\n  {}\n", text_of(alert, "alert"), text_of(alert, "since"),
                             silenced_by.empty() ? "" : "  silenced by " + silenced_by, labels,
                             text_of(alert["annotations"], "summary"));
    if (!text_of(alert, "command").empty()) std::cout << "  " << text_of(alert, "command") << '\n';
  }
  return 0;
}

int run_status(const ClientOptions& options) {
  const auto json = ask(options, "GET", {"v1", "status"});
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
