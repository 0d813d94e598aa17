#include "app/upload_door.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <utility>

#include "base/compression.h"
#include "base/json.h"
#include "core/event/vendors/tree.h"
#include "edge/http/base64.h"

namespace tocsin {

namespace {

constexpr std::size_t most_forwarding = 256;
constexpr std::size_t most_bytes_forwarding = std::size_t{128} << 20;
constexpr Duration forward_timeout{20'000};
constexpr std::int64_t seconds_of_burst = 2;

std::string name_of_door(Door door) {
  switch (door) {
    case Door::native:
      return "native";
    case Door::otlp:
      return "otlp";
    case Door::langfuse:
      return "langfuse";
    case Door::langsmith_batch:
    case Door::langsmith_multipart:
    case Door::langsmith_run:
    case Door::langsmith_feedback:
      return "langsmith";
    case Door::datadog_traces:
    case Door::datadog_traces_v05:
    case Door::datadog_llmobs:
      return "datadog";
    case Door::helicone:
      return "helicone";
    case Door::none:
      break;
  }
  return "none";
}

HttpResponse json_of(int status, const Json& json) {
  return {status, "application/json", dump(json), {}};
}

HttpResponse again_later(int status, const char* why) {
  HttpResponse response = json_of(status, {{"error", why}});
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

// What LangSmith's and Datadog's SDKs both ask for at one path, before they post.
Json info_of_doors(std::size_t most_bytes) {
  return {{"version", "0.10.0"},
          {"instance_flags", {{"zstd_compression_enabled", true}}},
          {"batch_ingest_config",
           {{"use_multipart_endpoint", true},
            {"size_limit", 100},
            {"size_limit_bytes", most_bytes},
            {"scale_up_qsize_trigger", 1'000},
            {"scale_up_nthreads_limit", 16},
            {"scale_down_nempty_trigger", 4}}},
          {"endpoints",
           {"/v0.4/traces", "/v0.5/traces", "/evp_proxy/v1/", "/evp_proxy/v2/", "/evp_proxy/v3/", "/evp_proxy/v4/"}},
          {"client_drop_p0s", false}};
}

// Langfuse's SDKs want to hear of what they sent one by one.
Json langfuse_answer(const std::vector<std::string>& ids) {
  Json successes = Json::array();
  for (const std::string& id : ids) successes.push_back({{"id", id}, {"status", 201}});
  return {{"successes", successes}, {"errors", Json::array()}};
}

// What each vendor's server says to what it has taken.
HttpResponse taken(Door door, const HttpRequest& request, std::size_t events, const std::vector<std::string>& ids) {
  switch (door) {
    case Door::otlp:
      if (request.header("content-type").value_or("").find("json") != std::string_view::npos) {
        return json_of(200, Json::object());
      }
      return {200, "application/x-protobuf", {}, {}};  // an empty message: all was taken
    case Door::langfuse:
      return json_of(207, langfuse_answer(ids));
    case Door::datadog_traces:
    case Door::datadog_traces_v05:
      return json_of(200, {{"rate_by_service", Json::object()}});
    case Door::helicone:
      return json_of(200, Json::object());
    case Door::native:
      return json_of(202, {{"accepted", events}});
    case Door::langsmith_batch:
    case Door::langsmith_multipart:
    case Door::langsmith_run:
    case Door::langsmith_feedback:
    case Door::datadog_llmobs:
    case Door::none:
      break;
  }
  return json_of(202, Json::object());
}

HttpResponse refused(DecodeError why) {
  const int status = why == DecodeError::too_large ? 413 : why == DecodeError::compression ? 415 : 400;
  return json_of(status,
                 {{"error", "the upload can't be read: " + std::string(name_of(why))}, {"reason", name_of(why)}});
}

// Whatever the SDKs call the key that they were given; of Basic both halves, as vendors differ in which is secret.
std::vector<std::string> credentials_of(const HttpRequest& request) {
  std::vector<std::string> list;
  for (const char* name : {"x-api-key", "dd-api-key", "x-langsmith-api-key"}) {
    if (const auto value = request.header(name)) list.emplace_back(*value);
  }
  for (const char* name : {"authorization", "helicone-auth"}) {
    const auto value = request.header(name);
    if (!value) continue;
    list.emplace_back(*value);
    const std::size_t space = value->find(' ');
    const std::string_view rest = space == std::string_view::npos ? *value : value->substr(space + 1);
    if (value->starts_with("Basic ") || value->starts_with("basic ")) {
      const std::string both = from_base64(rest).value_or("");
      const std::size_t colon = both.find(':');
      list.push_back(both);
      if (colon == std::string::npos) continue;
      list.push_back(both.substr(0, colon));
      list.push_back(both.substr(colon + 1));
    } else {
      list.emplace_back(rest);
    }
  }
  return list;
}

}  // namespace

struct UploadDoor::Shared {
  mutable std::mutex mutex;
  ReceiveFigures figures;
  std::size_t forwarding = 0, bytes_forwarding = 0;
  double allowance = 0;  // uploads that may come at once
  Duration filled_at{};
  bool is_filled = false;
};

UploadDoor::UploadDoor(ReceiveConfig config, const RuleSource& rules, const Fingerprinter& fingerprinter,
                       const Clock& clock, Write write, std::unique_ptr<HttpClient> forwarder)
    : config_(std::move(config)),
      clock_(clock),
      write_(std::move(write)),
      forwarder_(std::move(forwarder)),
      rules_(rules),
      stage_(rules.epochs()->newest().patterns, fingerprinter, config_.most_bytes),
      shared_(std::make_shared<Shared>()) {}

UploadDoor::~UploadDoor() {
  if (forwarder_) forwarder_->stop();
}

bool UploadDoor::takes(const HttpRequest& request) {
  if (request.method == "GET") return request.path == "/info" || request.path == "/v1/info";
  const bool posts = request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  return posts && door_of(request.path) != Door::none;
}

bool UploadDoor::is_allowed(const HttpRequest& request) const {
  if (config_.tokens.empty()) return true;
  bool found = false;
  // Each with each, in constant time for those of one length: neither which one nor how much of it fits can be told.
  for (const std::string& given : credentials_of(request)) {
    for (const std::string& token : config_.tokens) {
      const bool same = given.size() == token.size() && CRYPTO_memcmp(given.data(), token.data(), token.size()) == 0;
      found = found || same;
    }
  }
  return found;
}

bool UploadDoor::is_over_rate() {
  if (config_.most_per_second <= 0) return false;
  const Duration now = clock_.monotonic();
  const auto most = static_cast<double>(config_.most_per_second * seconds_of_burst);
  const std::lock_guard lock(shared_->mutex);
  if (!shared_->is_filled) {
    shared_->allowance = most;
    shared_->is_filled = true;
  } else {
    const double seconds = static_cast<double>((now - shared_->filled_at).count()) / 1'000;
    shared_->allowance = std::min(most, shared_->allowance + seconds * static_cast<double>(config_.most_per_second));
  }
  shared_->filled_at = now;
  if (shared_->allowance < 1) return true;
  shared_->allowance -= 1;
  return false;
}

void UploadDoor::note(Door door, const std::string& result) {
  const std::lock_guard lock(shared_->mutex);
  ++shared_->figures.uploads[{name_of_door(door), result}];
}

void UploadDoor::handle(HttpRequest request, Responder responder) {
  const Door door = door_of(request.path);
  if (!is_allowed(request)) {
    note(door, "not_allowed");
    return responder.send(json_of(401, {{"error",
                                         "this door asks for a token: as a bearer, as the password of Basic, "
                                         "or in x-api-key or dd-api-key"}}));
  }
  if (request.path == "/info")
    return responder.send(json_of(200, info_of_doors(std::min(config_.most_posted_bytes, config_.most_bytes))));
  if (request.path == "/v1/info") {
    return responder.send(json_of(200, {{"project_name", "tocsin"}, {"project_url", ""}}));
  }
  if (is_over_rate()) {
    note(door, "over_rate");
    return responder.send(again_later(429, "too many uploads; send it again"));
  }
  std::vector<ReceivedRecord> records;
  std::vector<std::string> ids;
  std::optional<DecodeError> error;
  {
    std::vector<std::pair<std::string_view, std::string_view>> headers;
    for (const auto& [name, value] : request.headers) {
      if (is_part_of_upload(name)) headers.emplace_back(name, value);
    }
    const std::lock_guard lock(stage_mutex_);
    if (auto now = rules_.epochs(); now != epochs_) {
      epochs_ = std::move(now);
      stage_.know(epochs_->newest().rules->names, epochs_->newest().patterns);
    }
    const Received& received = stage_.apply({request.path, request.header("content-type").value_or(""),
                                             request.header("content-encoding").value_or(""), headers, request.body});
    error = received.error ? received.error : received.refused_for;
    if (!error) records = received.records;
    if (door == Door::langfuse) ids = received.ids;
  }
  if (error) {
    note(door, "refused");
    return responder.send(refused(*error));
  }
  const std::size_t events = records.size();
  HttpResponse answer = taken(door, request, events, ids);
  const std::size_t bytes = request.body.size();
  const auto done = [shared = shared_, responder, answer, door, events, bytes](bool is_written) {
    {
      const std::lock_guard lock(shared->mutex);
      ++shared->figures.uploads[{name_of_door(door), is_written ? "taken" : "not_written"}];
      if (is_written) shared->figures.events += events;
      if (is_written) shared->figures.bytes += bytes;
    }
    responder.send(is_written ? answer : again_later(503, "it could not be written; send it again"));
  };
  if (!records.empty() && !write_(std::move(records), done)) {
    note(door, "no_room");
    return responder.send(again_later(503, "the bus takes nothing now; send it again"));
  }
  if (events == 0) done(true);
  forward(request);
}

// The vendor gets the upload as it came, with the headers that say what it is and whose. Nobody waits for it: what it
// does not take in time is dropped and counted.
void UploadDoor::forward(const HttpRequest& request) {
  if (!forwarder_ || !config_.forward_to) return;
  const std::size_t bytes = request.body.size();
  {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->forwarding >= most_forwarding || shared_->bytes_forwarding + bytes > most_bytes_forwarding) {
      ++shared_->figures.forward_dropped;
      return;
    }
    ++shared_->forwarding;
    shared_->bytes_forwarding += bytes;
  }
  HttpCall call;
  call.method = request.method;
  call.url = *config_.forward_to;
  call.url.target = (call.url.target == "/" ? std::string{} : call.url.target) + request.path;
  char joint = '?';
  for (const auto& [name, value] : request.query) {
    call.url.target += std::exchange(joint, '&') + percent_encode(name) + "=" + percent_encode(value);
  }
  for (const auto& [name, value] : request.headers) {
    constexpr std::string_view of_the_connection[] = {"host",   "content-length", "connection", "transfer-encoding",
                                                      "expect", "keep-alive",     "te",         "upgrade"};
    if (std::find(std::begin(of_the_connection), std::end(of_the_connection), name) == std::end(of_the_connection)) {
      call.headers.emplace_back(name, value);
    }
  }
  call.body = request.body;
  call.timeout = forward_timeout;
  call.max_reply_bytes = 64 << 10;
  call.discard_body = true;
  forwarder_->call(std::move(call), [shared = shared_, bytes](const HttpOutcome& outcome) {
    const std::lock_guard lock(shared->mutex);
    --shared->forwarding;
    shared->bytes_forwarding -= bytes;
    const bool is_taken = outcome.status >= 200 && outcome.status < 300;
    ++(is_taken ? shared->figures.forwarded : shared->figures.forward_failed);
  });
}

ReceiveFigures UploadDoor::figures() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->figures;
}

Result<std::unique_ptr<UploadDoor>, std::string> make_door(ReceiveConfig config, const RuleSource& rules,
                                                           const Fingerprinter& fingerprinter, const Clock& clock,
                                                           UploadDoor::Write write) {
  std::unique_ptr<HttpClient> forwarder;
  if (config.forward_to) {
    HttpClient::Options options;
    options.loads_authorities = config.forward_to->secure;
    auto client = HttpClient::create(options);
    if (!client) return failure(client.error());
    forwarder = std::move(client.value());
  }
  return success(std::make_unique<UploadDoor>(std::move(config), rules, fingerprinter, clock, std::move(write),
                                              std::move(forwarder)));
}

}  // namespace tocsin
