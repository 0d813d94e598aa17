#include "app/input_stream.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <streambuf>
#include <vector>

namespace tocsin {

class InputStream::Buffer final : public std::streambuf {
 public:
  explicit Buffer(const std::string& input)
      : is_owned_(input != "-"), file_(is_owned_ ? ::open(input.c_str(), O_RDONLY | O_CLOEXEC) : STDIN_FILENO) {}
  ~Buffer() override {
    if (is_owned_ && file_ >= 0) ::close(file_);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  bool is_open() const { return file_ >= 0; }
  std::string_view ahead() const { return {gptr(), static_cast<std::size_t>(egptr() - gptr())}; }

 protected:
  int_type underflow() override {
    ssize_t size = 0;
    do {
      size = ::read(file_, bytes_.data(), bytes_.size());
    } while (size < 0 && errno == EINTR);
    if (size <= 0) return traits_type::eof();
    setg(bytes_.data(), bytes_.data(), bytes_.data() + size);
    return traits_type::to_int_type(bytes_.front());
  }

 private:
  static constexpr std::size_t size_at_once = std::size_t{128} * 1024;

  bool is_owned_;
  int file_;
  std::vector<char> bytes_ = std::vector<char>(size_at_once);
};

InputStream::InputStream(const std::string& input) : std::istream(nullptr), buffer_(std::make_unique<Buffer>(input)) {
  rdbuf(buffer_.get());
  if (!buffer_->is_open()) setstate(std::ios::failbit);
}

InputStream::~InputStream() = default;

std::string_view InputStream::ahead() {
  peek();
  clear(rdstate() & ~std::ios::eofbit);  // an empty one is no error
  return buffer_->ahead();
}

}  // namespace tocsin
