#include "app/client_call.h"

#include <cstdlib>
#include <iostream>

#include "app/kafka_desk.h"
#include "base/json.h"
#include "edge/http/client.h"
#include "edge/http/url.h"

namespace tocsin {

namespace {

std::string url_of(const ClientOptions& options) {
  std::string url = options.url;
  if (url.empty()) {
    const char* variable = std::getenv("TOCSIN_URL");
    url = variable != nullptr && *variable != '\0' ? variable : "http://127.0.0.1:8686";
  }
  while (!url.empty() && url.back() == '/') url.pop_back();
  return url;
}

std::optional<DeskAnswer> ask_service(const ClientOptions& options, const DeskRequest& request) {
  HttpFields headers{{"content-type", "application/json"}};
  // From the environment: what stands on a command line can be read by everybody on the machine.
  if (const char* token = std::getenv("TOCSIN_TOKEN"))
    headers.emplace_back("authorization", std::string("Bearer ") + token);
  std::string url = url_of(options);
  for (const std::string& segment : request.path) url += "/" + percent_encode(segment);
  const auto reply = http_call(request.method, url, headers, request.body, std::chrono::seconds{10});
  if (!reply) {
    std::cerr << "tocsin: " << url_of(options) << " can't be reached: " << reply.error()
              << "\nName the service with --url or TOCSIN_URL.\n";
    return std::nullopt;
  }
  return DeskAnswer{reply.value().status, reply.value().body, {}, {}};
}

}  // namespace

std::optional<std::string> call(const ClientOptions& options, const DeskRequest& request) {
  std::optional<DeskAnswer> answer;
  if (options.kafka) {
    auto asked = ask_kafka(options.config, request);
    if (!asked) {
      std::cerr << "tocsin: " << asked.error() << '\n';
      return std::nullopt;
    }
    answer = std::move(asked.value());
  } else {
    answer = ask_service(options, request);
    if (!answer) return std::nullopt;
  }
  const auto json = parse_json(answer->body);
  if (answer->status / 100 != 2) {
    const std::string why = json.is_object() ? json.value("error", std::string{}) : std::string{};
    std::cerr << "tocsin: ";
    if (!options.kafka || why.empty()) std::cerr << "status " << answer->status << (why.empty() ? "" : ": ");
    std::cerr << why << '\n';
    return std::nullopt;
  }
  if (!json.is_object()) {
    std::cerr << "tocsin: the answer is no JSON; is this a tocsin service?\n";
    return std::nullopt;
  }
  return std::move(answer->body);
}

}  // namespace tocsin
