// Checksums that tokens end with.
//
// Pure functions of their arguments; none allocates.

#pragma once

#include <cstdint>
#include <string_view>

namespace tocsin {

inline constexpr std::string_view base62_digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

// The reflected CRC-32 of IEEE 802.3, as in zlib.
std::uint32_t crc32(std::string_view bytes);

// Marvin in 32 bits, as https://github.com/microsoft/security-utilities folds it.
std::uint32_t marvin32(std::string_view bytes, std::uint64_t seed);

// Whether the text writes the number in these digits, with leading zeros up to its own length.
bool writes(std::string_view text, std::uint32_t number, std::string_view digits);

// BIP 173: a name, "1", and digits of five bits, of which the last six are a checksum.
bool bech32_holds(std::string_view text);

// Base58Check of Bitcoin: the last four bytes begin the twofold SHA-256 of the others. At most 128 characters.
bool base58check_holds(std::string_view text);

}  // namespace tocsin
