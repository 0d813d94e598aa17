#include "edge/webhook/signature.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "edge/http/base64.h"

namespace tocsin {

namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string base64(std::span<const unsigned char> bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) group = group << 8 | (j < count ? bytes[i + j] : 0U);
    for (std::size_t j = 0; j < 4; ++j) text += j <= count ? alphabet[group >> (18 - 6 * j) & 63U] : '=';
  }
  return text;
}

}  // namespace

Result<WebhookSecret, std::string> parse_webhook_secret(std::string_view text) {
  constexpr std::string_view prefix = "whsec_";
  if (!text.starts_with(prefix)) {
    if (text.empty()) return failure(std::string("a webhook secret is empty"));
    return WebhookSecret{std::string(text)};
  }
  auto key = from_base64(text.substr(prefix.size()));
  if (!key) return failure(std::string("what follows whsec_ in a webhook secret is not base64"));
  if (key->empty()) return failure(std::string("a webhook secret is empty"));
  return WebhookSecret{std::move(*key)};
}

std::string webhook_signature(const WebhookSecret& secret, std::string_view id, std::int64_t timestamp,
                              std::string_view body) {
  std::string message;
  message.reserve(id.size() + body.size() + 24);
  message.append(id).append(".").append(std::to_string(timestamp)).append(".").append(body);
  const std::string_view bytes = message;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  std::size_t size = 0;
  EVP_Q_mac(nullptr, "HMAC", nullptr, "SHA256", nullptr, secret.key.data(), secret.key.size(),
            // OpenSSL counts in unsigned char; a byte is a byte.
            reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data(), digest.size(), &size);
  return "v1," + base64(std::span(digest).first(size));
}

std::string webhook_signature_header(std::span<const WebhookSecret> secrets, std::string_view id,
                                     std::int64_t timestamp, std::string_view body) {
  std::string header;
  for (const WebhookSecret& secret : secrets) {
    if (!header.empty()) header += ' ';
    header += webhook_signature(secret, id, timestamp, body);
  }
  return header;
}

}  // namespace tocsin
