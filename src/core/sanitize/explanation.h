// Why a text is what sanitizing says it is: each pattern of which a keyword stands there, and what became of it.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/sanitize/matcher.h"
#include "core/sanitize/scanner.h"

namespace tocsin {

struct NearMatch {
  std::uint16_t pattern = 0;
  std::size_t at = 0;  // of the keyword
  Refusal refusal = Refusal::none;
};

// What came near and is none, by position; each pattern once a place. For people: slow, and bounded by `most`.
std::vector<NearMatch> near_matches(const PatternLibrary& library, std::string_view text, std::size_t most = 200);

}  // namespace tocsin
