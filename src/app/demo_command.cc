#include "app/demo_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <iostream>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "app/demo/obeying_agent.h"
#include "app/demo/run_generator.h"
#include "app/embedded.h"
#include "app/report.h"
#include "app/run_command.h"
#include "app/shipped_files.h"
#include "base/json.h"
#include "base/time_text.h"
#include "edge/http/client.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

// Enough events a request to be fast, few enough to see pages arrive while the days go by.
constexpr std::size_t batch_events = 400;

// While the leaking task speaks, its events go out one by one at this pace, so that its agent has the time to obey
// that it has in life.
constexpr auto pace_of_leaking_task = 150ms;

double number_of(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number() ? found->get<double>() : unknown_number;
}

// "01-07 14:20": days and minutes are enough for a page.
std::string short_time(const std::string& rfc3339) {
  return rfc3339.substr(5, 11).replace(5, 1, " ");
}

struct DemoPage {
  std::string id;
  std::string alert;
  std::string agent;
  bool firing = false;
  EventTime at{};
  double value = unknown_number;
  double baseline = unknown_number;
  std::string unit;
  bool is_ratio = false;
};

// The receiver: takes pages over HTTP as a pager would, and prints a line for each.
class PageReceiver {
 public:
  bool start() {
    HttpServer::Options options;
    auto server = HttpServer::start(options, [this](HttpRequest request, Responder responder) {
      take(request);
      HttpResponse response;
      response.status = 204;
      responder.send(std::move(response));
    });
    if (!server) return false;
    server_ = std::move(server.value());
    return true;
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()) + "/page"; }
  void stop() { server_->stop(); }

  std::vector<DemoPage> pages() const {
    const std::lock_guard lock(mutex_);
    return pages_;
  }

 private:
  void take(const HttpRequest& request) {
    const Json json = parse_json(request.body);
    if (!json.is_object() || !json.contains("data")) return;
    const Json& data = json["data"];
    DemoPage page;
    page.id = text_of(data, "page_id");
    page.alert = text_of(data, "alert");
    page.agent = text_of(data["labels"], "agent");
    page.firing = text_of(data, "state") == "firing";
    page.at = parse_rfc3339(text_of(json, "timestamp")).value_or(EventTime{});
    page.value = number_of(data, "value");
    page.baseline = number_of(data, "baseline");
    page.unit = text_of(data, "unit");
    page.is_ratio = text_of(data, "condition").find("low(") != std::string::npos ||
                    text_of(data, "condition").find("high(") != std::string::npos;
    const std::lock_guard lock(mutex_);
    pages_.push_back(page);
    const std::string what = page.firing ? text_of(data, "summary") : "resolved: " + text_of(data, "reason");
    std::cout << fmt::format("{}  {}  {:<26}{}\n", short_time(text_of(json, "timestamp")),
                             page.firing ? "PAGE " : "  ok ", page.alert, what)
              << std::flush;
    if (page.firing && !shown_whole_) {
      shown_whole_ = true;
      std::cout << "\n--- this page as the receiver got it (webhook-id " << page.id << ", signed) ---\n"
                << dump(json, 2) << "\n---\n\n"
                << std::flush;
    }
  }

  mutable std::mutex mutex_;  // pages come on the server's thread, the table is made on the main one
  std::vector<DemoPage> pages_;
  bool shown_whole_ = false;
  std::unique_ptr<HttpServer> server_;
};

// Sends the generated events as telemetry comes: in batches, in order; the agent that was halted sends no more.
class Feeder {
 public:
  Feeder(const GeneratedRuns& runs, std::string url, ObeyingAgent& agent)
      : runs_(runs), url_(std::move(url)), agent_(agent) {
    for (const Incident& incident : runs.incidents) {
      if (incident.alert == "SecretLeak") leaking_task_ = incident.correlation_id;
    }
  }

  // False where the service no longer answers.
  bool feed(const std::atomic<bool>& stop) {
    std::string body;
    std::size_t count = 0;
    for (const GeneratedEvent& event : runs_.events) {
      if (stop) return false;
      const bool leaks = event.key == leaking_task_;
      if (leaks && agent_.has_obeyed()) {
        // The agent has stopped: it says so, and its task is over.
        if (not_sent_++ > 0) continue;
        body += event.key + "\t" + halted_end(event) + "\n";
        ++count;
        continue;
      }
      if (leaks && !send(body, count)) return false;
      if (leaks) agent_.note_sending();
      body += event.key + "\t" + event.json + "\n";
      ++count;
      if ((leaks || count == batch_events) && !send(body, count)) return false;
      if (leaks) std::this_thread::sleep_for(pace_of_leaking_task);
    }
    return send(body, count);
  }

  // What an agent that obeyed sends last: its task is handed back to a person.
  static std::string halted_end(const GeneratedEvent& event) {
    const Json stopped = parse_json(event.json);
    Json end{{"type", "task.finished"},
             {"time", to_rfc3339(event.time)},
             {"outcome", "surfaced"},
             {"surface_reason", "halted"}};
    for (const char* field : {"env", "agent", "agent_version", "spec", "spec_version", "correlation_id"}) {
      if (stopped.contains(field)) end[field] = stopped[field];
    }
    return dump(end);
  }

  std::size_t sent() const { return sent_; }
  std::size_t not_sent() const { return not_sent_; }

 private:
  bool send(std::string& body, std::size_t& count) {
    if (count == 0) return true;
    for (int attempt = 0; attempt < 600; ++attempt) {
      const auto reply =
          http_call("POST", url_ + "/v1/events", {{"content-type", "application/x-ndjson"}}, body, 30s);
      if (reply && reply.value().status == 202) {
        sent_ += count;
        body.clear();
        count = 0;
        return true;
      }
      if (!reply || reply.value().status != 503) {
        std::cerr << "tocsin demo: events were not taken: " << (reply ? reply.value().body : reply.error()) << '\n';
        return false;
      }
      std::this_thread::sleep_for(100ms);
    }
    return false;
  }

  const GeneratedRuns& runs_;
  std::string url_;
  ObeyingAgent& agent_;
  std::string leaking_task_;
  std::size_t sent_ = 0;
  std::size_t not_sent_ = 0;
};

std::string duration_text(Duration duration) {
  return to_text(floor<std::chrono::seconds>(duration));
}

// The table at the end. Returns whether every incident was paged once and nothing else was.
bool print_table(const GeneratedRuns& runs, const std::vector<DemoPage>& pages) {
  std::cout << fmt::format("\n{:<27}{:<19}{:<14}{:<14}{:<26}{}\n", "rule", "agent", "began", "paged after",
                           "value / baseline", "pages elsewhere");
  std::set<std::string> counted;
  bool all_found = true;
  std::map<std::string, int> elsewhere;
  std::vector<const Incident*> first_of_rule;
  for (const Incident& incident : runs.incidents) {
    const bool repeats = std::any_of(first_of_rule.begin(), first_of_rule.end(), [&](const Incident* known) {
      return known->alert == incident.alert && known->agent == incident.agent;
    });
    if (!repeats) first_of_rule.push_back(&incident);  // a provider that hangs is one page, whatever number of tasks
  }
  std::map<const Incident*, const DemoPage*> found;
  for (const DemoPage& page : pages) {
    if (!page.firing) continue;
    const Incident* match = nullptr;
    for (const Incident* incident : first_of_rule) {
      const bool fits = incident->alert == page.alert && incident->agent == page.agent &&
                        page.at >= incident->begin && !found.contains(incident);
      if (fits) match = incident;
    }
    if (match != nullptr) {
      found[match] = &page;
    } else {
      ++elsewhere[page.alert];
    }
  }
  for (const Incident* incident : first_of_rule) {
    const auto page = found.find(incident);
    all_found = all_found && page != found.end();
    std::string after = "NOT PAGED", figures;
    if (page != found.end()) {
      after = duration_text(page->second->at - incident->begin);
      const DemoPage& p = *page->second;
      figures = figure_text(p.value, p.unit, p.is_ratio);
      if (!is_unknown(p.baseline)) figures += " / " + figure_text(p.baseline, p.unit, p.is_ratio);
    }
    std::cout << fmt::format("{:<27}{:<19}{:<14}{:<14}{:<26}{}\n", incident->alert, incident->agent,
                             short_time(to_rfc3339(incident->begin)), after, figures, elsewhere[incident->alert]);
  }
  const bool none_elsewhere =
      std::all_of(elsewhere.begin(), elsewhere.end(), [](const auto& entry) { return entry.second == 0; });
  return all_found && none_elsewhere;
}

bool wait_until_idle(const Embedded& embedded, const std::atomic<bool>& stop) {
  const auto until = std::chrono::steady_clock::now() + 120s;
  while (!embedded.service().is_idle()) {
    if (stop || std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(20ms);
  }
  return true;
}

}  // namespace

int run_demo(const DemoOptions& options) {
  block_stop_signals();
  const auto began = std::chrono::steady_clock::now();
  std::cout << "Making three days of six agents (seed " << options.seed << ") ...\n" << std::flush;
  GeneratorOptions generator;
  generator.seed = options.seed;
  const GeneratedRuns runs = generate_runs(generator);

  Diagnostics diagnostics;
  OwnRules own;
  for (const auto shipped : {shipped_rules(), shipped_demo_specs(), shipped_patterns()}) {
    own.files.insert(own.files.end(), shipped.begin(), shipped.end());
  }
  own.loaded = load_rules_and_patterns(own.files, diagnostics, shipped_patterns());
  const auto key = read_fingerprint_keys({}, diagnostics);
  if (print(diagnostics)) return 2;

  PageReceiver receiver;
  if (!receiver.start()) {
    std::cerr << "tocsin demo: no free port on 127.0.0.1 for the receiver\n";
    return 2;
  }
  Config config;
  config.clock = ClockMode::events;
  config.halts.enforce = true;
  config.http_port = options.port;
  ReceiverConfig pager;
  pager.name = "demo-pager";
  pager.url = receiver.url();
  pager.secrets = {"whsec_ZGVtbyBzaWduaW5nIGtleSwgbm8gc2VjcmV0"};  // of the demo alone; its receiver is this process
  pager.allow_cidrs = {"127.0.0.0/8"};
  config.receivers.push_back(pager);
  const SayLine silent = [](bool, const std::string&) {};
  auto embedded = Embedded::start(
      config, own, key, [](const std::string&, const DeliveryResult&) {}, silent);
  if (!embedded && options.port != 0) {
    config.http_port = 0;  // somebody else has the usual port
    embedded = Embedded::start(
        config, own, key, [](const std::string&, const DeliveryResult&) {}, silent);
  }
  if (!embedded) {
    std::cerr << "tocsin demo: " << embedded.error() << '\n';
    return 2;
  }
  const std::string url = embedded.value()->url();
  std::cout << runs.events.size() << " events, " << runs.tasks << " tasks, " << runs.incidents.size()
            << " incidents on the last day. Playing them at speed.\nConsole: " << url << "/   metrics: " << url
            << "/metrics   stop: Ctrl-C\n\n"
            << std::flush;

  std::string leaking_task;
  for (const Incident& incident : runs.incidents) {
    if (incident.alert == "SecretLeak") leaking_task = incident.correlation_id;
  }
  std::atomic<bool> stop{false};
  std::atomic<bool> finished{false};
  // Ctrl-C ends the demo wherever it is; the watching thread ends with the process.
  std::thread([&stop, &finished] {
    wait_for_stop_signal();
    if (finished) std::_Exit(0);
    stop = true;
  }).detach();

  ObeyingAgent agent(url, leaking_task, options.agent);
  Feeder feeder(runs, url, agent);
  const bool fed = feeder.feed(stop);
  const bool idle = fed && wait_until_idle(*embedded.value(), stop);
  agent.stop();
  if (stop) {
    std::cout << "\nstopped\n";
    std::_Exit(0);
  }
  const bool as_planned = print_table(runs, receiver.pages());
  const bool was_stopped = agent.has_obeyed() && feeder.not_sent() > 0;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  if (was_stopped) {
    std::cout << fmt::format("\nThe halted agent stopped: {} events of its task were never sent.\n",
                             feeder.not_sent());
  }
  std::cout << fmt::format("{} events in {:.1f} s.\n", feeder.sent(), seconds);
  if (!idle || !as_planned || !was_stopped) {
    std::cerr << "tocsin demo: not everything was seen as planned\n";
    return 1;
  }
  if (options.once) {
    embedded.value().reset();
    receiver.stop();
    return 0;
  }
  std::cout << "The service goes on. Console: " << url << "/   metrics: " << url
            << "/metrics\nTry:  tocsin status --url " << url << "   tocsin alerts list --url " << url
            << "   tocsin halts list --url " << url << "\nStop: Ctrl-C\n"
            << std::flush;
  finished = true;
  for (;;) std::this_thread::sleep_for(1h);
}

}  // namespace tocsin
