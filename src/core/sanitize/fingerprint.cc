#include "core/sanitize/fingerprint.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "core/sanitize/checks.h"
#include "core/sanitize/matcher.h"

namespace tocsin {

namespace {

// What stays of a key when line ends, quotes and indentation go, in whichever way these were escaped.
std::string without_line_ends(std::string_view text) {
  std::string kept;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      while (i + 1 < text.size() && text[i + 1] == '\\') ++i;
      ++i;  // the escaped letter goes too
      if (i < text.size() && text[i] == '/') kept.push_back('/');
      continue;
    }
    if (has_class(text[i], base64_class) || text[i] == '=' || text[i] == '-') kept.push_back(text[i]);
  }
  return kept;
}

std::string keyed_hash(std::string_view key, std::string_view identity) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(identity.data()), identity.size(), digest.data(), &length);
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < 8; ++i) {
    text.push_back(digits[digest[i] >> 4]);
    text.push_back(digits[digest[i] & 15]);
  }
  return text;
}

std::string identity_of(const Match& match, const PatternLibrary& library) {
  const std::string_view text = match.identity;
  std::string identity;
  switch (library.matcher().identity_of(match.pattern)) {
    case IdentityForm::as_written:
      return std::string(text);
    case IdentityForm::lower_case:
      return in_lower_case(text);
    case IdentityForm::letters_and_digits:
      for (const char c : text) {
        if (is_alnum(c)) identity.push_back(c);
      }
      return identity;
    case IdentityForm::without_line_ends:
      return without_line_ends(text);
  }
  return identity;
}

}  // namespace

bool is_fingerprint(std::string_view text) {
  constexpr std::size_t digits = 16;
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Fingerprinter::Fingerprinter(std::span<const unsigned char> key)
    : keys_{FingerprintKey{{}, std::string(key.begin(), key.end())}} {}

std::string Fingerprinter::of(std::string_view identity) const {
  return keyed_hash(keys_.front().bytes, identity);
}

std::string Fingerprinter::of(const Match& match, const PatternLibrary& library) const {
  return of(identity_of(match, library));
}

std::vector<std::string> Fingerprinter::former(const Match& match, const PatternLibrary& library) const {
  std::vector<std::string> all;
  if (keys_.size() == 1) return all;
  const std::string identity = identity_of(match, library);
  for (std::size_t i = 1; i < keys_.size(); ++i) all.push_back(keyed_hash(keys_[i].bytes, identity));
  return all;
}

std::string Fingerprinter::label(const Match& match, const PatternLibrary& library) const {
  constexpr std::size_t shown_digits = 8;
  std::string label = "[" + library.patterns()[match.pattern].short_name + ":";
  if (!keys_.front().id.empty()) label += keys_.front().id + ":";
  return label + of(match, library).substr(0, shown_digits) + "]";
}

}  // namespace tocsin
