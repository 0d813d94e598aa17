// Reads pattern files: YAML to compiled patterns, with every mistake located, and the files' own examples tried.

#include <re2/re2.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "base/hash.h"
#include "base/time_text.h"
#include "core/sanitize/checks.h"
#include "core/sanitize/fingerprint.h"
#include "core/sanitize/matcher.h"
#include "core/sanitize/pattern_library.h"
#include "core/sanitize/scanner.h"
#include "core/sanitize/shortest_match.h"

namespace tocsin {

namespace {

constexpr int supported_version = 1;
constexpr std::size_t longest_id = 40;  // redaction labels hold it
constexpr std::uint32_t longest_window = 16384;

SourcePosition position_of(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {static_cast<std::uint32_t>(mark.line + 1), static_cast<std::uint32_t>(mark.column + 1)};
}

// A text that the pattern must hit, or must not, and where it was written.
struct Sample {
  std::uint16_t pattern = 0;
  enum class Kind : std::uint8_t { hit, unchecked, miss } kind = Kind::miss;
  std::string text;
  std::string file;
  SourcePosition at;
};

template <class T>
struct Named {
  std::string_view name;
  T value;
};

constexpr Named<Tier> tiers[] = {
    {"halt", Tier::halt}, {"page", Tier::page}, {"count", Tier::count}, {"pii", Tier::pii}};
constexpr Named<Shape> shapes[] = {
    {"email", Shape::email}, {"card", Shape::card},   {"ssn", Shape::ssn},
    {"iban", Shape::iban},   {"phone", Shape::phone}, {"assignment", Shape::assignment},
    {"named", Shape::named}, {"itin", Shape::itin},   {"ip", Shape::ip}};
constexpr Named<Check> checks[] = {{"none", Check::none},
                                   {"github_crc32", Check::github_crc32},
                                   {"not_github_crc32", Check::not_github_crc32},
                                   {"aws_key_id", Check::aws_key_id},
                                   {"jwt", Check::jwt},
                                   {"private_key", Check::private_key},
                                   {"secret_value", Check::secret_value},
                                   {"password_value", Check::password_value},
                                   {"person_name", Check::person_name}};
constexpr Named<Boundary> boundaries[] = {{"alnum", Boundary::alnum},
                                          {"base64", Boundary::base64},
                                          {"base64url", Boundary::base64url},
                                          {"none", Boundary::none}};
constexpr Named<FieldAction> field_actions[] = {
    {"hash", FieldAction::hash}, {"drop", FieldAction::drop}, {"keep", FieldAction::keep}};
constexpr Named<bool> ways_to_keep[] = {{"redacted", true}, {"nothing", false}};
constexpr Named<ContentField> content_fields[] = {
    {"content", ContentField::content}, {"arguments", ContentField::arguments}, {"results", ContentField::results}};
constexpr Named<bool> kinds_of_addresses[] = {{"public", true}, {"all", false}};
constexpr Named<int> classes[] = {{"upper", upper_class}, {"lower", lower_class}, {"digit", digit_class}};

// A match that is long and made of token characters alone lies in a long token, and so does its keyword.
Keyword::Where where_it_counts(const CompiledPattern& pattern, std::string_view keyword) {
  const bool is_of_token =
      std::all_of(keyword.begin(), keyword.end(), [](char c) { return has_class(c, token_class); });
  if (pattern.shape != Shape::regex || pattern.spaces || pattern.next_string || !is_of_token ||
      pattern.min_length < KeywordGate::long_token) {
    return Keyword::Where::anywhere;
  }
  const bool begins_token = pattern.before == 0 && pattern.boundary != Boundary::none && is_alnum(keyword.front());
  return begins_token ? Keyword::Where::at_long_token_start : Keyword::Where::in_long_token;
}

class Loader {
 public:
  explicit Loader(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  void read(const NamedText& file) {
    file_ = file.file;
    YAML::Node root;
    try {
      root = YAML::Load(file.text);
    } catch (const YAML::Exception& problem) {
      diagnostics_.error(file_, position_of(problem.mark), "yaml", problem.msg);
      return;
    }
    if (!root.IsMap()) {
      diagnostics_.error(file_, {1, 1}, "shape", "a pattern file is a map with the key sanitize");
      return;
    }
    check_keys(root, {"sanitize"});
    const YAML::Node sanitize = root["sanitize"];
    if (!sanitize) {
      diagnostics_.error(file_, {1, 1}, "missing-key", "the key sanitize is missing");
      return;
    }
    if (!sanitize.IsMap()) {
      error(sanitize, "shape", "sanitize is a map with the keys version and patterns");
      return;
    }
    check_keys(sanitize, {"version", "inherit", "patterns", "fields", "references", "allow"});
    if (const YAML::Node version = sanitize["version"]) {
      if (whole_number(version, 1, 1000) != supported_version) error(version, "version", "the only version is 1");
    } else {
      error(sanitize, "missing-key", "version is missing; write version: 1");
    }
    truth(sanitize["inherit"]);  // which files are read is not decided here
    const YAML::Node list = sanitize["patterns"];
    const bool has_others = sanitize["fields"] || sanitize["references"] || sanitize["allow"];
    if (list ? !list.IsSequence() : !has_others) {
      error(list ? list : sanitize, "missing-key", "patterns is a list of patterns");
      return;
    }
    for (const YAML::Node& node : list) read_pattern(node);
    for (const YAML::Node& node : entries(sanitize["fields"], "fields")) read_field_rule(node);
    if (const YAML::Node references = sanitize["references"]) read_references(references);
    for (const YAML::Node& node : entries(sanitize["allow"], "allow")) read_allowance(node);
    text_ += file.text;
  }

  std::shared_ptr<const PatternLibrary> finish() {
    for (const auto& [index, reference] : pair_references_) {
      const auto known = by_id_.find(reference.Scalar());
      if (known == by_id_.end()) {
        std::vector<std::string_view> names;
        for (const auto& [id, unused] : by_id_) names.push_back(id);
        error(reference, "unknown-pattern",
              "no pattern is named " + reference.Scalar() + did_you_mean(reference.Scalar(), names));
      } else {
        compiled_[index].paired_with = known->second;
      }
    }
    for (const auto& [id, node] : allowed_patterns_) {
      if (by_id_.find(id) != by_id_.end()) continue;
      std::vector<std::string_view> names;
      for (const auto& [known, unused] : by_id_) names.push_back(known);
      error(node, "unknown-pattern", "no pattern is named " + id + did_you_mean(id, names));
    }
    if (patterns_.empty() && !diagnostics_.has_errors()) {
      diagnostics_.error(file_, {}, "no-patterns", "no file holds a pattern: nothing would be sanitized");
    }
    if (diagnostics_.has_errors()) return nullptr;
    for (const std::uint16_t index : replaced_) retire(index);
    const std::string version = std::to_string(supported_version) + "-" + to_hex(hash128(text_)).substr(0, 16);
    auto library = std::make_shared<const PatternLibrary>(
        std::move(patterns_), std::move(field_rules_), std::move(reference_rules_), std::move(allowances_), version,
        std::make_unique<const Matcher>(std::move(compiled_), std::move(keywords_)));
    try_samples(library);
    if (diagnostics_.has_errors()) return nullptr;
    return library;
  }

 private:
  void error(const YAML::Node& node, std::string_view code, std::string message) {
    diagnostics_.error(file_, position_of(node.Mark()), code, std::move(message));
  }

  void check_keys(const YAML::Node& map, const std::vector<std::string_view>& known) {
    std::vector<std::string> seen;
    for (const auto& entry : map) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : std::string();
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        error(entry.first, "unknown-key", "unknown key " + key + did_you_mean(key, known));
      } else if (std::find(seen.begin(), seen.end(), key) != seen.end()) {
        error(entry.first, "duplicate-key", "the key " + key + " stands here twice");
      }
      seen.push_back(key);
    }
  }

  template <class T, std::size_t N>
  T choice(const YAML::Node& node, std::string_view what, const Named<T> (&names)[N], T otherwise,
           std::span<const TokenStructure> others = {}) {
    if (!node) return otherwise;
    std::vector<std::string_view> candidates;
    std::string all;
    for (const TokenStructure& other : others) {
      candidates.push_back(other.name);
      all += std::string(other.name) + ", ";
    }
    const std::size_t before = all.size();
    for (const Named<T>& named : names) {
      if (node.IsScalar() && node.Scalar() == named.name) return named.value;
      candidates.push_back(named.name);
      all += (all.size() == before ? "" : ", ") + std::string(named.name);
    }
    const std::string written = node.IsScalar() ? node.Scalar() : "this";
    error(node, "unknown-value",
          written + " is no " + std::string(what) + "; there are " + all + did_you_mean(written, candidates));
    return otherwise;
  }

  int whole_number(const YAML::Node& node, int least, int most) {
    int value = 0;
    if (!node.IsScalar() || !YAML::convert<int>::decode(node, value) || value < least || value > most) {
      error(node, "number", "write a whole number from " + std::to_string(least) + " to " + std::to_string(most));
      return least;
    }
    return value;
  }

  bool truth(const YAML::Node& node) {
    bool value = false;
    if (node && (!node.IsScalar() || !YAML::convert<bool>::decode(node, value))) {
      error(node, "truth-value", "write true or false");
    }
    return value;
  }

  std::vector<std::string> texts(const YAML::Node& node, std::string_view what) {
    std::vector<std::string> list;
    if (!node) return list;
    if (!node.IsSequence()) {
      error(node, "shape", std::string(what) + " is a list");
      return list;
    }
    for (const YAML::Node& entry : node) {
      if (!entry.IsScalar() || entry.Scalar().empty()) {
        error(entry, "shape", std::string(what) + " holds texts that are not empty");
      } else {
        list.push_back(entry.Scalar());
      }
    }
    return list;
  }

  void read_samples(const YAML::Node& node, std::string_view what, Sample::Kind kind, std::uint16_t pattern) {
    if (!node) return;
    if (!node.IsSequence()) {
      error(node, "shape", std::string(what) + " is a list of texts, or of lists of parts");
      return;
    }
    for (const YAML::Node& entry : node) {
      Sample sample{pattern, kind, {}, file_, position_of(entry.Mark())};
      if (entry.IsScalar()) {
        sample.text = entry.Scalar();
      } else {
        for (const std::string& part : texts(entry, what)) sample.text += part;
      }
      samples_.push_back(std::move(sample));
    }
  }

  // The maps of a list that may be left out.
  std::vector<YAML::Node> entries(const YAML::Node& list, std::string_view what) {
    std::vector<YAML::Node> maps;
    if (!list) return maps;
    if (!list.IsSequence()) {
      error(list, "shape", std::string(what) + " is a list");
      return maps;
    }
    for (const YAML::Node& node : list) {
      if (node.IsMap())
        maps.push_back(node);
      else
        error(node, "shape", std::string(what) + " holds maps");
    }
    return maps;
  }

  // The text under `key`; empty where there is none.
  std::string text_of(const YAML::Node& map, std::string_view key) {
    const YAML::Node node = map[std::string(key)];
    if (!node) return {};
    if (!node.IsScalar() || node.Scalar().empty()) {
      error(node, "shape", std::string(key) + " is a text");
      return {};
    }
    return node.Scalar();
  }

  void read_field_rule(const YAML::Node& node) {
    check_keys(node, {"field", "do"});
    const std::string name = text_of(node, "field");
    if (name.empty() || !node["do"]) {
      error(node, "missing-key", "write field: NAME and do: hash, drop or keep");
      return;
    }
    FieldRule rule;
    rule.action = choice(node["do"], "thing to do", field_actions, FieldAction::hash);
    const auto field = string_field_named(name);
    if (!field) {
      error(node["field"], "field",
            "'" + name + "' is no field of an event" + did_you_mean(name, string_field_names()));
      return;
    }
    const bool is_identity = *field == StringField::correlation_id || *field == StringField::event_id ||
                             *field == StringField::span_id || *field == StringField::parent_span_id;
    if (is_identity && rule.action != FieldAction::keep) {
      error(node["field"], "field", name + " is what events and tasks are known by: it can't be changed");
      return;
    }
    rule.field = *field;
    field_rules_.push_back(rule);
  }

  void read_references(const YAML::Node& node) {
    if (!node.IsMap()) {
      error(node, "shape", "references is a map with the keys retention, content, arguments and results");
      return;
    }
    if (!references_in_.empty()) {
      error(node, "duplicate-key", references_in_ + " says references already: they stand in one file");
      return;
    }
    references_in_ = file_;
    check_keys(node, {"retention", "content", "arguments", "results"});
    if (node["retention"]) {
      const std::string retention = read_retention(node["retention"]);
      for (ReferenceRule& rule : reference_rules_) rule.retention = retention;
    }
    for (const Named<ContentField>& field : content_fields) {
      const YAML::Node one = node[std::string(field.name)];
      if (one) read_reference_rule(one, reference_rules_[static_cast<std::size_t>(field.value)]);
    }
  }

  void read_reference_rule(const YAML::Node& node, ReferenceRule& rule) {
    constexpr int least_text = 16, most_text = 65'536;
    if (!node.IsMap()) {
      error(node, "shape", "this is a map with the keys retention, keep and max_bytes, as {retention: 7d}");
      return;
    }
    check_keys(node, {"retention", "keep", "max_bytes"});
    if (node["retention"]) rule.retention = read_retention(node["retention"]);
    rule.keeps_text = choice(node["keep"], "way to keep a text", ways_to_keep, false);
    if (!node["max_bytes"]) return;
    rule.most_bytes = static_cast<std::uint32_t>(whole_number(node["max_bytes"], least_text, most_text));
    if (!rule.keeps_text) {
      error(node["max_bytes"], "missing-key",
            "max_bytes is of the text that is kept; write keep: redacted beside it");
    }
  }

  std::string read_retention(const YAML::Node& node) {
    if (!node.IsScalar() || !is_retention(node.Scalar())) {
      error(node, "retention",
            "a retention is a duration or a name, as 30d, none or legal_hold: 1 to 20 of a-z, 0-9, _ and -, and no "
            "bare "
            "number");
      return {};
    }
    return node.Scalar();
  }

  void read_allowance(const YAML::Node& node) {
    check_keys(node, {"fingerprint", "pattern", "place", "until", "reason"});
    Allowance allowance;
    allowance.fingerprint = text_of(node, "fingerprint");
    allowance.pattern = text_of(node, "pattern");
    allowance.place = text_of(node, "place");
    allowance.reason = text_of(node, "reason");
    if (!allowance.fingerprint.empty() && !is_fingerprint(allowance.fingerprint)) {
      error(node["fingerprint"], "fingerprint", "a fingerprint has 16 digits of 0-9 and a-f, as the page says it");
    }
    if (allowance.fingerprint.empty() && allowance.pattern.empty() && allowance.place.empty()) {
      error(node, "missing-key", "say what is allowed: a fingerprint, a pattern or a place");
    }
    if (!allowance.pattern.empty()) allowed_patterns_.emplace_back(allowance.pattern, node["pattern"]);
    if (allowance.reason.empty()) error(node, "missing-key", "reason is missing: why is it no leak?");
    std::string until = text_of(node, "until");
    constexpr std::size_t date_length = 10;
    if (until.size() == date_length) until += "T00:00:00Z";
    const auto time = parse_rfc3339(until);
    if (time)
      allowance.until = as_record_time(*time);
    else
      error(node["until"] ? node["until"] : node, "until",
            "until is a day, as 2026-12-31, or a time in UTC; it is required, so that nothing is allowed for good");
    allowances_.push_back(std::move(allowance));
  }

  void read_pattern(const YAML::Node& node) {
    if (!node.IsMap()) {
      error(node, "shape", "a pattern is a map that begins with id");
      return;
    }
    check_keys(node,
               {"id",      "tier",        "description", "keywords",  "ignore_case", "regex",      "before",
                "rotate",  "shadow",      "names",       "addresses", "next_string", "replaces",   "window",
                "spaces",  "min_length",  "boundary",    "shape",     "not_names",   "check",      "min_entropy",
                "classes", "paired_with", "published",   "examples",  "unchecked",   "near_misses"});
    const auto index = static_cast<std::uint16_t>(patterns_.size());
    Pattern pattern;
    CompiledPattern compiled;
    compiled.index = index;

    read_id(node, index, pattern);
    if (node["tier"])
      pattern.tier = choice(node["tier"], "tier", tiers, Tier::count);
    else
      error(node, "missing-key", "tier is missing: halt, page, count or pii");
    pattern.is_shadow = truth(node["shadow"]);
    compiled.tier = pattern.is_shadow && pattern.tier != Tier::pii ? Tier::count : pattern.tier;
    if (node["rotate"]) {
      if (!node["rotate"].IsScalar())
        error(node["rotate"], "shape", "rotate is a text: where the holder revokes it");
      else
        pattern.rotate = node["rotate"].Scalar();
    }
    if (node["description"] && node["description"].IsScalar())
      pattern.description = node["description"].Scalar();
    else
      error(node, "missing-key", "description is missing: a few words, for the people who are paged");

    compiled.shape = choice(node["shape"], "shape", shapes, Shape::regex);
    read_check(node["check"], pattern, compiled);
    compiled.boundary = choice(node["boundary"], "boundary", boundaries, Boundary::alnum);
    compiled.spaces = truth(node["spaces"]);
    compiled.next_string = truth(node["next_string"]);
    compiled.only_public = choice(node["addresses"], "kind of addresses", kinds_of_addresses, true);
    const int window = static_cast<int>(longest_window);
    if (node["before"]) compiled.before = static_cast<std::uint32_t>(whole_number(node["before"], 0, window));
    if (node["window"]) compiled.window = static_cast<std::uint32_t>(whole_number(node["window"], 4, window));
    if (node["min_length"])
      compiled.min_length = static_cast<std::uint32_t>(whole_number(node["min_length"], 1, window));
    if (node["min_entropy"] && (!node["min_entropy"].IsScalar() ||
                                !YAML::convert<double>::decode(node["min_entropy"], compiled.min_entropy))) {
      error(node["min_entropy"], "number", "write bits a character, as 3.5");
    }
    if (node["classes"]) {
      for (const YAML::Node& name : node["classes"]) {
        compiled.required_classes |= choice(name, "class of characters", classes, 0);
      }
    }
    std::vector<std::string> not_names = texts(node["not_names"], "not_names");
    std::erase(not_names, "");
    std::transform(not_names.begin(), not_names.end(), not_names.begin(), lower);
    compiled.not_names = WordSet(std::move(not_names));
    for (const std::string& name : texts(node["names"], "names")) {
      if (name.size() < VendorNames::shortest || lower(name) != name) {
        error(node["names"], "name", name + " is no name: at least 3 characters, letters in lower case");
      }
      compiled.names.push_back(name);
    }
    if (compiled.shape == Shape::named && !node["min_entropy"]) compiled.min_entropy = 2.5;
    if (compiled.shape == Shape::named && !node["window"]) compiled.window = 1024;
    if (compiled.shape == Shape::named && (compiled.names.empty() || !node["regex"])) {
      error(node, "missing-key", "what is known by its vendor's name has names and a regex");
    }
    for (const std::string& text : texts(node["published"], "published")) read_published(node, text, compiled);
    if (node["paired_with"]) pair_references_.emplace_back(index, node["paired_with"]);
    read_regex(node, compiled);
    read_keywords(node, compiled);
    if (!node["examples"])
      error(node, "missing-key", "examples are missing: at least one text that the pattern hits");
    if (node["unchecked"] && !compiled.pages_unchecked) {
      error(node["unchecked"], "shape", "only what halts, and has a check of its structure, pages where that fails");
    }
    read_samples(node["examples"], "examples", Sample::Kind::hit, index);
    read_samples(node["unchecked"], "unchecked", Sample::Kind::unchecked, index);
    read_samples(node["near_misses"], "near_misses", Sample::Kind::miss, index);

    patterns_.push_back(std::move(pattern));
    compiled_.push_back(std::move(compiled));
  }

  void read_check(const YAML::Node& node, const Pattern& pattern, CompiledPattern& compiled) {
    if (node && node.IsScalar()) compiled.structure = token_structure_named(node.Scalar());
    compiled.pages_unchecked = compiled.structure != nullptr && pattern.tier == Tier::halt;
    if (compiled.structure == nullptr) {
      compiled.check = choice(node, "check", checks, Check::none, token_structures());
    }
  }

  void read_id(const YAML::Node& node, std::uint16_t index, Pattern& pattern) {
    if (!node["id"] || !node["id"].IsScalar()) {
      error(node, "missing-key", "id is missing");
      return;
    }
    pattern.id = node["id"].Scalar();
    const bool plain = std::all_of(pattern.id.begin(), pattern.id.end(), [](char c) {
      return has_class(c, lower_class | digit_class) || c == '_' || c == '.';
    });
    if (pattern.id.empty() || pattern.id.size() > longest_id || !plain) {
      error(node["id"], "id", "an id is at most 40 lower-case letters, digits, _ and .");
    }
    constexpr std::string_view personal = "pii.";
    const bool is_personal = pattern.id.rfind(personal, 0) == 0;
    pattern.short_name = is_personal ? pattern.id.substr(personal.size()) : pattern.id;
    const bool replaces = truth(node["replaces"]);
    const auto [known, is_new] = by_id_.emplace(pattern.id, index);
    if (replaces && is_new) {
      std::vector<std::string_view> names;
      for (const auto& [id, unused] : by_id_) {
        if (id != pattern.id) names.push_back(id);
      }
      error(node["replaces"], "unknown-pattern",
            "no pattern before it is named " + pattern.id + did_you_mean(pattern.id, names));
    } else if (replaces) {
      replaced_.push_back(known->second);
      known->second = index;
    } else if (!is_new) {
      error(node["id"], "duplicate-id",
            "another pattern is named " + pattern.id + " as well; to take its place write replaces: true");
    }
  }

  void read_published(const YAML::Node& node, const std::string& text, CompiledPattern& compiled) {
    Hash128 hash;
    bool well_formed = text.size() == 32;
    for (std::size_t i = 0; i < text.size() && well_formed; ++i) {
      const char c = to_lower(text[i]);
      well_formed = is_digit(c) || (c >= 'a' && c <= 'f');
      const auto digit = static_cast<std::uint64_t>(is_digit(c) ? c - '0' : c - 'a' + 10);
      std::uint64_t& half = i < 16 ? hash.high : hash.low;
      half = (half << 4) | digit;
    }
    if (!well_formed) error(node["published"], "hash", text + " is no XXH3-128 hash: write 32 hexadecimal digits");
    compiled.published.push_back(hash);
  }

  void read_regex(const YAML::Node& node, CompiledPattern& compiled) {
    const YAML::Node text = node["regex"];
    const bool by_code =
        compiled.shape != Shape::regex && compiled.shape != Shape::assignment && compiled.shape != Shape::named;
    if (!text) {
      if (compiled.shape == Shape::regex) error(node, "missing-key", "write a regex, or a shape");
      return;
    }
    if (by_code || !text.IsScalar()) {
      error(text, "shape", by_code ? "this shape has no regex" : "a regex is a text");
      return;
    }
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_encoding(re2::RE2::Options::EncodingLatin1);  // bytes: telemetry need not be UTF-8
    auto regex = std::make_unique<const re2::RE2>(text.Scalar(), options);
    if (!regex->ok()) {
      error(text, "regex", "RE2 does not take this: " + regex->error());
      return;
    }
    if (regex->NumberOfCapturingGroups() > 1) {
      error(text, "regex", "at most one group, the secret; write (?:...) for the others");
    }
    // Matching is linear in the window, at worst with a step for each instruction at each byte.
    constexpr std::int64_t most_steps = 100'000'000;
    if (static_cast<std::int64_t>(regex->ProgramSize()) * compiled.window > most_steps) {
      error(text, "too-slow",
            "at worst this takes " + std::to_string(regex->ProgramSize()) + " steps for each byte of a window of " +
                std::to_string(compiled.window) + ": write smaller repetitions than {1000}, or a smaller window");
    }
    // What the keyword's token must have at least; the file may ask for more.
    const std::size_t shortest = std::min<std::size_t>(shortest_match(text.Scalar()), compiled.window);
    compiled.min_length = std::max(compiled.min_length, static_cast<std::uint32_t>(shortest));
    compiled.has_group = regex->NumberOfCapturingGroups() == 1;
    compiled.regex = std::move(regex);
  }

  void read_keywords(const YAML::Node& node, CompiledPattern& compiled) {
    const bool ignore_case =
        truth(node["ignore_case"]) || compiled.shape == Shape::assignment || compiled.shape == Shape::named;
    std::vector<std::string> words = texts(node["keywords"], "keywords");
    if (compiled.shape == Shape::named) {
      // One look at a value serves all vendors: only the first of these patterns has the words.
      if (!words.empty()) error(node["keywords"], "keyword", "a pattern of names needs no keywords");
      if (std::exchange(has_named_, true)) return;
      words = {"key", "token", "secret", "access", "private", "passw", "credential", "auth", "api", "_pat"};
    }
    const bool by_digits = compiled.shape != Shape::regex && compiled.shape != Shape::assignment &&
                           compiled.shape != Shape::named;  // or another single character
    if (by_digits) return;
    if (words.empty()) error(node, "missing-key", "keywords are missing: without a literal every byte is tried");
    for (std::string& word : words) {
      if (word.size() < 3) {
        error(node["keywords"], "keyword", word + " is too short: it would stand everywhere; at least 3 characters");
      }
      if (ignore_case) word = lower(word);
      const Keyword::Where where = where_it_counts(compiled, word);
      const auto [place, is_new] = keyword_places_.try_emplace({word, ignore_case, where}, keywords_.size());
      if (is_new) keywords_.push_back({word, ignore_case, {}, where});
      keywords_[place->second].patterns.push_back(compiled.index);
    }
  }

  // Of a pattern that another one has taken the place of: it finds nothing. Its index stays.
  void retire(std::uint16_t index) {
    compiled_[index].names.clear();
    compiled_[index].paired_with = no_pattern;
    std::erase_if(samples_, [index](const Sample& sample) { return sample.pattern == index; });
    if (compiled_[index].shape == Shape::named) return;  // its keywords serve all others
    for (Keyword& keyword : keywords_) std::erase(keyword.patterns, index);
  }

  // The messages do not quote the samples: they may be real.
  void try_samples(const std::shared_ptr<const PatternLibrary>& library) {
    Scanner scanner(library);
    for (const Sample& sample : samples_) {
      // Another pattern may have the same text in the end: one that is graver, or of another file.
      scanner.scan(sample.text);
      const auto claims = scanner.claims();
      const auto claim = std::find_if(claims.begin(), claims.end(),
                                      [&](const Match& match) { return match.pattern == sample.pattern; });
      const bool hit = claim != claims.end();
      const std::string& id = library->patterns()[sample.pattern].id;
      const CompiledPattern& pattern = library->matcher().pattern(sample.pattern);
      if (hit && sample.kind != Sample::Kind::miss && pattern.pages_unchecked) {
        const bool is_unchecked = !pattern.structure->holds(claim->identity);
        if (is_unchecked == (sample.kind == Sample::Kind::unchecked)) continue;
        diagnostics_.error(sample.file, sample.at, is_unchecked ? "example-unchecked" : "unchecked-holds",
                           is_unchecked ? id + " hits this example, but its check fails: it would page, not halt"
                                        : id + "'s check holds for this; it is an example");
        continue;
      }
      if (hit == (sample.kind != Sample::Kind::miss)) continue;
      diagnostics_.error(sample.file, sample.at, hit ? "near-miss-hits" : "example-misses",
                         hit ? id + " hits this near miss; narrow the pattern"
                             : id + " does not hit this example; see keywords, boundary and checks");
    }
  }

  static std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), to_lower);
    return text;
  }

  Diagnostics& diagnostics_;
  std::string file_;
  std::string text_;  // of all files: the version hangs on it
  std::vector<Pattern> patterns_;
  std::vector<FieldRule> field_rules_;
  ReferenceRules reference_rules_;
  std::string references_in_;  // the file that has them
  std::vector<Allowance> allowances_;
  std::vector<std::pair<std::string, YAML::Node>> allowed_patterns_;
  std::vector<CompiledPattern> compiled_;
  std::vector<Keyword> keywords_;
  std::map<std::tuple<std::string, bool, Keyword::Where>, std::size_t> keyword_places_;
  std::vector<std::uint16_t> replaced_;
  std::vector<Sample> samples_;
  bool has_named_ = false;
  std::map<std::string, std::uint16_t, std::less<>> by_id_;
  std::vector<std::pair<std::uint16_t, YAML::Node>> pair_references_;
};

}  // namespace

std::shared_ptr<const PatternLibrary> load_patterns(std::span<const NamedText> files, Diagnostics& diagnostics) {
  Loader loader(diagnostics);
  for (const NamedText& file : files) loader.read(file);
  return loader.finish();
}

}  // namespace tocsin
