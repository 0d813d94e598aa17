// Bodies of HTTP uploads, uncompressed: gzip and zlib ("deflate") by zlib, zstd by libzstd, always as streams, so
// that a frame that does not say how long it is can be read, and one that lies about it does no harm.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tocsin {

enum class Compression : std::uint8_t { none, gzip, deflate, zstd };

enum class CompressionError : std::uint8_t {
  unknown,    // an encoding that is none of the above
  damaged,    // what came is no such stream, or it ends too early
  too_large,  // what comes out is longer than the caller takes
};

// By the words of Content-Encoding; empty and "identity" are none.
Result<Compression, CompressionError> compression_named(std::string_view name);
// By the first bytes.
Compression compression_of(std::string_view body);

// Several gzip members or zstd frames, one behind the other, are one body. Memory: what comes out, and for zstd at
// most an 8 MiB window.
Result<std::string, CompressionError> decompress(std::string_view body, Compression how, std::size_t most_bytes);

}  // namespace tocsin
