#include "app/receiver_factory.h"

#include <utility>
#include <vector>

#include "edge/pagerduty/pagerduty_receiver.h"
#include "edge/webhook/webhook_receiver.h"

namespace tocsin {

namespace {

using Made = Result<std::unique_ptr<Receiver>, std::vector<std::string>>;

template <class Kind>
typename Kind::Options options_of(const ReceiverConfig& config, const Clock& clock) {
  typename Kind::Options options;
  options.url = config.url;
  options.timeout = config.timeout;
  options.allow_cidrs = config.allow_cidrs;
  options.ca_file = config.ca_file;
  options.wall_clock_seconds = [&clock] { return clock.now().since_epoch.count() / 1'000; };
  return options;
}

template <class Kind>
Made create(typename Kind::Options options) {
  auto made = Kind::create(std::move(options));
  if (!made) return failure(std::move(made.error()));
  return std::unique_ptr<Receiver>(std::move(made.value()));
}

Made make(const ReceiverConfig& config, const Clock& clock) {
  if (config.kind == ReceiverKind::pagerduty) {
    auto options = options_of<PagerdutyReceiver>(config, clock);
    options.routing_key = config.routing_key;
    return create<PagerdutyReceiver>(std::move(options));
  }
  auto options = options_of<WebhookReceiver>(config, clock);
  options.secrets = config.secrets;
  return create<WebhookReceiver>(std::move(options));
}

}  // namespace

Result<std::unique_ptr<Receiver>, std::string> make_receiver(const ReceiverConfig& config, const Clock& clock) {
  auto made = make(config, clock);
  if (made) return std::move(made.value());
  std::string problems;
  for (const std::string& problem : made.error()) problems += (problems.empty() ? "" : "; ") + problem;
  return failure("receiver " + config.name + ": " + problems);
}

}  // namespace tocsin
