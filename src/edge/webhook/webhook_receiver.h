// Pages to a receiver over HTTP, signed as Standard Webhooks has it.
//
// POST of the page's JSON with webhook-id (the page id, the same over all attempts), webhook-timestamp and
// webhook-signature. A webhook's URL is data that somebody wrote into a file: before connecting, every address of
// its host is checked, so that it cannot point into our own network.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "edge/http/page_sender.h"
#include "ports/receiver.h"

namespace tocsin {

class WebhookReceiver final : public Receiver {
 public:
  struct Options : PageSender::Options {
    std::vector<std::string> secrets;  // `whsec_<base64>` or raw; a second one while they are rotated
  };

  // The error lists everything that is wrong with the options; it quotes CIDRs and the CA file's name, never the
  // URL or a secret.
  static Result<std::unique_ptr<WebhookReceiver>, std::vector<std::string>> create(Options options);

  // See PageSender, which says what becomes of the page. A page id that cannot stand in a header is rejected.
  void attempt(Delivery delivery, std::function<void(DeliveryResult)> done) override;

 private:
  explicit WebhookReceiver(std::unique_ptr<PageSender> sender) : sender_(std::move(sender)) {}
  std::unique_ptr<PageSender> sender_;
};

}  // namespace tocsin
