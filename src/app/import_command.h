// `tocsin import`: Prometheus alerting rules over Tocsin's own metrics of agents, as rules of Tocsin.

#pragma once

#include <iosfwd>
#include <string>

#include "base/named_text.h"

namespace tocsin {

struct ImportOptions {
  std::string prometheus;  // a file of Prometheus' rules
};

// Writes a rule file to `out` with every alert that is a threshold on what one agent metric counted in one window,
// and to `err` a line `FILE:LINE: ALERT: why not, and what to do instead` for each other rule, and how many there
// were. What it writes loads without a mistake. Answers the exit status: 0 where all came over, 1 where one did not,
// 2 where the text is no file of Prometheus' rules.
int run_import(const NamedText& file, std::ostream& out, std::ostream& err);

// The same for a file, with standard output and standard error; status 2 also where it can't be read.
int run_import(const ImportOptions& options);

}  // namespace tocsin
