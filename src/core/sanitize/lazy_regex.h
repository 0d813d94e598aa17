// A regular expression that is compiled when it is first asked for: a library has more than a thousand, of which a
// run meets few.
//
// The one place of the core with an atomic: what it guards is a memo, the same whoever makes it, and seen by nobody.

#pragma once

#include <atomic>
#include <memory>
#include <string>

namespace re2 {
class RE2;
}

namespace tocsin {

class LazyRegex {
 public:
  LazyRegex();
  // `compiled`: where that has been done already.
  explicit LazyRegex(std::string text, std::unique_ptr<const re2::RE2> compiled = {});
  ~LazyRegex();
  LazyRegex(LazyRegex&& other) noexcept;
  LazyRegex& operator=(LazyRegex&& other) noexcept;

  bool empty() const { return text_.empty(); }
  const std::string& text() const { return text_; }

  // Thread: any. Two that ask first at the same time both compile it, and get the one that was ready first.
  // Requires: RE2 takes the text.
  const re2::RE2& get() const;

  // Of bytes, as telemetry need not be UTF-8. Says nothing where RE2 does not take the text: look at ok().
  static std::unique_ptr<const re2::RE2> compile(const std::string& text);

 private:
  std::string text_;
  mutable std::atomic<const re2::RE2*> compiled_{nullptr};  // owned
};

}  // namespace tocsin
