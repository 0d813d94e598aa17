// `tocsin scan`: what sanitizing finds in each line of a text, or the text without it.

#pragma once

#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/sanitize/pattern_library.h"

namespace tocsin {

struct ScanOptions {
  enum class Output : std::uint8_t { text, json };

  std::shared_ptr<const PatternLibrary> library;  // Requires: not null
  Output output = Output::text;
  bool redact = false;  // writes the lines back, redacted, instead of the findings
  // The number of a line, from 1, of which is said why each pattern finds something in it or does not; 0: none.
  std::size_t explain = 0;
  // A paragraph of text is scanned as one, so that a name explains a value in the next line.
  bool joins_lines = false;
  std::string file;  // said with each finding where it is not empty

  // Key of the fingerprints. Empty: a fixed key for trying things out, whose fingerprints anybody can compute
  // again; never use those where they are kept.
  std::vector<unsigned char> fingerprint_key;
};

// Reads `in` line by line, or by paragraphs. A line is scanned as what its JSON escapes stand for; offsets are those
// of its bytes as they came, without the line end. A private key over several lines is one finding, at its first
// line. The second half of a key pair is redacted but not listed: one key, one finding.
//
// -o json: {"line":N,"findings":[{"pattern":...,"tier":...,"start":N,"end":N,"fingerprint":...}]} for each line with
// a finding, plus "unscanned_from":N where a line was too costly to be read to its end, and "file" where one is
// named.
//
// Never writes what it found. Answers the exit status: 1 when something of tier halt or page was found or part of
// a line could not be scanned, else 0.
int run_scan(const ScanOptions& options, std::istream& in, std::ostream& out, std::ostream& err);

// The same for files, and for all files below folders, each with its name where there is more than one; "-" is
// standard input. Files that hold NUL bytes are passed over, and counted on standard error. Status 2 where one can't
// be read.
int run_scan(ScanOptions options, const std::vector<std::string>& inputs);

// Says of `text`, all its lines together, why each pattern finds something in it or does not.
int explain_text(ScanOptions options, std::string_view text);

}  // namespace tocsin
