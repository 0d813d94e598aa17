#include "base/yaml_tree.h"

#include <yaml-cpp/anchor.h>
#include <yaml-cpp/emitterstyle.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <sstream>
#include <utility>

#include "base/ascii.h"
#include "base/time_text.h"

namespace tocsin {

namespace {

constexpr std::size_t most_bytes = 4 << 20;
constexpr std::size_t most_nodes = 200'000;
constexpr std::size_t most_levels = 64;

SourcePosition position_of(const YAML::Mark& mark) {
  if (mark.is_null()) return {1, 1};
  return {static_cast<std::uint32_t>(mark.line + 1), static_cast<std::uint32_t>(mark.column + 1)};
}

// Stand for brackets that are part of a text.
constexpr char opened = '\x01', closed = '\x02';

// Within { } and [ ] YAML takes no text such as resource["tenant.id"] without quotes round it, and people write it
// so. In the result its brackets are hidden; the columns stay. Empty where there is nothing of that kind.
std::string with_subscripts_as_text(std::string_view text) {
  std::string changed;
  for (std::size_t at = text.find("[\""); at != std::string_view::npos; at = text.find("[\"", at + 1)) {
    const std::size_t end = text.find_first_of("\"\n", at + 2);
    const bool follows_a_word = at > 0 && ((text[at - 1] >= 'a' && text[at - 1] <= 'z') || text[at - 1] == '_');
    if (!follows_a_word || end == std::string_view::npos || text.substr(end, 2) != "\"]") continue;
    if (changed.empty()) changed = text;
    changed[at] = opened;
    changed[end + 1] = closed;
  }
  return changed;
}

// Thrown through yaml-cpp's parser, which has no other way of stopping; caught in parse_yaml().
struct Refused {
  SourcePosition at;
  std::string message;
};

// The lines of a file, found once they are asked for.
class SourceLines {
 public:
  explicit SourceLines(std::string_view text) : text_(text) {}

  // Counted from 1; empty where there is none.
  std::string_view line(std::uint32_t number) {
    if (begins_.empty()) {
      begins_.push_back(0);
      for (std::size_t at = text_.find('\n'); at != std::string_view::npos; at = text_.find('\n', at + 1))
        begins_.push_back(at + 1);
    }
    if (number == 0 || number > begins_.size()) return {};
    const std::size_t begin = begins_[number - 1];
    const std::string_view line = text_.substr(begin, text_.find('\n', begin) - begin);
    return line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
  }
  std::uint32_t count() const { return static_cast<std::uint32_t>(begins_.size()); }

 private:
  std::string_view text_;
  std::vector<std::size_t> begins_;
};

// Of a text in a block, whose sign (| or >) stands at `at`, where its lines go; empty for other texts.
std::vector<YamlNode::Line> lines_of_block(SourceLines& source, SourcePosition at, std::string_view text) {
  std::vector<YamlNode::Line> lines;
  const std::string_view first = source.line(at.line);
  const char sign = at.column <= first.size() && at.column > 0 ? first[at.column - 1] : '\0';
  if (sign != '|' && sign != '>') return lines;
  std::size_t cursor = 0;
  for (std::uint32_t number = at.line + 1; number <= source.count() && cursor < text.size(); ++number) {
    const std::string_view line = source.line(number);
    const std::size_t begin = line.find_first_not_of(' ');
    if (begin == std::string_view::npos) continue;
    const std::string_view words = line.substr(begin);
    const std::size_t found = text.find(words, cursor);
    if (found == std::string_view::npos) break;
    lines.push_back({static_cast<std::uint32_t>(found), {number, static_cast<std::uint32_t>(begin) + 1}});
    cursor = found + words.size();
  }
  return lines;
}

// Builds the tree from the parser's events. A map's children arrive as key, value, key, value.
class TreeBuilder : public YAML::EventHandler {
 public:
  // `hides_brackets`: the text is one of with_subscripts_as_text().
  TreeBuilder(std::string_view text, bool hides_brackets) : source_(text), hides_brackets_(hides_brackets) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { add(node_at(mark, YamlNode::Kind::null)); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refused{position_of(mark), "aliases are not allowed here; write the value out"};
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, const std::string& value) override {
    check_tag(mark, tag);
    YamlNode node = node_at(mark, YamlNode::Kind::scalar);
    node.quoted = tag == "!";
    node.scalar = value;
    if (hides_brackets_) {
      std::replace(node.scalar.begin(), node.scalar.end(), opened, '[');
      std::replace(node.scalar.begin(), node.scalar.end(), closed, ']');
    }
    if (node.quoted) node.lines = lines_of_block(source_, node.at, value);
    if (!node.quoted && (value == "~" || value == "null")) node.kind = YamlNode::Kind::null;
    add(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    check_tag(mark, tag);
    open(node_at(mark, YamlNode::Kind::list));
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    check_tag(mark, tag);
    open(node_at(mark, YamlNode::Kind::map));
  }
  void OnMapEnd() override { close(); }

  YamlNode take_root() { return std::move(root_); }

 private:
  // "?" is what has none, "!" is a text in quotes. `where: !has(tool)` would be nothing, of the type "has(tool)".
  static void check_tag(const YAML::Mark& mark, std::string_view tag) {
    if (tag.empty() || tag == "?" || tag == "!" || tag.starts_with("tag:yaml.org,2002:")) return;
    throw Refused{position_of(mark), "'!' begins a tag of YAML here; put a text that begins with it in quotes"};
  }

  YamlNode node_at(const YAML::Mark& mark, YamlNode::Kind kind) {
    if (++nodes_ > most_nodes) throw Refused{position_of(mark), "the file holds too many values"};
    YamlNode node;
    node.kind = kind;
    node.at = position_of(mark);
    return node;
  }

  void open(YamlNode node) {
    if (open_.size() >= most_levels) throw Refused{node.at, "the file is nested too deeply"};
    open_.push_back(std::move(node));
  }

  void close() {
    YamlNode node = std::move(open_.back());
    open_.pop_back();
    add(std::move(node));
  }

  void add(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    YamlNode& parent = open_.back();
    const bool is_key = parent.kind == YamlNode::Kind::map && parent.keys.size() == parent.items.size();
    if (is_key && node.kind != YamlNode::Kind::scalar)
      throw Refused{node.at, "a key must be a plain word; put a text that begins with '{' or '[' in quotes"};
    // The parser has nothing stand where the next thing does.
    if (parent.kind == YamlNode::Kind::map && !is_key && node.kind == YamlNode::Kind::null &&
        node.at.line > parent.keys.back().at.line) {
      node.at = parent.keys.back().at;
    }
    (is_key ? parent.keys : parent.items).push_back(std::move(node));
  }

  SourceLines source_;
  bool hides_brackets_;
  std::vector<YamlNode> open_;
  YamlNode root_;
  std::size_t nodes_ = 0;
};

void report_repeated_keys(const YamlNode& node, const std::string& file, Diagnostics& diagnostics) {
  std::set<std::string_view> seen;
  for (const YamlNode& key : node.keys) {
    if (!seen.insert(key.scalar).second) {
      diagnostics.error(file, key.at, "repeated-key", "'" + key.scalar + "' stands twice in this map; keep one");
    }
  }
  for (const YamlNode& item : node.items) report_repeated_keys(item, file, diagnostics);
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].scalar == key) return &items[i];
  }
  return nullptr;
}

YamlNode* YamlNode::find(std::string_view key) {
  return const_cast<YamlNode*>(std::as_const(*this).find(key));
}

void YamlNode::erase(std::string_view key) {
  const auto found = std::find_if(keys.begin(), keys.end(), [key](const YamlNode& one) { return one.scalar == key; });
  if (found == keys.end()) return;
  items.erase(items.begin() + (found - keys.begin()));
  keys.erase(found);
}

SourcePosition position_in(const YamlNode& scalar, std::uint32_t offset) {
  const auto behind = std::upper_bound(scalar.lines.begin(), scalar.lines.end(), offset,
                                       [](std::uint32_t at, const YamlNode::Line& line) { return at < line.offset; });
  if (behind == scalar.lines.begin()) return {scalar.at.line, scalar.at.column + offset + (scalar.quoted ? 1 : 0)};
  const YamlNode::Line& line = *(behind - 1);
  return {line.at.line, line.at.column + offset - line.offset};
}

std::optional<bool> truth_in(std::string_view text) {
  const auto is_any_of = [text](std::initializer_list<std::string_view> words) {
    return std::any_of(words.begin(), words.end(),
                       [text](std::string_view word) { return same_ignoring_case(text, word); });
  };
  if (is_any_of({"true", "yes", "on", "y"})) return true;
  if (is_any_of({"false", "no", "off", "n"})) return false;
  return std::nullopt;
}

namespace {

template <class T>
std::optional<T> read_whole(const YamlNode& node) {
  T value = 0;
  const char* const end = node.scalar.data() + node.scalar.size();
  const auto [stop, problem] = std::from_chars(node.scalar.data(), end, value);
  if (!node.is_scalar() || problem != std::errc{} || stop != end) return std::nullopt;
  return value;
}

}  // namespace

std::optional<double> number_in(const YamlNode& node) {
  const auto value = read_whole<double>(node);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

std::optional<std::int64_t> whole_number_in(const YamlNode& node) {
  return read_whole<std::int64_t>(node);
}

namespace {

// What to do about it, for the parser's own words for what people get wrong most.
std::string advice(const std::string& message) {
  constexpr std::pair<std::string_view, std::string_view> known[] = {
      {"end of map flow not found",
       "a '}' is missing, or a text in this { } needs quotes: one that holds any of [ ] { } or a comma"},
      {"end of sequence flow not found",
       "a ']' is missing, or a text in this [ ] needs quotes: one that holds any of [ ] { } or a comma"},
      {"illegal map value",
       "this ':' makes no key here; check how far the line is indented, or put a text that holds ': ' in quotes"},
      {"illegal map key", "a key cannot stand here; check how far this line is indented"},
      {"illegal block entry", "a list's '-' cannot stand here; give it a line of its own, indented with blanks"},
      {"illegal tab when looking for indentation", "indent with blanks; YAML allows no tab here"},
      {"illegal EOF in scalar", "this text has no closing quote"},
      {"illegal flow end", "this closes what was not opened; put a text that holds [ ] { } in quotes"},
      {"end of map not found",
       "this line fits none above it; check how far it is indented, and that each key has its ':'"},
      {"end of sequence not found", "this line is no item of the list above it; check how far it is indented"},
      {"unknown token", "no value begins with this character; put the text in quotes"},
      {"alias not found after *", "no value begins with '*'; put the text in quotes"},
      {"anchor not found after &", "no value begins with '&'; put the text in quotes"},
      {"the referenced anchor is not defined", "no value begins with '*'; put the text in quotes"},
  };
  for (const auto& [words, meaning] : known) {
    if (message == words) return std::string(meaning);
  }
  if (message.starts_with("unknown escape character")) return message + "; between '...' a backslash is a backslash";
  return message;
}

// Nothing where there is more than one document. Throws what yaml-cpp throws, and Refused.
std::optional<YamlNode> tree_of(const std::string& text, bool hides_brackets) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  TreeBuilder first(text, hides_brackets), second(text, hides_brackets);
  parser.HandleNextDocument(first);
  if (parser.HandleNextDocument(second)) return std::nullopt;
  return first.take_root();
}

std::optional<YamlNode> tree_of(const std::string& text) {
  try {
    return tree_of(text, false);
  } catch (const YAML::Exception&) {
    const std::string changed = with_subscripts_as_text(text);
    if (changed.empty()) throw;
    return tree_of(changed, true);
  }
}

}  // namespace

std::optional<YamlNode> parse_yaml(const NamedText& source, Diagnostics& diagnostics) {
  if (source.text.size() > most_bytes) {
    diagnostics.error(source.file, {}, "too-large", "the file has more than 4 MiB; split it");
    return std::nullopt;
  }
  std::optional<YamlNode> root;
  try {
    root = tree_of(source.text);
  } catch (const Refused& refused) {
    diagnostics.error(source.file, refused.at, "syntax", refused.message);
    return std::nullopt;
  } catch (const YAML::Exception& exception) {
    diagnostics.error(source.file, position_of(exception.mark), "syntax", advice(exception.msg));
    return std::nullopt;
  }
  if (!root) {
    diagnostics.error(source.file, {}, "many-documents", "one YAML document a file; split this at '---'");
    return std::nullopt;
  }
  report_repeated_keys(*root, source.file, diagnostics);
  return root;
}

std::vector<YamlFile> parse_yaml(std::span<const NamedText> sources, Diagnostics& diagnostics) {
  std::vector<YamlFile> files;
  for (const NamedText& source : sources) files.push_back({&source, parse_yaml(source, diagnostics)});
  return files;
}

YamlReader::YamlReader(const YamlNode& node, std::string_view file, std::string_view what, Diagnostics& diagnostics)
    : node_(node), file_(file), what_(what), diagnostics_(diagnostics), is_map_(node.is_map()) {
  if (!is_map_) error_here("wrong-type", what_ + " must be a map of keys and values");
}

namespace {

std::string with_article(const std::string& what) {
  constexpr std::string_view vowels = "aeio";
  return (vowels.find(what.empty() ? 'x' : what.front()) == std::string_view::npos ? "a " : "an ") + what;
}

}  // namespace

YamlReader::~YamlReader() {
  for (const YamlNode& key : node_.keys) {
    if (std::find(asked_.begin(), asked_.end(), key.scalar) != asked_.end()) continue;
    diagnostics_.error(file_, key.at, "unknown-key",
                       "'" + key.scalar + "' is no key of " + with_article(what_) + did_you_mean(key.scalar, asked_));
  }
}

const YamlNode* YamlReader::find(std::string_view key) {
  asked_.push_back(key);
  const YamlNode* found = node_.find(key);
  return found != nullptr && found->kind == YamlNode::Kind::null ? nullptr : found;
}

void YamlReader::error(const YamlNode& node, std::string_view code, std::string message) {
  diagnostics_.error(file_, node.at, code, std::move(message));
}

void YamlReader::error_here(std::string_view code, std::string message) {
  error(node_, code, std::move(message));
}

void YamlReader::require(std::string_view key) {
  if (!is_map_) return;
  const YamlNode* const found = node_.find(key);
  if (found == nullptr) {
    error_here("missing-key", with_article(what_) + " needs '" + std::string(key) + "'");
  } else if (found->kind == YamlNode::Kind::null) {
    error(*found, "missing-value", "'" + std::string(key) + "' has no value; write one behind it");
  }
}

std::optional<std::string> YamlReader::text(std::string_view key) {
  const YamlNode* node = find(key);
  if (node == nullptr) return std::nullopt;
  if (!node->is_scalar()) {
    error(*node, "wrong-type", "'" + std::string(key) + "' must be text");
    return std::nullopt;
  }
  return node->scalar;
}

std::optional<double> YamlReader::number(std::string_view key, double least, double most) {
  const YamlNode* node = find(key);
  if (node == nullptr) return std::nullopt;
  const auto value = number_in(*node);
  if (!value) {
    error(*node, "wrong-type", "'" + std::string(key) + "' must be a number");
    return std::nullopt;
  }
  if (*value < least || *value > most) {
    std::ostringstream range;
    range << "'" << key << "' must lie between " << least << " and " << most;
    error(*node, "out-of-range", range.str());
    return std::nullopt;
  }
  return value;
}

std::optional<std::int64_t> YamlReader::integer(std::string_view key, std::int64_t least, std::int64_t most) {
  const YamlNode* node = find(key);
  if (node == nullptr) return std::nullopt;
  const auto value = whole_number_in(*node);
  if (!value) {
    error(*node, "wrong-type", "'" + std::string(key) + "' must be a whole number");
    return std::nullopt;
  }
  if (*value < least || *value > most) {
    error(*node, "out-of-range",
          "'" + std::string(key) + "' must lie between " + std::to_string(least) + " and " + std::to_string(most));
    return std::nullopt;
  }
  return value;
}

std::optional<bool> YamlReader::flag(std::string_view key) {
  const auto index = choice(key, {"false", "true"});
  if (!index) return std::nullopt;
  return *index == 1;
}

std::optional<Duration> YamlReader::duration(std::string_view key, Duration least, Duration most) {
  const YamlNode* node = find(key);
  if (node == nullptr) return std::nullopt;
  const auto value = node->is_scalar() ? parse_duration(node->scalar) : std::nullopt;
  if (!value) {
    error(*node, "bad-duration", "'" + std::string(key) + "' must be a duration such as 30s, 15m, 1h30m or 7d");
    return std::nullopt;
  }
  if (*value < least || *value > most) {
    error(*node, "out-of-range",
          "'" + std::string(key) + "' must lie between " + to_text(least) + " and " + to_text(most));
    return std::nullopt;
  }
  return value;
}

std::optional<std::size_t> YamlReader::choice(std::string_view key, const std::vector<std::string_view>& words) {
  const YamlNode* node = find(key);
  if (node == nullptr) return std::nullopt;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (node->is_scalar() && node->scalar == words[i]) return i;
  }
  std::string list;
  for (const std::string_view word : words) {
    if (!list.empty()) list += word == words.back() ? " or " : ", ";
    list += word;
  }
  error(*node, "unknown-word", "'" + std::string(key) + "' must be " + list + did_you_mean(node->scalar, words));
  return std::nullopt;
}

std::optional<std::vector<std::string>> YamlReader::texts(std::string_view key) {
  const YamlNode* node = find(key);
  if (node == nullptr) return std::nullopt;
  std::vector<std::string> list;
  if (node->is_scalar()) {
    list.push_back(node->scalar);
    return list;
  }
  for (const YamlNode& item : node->items) {
    if (!item.is_scalar()) node = nullptr;
    if (node == nullptr) break;
    list.push_back(item.scalar);
  }
  if (node == nullptr || !node->is_list()) {
    error(*node_.find(key), "wrong-type", "'" + std::string(key) + "' must be a list of words");
    return std::nullopt;
  }
  return list;
}

std::optional<std::vector<std::pair<std::string, std::string>>> YamlReader::text_map(std::string_view key) {
  const YamlNode* node = find(key);
  if (node == nullptr) return std::nullopt;
  std::vector<std::pair<std::string, std::string>> members;
  bool fits = node->is_map();
  for (std::size_t i = 0; fits && i < node->items.size(); ++i) {
    fits = node->items[i].is_scalar();
    members.emplace_back(node->keys[i].scalar, node->items[i].scalar);
  }
  if (!fits) {
    error(*node, "wrong-type", "'" + std::string(key) + "' must be a map of names to texts");
    return std::nullopt;
  }
  return members;
}

}  // namespace tocsin
