#include "base/compression.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

namespace tocsin {

namespace {

constexpr std::size_t step = std::size_t{64} << 10;
constexpr int window_log_max = 23;
constexpr int gzip_or_zlib = 32 + MAX_WBITS;

// Makes room for more of the output; false where there may be no more.
bool grow(std::string& out, std::size_t used, std::size_t most) {
  if (used < out.size()) return true;
  if (out.size() > most) return false;
  out.resize(std::min(most + 1, out.size() + std::max(step, out.size())));
  return used < out.size();
}

Result<std::string, CompressionError> inflate_all(std::string_view body, std::size_t most) {
  z_stream stream{};
  if (inflateInit2(&stream, gzip_or_zlib) != Z_OK) return CompressionError::damaged;
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);
  // zlib does not write to its input; its type is from before const.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uInt>(body.size());
  std::string out;
  std::size_t used = 0;
  for (;;) {
    if (!grow(out, used, most)) return CompressionError::too_large;
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + used);
    const auto room = static_cast<uInt>(std::min<std::size_t>(out.size() - used, UINT32_MAX));
    stream.avail_out = room;
    const int code = inflate(&stream, Z_NO_FLUSH);
    used += room - stream.avail_out;
    if (used > most) return CompressionError::too_large;
    if (code == Z_STREAM_END) {
      if (stream.avail_in == 0) break;
      if (inflateReset(&stream) != Z_OK) return CompressionError::damaged;  // another member follows
      continue;
    }
    if (code != Z_OK || (stream.avail_in == 0 && stream.avail_out > 0)) return CompressionError::damaged;
  }
  out.resize(used);
  return success(std::move(out));
}

struct FreeStream {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

Result<std::string, CompressionError> unzstd_all(std::string_view body, std::size_t most) {
  const std::unique_ptr<ZSTD_DCtx, FreeStream> context(ZSTD_createDCtx());
  if (!context || ZSTD_isError(ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, window_log_max)) != 0) {
    return CompressionError::damaged;
  }
  ZSTD_inBuffer in{body.data(), body.size(), 0};
  std::string out;
  std::size_t used = 0;
  for (;;) {
    if (!grow(out, used, most)) return CompressionError::too_large;
    ZSTD_outBuffer to{out.data(), out.size(), used};
    const std::size_t left = ZSTD_decompressStream(context.get(), &to, &in);
    if (ZSTD_isError(left) != 0) return CompressionError::damaged;
    const bool stood_still = to.pos == used;
    used = to.pos;
    if (used > most) return CompressionError::too_large;
    if (in.pos == in.size && left == 0) break;
    if (in.pos == in.size && stood_still) return CompressionError::damaged;
  }
  out.resize(used);
  return success(std::move(out));
}

}  // namespace

Result<Compression, CompressionError> compression_named(std::string_view name) {
  if (name.empty() || name == "identity") return success(Compression::none);
  if (name == "gzip" || name == "x-gzip") return success(Compression::gzip);
  if (name == "deflate") return success(Compression::deflate);
  if (name == "zstd") return success(Compression::zstd);
  return CompressionError::unknown;
}

Compression compression_of(std::string_view body) {
  if (body.starts_with("\x1f\x8b")) return Compression::gzip;
  if (body.starts_with("\x28\xb5\x2f\xfd")) return Compression::zstd;
  return Compression::none;
}

Result<std::string, CompressionError> decompress(std::string_view body, Compression how, std::size_t most_bytes) {
  if (body.size() > UINT32_MAX / 2) return CompressionError::too_large;
  switch (how) {
    case Compression::gzip:
    case Compression::deflate:
      return inflate_all(body, most_bytes);
    case Compression::zstd:
      return unzstd_all(body, most_bytes);
    default:
      if (body.size() > most_bytes) return CompressionError::too_large;
      return success(std::string(body));
  }
}

}  // namespace tocsin
