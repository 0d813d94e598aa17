#include "core/sanitize/token_structures.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/sanitize/base64_digits.h"
#include "core/sanitize/checks.h"
#include "core/sanitize/checksums.h"

namespace tocsin {

namespace {

constexpr std::string_view hexadecimal_digits = "0123456789abcdef";
constexpr std::string_view capital_hexadecimal_digits = "0123456789ABCDEF";
constexpr std::string_view base36_digits = "0123456789abcdefghijklmnopqrstuvwxyz";

std::string_view without_last(std::string_view text, std::size_t count) {
  return text.substr(0, text.size() - std::min(count, text.size()));
}
std::string_view last(std::string_view text, std::size_t count) {
  return text.substr(text.size() - std::min(count, text.size()));
}
// What stands before an underscore and so many digits; empty where none does.
std::string_view before_digits(std::string_view text, std::size_t digits) {
  const bool has_both = text.size() > digits && text[text.size() - digits - 1] == '_';
  return has_both ? without_last(text, digits + 1) : std::string_view();
}
std::string_view behind(std::string_view text, char separator) {
  const std::size_t at = text.find(separator);
  return at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
}

// What base64 of either alphabet writes.
class Decoded {
 public:
  // Nothing is decoded where another character stands inside, or a digit that none can be.
  explicit Decoded(std::string_view base64) {
    base64 = base64.substr(0, base64.find_last_not_of('=') + 1);
    is_whole_ = base64.size() / 4 * 3 + 3 <= bytes_.size();
    if (!is_whole_) base64 = base64.substr(0, bytes_.size() / 3 * 4);
    if (base64.size() % 4 == 1) return;
    std::uint32_t bits = 0;
    std::size_t size = 0;
    for (std::size_t i = 0; i < base64.size(); ++i) {
      const std::uint8_t digit = base64_digit(base64[i]);
      if (digit == no_base64_digit) return;
      bits = (bits << 6) | digit;
      if (i % 4 != 0) bytes_[size++] = static_cast<char>((bits >> (6 - 2 * (i % 4))) & 0xff);
    }
    size_ = size;
  }

  std::string_view text() const { return {bytes_.data(), size_}; }
  // False where it is longer than what is at hand.
  bool is_whole() const { return is_whole_; }

 private:
  std::array<char, 4608> bytes_;  // of the longest token of 1Password's
  std::size_t size_ = 0;
  bool is_whole_ = false;
};

// Binary tokens, from their front. What is behind the end reads as nothing, and so does all after it.
class TokenReader {
 public:
  explicit TokenReader(std::string_view bytes) : rest_(bytes) {}

  std::optional<unsigned> byte() {
    const std::string_view one = bytes(1);
    if (one.empty()) return std::nullopt;
    return static_cast<unsigned char>(one.front());
  }
  std::string_view bytes(std::size_t count) {
    if (count > rest_.size()) {
      is_broken_ = true;
      rest_ = {};
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  bool skip(std::size_t count) { return bytes(count).size() == count && !is_broken_; }
  // Of protocol buffers: seven bits a byte, the lowest first.
  std::optional<std::size_t> varint() {
    std::size_t value = 0;
    for (int shift = 0; shift < 28; shift += 7) {
      const auto next = byte();
      if (!next) return std::nullopt;
      value |= static_cast<std::size_t>(*next & 0x7f) << shift;
      if (*next < 0x80) return value;
    }
    return std::nullopt;
  }
  bool at_end() const { return rest_.empty() && !is_broken_; }

 private:
  std::string_view rest_;
  bool is_broken_ = false;
};

// Whether the text is one JSON object, or begins as one where it is not whole: brackets, strings and what may stand
// outside of them. Of random bytes nothing is.
bool is_json_object(std::string_view text, bool is_whole) {
  constexpr std::string_view outside = " \t\r\n:,+-.0123456789eEtruefalsn";
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (static_cast<unsigned char>(c) < ' ') return false;
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = depth > 0;
      if (!in_string) return false;
    } else if (c == '{' || c == '[') {
      if (depth++ == 0 && c == '[') return false;
    } else if (c == '}' || c == ']') {
      if (--depth == 0) return i + 1 == text.size();
      if (depth < 0) return false;
    } else if (depth == 0 || outside.find(c) == std::string_view::npos) {
      return false;
    }
  }
  return !is_whole && depth > 0;
}

bool writes_json_object(std::string_view base64) {
  const Decoded json(base64);
  return is_json_object(json.text(), json.is_whole());
}

// "eyJ" begins a JSON object in base64.
std::string_view from_json(std::string_view token) {
  const std::size_t at = token.find("eyJ");
  return at == std::string_view::npos ? std::string_view() : token.substr(at);
}

// Six digits of base 62, the CRC-32 of what stands between the first underscore and them: NetBird
// (github.com/netbirdio/netbird, personal_access_token.go), as GitHub and npm.
bool has_crc32_base62(std::string_view token) {
  return github_checksum_holds(token);
}

// The eight capital hexadecimal digits at the end are the CRC-32 of all before, with the equals sign
// (github.com/DataDog/dd-sensitive-data-scanner, atlassian_token_checksum.rs).
bool has_atlassian_crc32(std::string_view token) {
  constexpr std::size_t digits = 8;
  return writes(last(token, digits), crc32(without_last(token, digits)), capital_hexadecimal_digits);
}

// PREFIX PAYLOAD . [VERSION .] LL CCCCCCC: the length of the payload and the CRC-32 of all before itself, in base 36
// (gitlabhq, lib/authn/token_field/generator/routable_token.rb). Runners' prefixes go on: glrt-t1_.
bool has_gitlab_structure(std::string_view token) {
  constexpr std::size_t crc_digits = 7;
  constexpr std::size_t length_digits = 2;
  const std::string_view crc = last(token, crc_digits);
  const std::string_view before = without_last(token, crc_digits);
  if (!writes(crc, crc32(before), base36_digits)) return false;
  const std::string_view length = last(before, length_digits);
  std::string_view payload = behind(token, '-');
  payload = payload.substr(0, payload.find('.'));
  const auto is_its_length = [&](std::string_view text) {
    return writes(length, static_cast<std::uint32_t>(text.size()), base36_digits);
  };
  constexpr std::size_t runner_prefix = 3;
  return is_its_length(payload) || (payload.size() > runner_prefix && payload[runner_prefix - 1] == '_' &&
                                    is_its_length(payload.substr(runner_prefix)));
}

// glsa_SECRET_CHECKSUM: the CRC-32 of all before the last underscore, its bytes in hexadecimal, the lowest first
// (grafana/grafana, pkg/components/satokengen).
bool has_grafana_crc32(std::string_view token) {
  constexpr std::size_t digits = 8;
  const std::uint32_t crc = crc32(before_digits(token, digits));
  const std::uint32_t turned = (crc >> 24) | ((crc >> 8) & 0xff00) | ((crc << 8) & 0xff0000) | (crc << 24);
  return writes(last(token, digits), turned, hexadecimal_digits);
}

// zpka_BODY_CHECKSUM: the CRC-32 of the body (zuplo.com/blog/api-key-authentication).
bool has_zuplo_crc32(std::string_view token) {
  constexpr std::size_t digits = 8;
  return writes(last(token, digits), crc32(before_digits(behind(token, '_'), digits)), hexadecimal_digits);
}

// syt_USER_RANDOM_CHECKSUM: the CRC-32 of all before the last underscore, in base 62 (element-hq/synapse,
// synapse/handlers/auth.py and synapse/util/stringutils.py).
bool has_synapse_crc32(std::string_view token) {
  constexpr std::size_t digits = 6;
  return writes(last(token, digits), crc32(before_digits(token, digits)), base62_digits);
}

// mat_RANDOM_CHECKSUM: the same with the lowest digit first, and before that the zeros that fill it up
// (element-hq/matrix-authentication-service, token types of its data model).
bool has_matrix_service_crc32(std::string_view token) {
  constexpr std::size_t digits = 6;
  std::uint32_t crc = crc32(before_digits(token, digits));
  std::array<char, digits> written{};
  std::size_t size = 0;
  for (; crc > 0; crc /= 62) written[size++] = base62_digits[crc % 62];
  const std::string_view checksum = last(token, digits);
  const std::size_t zeros = digits - size;
  return checksum.substr(0, zeros).find_first_not_of('0') == std::string_view::npos &&
         checksum.substr(std::min(zeros, checksum.size())) == std::string_view(written.data(), size);
}

// Macaroons in version 2 of their binary form: after a 2, sections of fields (type, length, bytes), each ended by a
// 0: the head, a section a caveat, and an empty one; then the signature of 32 bytes (libmacaroons, doc/format.txt;
// pypi.org makes them with pymacaroons).
bool is_pypi_macaroon(std::string_view token) {
  constexpr unsigned version = 2;
  constexpr unsigned location = 1;
  constexpr unsigned identifier = 2;
  constexpr unsigned verification = 4;
  constexpr unsigned signature = 6;
  constexpr std::size_t signature_size = 32;
  const Decoded macaroon(behind(token, '-'));
  TokenReader reader(macaroon.text());
  if (!macaroon.is_whole() || reader.byte() != version) return false;
  bool has_fields = false;
  for (bool is_first = true; is_first || has_fields; is_first = false) {
    has_fields = false;
    for (auto type = reader.byte(); type != 0U; type = reader.byte()) {
      if (type != location && type != identifier && type != verification) return false;
      const auto size = reader.varint();
      if (!size || !reader.skip(*size)) return false;
      has_fields = true;
    }
    if (is_first && !has_fields) return false;
  }
  return reader.byte() == signature && reader.varint() == signature_size && reader.skip(signature_size) &&
         reader.at_end();
}

// A macaroon of Fly.io's in MessagePack: four fields, of which the first is a nonce (a key's id, 16 random bytes and,
// since its version 1, a truth value), the second a location, and the last an HMAC of 32 bytes
// (github.com/superfly/macaroon, macaroon.go and nonce.go). Tokens of the older kind, fo1_, are random.
bool is_fly_macaroon(std::string_view token) {
  if (token.substr(0, 3) == "fo1") return true;
  const Decoded macaroon(behind(token, '_'));
  TokenReader reader(macaroon.text());
  constexpr unsigned array_of_four = 0x94;
  constexpr unsigned array_of_two = 0x92;
  constexpr unsigned array_of_three = 0x93;
  constexpr unsigned short_bytes = 0xc4;
  constexpr unsigned longer_bytes = 0xc5;
  constexpr std::size_t random_size = 16;
  if (reader.byte() != array_of_four) return false;
  const auto nonce = reader.byte();
  if (nonce != array_of_two && nonce != array_of_three) return false;
  const auto key_kind = reader.byte();
  if (key_kind != short_bytes && key_kind != longer_bytes) return false;
  std::size_t key_size = reader.byte().value_or(0);
  if (key_kind == longer_bytes) key_size = key_size * 256 + reader.byte().value_or(0);
  if (!reader.skip(key_size)) return false;
  if (reader.byte() != short_bytes || reader.byte() != random_size || !reader.skip(random_size)) return false;
  if (nonce == array_of_three && (reader.byte().value_or(0) & 0xfe) != 0xc2) return false;
  const unsigned place = reader.byte().value_or(0);
  const bool is_short_text = (place & 0xe0) == 0xa0;
  const std::string_view location = reader.bytes(is_short_text   ? place & 0x1f
                                                 : place == 0xd9 ? reader.byte().value_or(0)
                                                                 : 0);
  const bool is_place =
      !location.empty() && std::all_of(location.begin(), location.end(), [](char c) { return c >= ' ' && c < 127; });
  if (!is_place || !macaroon.is_whole()) return is_place;
  constexpr std::string_view bytes_of_32 = "\xc4\x20";
  return macaroon.text().size() > 34 && last(macaroon.text(), 34).substr(0, 2) == bytes_of_32;
}

// hvs.CAES...: base64 of a protocol buffer: version 1, an HMAC of 32 bytes, and the token, to the end
// (hashicorp/vault, SignedToken). Others that begin so, and batch and recovery tokens, are opaque.
bool is_vault_token(std::string_view token) {
  constexpr std::string_view signed_token = "hvs.CAES";
  if (token.substr(0, signed_token.size()) != signed_token) return true;
  constexpr std::string_view head = "\x08\x01\x12\x20";
  constexpr std::size_t hmac_size = 32;
  constexpr unsigned third_field = 0x1a;
  const Decoded message(behind(token, '.'));
  TokenReader reader(message.text());
  if (reader.bytes(head.size()) != head || !reader.skip(hmac_size) || reader.byte() != third_field) return false;
  const auto size = reader.varint();
  return size && reader.skip(*size) && reader.at_end();
}

// 8Q~: its last three characters begin the Marvin checksum of the others, in six digits of its own alphabet. Those of
// other numbers have none that is published (github.com/microsoft/security-utilities, IdentifiableMetadata.cs).
bool has_azure_client_checksum(std::string_view token) {
  constexpr std::size_t mark_at = 3;
  constexpr std::size_t shown = 3;
  constexpr std::size_t digits = 6;
  constexpr std::uint64_t seed = 0x4161645077643030;  // "AadPwd00"
  constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ1234567890.-_~";
  if (token.size() < mark_at + digits || token[mark_at] != '8') return true;
  std::uint32_t checksum = marvin32(without_last(token, shown), seed);
  for (std::size_t i = shown; i < digits; ++i) checksum /= static_cast<std::uint32_t>(alphabet.size());
  return writes(last(token, shown), checksum, alphabet);
}

// Keys of storage accounts: the last four of the 64 bytes are the Marvin checksum of the others, the lowest first
// (github.com/microsoft/security-utilities, IdentifiableSecrets.cs).
bool has_azure_storage_checksum(std::string_view token) {
  constexpr std::size_t key_size = 64;
  constexpr std::size_t checksum_size = 4;
  constexpr std::uint64_t seed = 0x44656661756c7430;  // "Default0"
  const Decoded key(token);
  if (key.text().size() != key_size) return false;
  std::uint32_t checksum = marvin32(without_last(key.text(), checksum_size), seed);
  for (const char c : last(key.text(), checksum_size)) {
    if (static_cast<unsigned char>(c) != (checksum & 0xff)) return false;
    checksum >>= 8;
  }
  return true;
}

// The first base64 that begins as a JSON object does is one, up to a dot or the end.
bool holds_json(std::string_view token) {
  const std::string_view base64 = from_json(token);
  return writes_json_object(base64.substr(0, base64.find('.')));
}

// sntrys_JSON_SECRET (getsentry/sentry, utils/security/orgauthtoken_token.py).
bool is_sentry_token(std::string_view token) {
  const std::string_view base64 = from_json(token);
  return writes_json_object(base64.substr(0, base64.rfind('_')));
}

// A JSON web token, behind a prefix or not: its header names an algorithm, and its claims are a JSON object.
bool holds_jwt(std::string_view token) {
  const std::string_view jwt = from_json(token);
  const std::string_view claims = behind(jwt, '.');
  const Decoded header(jwt.substr(0, jwt.find('.')));
  return is_json_object(header.text(), header.is_whole()) &&
         header.text().find("\"alg\"") != std::string_view::npos &&
         writes_json_object(claims.substr(0, claims.find('.')));
}

// reftkn:01:EXPIRY:RANDOM, the expiry in ten digits.
bool is_jfrog_reference(std::string_view token) {
  const Decoded decoded(token);
  const std::string_view text = decoded.text();
  constexpr std::string_view shape = "reftkn:##:##########:";
  if (text.size() <= shape.size()) return false;
  const auto fits = [](char c, char form) { return form == '#' ? is_digit(c) : c == form; };
  return std::equal(shape.begin(), shape.end(), text.begin(), [&](char form, char c) { return fits(c, form); }) &&
         std::all_of(text.begin() + shape.size(), text.end(), is_alnum);
}

// Base64 of a UUID and "|read-write" (Nx Cloud).
bool is_nx_token(std::string_view token) {
  constexpr std::size_t uuid_size = 36;
  const Decoded decoded(token);
  return is_uuid(decoded.text().substr(0, uuid_size));
}

constexpr TokenStructure structures[] = {
    {"crc32_base62", has_crc32_base62},
    {"atlassian_crc32", has_atlassian_crc32},
    {"gitlab_crc32", has_gitlab_structure},
    {"grafana_crc32", has_grafana_crc32},
    {"zuplo_crc32", has_zuplo_crc32},
    {"synapse_crc32", has_synapse_crc32},
    {"matrix_service_crc32", has_matrix_service_crc32},
    {"bech32", bech32_holds},
    {"base58check", base58check_holds},
    {"pypi_macaroon", is_pypi_macaroon},
    {"fly_macaroon", is_fly_macaroon},
    {"vault_token", is_vault_token},
    {"azure_client_checksum", has_azure_client_checksum},
    {"azure_storage_checksum", has_azure_storage_checksum},
    {"holds_json", holds_json},
    {"holds_jwt", holds_jwt},
    {"sentry_token", is_sentry_token},
    {"jfrog_reference", is_jfrog_reference},
    {"nx_token", is_nx_token},
};

}  // namespace

std::span<const TokenStructure> token_structures() {
  return structures;
}

const TokenStructure* token_structure_named(std::string_view name) {
  const auto* const known = std::find_if(std::begin(structures), std::end(structures),
                                         [name](const TokenStructure& structure) { return structure.name == name; });
  return known == std::end(structures) ? nullptr : known;
}

}  // namespace tocsin
