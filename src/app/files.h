// Reading the files that people name on the command line.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/diagnostic.h"
#include "base/named_text.h"
#include "core/epoch/epoch_book.h"
#include "core/sanitize/fingerprint.h"

namespace tocsin {

// The YAML files that `paths` name: files as they are, folders with all *.yaml and *.yml below them by name, each
// file once. What can't be read is reported.
std::vector<NamedText> read_yaml_files(const std::vector<std::string>& paths, Diagnostics& diagnostics);

// Which kind of file this is, by its top-level keys: "rules" (with tests or without), "tests", "sanitize" or
// "config"; empty where none fits.
std::string kind_of(const NamedText& file);

// Rules, specs and patterns as files and as what they mean.
struct OwnRules {
  std::vector<NamedText> files;
  RulesAndPatterns loaded;  // null members after an error
};

// Loads rules, specs and patterns from `paths`. Without rules among them, those that ship; likewise prices. The
// patterns that ship are in force besides, but for files whose place one of the same name and folder takes, or where
// one of `paths` says `inherit: false`.
OwnRules load_own_rules(const std::vector<std::string>& paths, Diagnostics& diagnostics);
RulesAndPatterns load_rules_and_patterns(const std::vector<std::string>& paths, Diagnostics& diagnostics);

// What compiles the files of proposals: those of `own`, which at a start are nearly always proposed, are compiled
// already.
EpochBook::Load compiling_all_but(const OwnRules& own);

// Prints diagnostics by file and position; true where there was an error.
bool print(const Diagnostics& diagnostics);

// What fingerprints are keyed with: the bytes of a file, or a fixed key for trials where none is named.
// The file holds one key as it is, at least 16 bytes, or keys with ids, one a line: `k2 BASE64`. Of those the first
// is in force, the others were before it.
Fingerprinter read_fingerprint_keys(const std::string& path, Diagnostics& diagnostics);

}  // namespace tocsin
