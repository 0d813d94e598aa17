// `tocsin inspect`: what is read out of records of telemetry, attribute by attribute, what nobody knows, and what is
// missing for which rule. The first thing to run when an agent does not show up.
//
// It prints names of attributes and what may leave; texts of people and agents are redacted like everywhere.

#pragma once

#include <string>
#include <vector>

namespace tocsin {

struct InspectOptions {
  std::vector<std::string> rules;  // files and folders; empty: what ships
  std::string input = "-";         // and what of it: see InputOptions
  std::string from, to;
  std::string config;                 // whose way to Kafka is used
  std::string input_format = "auto";  // or "http"
  std::int64_t records = 20;          // that are shown; all count for the rules
  bool dialects = false;              // the tables of names, as Markdown, in the place of all that
};

int run_inspect(const InspectOptions& options);

// What is mapped from where, for each dialect, as Markdown.
std::string dialects_markdown();

}  // namespace tocsin
