// A mistake in a file that a person wrote, where it stands, and what to write instead.
//
// Loaders of rules, specs, sanitizing patterns and configuration collect all of them before giving up, so that
// one run shows every mistake. Texts quote names and numbers of the file, never telemetry.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin {

struct SourcePosition {
  std::uint32_t line = 0;    // from 1; 0 where the whole file is meant
  std::uint32_t column = 0;  // from 1
  friend auto operator<=>(const SourcePosition&, const SourcePosition&) = default;
};

enum class Severity { error, warning };

struct Diagnostic {
  Severity severity = Severity::error;
  std::string file;
  SourcePosition at;
  std::string code;     // stable and short, as "unknown-key"
  std::string message;  // what is wrong, and what to write instead
};

// `file:line:column: code: message`, warnings as `file:line:column: warning: code: message`.
std::string to_text(const Diagnostic& diagnostic);

// Collects the mistakes of many files, in the order of discovery.
class Diagnostics {
 public:
  void error(std::string_view file, SourcePosition at, std::string_view code, std::string message);
  void warning(std::string_view file, SourcePosition at, std::string_view code, std::string message);

  bool has_errors() const { return error_count_ > 0; }
  std::size_t error_count() const { return error_count_; }
  std::size_t warning_count() const { return all_.size() - error_count_; }
  const std::vector<Diagnostic>& all() const { return all_; }

  // The list by file and position, as people read it.
  std::vector<Diagnostic> sorted() const;

 private:
  std::vector<Diagnostic> all_;
  std::size_t error_count_ = 0;
};

// The candidate that `word` most likely means: at most a third of its letters differ; empty when none is near.
std::string_view nearest_name(std::string_view word, const std::vector<std::string_view>& candidates);

// " (did you mean X?)" or nothing; to be appended to a message.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates);
// The same, or all of them where none is near: ": one, two, three".
std::string nearest_or_all(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace tocsin
