// The signatures of Standard Webhooks (https://www.standardwebhooks.com): `v1,<base64 HMAC-SHA256>` over
// "id.timestamp.body". Thread: any; everything here is a value.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tocsin {

struct WebhookSecret {
  std::string key;  // raw bytes
};

// `whsec_<base64>`, or anything else as the raw bytes of the key. Refused: nothing, and broken base64. The error
// never quotes the secret.
Result<WebhookSecret, std::string> parse_webhook_secret(std::string_view text);

// "v1,<base64>" of the message under one secret. `timestamp` in seconds since the epoch, as the webhook-timestamp
// header says it; `id` as the webhook-id header says it.
std::string webhook_signature(const WebhookSecret& secret, std::string_view id, std::int64_t timestamp,
                              std::string_view body);

// The webhook-signature header: one signature for each secret, separated by spaces. While secrets are rotated there
// are two, and a receiver accepts the message when either fits.
std::string webhook_signature_header(std::span<const WebhookSecret> secrets, std::string_view id,
                                     std::int64_t timestamp, std::string_view body);

}  // namespace tocsin
