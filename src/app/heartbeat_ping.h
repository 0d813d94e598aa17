// Tells a dead man's switch that all stages do their work: one GET for each heartbeat that came through them.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "edge/http/address_guard.h"
#include "edge/http/client.h"

namespace tocsin {

class HeartbeatPing {
 public:
  // `on_failure` gets one line without the URL, when pings begin to fail. Thread: the client's own.
  static Result<std::unique_ptr<HeartbeatPing>, std::string> create(
      const std::string& url, const std::vector<std::string>& allow_cidrs,
      std::function<void(const std::string&)> on_failure);
  // Returns at once. Thread: any.
  void ping();

 private:
  HeartbeatPing() = default;

  Url url_;
  AddressGuard guard_;
  std::function<void(const std::string&)> on_failure_;
  bool failing_ = false;  // the client's thread alone
  std::unique_ptr<HttpClient> client_;
};

}  // namespace tocsin
