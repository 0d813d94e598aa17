// The checksums and inner structures of vendors' tokens, by the names that pattern files call them by.

#pragma once

#include <span>
#include <string_view>

namespace tocsin {

struct TokenStructure {
  std::string_view name;
  // Whether the whole of what a pattern hit has it. Pure; allocates nothing; at most some microseconds.
  bool (*holds)(std::string_view token) = nullptr;
};

// Each with its source; only those that a vendor publishes, in words or as code.
std::span<const TokenStructure> token_structures();

// Null where there is none of that name.
const TokenStructure* token_structure_named(std::string_view name);

}  // namespace tocsin
