#include "app/heartbeat_ping.h"

#include <chrono>
#include <utility>

namespace tocsin {

Result<std::unique_ptr<HeartbeatPing>, std::string> HeartbeatPing::create(
    const std::string& url, const std::vector<std::string>& allow_cidrs,
    std::function<void(const std::string&)> on_failure) {
  std::unique_ptr<HeartbeatPing> self(new HeartbeatPing());
  const auto parsed = parse_url(url);
  if (!parsed) return failure("heartbeat: " + parsed.error());
  self->url_ = parsed.value();
  auto guard = AddressGuard::create(allow_cidrs);
  if (!guard) return failure("heartbeat: " + guard.error().front());
  self->guard_ = std::move(guard.value());
  self->on_failure_ = std::move(on_failure);
  HttpClient::Options options;
  options.loads_authorities = self->url_.secure;
  auto client = HttpClient::create(options);
  if (!client) return failure("heartbeat: " + client.error());
  self->client_ = std::move(client.value());
  return success(std::move(self));
}

void HeartbeatPing::ping() {
  HttpCall call;
  call.url = url_;
  call.timeout = std::chrono::seconds{10};
  call.max_reply_bytes = 64 << 10;
  call.discard_body = true;
  call.may_connect = [this](const IpAddress& address) { return guard_.allows(address); };
  client_->call(std::move(call), [this](const HttpOutcome& outcome) {
    const bool good = outcome.status / 100 == 2;
    if (!good && !failing_) {
      on_failure_(outcome.status != 0
                      ? "the heartbeat's address answers with status " + std::to_string(outcome.status)
                      : "the heartbeat's address can't be reached: " + outcome.problem);
    }
    failing_ = !good;
  });
}

}  // namespace tocsin
