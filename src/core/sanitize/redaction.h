// Writes text without its secrets and personal data: each becomes `[name:fingerprint]`, as "[email:9f3a01bc]".
//
// One value has one label everywhere, so people can follow it through a trace without reading it.

#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/sanitize/fingerprint.h"
#include "core/sanitize/scanner.h"

namespace tocsin {

// Stands for text that a scan did not reach within its budget.
inline constexpr std::string_view unscanned_label = "[unscanned]";

// Appends `buffer` with `matches` replaced. Requires: `matches` is what a Scanner returned for `buffer`.
// Where the scan was cut the caller must not pass on what lies behind: see Scanner::cut_at.
void append_redacted(std::string& out, std::string_view buffer, std::span<const Match> matches,
                     const PatternLibrary& library, const Fingerprinter& fingerprinter);

// Scans and redacts until nothing is found, so that redacting twice changes nothing: what touched a find without a
// gap ("ann@x.org+44 20 7946 0958") may be a find itself once that has gone. What the scanner could not afford to
// read becomes `unscanned_label`.
std::string redact(std::string_view buffer, Scanner& scanner, const Fingerprinter& fingerprinter);

}  // namespace tocsin
