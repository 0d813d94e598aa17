// Pages to PagerDuty, as events of its Events API v2.
//
// The page's body becomes an event (pagerduty_event.h) under the routing key of one integration. PagerDuty joins what
// arrives twice by the dedup_key, so that a page that is tried again wakes nobody twice.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "edge/http/page_sender.h"
#include "ports/receiver.h"

namespace tocsin {

constexpr std::string_view pagerduty_url = "https://events.pagerduty.com/v2/enqueue";

// What is wrong with a routing key, or an empty text. It never quotes the key.
std::string routing_key_problem(std::string_view routing_key);

class PagerdutyReceiver final : public Receiver {
 public:
  struct Options : PageSender::Options {  // an empty url stands for pagerduty_url
    std::string routing_key;
  };

  // The error lists everything that is wrong with the options; it quotes CIDRs and the CA file's name, never the
  // URL or the routing key.
  static Result<std::unique_ptr<PagerdutyReceiver>, std::vector<std::string>> create(Options options);

  // See PageSender, which says what becomes of the page. A body that is no page of ours is rejected.
  void attempt(Delivery delivery, std::function<void(DeliveryResult)> done) override;

 private:
  PagerdutyReceiver(std::unique_ptr<PageSender> sender, std::string routing_key)
      : sender_(std::move(sender)), routing_key_(std::move(routing_key)) {}
  std::unique_ptr<PageSender> sender_;
  const std::string routing_key_;
};

}  // namespace tocsin
