// Bytes from a file or from standard input: read in large pieces, and as soon as they are there.
//
// std::cin reads byte by byte through C's streams, which takes longer than what is then done with a line; and an
// std::ifstream asks the system for 8 KiB at a time.

#pragma once

#include <istream>
#include <memory>
#include <string>
#include <string_view>

namespace tocsin {

class InputStream final : public std::istream {
 public:
  // `input`: a path, or "-" for standard input. Fails, as streams do, where it can't be read.
  explicit InputStream(const std::string& input);
  ~InputStream() override;

  InputStream(const InputStream&) = delete;
  InputStream& operator=(const InputStream&) = delete;

  // What was read ahead, and will be read next: before the first read a file's first bytes. Not behind the end.
  std::string_view ahead();

 private:
  class Buffer;
  std::unique_ptr<Buffer> buffer_;
};

}  // namespace tocsin
