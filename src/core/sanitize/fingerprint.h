// Keyed fingerprints: one secret has one name, by which people and topics can speak of it without knowing it.
//
// HMAC-SHA256, because a plain hash of a card number or a social security number is reversed by trying them all.

#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/sanitize/scanner.h"

namespace tocsin {

struct FingerprintKey {
  std::string id;     // stands in the marks of what was redacted, "[email:k2:9f3a01bc]"; may be empty
  std::string bytes;  // any number, 32 for full strength
};

// Whether the text is written as fingerprints are: 16 lower-case hexadecimal digits.
bool is_fingerprint(std::string_view text);

class Fingerprinter {
 public:
  // `keys`: the first one is in force. The others were before it: by these an allowance is known whose fingerprint is
  // older than the key. Requires: one at least.
  explicit Fingerprinter(std::vector<FingerprintKey> keys) : keys_(std::move(keys)) {}

  // `key`: any number of bytes, 32 for full strength; it must be the same in every process of a deployment, or
  // one secret has several fingerprints.
  explicit Fingerprinter(std::span<const unsigned char> key);

  // The first 8 bytes of the HMAC as 16 lower-case hexadecimal digits.
  std::string of(std::string_view identity) const;

  // The fingerprint of what a match found, independent of how it was written: cards, IBANs and telephone numbers
  // without blanks, addresses in lower case, keys without line ends, however these are escaped. The two halves
  // of a key pair have one fingerprint, that of the key id.
  std::string of(const Match& match, const PatternLibrary& library) const;

  // The fingerprints of the same under the keys that were in force before.
  std::vector<std::string> former(const Match& match, const PatternLibrary& library) const;

  // What stands in the place of a match: `[short name:first 8 digits of the fingerprint]`, with the key's id before
  // the digits where it has one.
  std::string label(const Match& match, const PatternLibrary& library) const;

 private:
  std::vector<FingerprintKey> keys_;
};

}  // namespace tocsin
