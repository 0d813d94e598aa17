#include "edge/webhook/webhook_receiver.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "edge/webhook/signature.h"

namespace tocsin {

namespace {

// Visible ASCII and spaces inside: what every HTTP library hands on unchanged.
bool is_header_text(std::string_view text) {
  return !text.empty() && text.front() != ' ' && text.back() != ' ' &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

void WebhookReceiver::attempt(Delivery delivery, std::function<void(DeliveryResult)> done) {
  if (!is_header_text(delivery.page_id)) {
    sender_->reject(std::move(delivery.page_id), std::move(done), "the page id cannot stand in a header");
    return;
  }
  sender_->attempt(std::move(delivery), std::move(done));
}

Result<std::unique_ptr<WebhookReceiver>, std::vector<std::string>> WebhookReceiver::create(Options options) {
  std::vector<std::string> problems;
  std::vector<WebhookSecret> secrets;
  for (const std::string& text : options.secrets) {
    auto secret = parse_webhook_secret(text);
    if (secret)
      secrets.push_back(std::move(secret).value());
    else
      problems.push_back("secrets: " + secret.error());
  }
  if (options.secrets.empty()) problems.emplace_back("secrets: none is given, and pages go out signed");
  // The time stamp is that of sending, as receivers refuse old ones.
  auto sender = PageSender::create(
      options, [secrets = std::move(secrets)](const Delivery& delivery, std::int64_t now) -> HttpFields {
        return {{"Content-Type", "application/json"},
                {"User-Agent", "tocsin"},
                {"webhook-id", delivery.page_id},
                {"webhook-timestamp", std::to_string(now)},
                {"webhook-signature", webhook_signature_header(secrets, delivery.page_id, now, delivery.body)}};
      });
  if (!sender) problems.insert(problems.begin(), sender.error().begin(), sender.error().end());
  if (!problems.empty()) return failure(std::move(problems));
  return std::unique_ptr<WebhookReceiver>(new WebhookReceiver(std::move(sender).value()));
}

}  // namespace tocsin
