// Where in JSON a finding stood: ".messages[2].parts[0].text".
//
// Made for findings alone, after the fact; bounded. Keys are what people and agents wrote: only plain short names
// that hold no finding themselves are shown, any other as *.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/event/agent_event.h"
#include "core/sanitize/scanner.h"

namespace tocsin {

// The path of byte `at` of `text` in the JSON values of its piece: those that the event is made of, then the one that
// the piece itself is the text of. Empty where there is none, and where it would be longer than 160 bytes.
// `matches`: all of `text`. Requires: `piece` is one of `pieces`, which are of one event, and `at` lies in it.
std::string finding_path(std::span<const TextPiece> pieces, const TextPiece& piece, std::string_view text,
                         std::uint32_t at, std::span<const Match> matches);

// Whether the text may be such a path: it came from a door.
bool is_finding_path(std::string_view text);

}  // namespace tocsin
