#include "core/sanitize/redaction.h"

#include <utility>

namespace tocsin {

namespace {

// Every round shortens what is left to find; more than two were never seen.
constexpr int most_redaction_rounds = 6;

// `matches` are of the whole buffer: a part's identity may lie behind `end`.
void append_until(std::string& out, std::string_view buffer, std::size_t end, std::span<const Match> matches,
                  const PatternLibrary& library, const Fingerprinter& fingerprinter) {
  std::size_t copied = 0;
  for (const Match& match : matches) {
    out.append(buffer.substr(copied, match.begin - copied));
    out += fingerprinter.label(match, library);
    copied = match.end;
  }
  out.append(buffer.substr(copied, end - copied));
}

}  // namespace

void append_redacted(std::string& out, std::string_view buffer, std::span<const Match> matches,
                     const PatternLibrary& library, const Fingerprinter& fingerprinter) {
  append_until(out, buffer, buffer.size(), matches, library, fingerprinter);
}

std::string redact(std::string_view buffer, Scanner& scanner, const Fingerprinter& fingerprinter) {
  std::string text(buffer);
  for (int round = 0; round < most_redaction_rounds; ++round) {
    const auto matches = scanner.scan(text);
    const auto cut = scanner.cut_at();
    if (matches.empty() && !cut) break;
    std::size_t end = text.size();
    if (cut) {
      // What was found from there on lies in what is dropped; a find that reaches over it is dropped as well.
      end = *cut;
      for (const Match& match : matches) {
        if (match.begin < end && match.end > end) end = match.begin;
      }
    }
    std::size_t kept = 0;
    while (kept < matches.size() && matches[kept].end <= end) ++kept;
    std::string out;
    append_until(out, text, end, matches.first(kept), scanner.library(), fingerprinter);
    if (cut) out += unscanned_label;
    text = std::move(out);
  }
  return text;
}

}  // namespace tocsin
