#include "app/files.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
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
  for (const char* key : {"groups", "specs", "prices", "names"}) {
    if (root->find(key) != nullptr) return "rules";
  }
  return "config";
}

OwnRules load_own_rules(const std::vector<std::string>& paths, Diagnostics& diagnostics) {
  OwnRules own;
  own.files = read_yaml_files(paths, diagnostics);
  bool has_groups = false, has_patterns = false, has_prices = false;
  for (const NamedText& file : own.files) {
    Diagnostics ignored;
    const auto root = parse_yaml(file, ignored);
    has_groups = has_groups || (root && root->find("groups") != nullptr);
    has_patterns = has_patterns || (root && root->find("sanitize") != nullptr);
    has_prices = has_prices || (root && root->find("prices") != nullptr);
  }
  const auto add = [&](const auto& shipped) { own.files.insert(own.files.begin(), shipped.begin(), shipped.end()); };
  if (!has_groups && !diagnostics.has_errors()) add(shipped_rules());
  if (!has_patterns) add(shipped_patterns());
  if (!has_prices) add(shipped_prices());
  own.loaded = load_rules_and_patterns(own.files, diagnostics);
  return own;
}

RulesAndPatterns load_rules_and_patterns(const std::vector<std::string>& paths, Diagnostics& diagnostics) {
  return load_own_rules(paths, diagnostics).loaded;
}

bool print(const Diagnostics& diagnostics) {
  for (const Diagnostic& diagnostic : diagnostics.sorted()) std::cerr << to_text(diagnostic) << '\n';
  return diagnostics.has_errors();
}

std::vector<unsigned char> read_fingerprint_key(const std::string& path, Diagnostics& diagnostics) {
  if (path.empty()) {
    // For trials and tests. A service that keeps fingerprints should have a key of its own: with this one, who
    // holds a list of card numbers can find out which of them a fingerprint stands for.
    static constexpr std::string_view trial_key = "tocsin trial key, known to all";
    return {trial_key.begin(), trial_key.end()};
  }
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  const std::string bytes = text.str();
  if (!stream || bytes.size() < 16) {
    diagnostics.error(path, {}, "bad-key", "the fingerprint key must be a readable file of at least 16 bytes");
    return {};
  }
  return {bytes.begin(), bytes.end()};
}

}  // namespace tocsin
