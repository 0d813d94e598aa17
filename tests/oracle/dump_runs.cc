// Writes generated runs to stdout, `key TAB json` a line, and their incidents to stderr, a JSON object a line.
//
// dump_runs [SEED [VOLUME [with|without [DAYS [FIRST_DAY]]]]]   (FIRST_DAY as 2026-01-05)

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "app/demo/run_generator.h"
#include "base/time_text.h"

int main(int argument_count, char** arguments) {
  tocsin::GeneratorOptions options;
  if (argument_count > 1) options.seed = std::strtoull(arguments[1], nullptr, 10);
  if (argument_count > 2) options.volume = std::strtod(arguments[2], nullptr);
  if (argument_count > 3) options.incidents = std::string_view(arguments[3]) != "without";
  if (argument_count > 4) options.days = std::atoi(arguments[4]);
  if (argument_count > 5) {
    const auto begin = tocsin::parse_rfc3339(std::string(arguments[5]) + "T00:00:00Z");
    if (!begin || options.days < 1 || options.volume <= 0) return 2;
    options.begin = *begin;
  }

  const tocsin::GeneratedRuns runs = tocsin::generate_runs(options);
  for (const tocsin::GeneratedEvent& event : runs.events) {
    fmt::print("{}\t{}\n", event.key, event.json);
  }
  for (const tocsin::Incident& incident : runs.incidents) {
    // None of these texts holds a character that JSON would escape.
    fmt::print(stderr,
               R"({{"alert":"{}","env":"{}","agent":"{}","correlation_id":"{}","begin":"{}","end":"{}","what":"{}"}})"
               "\n",
               incident.alert, incident.env, incident.agent, incident.correlation_id,
               tocsin::to_rfc3339(incident.begin), tocsin::to_rfc3339(incident.end), incident.what);
  }
  return 0;
}
