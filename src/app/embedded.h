// Tocsin in one process without a broker: log, stages, receivers and HTTP doors, put together.

#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "app/config.h"
#include "app/files.h"
#include "app/http_api.h"
#include "app/rule_files.h"
#include "base/result.h"
#include "edge/clock/system_clock.h"
#include "edge/http/server.h"
#include "edge/memory/memory_log.h"
#include "ports/receiver.h"
#include "runtime/service.h"

namespace tocsin {

class Embedded {
 public:
  // Starts everything, back to front. The error is for people.
  static Result<std::unique_ptr<Embedded>, std::string> start(const Config& config, const OwnRules& own,
                                                              const Fingerprinter& fingerprinter,
                                                              const DeliverLoop::OnResult& on_result,
                                                              const SayLine& say);
  // Stops front to back: no new events, then the stages, then the receivers.
  ~Embedded();

  std::string url() const;
  const Service& service() const { return *service_; }
  Log& log() { return *log_; }
  // Null where the events' own times drive the clock: rules do not change then.
  RuleFiles* rule_files() { return rule_files_.get(); }

 private:
  Embedded() = default;

  SystemClock clock_;
  std::unique_ptr<MemoryLog> log_;
  std::vector<std::unique_ptr<Receiver>> receivers_;
  std::unique_ptr<RuleControl> rules_;
  std::unique_ptr<RuleFiles> rule_files_;
  std::atomic<bool> stop_rules_{false};
  std::thread rules_thread_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<UploadDoor> door_;
  std::unique_ptr<HttpApi> api_;
  std::unique_ptr<HttpServer> server_;
  std::string address_;
};

}  // namespace tocsin
