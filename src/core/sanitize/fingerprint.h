// Keyed fingerprints: one secret has one name, by which people and topics can speak of it without knowing it.
//
// HMAC-SHA256, because a plain hash of a card number or a social security number is reversed by trying them all.

#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "core/sanitize/scanner.h"

namespace tocsin {

class Fingerprinter {
 public:
  // `key`: any number of bytes, 32 for full strength; it must be the same in every process of a deployment, or
  // one secret has several fingerprints.
  explicit Fingerprinter(std::span<const unsigned char> key);

  // The first 8 bytes of the HMAC as 16 lower-case hexadecimal digits.
  std::string of(std::string_view identity) const;

  // The fingerprint of what a match found, independent of how it was written: cards, IBANs and telephone numbers
  // without blanks, addresses in lower case, keys without line ends, however these are escaped. The two halves
  // of a key pair have one fingerprint, that of the key id.
  std::string of(std::string_view buffer, const Match& match, const PatternLibrary& library) const;

 private:
  std::string key_;
};

}  // namespace tocsin
