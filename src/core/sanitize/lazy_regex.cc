#include "core/sanitize/lazy_regex.h"

#include <re2/re2.h>

#include <utility>

namespace tocsin {

LazyRegex::LazyRegex() = default;

LazyRegex::LazyRegex(std::string text, std::unique_ptr<const re2::RE2> compiled)
    : text_(std::move(text)), compiled_(compiled.release()) {}

LazyRegex::~LazyRegex() {
  delete compiled_.load(std::memory_order_acquire);
}

LazyRegex::LazyRegex(LazyRegex&& other) noexcept
    : text_(std::move(other.text_)), compiled_(other.compiled_.exchange(nullptr)) {}

LazyRegex& LazyRegex::operator=(LazyRegex&& other) noexcept {
  std::swap(text_, other.text_);
  other.compiled_.store(compiled_.exchange(other.compiled_.load()));
  return *this;
}

const re2::RE2& LazyRegex::get() const {
  if (const re2::RE2* known = compiled_.load(std::memory_order_acquire)) return *known;
  std::unique_ptr<const re2::RE2> made = compile(text_);
  const re2::RE2* first = nullptr;
  if (compiled_.compare_exchange_strong(first, made.get(), std::memory_order_acq_rel)) return *made.release();
  return *first;
}

std::unique_ptr<const re2::RE2> LazyRegex::compile(const std::string& text) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_encoding(re2::RE2::Options::EncodingLatin1);
  return std::make_unique<const re2::RE2>(text, options);
}

}  // namespace tocsin
