#include "app/open_door.h"

#include <utility>

namespace tocsin {

Result<std::unique_ptr<HttpServer>, std::string> open_door(const Config& config, HttpApi& api) {
  HttpServer::Options options;
  options.address = config.http_address;
  options.port = config.http_port;
  options.max_body_bytes = config.max_body_bytes;
  options.threads = 2;
  return HttpServer::start(options, [handler = &api](HttpRequest request, Responder responder) {
    handler->handle(std::move(request), std::move(responder));
  });
}

ReceiveConfig receive_config(const Config& config) {
  ReceiveConfig receive = config.receive.value_or(ReceiveConfig{});
  if (receive.tokens.empty() && !config.http_token.empty()) receive.tokens.push_back(config.http_token);
  receive.most_posted_bytes = config.max_body_bytes;
  return receive;
}

std::string door_url(const std::string& address, const HttpServer& server) {
  const bool any = address == "0.0.0.0" || address == "::";
  const std::string host = any ? "127.0.0.1" : address.find(':') != std::string::npos ? "[" + address + "]" : address;
  return "http://" + host + ":" + std::to_string(server.port());
}

}  // namespace tocsin
