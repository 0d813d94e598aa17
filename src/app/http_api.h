// The HTTP doors of a running service: events in; halts, silences, alerts, topics and metrics out.
//
//   POST /v1/events                 native events: one object, a JSON array, or a line each; whole or refused
//   POST /v1/traces and others      what SDKs post to OTLP and to vendors: see upload_door.h
//   GET  /v1/topics/NAME            records of a topic; ?from=N&wait_ms=M&limit=K waits for the next
//   GET  /v1/halts[/SCOPE]          which scopes are halted, and why
//   POST /v1/halts/release          {"scope", "by", "reason", "halt_id"?}
//   POST /v1/halts/drill            {"scope", "by"}
//   POST /v1/halt-acks              {"halt_id", "scope", "by"}
//   GET  /v1/silences               what nobody is paged for, and for how long
//   POST /v1/silences               {"matchers": ["agent=support"], "for" or "until", "by", "reason", "from"?}
//   POST /v1/silences/expire        {"id", "by"}
//   POST /v1/baselines/accept       {"alert", "labels": {"agent": "support"}, "by", "reason"}
//   GET  /v1/rules                  which rules are in force, and how this process's files stand to them
//   POST /-/reload                  reads the rule files again, and proposes them to all processes
//   GET  /v1/alerts, /v1/status, /metrics, /healthz, /readyz, /-/healthy, /-/ready, /

#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "app/long_poll.h"
#include "app/order_desk.h"
#include "app/rule_files.h"
#include "app/upload_door.h"
#include "core/event/native_decoder.h"
#include "edge/http/server.h"
#include "runtime/membership.h"
#include "runtime/service_view.h"

namespace tocsin {

class HttpApi {
 public:
  struct Options {
    std::string token;  // asked for as a bearer where it is not empty; health and metrics stay open
    std::int32_t partitions = 1;
    RuleFiles* rule_files = nullptr;  // null where rules can't be changed while it runs
    const RuleControl* rule_control = nullptr;
    UploadDoor* door = nullptr;  // of SDKs' uploads; null: there is none
    SayLine say;                 // of orders, for the log
    bool on_kafka = false;       // events and topics are Kafka's: the doors have those of people and agents only
  };

  // Requires: all references live longer than this.
  HttpApi(Options options, const ServiceView& service, Log& log, const Clock& clock);

  // Thread: any of the server's.
  void handle(HttpRequest request, Responder responder);
  void stop() { long_poll_.stop(); }

 private:
  HttpResponse post_events(const HttpRequest& request);
  // Halts, acknowledgements, silences and baselines; nothing where the path is none of them.
  std::optional<HttpResponse> ask_desk(const HttpRequest& request, const std::vector<std::string>& path);
  HttpResponse reload_rules();
  HttpResponse get_rules() const;
  HttpResponse get_alerts();
  std::string door_metrics() const;
  HttpResponse get_status() const;
  HttpResponse get_health(bool readiness) const;
  void get_topic(const HttpRequest& request, const std::string& name, Responder responder);
  bool is_allowed(const HttpRequest& request) const;
  void read_orders();
  EventTime now() const;
  // The time that halts expire by: the stream's own where events drive the clock.
  EventTime stream_now() const;

  Options options_;
  const ServiceView& service_;
  Log& log_;
  const Clock& clock_;
  LongPoll long_poll_;
  // Requests come from several threads, and are few: one lock over what they share.
  std::mutex mutex_;
  NativeDecoder decoder_;
  OrderDesk desk_;
  std::map<Topic, std::int64_t> orders_next_{{Topic::halts, 0}, {Topic::silences, 0}};
};

// Splits a body into records: a JSON array into its items, a single object as it is, else line by line. Each with
// the number of its line.
struct BodyRecord {
  std::string_view key;
  std::string_view value;
  std::int64_t line = 1;
};
std::vector<BodyRecord> split_body(std::string_view body);

}  // namespace tocsin
