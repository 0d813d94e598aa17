#include "app/embedded.h"

#include <algorithm>
#include <thread>

#include "app/open_door.h"
#include "app/receiver_factory.h"
#include "base/hash.h"

namespace tocsin {

Result<std::unique_ptr<Embedded>, std::string> Embedded::start(const Config& config, const OwnRules& own,
                                                               const Fingerprinter& fingerprinter,
                                                               const DeliverLoop::OnResult& on_result,
                                                               const SayLine& say) {
  std::unique_ptr<Embedded> self(new Embedded());
  const bool by_events = config.clock == ClockMode::events;
  MemoryLog::Options log_options;
  log_options.partitions = config.partitions;
  log_options.stamps_records = !by_events;
  self->log_ = std::make_unique<MemoryLog>(log_options, self->clock_);

  ReceiversByName receivers;
  for (const ReceiverConfig& receiver : config.receivers) {
    auto made = make_receiver(receiver, self->clock_);
    if (!made) return failure(made.error());
    self->receivers_.push_back(std::move(made.value()));
    receivers[receiver.name] = self->receivers_.back().get();
  }
  const auto chains = delivery_chains(config.receivers);
  for (const auto& lanes : chains) self->log_->keep_for(Topic::outbox, "deliver/" + lanes.front().receiver);

  RuleControl::Options control;
  control.load = compiling_all_but(own);
  control.process = "embedded";
  self->rules_ = std::make_unique<RuleControl>(control, control_log_of(*self->log_), self->clock_, own.files,
                                               own.loaded.rules->hash, say);
  self->rules_->wait_for_first([] { return false; });
  self->rules_->on_change([log = self->log_.get()] { log->wake(); });
  self->rules_thread_ = std::thread([me = self.get()] { me->rules_->run(me->stop_rules_); });
  if (!by_events) self->rule_files_ = std::make_unique<RuleFiles>(config.rules, *self->rules_, say);

  Service::Options options;
  options.deployment = config.deployment();
  options.halts = config.halts;
  options.partitions = config.partitions;
  options.shards = static_cast<std::int32_t>(std::max(1u, std::thread::hardware_concurrency()));
  options.clock_of_events = by_events;
  options.publish_events = config.publish_events;
  self->service_ = std::make_unique<Service>(options, *self->log_, self->clock_, *self->rules_, fingerprinter, chains,
                                             receivers, on_result);
  HttpApi::Options api;
  api.rule_files = self->rule_files_.get();
  api.rule_control = self->rules_.get();
  api.token = config.http_token;
  api.say = say;
  api.partitions = config.partitions;
  const auto write = [log = self->log_.get(), partitions = static_cast<std::uint64_t>(config.partitions)](
                         std::vector<ReceivedRecord> records, const std::function<void(bool)>& done) {
    std::vector<NewRecord> batch;
    batch.reserve(records.size());
    for (ReceivedRecord& one : records) {
      const auto partition = static_cast<std::int32_t>(hash64(one.key) % partitions);
      batch.push_back({Topic::source, partition, std::move(one.key), std::move(one.value)});
    }
    if (!log->append(std::move(batch))) return false;
    done(true);
    return true;
  };
  auto door = make_door(receive_config(config), *self->rules_, fingerprinter, self->clock_, write);
  if (!door) return failure(door.error());
  self->door_ = std::move(door.value());
  api.door = self->door_.get();
  self->api_ = std::make_unique<HttpApi>(api, *self->service_, *self->log_, self->clock_);

  auto started = open_door(config, *self->api_);
  if (!started) return failure(started.error());
  self->server_ = std::move(started.value());
  self->address_ = config.http_address;
  return success(std::move(self));
}

Embedded::~Embedded() {
  if (api_) api_->stop();
  if (server_) server_->stop();
  rule_files_.reset();
  if (service_) service_->stop();
  stop_rules_ = true;
  if (rules_thread_.joinable()) rules_thread_.join();
  receivers_.clear();  // their last results go to a log that is still there
}

std::string Embedded::url() const {
  return door_url(address_, *server_);
}

}  // namespace tocsin
