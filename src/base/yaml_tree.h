// A YAML document as a tree that remembers where everything stands, and readers that report what does not fit.
//
// The one place that knows yaml-cpp. It refuses what a configuration does not need and an attacker likes:
// aliases, more than 200,000 nodes, more than 64 levels, more than 4 MiB, more than one document.

#pragma once

#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/diagnostic.h"
#include "base/named_text.h"
#include "base/units.h"

namespace tocsin {

struct YamlNode {
  enum class Kind : std::uint8_t { null, scalar, list, map };
  Kind kind = Kind::null;
  std::string scalar;
  bool quoted = false;  // written with quotes: "30" is text, 30 a number
  SourcePosition at;
  // Of a text in a block (| or >): from which byte of it on which line of the file goes.
  struct Line {
    std::uint32_t offset = 0;
    SourcePosition at;
  };
  std::vector<Line> lines;
  std::vector<YamlNode> items;  // of a list; of a map the values, in the order of `keys`
  std::vector<YamlNode> keys;

  const YamlNode* find(std::string_view key) const;
  YamlNode* find(std::string_view key);
  void erase(std::string_view key);  // and its value, where it is there
  bool is_map() const { return kind == Kind::map; }
  bool is_list() const { return kind == Kind::list; }
  bool is_scalar() const { return kind == Kind::scalar; }
};

// Where in its file byte `offset` of this scalar stands. Exact for what is written on one line, and for blocks.
SourcePosition position_in(const YamlNode& scalar, std::uint32_t offset);

// What YAML 1.1 takes for a truth: true, yes, on, y and their opposites, in small letters or capitals.
std::optional<bool> truth_in(std::string_view text);

// The whole scalar as a number, decimal and finite; nothing where it is none.
std::optional<double> number_in(const YamlNode& node);
std::optional<std::int64_t> whole_number_in(const YamlNode& node);

// The document of `source`; reports a syntax error or an exceeded limit and returns nothing. Repeated keys are
// reported as well, and the first one stays.
std::optional<YamlNode> parse_yaml(const NamedText& source, Diagnostics& diagnostics);

// A file with its document, for all who read it: parsing takes longer than reading does.
struct YamlFile {
  const NamedText* source = nullptr;
  std::optional<YamlNode> root;  // nothing where it could not be parsed, which has been reported

  const YamlNode* find(std::string_view key) const { return root ? root->find(key) : nullptr; }
};
// Requires: `sources` outlive what is returned.
std::vector<YamlFile> parse_yaml(std::span<const NamedText> sources, Diagnostics& diagnostics);

// Reads the members of one map, and in the end names the keys that nobody asked for.
class YamlReader {
 public:
  // `what` names the map in messages: "rule", "baseline".
  YamlReader(const YamlNode& node, std::string_view file, std::string_view what, Diagnostics& diagnostics);
  YamlReader(const YamlReader&) = delete;
  YamlReader& operator=(const YamlReader&) = delete;
  // Reports unknown keys, with the one that was probably meant.
  ~YamlReader();

  bool is_map() const { return is_map_; }
  const YamlNode* find(std::string_view key);

  // Each returns nothing where the key is not there, and nothing with a report where its value does not fit.
  std::optional<std::string> text(std::string_view key);
  std::optional<double> number(std::string_view key, double least, double most);
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t least, std::int64_t most);
  std::optional<bool> flag(std::string_view key);
  std::optional<Duration> duration(std::string_view key, Duration least, Duration most);
  std::optional<std::size_t> choice(std::string_view key, const std::vector<std::string_view>& words);
  std::optional<std::vector<std::string>> texts(std::string_view key);
  // A map of scalars, in the order of the file.
  std::optional<std::vector<std::pair<std::string, std::string>>> text_map(std::string_view key);

  void error(const YamlNode& node, std::string_view code, std::string message);
  void error_here(std::string_view code, std::string message);
  void require(std::string_view key);  // reports a missing key

 private:
  const YamlNode& node_;
  std::string file_;
  std::string what_;
  Diagnostics& diagnostics_;
  bool is_map_ = false;
  std::vector<std::string_view> asked_;
};

}  // namespace tocsin
