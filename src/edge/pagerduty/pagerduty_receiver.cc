#include "edge/pagerduty/pagerduty_receiver.h"

#include <algorithm>
#include <utility>

#include "edge/pagerduty/pagerduty_event.h"

namespace tocsin {

std::string routing_key_problem(std::string_view routing_key) {
  if (routing_key.empty()) return "the routing key is empty";
  constexpr std::size_t longest = 64;  // PagerDuty's have 32
  const bool plain = std::all_of(routing_key.begin(), routing_key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  if (!plain || routing_key.size() > longest)
    return "a routing key is 32 letters and digits, and this is something else";
  return {};
}

void PagerdutyReceiver::attempt(Delivery delivery, std::function<void(DeliveryResult)> done) {
  auto event = to_pagerduty_event(delivery.body, routing_key_);
  if (!event) {
    sender_->reject(std::move(delivery.page_id), std::move(done),
                    "the body is no page that PagerDuty can be told of");
    return;
  }
  sender_->attempt({std::move(delivery.page_id), std::move(*event)}, std::move(done));
}

Result<std::unique_ptr<PagerdutyReceiver>, std::vector<std::string>> PagerdutyReceiver::create(Options options) {
  std::vector<std::string> problems;
  const std::string problem = routing_key_problem(options.routing_key);
  if (!problem.empty()) problems.push_back("routing_key: " + problem);
  if (options.url.empty()) options.url = pagerduty_url;
  auto sender = PageSender::create(options, [](const Delivery&, std::int64_t) -> HttpFields {
    return {{"Content-Type", "application/json"}, {"User-Agent", "tocsin"}};
  });
  if (!sender) problems.insert(problems.end(), sender.error().begin(), sender.error().end());
  if (!problems.empty()) return failure(std::move(problems));
  return std::unique_ptr<PagerdutyReceiver>(
      new PagerdutyReceiver(std::move(sender).value(), std::move(options.routing_key)));
}

}  // namespace tocsin
