#include "app/test_command.h"

#include <fmt/format.h>

#include <filesystem>
#include <iostream>
#include <map>

#include "app/files.h"
#include "app/rule_test/rule_test_run.h"
#include "base/json.h"

namespace tocsin {

namespace {

// The rules of a test: those that it names, beside its file; else those of the file itself; else those that ship.
// Loaded once for all tests that name the same.
class LoadedRules {
 public:
  const RulesAndPatterns* of(const NamedText& file, const RuleTest& test, Diagnostics& diagnostics) {
    std::vector<std::string> paths;
    for (const std::string& rules : test.rules) {
      paths.push_back((std::filesystem::path(file.file).parent_path() / rules).string());
    }
    if (paths.empty() && kind_of(file) == "rules") paths.push_back(file.file);
    const auto [known, is_new] = loaded_.try_emplace(paths);
    if (is_new) known->second = load_rules_and_patterns(paths, diagnostics);
    return known->second.rules != nullptr && known->second.patterns != nullptr ? &known->second : nullptr;
  }

 private:
  std::map<std::vector<std::string>, RulesAndPatterns> loaded_;
};

}  // namespace

int run_tests(const TestOptions& options) {
  Diagnostics diagnostics;
  LoadedRules rules;
  int passed = 0;
  int failed = 0;
  std::int64_t events = 0;
  Json all = Json::array();
  for (const NamedText& file : read_yaml_files(options.paths, diagnostics)) {
    Diagnostics ignored;
    const auto root = parse_yaml(file, ignored);
    const bool is_folder_member =
        std::find(options.paths.begin(), options.paths.end(), file.file) == options.paths.end();
    if (is_folder_member && root && root->find("tests") == nullptr) continue;
    for (const RuleTest& test : load_rule_tests(file, diagnostics)) {
      if (diagnostics.has_errors()) break;
      if (test.name.find(options.only) == std::string::npos) continue;
      const RulesAndPatterns* const loaded = rules.of(file, test, diagnostics);
      if (loaded == nullptr) break;
      const RuleTestResult result =
          run_rule_test(test, *loaded, std::filesystem::path(file.file).parent_path().string());
      events += result.events;
      const bool is_well = result.failures.empty();
      is_well ? ++passed : ++failed;
      if (options.output == "json") {
        all.push_back({{"file", file.file},
                       {"line", test.position.line},
                       {"test", test.name},
                       {"passed", is_well},
                       {"failures", result.failures}});
        continue;
      }
      fmt::print("{}  {}:{}: {}\n", is_well ? "ok  " : "FAIL", file.file, test.position.line, test.name);
      for (const std::string& failure : result.failures) std::cout << failure;
      std::cout.flush();
    }
  }
  if (options.output == "json") std::cout << dump(all, 2) << '\n';
  if (print(diagnostics)) return 2;
  if (passed + failed == 0) {
    std::cerr << "no test ran: "
              << (options.only.empty() ? "no file has the key 'tests'" : "no name holds '" + options.only + "'")
              << '\n';
    return 2;
  }
  std::cerr << fmt::format("{} passed, {} failed, {} events\n", passed, failed, events);
  return failed > 0 ? 1 : 0;
}

}  // namespace tocsin
