// The patterns that ship with the program, loaded once for all tests of sanitizing, and tokens to try them on. Their
// own examples pattern_library_test tries.
//
// The tokens are random, never issued, and put together at run time, so that scanners of repositories pass by.

#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "app/shipped_files.h"
#include "core/sanitize/pattern_library.h"
#include "core/sanitize/scanner.h"

namespace tocsin::test {

inline std::shared_ptr<const PatternLibrary> shipped_patterns() {
  static const std::shared_ptr<const PatternLibrary> library = [] {
    Diagnostics diagnostics;
    auto loaded = load_patterns(tocsin::shipped_patterns(), diagnostics, tocsin::shipped_patterns());
    for (const Diagnostic& diagnostic : diagnostics.all()) ADD_FAILURE() << to_text(diagnostic);
    return loaded;
  }();
  return library;
}

inline const std::string aws_key = std::string("AKIA") + "ODZDOCIS" + "2JHTLGMX";
inline const std::string aws_secret = std::string("C87Q+sexwkcVNVAc") + "+hva9FrLhJ/r59ehi+w8BYy8";
inline const std::string github_token = std::string("ghp_") + "Ky9Pf34qY6Nb3wW" + "D25RQ4F5ZR3qa7y" + "3gm1IL";
inline const std::string key_body =
    std::string("V+X0w8B8yW9XUQTw/m9za5P9IgWcH1z7") + "+YCR+baxxxFPdAy2bw9vYnQQ9BIXkGZE";

inline std::string private_key(const std::string& line_end) {
  const std::string label = "RSA PRIVATE ";
  return "-----BEGIN " + label + "KEY-----" + line_end + key_body + line_end + key_body + line_end + "-----END " +
         label + "KEY-----";
}

// What was found, as "id:text" in order.
inline std::vector<std::string> found_in(const std::string& text) {
  Scanner scanner(shipped_patterns());
  std::vector<std::string> all;
  for (const Match& match : scanner.scan(text)) {
    all.push_back(scanner.library().patterns()[match.pattern].id + ":" +
                  text.substr(match.begin, match.end - match.begin));
  }
  return all;
}

using Found = std::vector<std::string>;

}  // namespace tocsin::test
