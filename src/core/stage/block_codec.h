// Blocks and findings as records of the topics between ingest and evaluate.
//
// Binary, little-endian base-128 varints (signed ones zigzag) and length-prefixed strings, after a version byte; the
// sections that a later release appends (base/wire.h) are passed over, since nobody writes a block again. A decoder
// refuses what is cut short or says more than it holds; it never reads past the end.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/stage/block.h"

namespace tocsin {

std::string encode(const Block& block);
std::optional<Block> decode_block(std::string_view bytes);

std::string encode(const UrgentFinding& finding);
std::optional<UrgentFinding> decode_finding(std::string_view bytes);

}  // namespace tocsin
