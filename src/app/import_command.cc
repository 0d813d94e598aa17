#include "app/import_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <optional>
#include <ostream>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "app/files.h"
#include "app/import/figures.h"
#include "app/import/promql.h"
#include "app/import/rule_keys.h"
#include "app/import/rule_text.h"
#include "base/yaml_tree.h"
#include "core/rule/rule_set.h"

namespace tocsin {

namespace {

class Import {
 public:
  Import(const NamedText& file, std::ostream& err) : file_(file.file), err_(err) {}

  void group(const YamlNode& node) {
    const YamlNode* name = node.find("name");
    const YamlNode* rules = node.find("rules");
    if (rules == nullptr || !rules->is_list())
      return refuse(node.at, name != nullptr ? name->scalar : "(no name)",
                    "this group has no list of rules; see promtool check rules");
    std::string texts;
    for (const YamlNode& one : rules->items) {
      std::string reason;
      const auto text = rule(one, node.find("labels"), reason);
      if (text) {
        texts += *text;
        ++carried_;
      } else {
        refuse(one.at, name_of_rule(one), reason);
      }
    }
    if (texts.empty()) return;
    for (const YamlNode& key : node.keys) {
      if (key.scalar == "name" || key.scalar == "rules" || key.scalar == "labels") continue;
      text_ += "# " + key_text(key.scalar) + " did not come over" +
               (key.scalar == "interval" ? ": rules are looked at every 10 s\n" : "\n");
    }
    text_ += "- name: " + prometheus::yaml(name != nullptr ? name->scalar : "imported") + "\n  rules:\n" + texts;
  }

  std::string text() const {
    if (text_.empty()) return "groups: []\n";
    return "# Written by tocsin import. Each of these alerts is a page; say actions: [investigate] where it should "
           "not be.\ngroups:\n" +
           text_;
  }

  int finish() {
    err_ << carried_ << " rules carried over, " << refused_ << " not\n";
    return refused_ > 0 ? 1 : 0;
  }

 private:
  void refuse(SourcePosition at, const std::string& name, const std::string& reason) {
    ++refused_;
    err_ << file_ << ':' << at.line << ": " << name << ": " << reason << '\n';
  }

  // A key that somebody wrote, in a comment of one line.
  static std::string key_text(const std::string& key) {
    return std::all_of(key.begin(), key.end(), [](char c) { return prometheus::is_letter(c); }) ? key : "another key";
  }

  static std::string name_of_rule(const YamlNode& node) {
    for (const char* key : {"alert", "record"}) {
      if (const YamlNode* name = node.find(key)) return name->scalar;
    }
    return "(no name)";
  }

  std::optional<std::string> rule(const YamlNode& node, const YamlNode* group_labels, std::string& reason) {
    const auto refuse_it = [&](std::string why) {
      reason = std::move(why);
      return std::nullopt;
    };
    if (!node.is_map()) return refuse_it("this is no rule; see promtool check rules");
    if (node.find("record") != nullptr) {
      return refuse_it(
          "a recording rule makes a series of Prometheus'; a rule of Tocsin's adds events up itself, so leave it "
          "there");
    }
    const YamlNode* alert = node.find("alert");
    const YamlNode* expression = node.find("expr");
    if (alert == nullptr || expression == nullptr || !alert->is_scalar() || !expression->is_scalar()) {
      return refuse_it("it has no alert or no expr; see promtool check rules");
    }
    constexpr std::string_view known[] = {"alert", "expr", "for", "keep_firing_for", "labels", "annotations"};
    for (const YamlNode& key : node.keys) {
      if (std::find(std::begin(known), std::end(known), key.scalar) == std::end(known)) {
        return refuse_it("'" + key.scalar + "' is no key of a Prometheus rule; see promtool check rules");
      }
    }
    const auto tree = prometheus::parse_promql(expression->scalar, reason);
    if (!tree) return std::nullopt;
    std::set<std::string> notes;
    const auto comparisons = prometheus::read_figures(*tree, notes, reason);
    if (!comparisons) return std::nullopt;
    auto keys = prometheus::keys_of(*comparisons, reason);
    if (!keys) return std::nullopt;
    keys->notes.merge(notes);
    const auto text = prometheus::rule_text(node, group_labels, *keys, reason);
    if (!text || !loads(*text, reason)) return std::nullopt;
    const auto [first, is_new] = names_.try_emplace(alert->scalar, node.at.line);
    if (!is_new) {
      return refuse_it(fmt::format(
          "line {} has an alert of that name already; names are unique in Tocsin, so rename one", first->second));
    }
    return text;
  }

  // Whatever was overlooked here, nothing leaves that `tocsin check` would refuse.
  static bool loads(const std::string& text, std::string& reason) {
    const NamedText file{"imported", "groups:\n- name: imported\n  rules:\n" + text};
    Diagnostics diagnostics;
    if (load_rules(std::span(&file, 1), diagnostics) != nullptr) return true;
    for (const Diagnostic& one : diagnostics.all()) {
      if (one.severity != Severity::error) continue;
      reason = "as a rule of Tocsin's it would have a mistake: " + one.message;
      break;
    }
    return false;
  }

  std::string file_;
  std::ostream& err_;
  std::string text_;
  std::map<std::string, std::uint32_t> names_;  // of the alerts that came over, with their lines
  int carried_ = 0, refused_ = 0;
};

int unreadable(const Diagnostics& diagnostics, std::ostream& err) {
  for (const Diagnostic& one : diagnostics.sorted()) err << to_text(one) << '\n';
  return 2;
}

}  // namespace

int run_import(const NamedText& file, std::ostream& out, std::ostream& err) {
  Diagnostics diagnostics;
  const auto root = parse_yaml(file, diagnostics);
  if (!root || diagnostics.has_errors()) return unreadable(diagnostics, err);
  const YamlNode* groups = root->find("groups");
  if (groups == nullptr || !groups->is_list()) {
    diagnostics.error(file.file, root->at, "wrong-type",
                      "a file of Prometheus' rules has a list 'groups' of names and rules");
    return unreadable(diagnostics, err);
  }
  Import import(file, err);
  for (const YamlNode& group : groups->items) import.group(group);
  out << import.text();
  return import.finish();
}

int run_import(const ImportOptions& options) {
  Diagnostics diagnostics;
  const auto files = read_yaml_files({options.prometheus}, diagnostics);
  if (files.size() > 1) diagnostics.error(options.prometheus, {}, "unreadable", "this is a folder; name one file");
  if (diagnostics.has_errors()) return unreadable(diagnostics, std::cerr);
  return run_import(files.front(), std::cout, std::cerr);
}

}  // namespace tocsin
