// What people write in files: a mistake is a located error, never worse, and what loads can be run.

#include <string>

#include "app/config.h"
#include "app/shipped_files.h"
#include "core/rule/rule_set.h"
#include "core/rule/template_text.h"
#include "core/sanitize/pattern_library.h"
#include "core/stage/evaluate_stage.h"
#include "fuzz/target.h"

namespace tocsin::fuzz {

namespace {

void located(const Diagnostics& diagnostics) {
  for (const Diagnostic& one : diagnostics.all()) {
    must_hold(!one.code.empty() && !one.message.empty(), "a diagnostic says what is wrong");
    must_hold(to_text(one).find("fuzz.yaml") != std::string::npos, "a diagnostic says where");
  }
}

void rules(std::string_view input) {
  Diagnostics diagnostics;
  const NamedText file{"fuzz.yaml", std::string(input)};
  const auto loaded = load_rules(std::span(&file, 1), diagnostics);
  must_hold((loaded == nullptr) == diagnostics.has_errors(), "rules load, or there is an error");
  located(diagnostics);
  if (loaded == nullptr) return;
  EvaluateOptions options;
  options.keeps_state = true;
  EvaluatePartition partition(options, loaded);
  std::vector<AlertChange> changes;
  for (int i = 1; i <= 3; ++i) {
    Block block;
    block.grid = RecordTime{Duration{1'767'571'200'000}} + i * slice_length;
    block.rule_set = loaded->hash;
    for (std::uint32_t aggregate = 0; aggregate < loaded->aggregates.size(); ++aggregate) {
      Cell cell;
      cell.aggregate = aggregate;
      cell.group = std::string(loaded->aggregates[aggregate].group_by.size(), 'a');
      cell.totals = {i * 1'000'000'000LL, 1'000};
      block.cells.push_back(std::move(cell));
    }
    partition.apply(std::move(block), changes);
  }
  for (const AlertChange& change : changes) to_page_json(change);
}

void patterns(std::string_view input) {
  Diagnostics diagnostics;
  const NamedText file{"fuzz.yaml", std::string(input)};
  const auto loaded = load_patterns(std::span(&file, 1), diagnostics);
  must_hold((loaded == nullptr) == diagnostics.has_errors(), "patterns load, or there is an error");
  located(diagnostics);
}

void config(std::string_view input) {
  // A name of a file in it would be opened: that is asked of a person's file, not of a fuzzer's.
  if (input.find("_file") != std::string_view::npos) return;
  Diagnostics diagnostics;
  load_config({"fuzz.yaml", std::string(input)}, diagnostics);
  located(diagnostics);
}

void template_text(std::string_view input) {
  ConditionScope scope;
  scope.values.push_back({"value", Unit::money, false, true, true});
  TemplateText text;
  ExpressionError error;
  if (!TemplateText::compile(input, scope, {"agent", "env"}, text, error)) {
    must_hold(!error.message.empty() && error.offset <= input.size(), "a mistake in a template is located");
    return;
  }
  for (const double number : {0.0, -1.5, 1e300, unknown_number}) {
    const std::string out = text.render([](std::string_view) { return std::string_view("\r\n{{value}}"); },
                                        [&](const Variable&) { return number; });
    must_hold(out.size() <= 1'024, "a rendered template is bounded");
  }
}

}  // namespace

std::vector<Target> rule_targets() {
  return {{"rules", rules}, {"patterns", patterns}, {"config", config}, {"template", template_text}};
}

}  // namespace tocsin::fuzz
