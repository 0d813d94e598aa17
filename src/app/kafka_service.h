// Tocsin beside a Kafka cluster: bus, stages, receivers and HTTP doors, put together.

#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "app/bus_log.h"
#include "app/config.h"
#include "app/files.h"
#include "app/heartbeat_ping.h"
#include "app/http_api.h"
#include "app/open_door.h"
#include "app/rule_files.h"
#include "base/result.h"
#include "edge/clock/system_clock.h"
#include "edge/http/server.h"
#include "edge/kafka/kafka_bus.h"
#include "runtime/bus_service.h"
#include "runtime/source_writer.h"

namespace tocsin {

class KafkaService {
 public:
  // Starts everything, back to front. `names` as check_topics() saw them; `stop` ends the wait for the first rules.
  // The error is for people. `on_replaced` is called, from another thread, when a second process with this one's
  // instance name has joined: stop then.
  static Result<std::unique_ptr<KafkaService>, std::string> start(
      const Config& config, Stages stages, TopicNames names, const OwnRules& own, const Fingerprinter& fingerprinter,
      const DeliverLoop::OnResult& on_result, const LogLine& log, const std::function<bool()>& stop,
      std::function<void()> on_replaced);
  // Stops front to back.
  ~KafkaService();

  std::string url() const;
  const ServiceView& service() const { return *service_; }
  RuleFiles& rule_files() { return *rule_files_; }
  // Why it can't go on; empty where it can.
  std::string fatal() const { return rules_->status().fatal; }

 private:
  KafkaService() = default;
  Result<std::vector<DeliverWorker::Options>, std::string> make_receivers(const Config& config, const SayLine& say);

  SystemClock clock_;
  std::unique_ptr<KafkaBus> bus_;
  std::vector<std::unique_ptr<Receiver>> receivers_;
  std::unique_ptr<HeartbeatPing> heartbeat_;
  std::unique_ptr<Fingerprinter> fingerprinter_;
  std::unique_ptr<RuleControl> rules_;
  std::unique_ptr<RuleFiles> rule_files_;
  std::atomic<bool> stop_rules_{false};
  std::thread rules_thread_;
  std::unique_ptr<Attempts> attempts_;
  std::unique_ptr<BusService> service_;
  std::unique_ptr<BusLog> log_;
  std::unique_ptr<SourceWriter> writer_;
  std::unique_ptr<UploadDoor> door_;
  std::unique_ptr<HttpApi> api_;
  std::unique_ptr<HttpServer> server_;
  std::string address_;
};

}  // namespace tocsin
