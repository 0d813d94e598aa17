#include "app/kafka_service.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <thread>
#include <utility>

#include "app/receiver_factory.h"
#include "edge/disk/attempt_file.h"

namespace tocsin {

namespace {

// What this process is called among all, for people: its machine.
std::string process_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : std::string("unknown");
}

}  // namespace

Result<std::vector<DeliverWorker::Options>, std::string> KafkaService::make_receivers(const Config& config,
                                                                                      const SayLine& say) {
  if (!config.heartbeat_url.empty()) {
    auto ping = HeartbeatPing::create(config.heartbeat_url, config.heartbeat_allow_cidrs,
                                      [say](const std::string& why) { say(true, why); });
    if (!ping) return failure(ping.error());
    heartbeat_ = std::move(ping.value());
  }
  std::map<std::string, Receiver*> by_name;
  for (const ReceiverConfig& receiver : config.receivers) {
    auto made = make_receiver(receiver, clock_);
    if (!made) return failure(made.error());
    receivers_.push_back(std::move(made.value()));
    by_name[receiver.name] = receivers_.back().get();
  }
  std::vector<DeliverWorker::Options> list;
  for (auto& lanes : delivery_chains(config.receivers)) {
    DeliverWorker::Options own;
    for (const DeliverLane& lane : lanes) own.receivers.push_back(by_name[lane.receiver]);
    own.lanes = std::move(lanes);
    if (list.empty() && heartbeat_) own.on_heartbeat = [this] { heartbeat_->ping(); };
    list.push_back(std::move(own));
  }
  return success(std::move(list));
}

Result<std::unique_ptr<KafkaService>, std::string> KafkaService::start(
    const Config& config, Stages stages, TopicNames names, const OwnRules& own, const Fingerprinter& fingerprinter,
    const DeliverLoop::OnResult& on_result, const LogLine& log, const std::function<bool()>& stop,
    std::function<void()> on_replaced) {
  std::unique_ptr<KafkaService> self(new KafkaService());
  const SayLine say = [log](bool is_fault, const std::string& line) {
    log(is_fault ? LogLevel::error : LogLevel::info, line);
  };
  auto receivers = self->make_receivers(config, say);
  if (!receivers) return failure(receivers.error());

  const KafkaSettings& settings = *config.kafka;
  auto bus = KafkaBus::start(settings, std::move(names), log, std::move(on_replaced));
  if (!bus) return failure(bus.error());
  self->bus_ = std::move(bus.value());

  RuleControl::Options control;
  control.load = compiling_all_but(own);
  control.process = process_name();
  self->rules_ = std::make_unique<RuleControl>(control, control_log_of(*self->bus_), self->clock_, own.files,
                                               own.loaded.rules->hash, say);
  if (!self->rules_->wait_for_first(stop))
    return failure(std::string("stopped before the rules in force were known"));
  self->rule_files_ = std::make_unique<RuleFiles>(config.rules, *self->rules_, say);

  BusService::Options options;
  options.stages = stages;
  options.deployment = config.deployment();
  options.halts = config.halts;
  options.publish_events = config.publish_events;
  options.publish_spans = settings.publishes_spans;
  options.closes_when_idle = settings.idle_close;
  const auto cores = static_cast<std::int32_t>(std::max(1u, std::thread::hardware_concurrency()));
  options.threads = settings.threads > 0 ? settings.threads : cores;
  options.heartbeat_every = config.heartbeat_every;
  options.receivers = std::move(receivers.value());
  if (auto attempts = AttemptFile::open(config.state_directory)) {
    self->attempts_ = std::move(attempts.value());
    options.attempts = self->attempts_.get();
  } else {
    log(LogLevel::warning, "no state_directory (" + attempts.error() +
                               "): a record that ends its process is read again after each restart, for ever");
  }
  self->fingerprinter_ = std::make_unique<Fingerprinter>(fingerprinter);
  self->service_ = std::make_unique<BusService>(std::move(options), *self->bus_, self->clock_, *self->rules_,
                                                *self->fingerprinter_, on_result, say);
  self->rules_->on_change([service = self->service_.get()] { service->wake(); });
  self->rules_thread_ = std::thread([me = self.get()] { me->rules_->run(me->stop_rules_); });
  self->log_ = std::make_unique<BusLog>(*self->bus_, self->clock_);
  HttpApi::Options api;
  api.token = config.http_token;
  api.on_kafka = true;
  api.say = say;
  api.rule_files = self->rule_files_.get();
  api.rule_control = self->rules_.get();
  if (config.receive && stages.receive) {
    self->writer_ = std::make_unique<SourceWriter>(*self->bus_, self->clock_);
    auto door = make_door(
        receive_config(config), *self->rules_, *self->fingerprinter_, self->clock_,
        [writer = self->writer_.get()](std::vector<ReceivedRecord> records, std::function<void(bool)> done) {
          return writer->write(std::move(records), std::move(done));
        });
    if (!door) return failure(door.error());
    self->door_ = std::move(door.value());
    api.door = self->door_.get();
  }
  self->api_ = std::make_unique<HttpApi>(api, *self->service_, *self->log_, self->clock_);
  auto server = open_door(config, *self->api_);
  if (!server) return failure(server.error());
  self->server_ = std::move(server.value());
  self->address_ = config.http_address;
  return success(std::move(self));
}

KafkaService::~KafkaService() {
  if (bus_) bus_->begin_stop();
  if (api_) api_->stop();
  if (server_) server_->stop();
  server_.reset();
  api_.reset();  // it wakes the log once more
  door_.reset();
  rule_files_.reset();
  stop_rules_ = true;
  if (rules_thread_.joinable()) rules_thread_.join();
  if (service_) service_->stop();
  receivers_.clear();  // their last results go to workers that are still there
  if (log_) log_->stop();
  if (bus_) bus_->stop();  // what is acknowledged or given up until here belongs to workers that are still there
}

std::string KafkaService::url() const {
  return door_url(address_, *server_);
}

}  // namespace tocsin
