#include "core/sanitize/shortest_match.h"

#include <algorithm>
#include <string>

#include "core/sanitize/checks.h"

namespace tocsin {

namespace {

class RegexReader {
 public:
  explicit RegexReader(std::string_view text) : text_(text) {}

  int groups() const { return groups_; }

  std::size_t alternatives() {
    std::size_t least = sequence();
    while (peek() == '|') {
      ++at_;
      least = std::min(least, sequence());
    }
    return least;
  }

 private:
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool is_over() const { return at_ >= text_.size(); }

  std::size_t sequence() {
    std::size_t sum = 0;
    while (!is_over() && peek() != '|' && peek() != ')') {
      const std::size_t one = atom();
      sum += one * fewest_repetitions();
    }
    return sum;
  }

  std::size_t atom() {
    const char c = text_[at_++];
    switch (c) {
      case '(':
        return group();
      case '[':
        skip_class();
        return 1;
      case '\\':
        return escape();
      case '^':
      case '$':
        return 0;
      default:
        return 1;
    }
  }

  std::size_t group() {
    if (peek() != '?' || peek(1) == 'P') ++groups_;
    if (peek() == '?') {
      // (?:...), (?P<name>...), (?i), (?i:...)
      while (!is_over() && peek() != ':' && peek() != ')' && peek() != '>') ++at_;
      if (peek() == ')') {
        ++at_;
        return 0;
      }
      ++at_;
    }
    const std::size_t least = alternatives();
    if (peek() == ')') ++at_;
    return least;
  }

  void skip_class() {
    if (peek() == '^') ++at_;
    if (peek() == ']') ++at_;
    while (!is_over() && peek() != ']') {
      if (peek() == '[' && peek(1) == ':') {
        const std::size_t end = text_.find(":]", at_ + 2);
        at_ = end == std::string_view::npos ? text_.size() : end + 2;
      } else {
        at_ += peek() == '\\' ? 2 : 1;
      }
    }
    ++at_;
  }

  std::size_t escape() {
    const char c = is_over() ? '\0' : text_[at_++];
    if (std::string_view("bBAzQE").find(c) != std::string_view::npos) return 0;
    if (c == 'x') at_ += peek() == '{' ? text_.find('}', at_) - at_ + 1 : 2;
    if ((c == 'p' || c == 'P') && peek() == '{') at_ = text_.find('}', at_) + 1;
    return 1;
  }

  std::size_t fewest_repetitions() {
    std::size_t fewest = 1;
    const char c = peek();
    if (c == '*' || c == '?') {
      fewest = 0;
      ++at_;
    } else if (c == '+') {
      ++at_;
    } else if (c == '{' && is_digit(peek(1))) {
      const std::size_t end = text_.find('}', at_);
      fewest = std::stoul(std::string(text_.substr(at_ + 1, 6)));
      at_ = end == std::string_view::npos ? text_.size() : end + 1;
    } else {
      return 1;
    }
    if (peek() == '?') ++at_;  // not greedy
    return fewest;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int groups_ = 0;
};

}  // namespace

std::size_t shortest_match(std::string_view regex) {
  return RegexReader(regex).alternatives();
}

int count_groups(std::string_view regex) {
  RegexReader reader(regex);
  reader.alternatives();
  return reader.groups();
}

}  // namespace tocsin
