#include "app/files.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <set>
#include <sstream>

#include "app/shipped_files.h"
#include "base/yaml_tree.h"

namespace tocsin {

namespace fs = std::filesystem;

namespace {

// Larger than any rule file; a folder given by mistake must not be read into memory.
constexpr std::uintmax_t most_bytes = 4 << 20;

void read_one(const fs::path& path, std::set<fs::path>& seen, std::vector<NamedText>& files,
              Diagnostics& diagnostics) {
  std::error_code error;
  if (!seen.insert(fs::weakly_canonical(path, error)).second) return;
  if (!fs::is_regular_file(path, error)) {
    diagnostics.error(path.string(), {}, "unreadable", "this is no file");
    return;
  }
  if (fs::file_size(path, error) > most_bytes) {
    diagnostics.error(path.string(), {}, "too-large", "the file has more than 4 MiB; split it");
    return;
  }
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  if (!stream) {
    diagnostics.error(path.string(), {}, "unreadable", "the file can't be read; look at its rights");
    return;
  }
  files.push_back({path.string(), text.str()});
}

}  // namespace

std::vector<NamedText> read_yaml_files(const std::vector<std::string>& paths, Diagnostics& diagnostics) {
  std::vector<NamedText> files;
  std::set<fs::path> seen;
  for (const std::string& name : paths) {
    const fs::path path(name);
    std::error_code error;
    if (!fs::exists(path, error)) {
      diagnostics.error(name, {}, "unreadable", "there is no such file or folder");
      continue;
    }
    if (!fs::is_directory(path, error)) {
      read_one(path, seen, files, diagnostics);
      continue;
    }
    std::vector<fs::path> found;
    for (fs::recursive_directory_iterator entry(path, fs::directory_options::skip_permission_denied, error), end;
         entry != end; entry.increment(error)) {
      const auto extension = entry->path().extension();
      if (extension == ".yaml" || extension == ".yml") found.push_back(entry->path());
    }
    if (found.empty()) diagnostics.error(name, {}, "empty-folder", "no *.yaml file lies in this folder");
    std::sort(found.begin(), found.end());
    for (const fs::path& file : found) read_one(file, seen, files, diagnostics);
  }
  return files;
}

std::string kind_of(const NamedText& file) {
  Diagnostics ignored;
  const auto root = parse_yaml(file, ignored);
  if (!root || !root->is_map()) return {};
  if (root->find("sanitize") != nullptr) return "sanitize";
  for (const char* key : {"groups", "specs", "prices", "names", "attributes"}) {
    if (root->find(key) != nullptr) return "rules";
  }
  if (root->find("tests") != nullptr) return "tests";
  return "config";
}

namespace {

// Of the files that ship, those that no file of the same name and folder, sanitize/code.yaml, takes the place of.
std::vector<NamedText> without_their_own(std::span<const NamedText> shipped, std::span<const YamlFile> own) {
  const auto name_of_file = [](const NamedText& file) {
    const std::filesystem::path path(file.file);
    return path.parent_path().filename() / path.filename();
  };
  std::vector<NamedText> rest;
  for (const NamedText& file : shipped) {
    const bool is_replaced = std::any_of(own.begin(), own.end(), [&](const YamlFile& other) {
      return other.find("sanitize") != nullptr && name_of_file(*other.source) == name_of_file(file);
    });
    if (!is_replaced) rest.push_back(file);
  }
  return rest;
}

}  // namespace

OwnRules load_own_rules(const std::vector<std::string>& paths, Diagnostics& diagnostics) {
  OwnRules own;
  own.files = read_yaml_files(paths, diagnostics);
  const bool are_read = !diagnostics.has_errors();
  bool has_groups = false, has_prices = false, inherits_patterns = true;
  std::vector<YamlFile> parsed = parse_yaml(own.files, diagnostics);
  for (const YamlFile& file : parsed) {
    has_groups = has_groups || file.find("groups") != nullptr;
    const auto* sanitize = file.find("sanitize");
    const auto* inherit = sanitize != nullptr && sanitize->is_map() ? sanitize->find("inherit") : nullptr;
    inherits_patterns = inherits_patterns && (inherit == nullptr || truth_in(inherit->scalar) != false);
    has_prices = has_prices || file.find("prices") != nullptr;
  }
  std::vector<NamedText> shipped;
  const auto add = [&](const auto& files) { shipped.insert(shipped.end(), files.begin(), files.end()); };
  if (!has_prices) add(shipped_prices());
  if (inherits_patterns) add(without_their_own(shipped_patterns(), parsed));
  if (!has_groups && are_read) add(shipped_rules());
  own.files.insert(own.files.begin(), std::make_move_iterator(shipped.begin()),
                   std::make_move_iterator(shipped.end()));
  std::vector<YamlFile> all = parse_yaml(std::span(own.files).first(shipped.size()), diagnostics);
  for (YamlFile& file : parsed) {
    file.source = &own.files[all.size()];  // where that has moved it
    all.push_back(std::move(file));
  }
  own.loaded = load_rules_and_patterns(std::move(all), diagnostics, shipped_patterns());
  return own;
}

RulesAndPatterns load_rules_and_patterns(const std::vector<std::string>& paths, Diagnostics& diagnostics) {
  return load_own_rules(paths, diagnostics).loaded;
}

EpochBook::Load compiling_all_but(const OwnRules& own) {
  return [own](std::span<const NamedText> files, Diagnostics& diagnostics) {
    const bool are_own = std::equal(files.begin(), files.end(), own.files.begin(), own.files.end(),
                                    [](const NamedText& one, const NamedText& other) {
                                      return one.file == other.file && one.text == other.text;
                                    });
    return are_own ? own.loaded : load_rules_and_patterns(files, diagnostics, shipped_patterns());
  };
}

bool print(const Diagnostics& diagnostics) {
  for (const Diagnostic& diagnostic : diagnostics.sorted()) std::cerr << to_text(diagnostic) << '\n';
  return diagnostics.has_errors();
}

namespace {

// A key with an id from a line "k2 BASE64", or nothing.
std::optional<FingerprintKey> key_of_line(std::string_view line) {
  constexpr std::size_t longest_id = 8;
  constexpr std::size_t least_digits = 22;  // of base64: 16 bytes
  const std::size_t blank = line.find(' ');
  if (blank == 0 || blank == std::string_view::npos || blank > longest_id) return std::nullopt;
  const std::string_view id = line.substr(0, blank);
  const std::string_view digits = line.substr(blank + 1);
  const auto is_of_id = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const bool is_base64 =
      digits.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=") ==
      std::string_view::npos;
  if (!std::all_of(id.begin(), id.end(), is_of_id) || !is_base64 || digits.size() < least_digits) return std::nullopt;
  return FingerprintKey{std::string(id), std::string(digits)};
}

}  // namespace

Fingerprinter read_fingerprint_keys(const std::string& path, Diagnostics& diagnostics) {
  // For trials and tests. A service that keeps fingerprints should have a key of its own: with this one, who
  // holds a list of card numbers can find out which of them a fingerprint stands for.
  constexpr std::string_view trial_key = "tocsin trial key, known to all";
  constexpr std::size_t least_bytes = 16;
  if (path.empty()) return Fingerprinter({FingerprintKey{{}, std::string(trial_key)}});
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  const std::string bytes = text.str();
  if (!stream || bytes.size() < least_bytes) {
    diagnostics.error(path, {}, "bad-key", "the fingerprint key must be a readable file of at least 16 bytes");
    return Fingerprinter({FingerprintKey{{}, std::string(trial_key)}});
  }
  std::vector<FingerprintKey> keys;
  std::istringstream lines(bytes);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    auto key = key_of_line(line);
    if (!key) {
      keys.clear();
      break;
    }
    const bool is_known =
        std::any_of(keys.begin(), keys.end(), [&](const FingerprintKey& other) { return other.id == key->id; });
    if (is_known) diagnostics.error(path, {}, "bad-key", "two keys have the id " + key->id);
    keys.push_back(std::move(*key));
  }
  if (keys.empty()) keys.push_back({{}, bytes});
  return Fingerprinter(std::move(keys));
}

}  // namespace tocsin
