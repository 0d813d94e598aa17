// What an event calls content in the deployment's own store: it may leave as the name of a place, never as a right to
// read there, nor as the content itself.

#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tocsin {

// The URI (RFC 3986), or any other name without blanks, without user and password, without its fragment, and without
// what grants access in its query: signatures, tokens, keys, and whatever has more than 64 bytes. Nothing for what is
// no name: a text with blanks or control characters, a `data:` URI, or more than 1,024 bytes.
std::optional<std::string> without_credentials(std::string_view uri);

}  // namespace tocsin
