#include "app/receiver_factory.h"

#include "edge/webhook/webhook_receiver.h"

namespace tocsin {

Result<std::unique_ptr<Receiver>, std::string> make_receiver(const ReceiverConfig& config, const Clock& clock) {
  WebhookReceiver::Options options;
  options.url = config.url;
  options.timeout = config.timeout;
  options.allow_cidrs = config.allow_cidrs;
  options.ca_file = config.ca_file;
  options.secrets = config.secrets;
  options.wall_clock_seconds = [&clock] { return clock.now().since_epoch.count() / 1'000; };
  auto created = WebhookReceiver::create(std::move(options));
  if (created) return success(std::unique_ptr<Receiver>(std::move(created.value())));
  std::string problems;
  for (const std::string& problem : created.error()) problems += (problems.empty() ? "" : "; ") + problem;
  return failure("receiver " + config.name + ": " + problems);
}

}  // namespace tocsin
