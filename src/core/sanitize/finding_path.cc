#include "core/sanitize/finding_path.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "core/sanitize/checks.h"

namespace tocsin {

namespace {

constexpr std::size_t longest_path = 160;
constexpr std::size_t longest_key = 32;
constexpr std::size_t most_digits = 3;  // of a key: those with more are numbers of somebody or something
constexpr std::size_t longest_json = std::size_t{1} << 20;
constexpr std::size_t deepest_json = 64;

bool is_plain_name(std::string_view key) {
  const auto digits = static_cast<std::size_t>(std::count_if(key.begin(), key.end(), is_digit));
  return !key.empty() && key.size() <= longest_key && !is_digit(key.front()) && digits <= most_digits &&
         std::all_of(key.begin(), key.end(), [](char c) { return is_alnum(c) || c == '_'; });
}

class Path {
 public:
  Path(std::string_view text, std::span<const Match> matches) : text_(text), matches_(matches) {}

  std::string key(std::size_t begin, std::size_t end) const {
    const std::string_view name = text_.substr(begin, end - begin);
    const bool is_found = std::any_of(matches_.begin(), matches_.end(),
                                      [&](const Match& match) { return match.begin < end && match.end > begin; });
    return is_plain_name(name) && !is_found ? "." + std::string(name) : ".*";
  }
  static std::string element(std::size_t number) { return "[" + std::to_string(number) + "]"; }

  // By the depths that the decoder noted, from the inside out.
  std::string within(std::span<const TextPiece> pieces, const TextPiece& piece) const {
    std::string path;
    std::uint8_t depth = piece.depth;
    std::uint8_t number = piece.element;
    auto at = static_cast<std::size_t>(&piece - pieces.data());
    for (; depth > 1; --depth) {
      if (number != TextPiece::no_element) {
        path.insert(0, number == TextPiece::late_element ? "[*]" : element(number));
        number = TextPiece::no_element;
        continue;
      }
      const auto is_above = [depth](const TextPiece& one) {
        return one.place == TextPlace::key && one.depth != 0 && one.depth <= depth;
      };
      while (at > 0 && !is_above(pieces[at - 1])) --at;
      if (at == 0 || pieces[at - 1].depth != depth) return {};
      --at;
      path.insert(0, key(pieces[at].begin, pieces[at].end));
      number = pieces[at].element;
      if (path.size() > longest_path) return {};
    }
    return path;
  }

  // In the JSON text from `begin` on.
  std::string within_json(std::size_t begin, std::size_t at) const {
    struct Level {
      bool is_array = false;
      bool awaits_key = false;
      std::size_t number = 0;
      std::size_t key_begin = 0;
      std::size_t key_end = 0;
    };
    std::vector<Level> levels;
    if (at - begin > longest_json) return {};
    for (std::size_t i = begin; i < at; ++i) {
      const char c = text_[i];
      if (levels.empty() && c != '{' && c != '[' && !has_class(c, space_class)) return {};
      if (c == '{' || c == '[') {
        if (levels.size() == deepest_json) return {};
        levels.push_back({c == '[', c == '{'});
      } else if (c == '}' || c == ']') {
        if (levels.back().is_array != (c == ']')) return {};
        levels.pop_back();
        if (levels.empty()) return {};  // what follows is none of it
      } else if (c == ',') {
        ++levels.back().number;
        levels.back().awaits_key = !levels.back().is_array;
      } else if (c == '"') {
        const std::size_t first = i + 1;
        while (++i < at && text_[i] != '"') i += text_[i] == '\\' ? 1 : 0;
        if (levels.back().awaits_key) {
          levels.back().key_begin = first;
          levels.back().key_end = i < at ? i : first;
          levels.back().awaits_key = false;
          if (i >= at) levels.pop_back();  // it stands in the key itself
        }
      }
    }
    std::string path;
    for (const Level& level : levels) {
      if (level.is_array)
        path += element(level.number);
      else
        path += key(level.key_begin, level.key_end);
    }
    return path;
  }

 private:
  std::string_view text_;
  std::span<const Match> matches_;
};

}  // namespace

std::string finding_path(std::span<const TextPiece> pieces, const TextPiece& piece, std::string_view text,
                         std::uint32_t at, std::span<const Match> matches) {
  if (piece.depth == 0 && piece.element != TextPiece::no_element) return {};
  const Path path(text, matches);
  std::string whole = path.within(pieces, piece);
  if (piece.depth <= 1 || !whole.empty()) whole += path.within_json(piece.begin, at);
  return whole.size() <= longest_path ? whole : std::string();
}

bool is_finding_path(std::string_view text) {
  return !text.empty() && text.size() <= longest_path && (text.front() == '.' || text.front() == '[') &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_alnum(c) || c == '_' || c == '.' || c == '*' || c == '[' || c == ']'; });
}

}  // namespace tocsin
