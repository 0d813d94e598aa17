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

}  // namespace

Fingerprinter::Fingerprinter(std::span<const unsigned char> key) : key_(key.begin(), key.end()) {}

std::string Fingerprinter::of(std::string_view identity) const {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  const std::string_view key = key_;
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

std::string Fingerprinter::of(std::string_view buffer, const Match& match, const PatternLibrary& library) const {
  const std::string_view text = buffer.substr(match.identity_begin, match.identity_end - match.identity_begin);
  std::string identity;
  switch (library.matcher().identity_of(match.pattern)) {
    case IdentityForm::as_written:
      return of(text);
    case IdentityForm::lower_case:
      for (const char c : text) identity.push_back(to_lower(c));
      break;
    case IdentityForm::letters_and_digits:
      for (const char c : text) {
        if (is_alnum(c)) identity.push_back(c);
      }
      break;
    case IdentityForm::without_line_ends:
      identity = without_line_ends(text);
      break;
  }
  return of(identity);
}

}  // namespace tocsin
