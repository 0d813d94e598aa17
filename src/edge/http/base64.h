#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tocsin {

// RFC 4648, section 4, with or without its padding; nothing for any other byte or an impossible length.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace tocsin
