#include "app/check_command.h"

#include <iostream>

#include "app/config.h"
#include "app/files.h"
#include "app/rule_test/rule_test.h"
#include "base/yaml_tree.h"

namespace tocsin {

int run_check(const CheckOptions& options) {
  Diagnostics diagnostics;
  std::vector<NamedText> rules, patterns;
  std::size_t configs = 0;
  std::size_t tests = 0;
  for (NamedText& file : read_yaml_files(options.paths, diagnostics)) {
    const std::string kind = kind_of(file);
    if (kind == "sanitize") {
      patterns.push_back(std::move(file));
    } else if (kind == "tests") {
      ++tests;
      load_rule_tests(file, diagnostics);
    } else if (kind == "config") {
      ++configs;
      load_config(file, diagnostics);
    } else {
      rules.push_back(std::move(file));  // what can't be parsed is reported there
    }
  }
  std::shared_ptr<const RuleSet> set;
  if (!rules.empty()) set = load_rules(rules, diagnostics);
  if (!patterns.empty()) load_patterns(patterns, diagnostics);
  for (const Diagnostic& diagnostic : diagnostics.sorted()) std::cout << to_text(diagnostic) << '\n';
  const bool failed = diagnostics.has_errors() || (options.strict && diagnostics.warning_count() > 0);
  std::cerr << rules.size() + patterns.size() + configs + tests << " files";
  if (set) std::cerr << ", " << set->rules.size() << " rules, " << set->specs.size() << " specs";
  if (set && set->prices) std::cerr << ", " << set->prices->size() << " prices";
  std::cerr << ": " << diagnostics.error_count() << " errors, " << diagnostics.warning_count() << " warnings\n";
  return failed ? 1 : 0;
}

}  // namespace tocsin
