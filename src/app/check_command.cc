#include "app/check_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <map>

#include "app/config.h"
#include "app/files.h"
#include "app/rule_test/rule_test.h"
#include "app/shipped_files.h"
#include "base/ascii.h"
#include "base/json.h"
#include "base/yaml_tree.h"
#include "core/rule/rule_warnings.h"

namespace tocsin {

namespace {

// The line that a diagnostic speaks of; empty where it speaks of the whole file.
std::string_view line_at(std::string_view text, std::uint32_t line) {
  for (std::uint32_t i = 1; i < line && !text.empty(); ++i) {
    const std::size_t end = text.find('\n');
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return line == 0 ? std::string_view{} : text.substr(0, text.find_first_of("\r\n"));
}

// The line with what is meant underlined, as compilers show it.
std::string excerpt(std::string_view line, SourcePosition at) {
  constexpr std::size_t widest = 160;
  if (at.column == 0 || line.empty() || line.size() > widest) return {};
  const bool is_text =
      std::all_of(line.begin(), line.end(), [](char c) { return c == '\t' || (c >= ' ' && c != 127); });
  const std::size_t begin = at.column - 1;
  if (!is_text || begin > line.size()) return {};
  const auto is_of_word = [](char c) { return is_alnum(c) || c == '_' || c == '.'; };
  std::size_t end = begin;
  while (end < line.size() && is_of_word(line[end])) ++end;
  std::string pad(line.substr(0, begin));
  std::replace_if(
      pad.begin(), pad.end(), [](char c) { return c != '\t'; }, ' ');
  return fmt::format("{:>6} | {}\n{:>6} | {}{}\n", at.line, line, "", pad,
                     std::string(std::max<std::size_t>(end - begin, 1), '^'));
}

// What a file says of fields, references and findings is of patterns that it does not hold: those that ship.
std::vector<NamedText> with_patterns(std::vector<NamedText> files) {
  const bool has_its_own = std::any_of(files.begin(), files.end(), [](const NamedText& file) {
    Diagnostics none;
    const auto root = parse_yaml(file, none);
    const YamlNode* const sanitize = root ? root->find("sanitize") : nullptr;
    const bool is_map = sanitize != nullptr && sanitize->is_map();
    return is_map && (sanitize->find("patterns") != nullptr || sanitize->find("inherit") != nullptr);
  });
  if (!has_its_own) files.insert(files.begin(), shipped_patterns().begin(), shipped_patterns().end());
  return files;
}

}  // namespace

int run_check(const CheckOptions& options) {
  Diagnostics diagnostics;
  std::vector<NamedText> rules, patterns;
  std::map<std::string, std::string> texts;
  std::size_t configs = 0;
  std::size_t tests = 0;
  for (NamedText& file : read_yaml_files(options.paths, diagnostics)) {
    const std::string kind = kind_of(file);
    texts[file.file] = file.text;
    if (kind == "sanitize") {
      patterns.push_back(std::move(file));
    } else if (kind == "tests") {
      ++tests;
      load_rule_tests(file, diagnostics);
    } else if (kind == "config") {
      ++configs;
      load_config(file, diagnostics);
    } else {
      Diagnostics none;
      const auto root = parse_yaml(file, none);
      if (root && root->find("tests") != nullptr) load_rule_tests(file, diagnostics);
      rules.push_back(std::move(file));  // what can't be parsed is reported there
    }
  }
  std::shared_ptr<const RuleSet> set;
  if (!rules.empty()) set = load_rules(rules, diagnostics);
  if (set) warn_about(*set, diagnostics);
  if (!patterns.empty()) load_patterns(with_patterns(patterns), diagnostics);
  const RuleCost cost = set ? cost_of(*set) : RuleCost{};
  const std::size_t files = rules.size() + patterns.size() + configs + tests;

  const bool failed = diagnostics.has_errors() || (options.strict && diagnostics.warning_count() > 0);
  if (options.output == "json") {
    Json list = Json::array();
    for (const Diagnostic& one : diagnostics.sorted()) {
      list.push_back({{"file", one.file},
                      {"line", one.at.line},
                      {"column", one.at.column},
                      {"severity", one.severity == Severity::error ? "error" : "warning"},
                      {"code", one.code},
                      {"message", one.message}});
    }
    const Json all{{"diagnostics", list},
                   {"files", files},
                   {"rules", set ? set->rules.size() : 0},
                   {"specs", set ? set->specs.size() : 0},
                   {"errors", diagnostics.error_count()},
                   {"warnings", diagnostics.warning_count()},
                   {"most_series", cost.series},
                   {"most_bytes", cost.bytes}};
    std::cout << dump(all, 2) << '\n';
    return failed ? 1 : 0;
  }
  for (const Diagnostic& diagnostic : diagnostics.sorted()) {
    std::cout << to_text(diagnostic) << std::endl;  // before its line, which goes to people
    std::cerr << excerpt(line_at(texts[diagnostic.file], diagnostic.at.line), diagnostic.at);
  }
  std::cerr << files << " files";
  if (set) std::cerr << ", " << set->rules.size() << " rules, " << set->specs.size() << " specs";
  if (set && set->prices) std::cerr << ", " << set->prices->size() << " prices";
  if (cost.series > 0) {
    std::cerr << fmt::format(", at most {} series in {:.0f} MB (max_series)", cost.series,
                             static_cast<double>(cost.bytes) / 1e6);
  }
  std::cerr << ": " << diagnostics.error_count() << " errors, " << diagnostics.warning_count() << " warnings\n";
  return failed ? 1 : 0;
}

}  // namespace tocsin
