// Reads pattern files: YAML to compiled patterns, with every mistake located, and the files' own examples tried.

#include <re2/re2.h>

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "base/hash.h"
#include "base/time_text.h"
#include "base/yaml_tree.h"
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
  Loader(std::span<const NamedText> proven, Diagnostics& diagnostics) : proven_(proven), diagnostics_(diagnostics) {}

  void read(const YamlFile& file) {
    file_ = file.source->file;
    is_proven_ = std::any_of(proven_.begin(), proven_.end(),
                             [&](const NamedText& one) { return one.text == file.source->text; });
    if (!file.root) return;  // reported by who parsed it
    const YamlNode& root = *file.root;
    if (!root.is_map()) {
      diagnostics_.error(file_, {1, 1}, "shape", "a pattern file is a map with the key sanitize");
      return;
    }
    check_keys(root, {"sanitize"});
    const YamlNode* const found = root.find("sanitize");
    if (found == nullptr) {
      diagnostics_.error(file_, {1, 1}, "missing-key", "the key sanitize is missing");
      return;
    }
    const YamlNode& sanitize = *found;
    if (!sanitize.is_map()) {
      error(sanitize, "shape", "sanitize is a map with the keys version and patterns");
      return;
    }
    check_keys(sanitize, {"version", "inherit", "parts", "patterns", "fields", "references", "allow"});
    if (const YamlNode* version = sanitize.find("version")) {
      if (whole_number(*version, 1, 1000) != supported_version) error(*version, "version", "the only version is 1");
    } else {
      error(sanitize, "missing-key", "version is missing; write version: 1");
    }
    truth(sanitize.find("inherit"));  // which files are read is not decided here
    const YamlNode* const list = sanitize.find("patterns");
    const YamlNode* const references = sanitize.find("references");
    const bool has_others =
        references != nullptr || sanitize.find("fields") != nullptr || sanitize.find("allow") != nullptr;
    if (list != nullptr ? !list->is_list() : !has_others) {
      error(list != nullptr ? *list : sanitize, "missing-key", "patterns is a list of patterns");
      return;
    }
    read_parts(sanitize.find("parts"));
    if (list != nullptr) {
      tries_samples_ = tries_samples_ || !is_proven_;
      for (const YamlNode& node : list->items) read_pattern(node);
    }
    warn_of_unused_parts();
    for (const YamlNode* node : entries(sanitize.find("fields"), "fields")) read_field_rule(*node);
    if (references != nullptr) read_references(*references);
    for (const YamlNode* node : entries(sanitize.find("allow"), "allow")) read_allowance(*node);
    text_ += file.source->text;
  }

  std::shared_ptr<const PatternLibrary> finish() {
    for (const Reference& reference : references_to_patterns_) {
      const auto known = by_id_.find(reference.id);
      if (known != by_id_.end()) {
        if (reference.pair) compiled_[*reference.pair].paired_with = known->second;
        continue;
      }
      std::vector<std::string_view> names;
      for (const auto& [id, unused] : by_id_) names.push_back(id);
      diagnostics_.error(reference.file, reference.at, "unknown-pattern",
                         "no pattern is named " + reference.id + did_you_mean(reference.id, names));
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
    if (tries_samples_) try_samples(library);
    if (diagnostics_.has_errors()) return nullptr;
    return library;
  }

 private:
  void error(const YamlNode& node, std::string_view code, std::string message) {
    diagnostics_.error(file_, node.at, code, std::move(message));
  }

  void check_keys(const YamlNode& map, const std::vector<std::string_view>& known) {
    for (const YamlNode& key : map.keys) {
      if (std::find(known.begin(), known.end(), key.scalar) == known.end()) {
        error(key, "unknown-key", "unknown key " + key.scalar + did_you_mean(key.scalar, known));
      }
    }
  }

  template <class T, std::size_t N>
  T choice(const YamlNode* node, std::string_view what, const Named<T> (&names)[N], T otherwise,
           std::span<const TokenStructure> others = {}) {
    if (node == nullptr) return otherwise;
    std::vector<std::string_view> candidates;
    std::string all;
    for (const TokenStructure& other : others) {
      candidates.push_back(other.name);
      all += std::string(other.name) + ", ";
    }
    const std::size_t before = all.size();
    for (const Named<T>& named : names) {
      if (node->is_scalar() && node->scalar == named.name) return named.value;
      candidates.push_back(named.name);
      all += (all.size() == before ? "" : ", ") + std::string(named.name);
    }
    const std::string written = node->is_scalar() ? node->scalar : "this";
    error(*node, "unknown-value",
          written + " is no " + std::string(what) + "; there are " + all + did_you_mean(written, candidates));
    return otherwise;
  }

  int whole_number(const YamlNode& node, int least, int most) {
    const auto value = whole_number_in(node);
    if (!value || *value < least || *value > most) {
      error(node, "number", "write a whole number from " + std::to_string(least) + " to " + std::to_string(most));
      return least;
    }
    return static_cast<int>(*value);
  }

  // Nothing where it is not there: false.
  bool truth(const YamlNode* node) {
    if (node == nullptr) return false;
    const std::optional<bool> value = node->is_scalar() ? truth_in(node->scalar) : std::nullopt;
    if (!value) error(*node, "truth-value", "write true or false");
    return value.value_or(false);
  }

  std::vector<std::string> texts(const YamlNode* node, std::string_view what) {
    std::vector<std::string> list;
    if (node == nullptr) return list;
    if (!node->is_list()) {
      error(*node, "shape", std::string(what) + " is a list");
      return list;
    }
    for (const YamlNode& entry : node->items) {
      if (!entry.is_scalar() || entry.scalar.empty()) {
        error(entry, "shape", std::string(what) + " holds texts that are not empty");
      } else {
        list.push_back(entry.scalar);
      }
    }
    return list;
  }

  void read_samples(const YamlNode* node, std::string_view what, Sample::Kind kind, std::uint16_t pattern) {
    if (node == nullptr) return;
    if (!node->is_list()) {
      error(*node, "shape", std::string(what) + " is a list of texts, or of lists of parts");
      return;
    }
    for (const YamlNode& entry : node->items) {
      Sample sample{pattern, kind, {}, file_, entry.at};
      if (entry.is_scalar()) {
        sample.text = entry.scalar;
      } else {
        for (const std::string& part : texts(&entry, what)) sample.text += part;
      }
      samples_.push_back(std::move(sample));
    }
  }

  // The maps of a list that may be left out.
  std::vector<const YamlNode*> entries(const YamlNode* list, std::string_view what) {
    std::vector<const YamlNode*> maps;
    if (list == nullptr) return maps;
    if (!list->is_list()) {
      error(*list, "shape", std::string(what) + " is a list");
      return maps;
    }
    for (const YamlNode& node : list->items) {
      if (node.is_map())
        maps.push_back(&node);
      else
        error(node, "shape", std::string(what) + " holds maps");
    }
    return maps;
  }

  // The text under `key`; empty where there is none.
  std::string text_of(const YamlNode& map, std::string_view key) {
    const YamlNode* const node = map.find(key);
    if (node == nullptr) return {};
    if (!node->is_scalar() || node->scalar.empty()) {
      error(*node, "shape", std::string(key) + " is a text");
      return {};
    }
    return node->scalar;
  }

  // What stands under `key`, or the map itself: where a message points.
  static const YamlNode& at_key(const YamlNode& map, std::string_view key) {
    const YamlNode* const node = map.find(key);
    return node != nullptr ? *node : map;
  }

  void read_field_rule(const YamlNode& node) {
    check_keys(node, {"field", "do"});
    const std::string name = text_of(node, "field");
    if (name.empty() || node.find("do") == nullptr) {
      error(node, "missing-key", "write field: NAME and do: hash, drop or keep");
      return;
    }
    FieldRule rule;
    rule.action = choice(node.find("do"), "thing to do", field_actions, FieldAction::hash);
    const auto field = string_field_named(name);
    if (!field) {
      error(at_key(node, "field"), "field",
            "'" + name + "' is no field of an event" + did_you_mean(name, string_field_names()));
      return;
    }
    const bool is_identity = *field == StringField::correlation_id || *field == StringField::event_id ||
                             *field == StringField::span_id || *field == StringField::parent_span_id;
    if (is_identity && rule.action != FieldAction::keep) {
      error(at_key(node, "field"), "field", name + " is what events and tasks are known by: it can't be changed");
      return;
    }
    rule.field = *field;
    field_rules_.push_back(rule);
  }

  void read_references(const YamlNode& node) {
    if (!node.is_map()) {
      error(node, "shape", "references is a map with the keys retention, content, arguments and results");
      return;
    }
    if (!references_in_.empty()) {
      error(node, "duplicate-key", references_in_ + " says references already: they stand in one file");
      return;
    }
    references_in_ = file_;
    check_keys(node, {"retention", "content", "arguments", "results"});
    if (const YamlNode* written = node.find("retention")) {
      const std::string retention = read_retention(*written);
      for (ReferenceRule& rule : reference_rules_) rule.retention = retention;
    }
    for (const Named<ContentField>& field : content_fields) {
      const YamlNode* const one = node.find(field.name);
      if (one != nullptr) read_reference_rule(*one, reference_rules_[static_cast<std::size_t>(field.value)]);
    }
  }

  void read_reference_rule(const YamlNode& node, ReferenceRule& rule) {
    constexpr int least_text = 16, most_text = 65'536;
    if (!node.is_map()) {
      error(node, "shape", "this is a map with the keys retention, keep and max_bytes, as {retention: 7d}");
      return;
    }
    check_keys(node, {"retention", "keep", "max_bytes"});
    if (const YamlNode* retention = node.find("retention")) rule.retention = read_retention(*retention);
    rule.keeps_text = choice(node.find("keep"), "way to keep a text", ways_to_keep, false);
    const YamlNode* const max_bytes = node.find("max_bytes");
    if (max_bytes == nullptr) return;
    rule.most_bytes = static_cast<std::uint32_t>(whole_number(*max_bytes, least_text, most_text));
    if (!rule.keeps_text) {
      error(*max_bytes, "missing-key", "max_bytes is of the text that is kept; write keep: redacted beside it");
    }
  }

  std::string read_retention(const YamlNode& node) {
    if (!node.is_scalar() || !is_retention(node.scalar)) {
      error(node, "retention",
            "a retention is a duration or a name, as 30d, none or legal_hold: 1 to 20 of a-z, 0-9, _ and -, and no "
            "bare "
            "number");
      return {};
    }
    return node.scalar;
  }

  void read_allowance(const YamlNode& node) {
    check_keys(node, {"fingerprint", "pattern", "place", "until", "reason"});
    Allowance allowance;
    allowance.fingerprint = text_of(node, "fingerprint");
    allowance.pattern = text_of(node, "pattern");
    allowance.place = text_of(node, "place");
    allowance.reason = text_of(node, "reason");
    if (!allowance.fingerprint.empty() && !is_fingerprint(allowance.fingerprint)) {
      error(at_key(node, "fingerprint"), "fingerprint",
            "a fingerprint has 16 digits of 0-9 and a-f, as the page says it");
    }
    if (allowance.fingerprint.empty() && allowance.pattern.empty() && allowance.place.empty()) {
      error(node, "missing-key", "say what is allowed: a fingerprint, a pattern or a place");
    }
    if (!allowance.pattern.empty()) refer_to(at_key(node, "pattern"), std::nullopt);
    if (allowance.reason.empty()) error(node, "missing-key", "reason is missing: why is it no leak?");
    std::string until = text_of(node, "until");
    constexpr std::size_t date_length = 10;
    if (until.size() == date_length) until += "T00:00:00Z";
    const auto time = parse_rfc3339(until);
    if (time)
      allowance.until = as_record_time(*time);
    else
      error(at_key(node, "until"), "until",
            "until is a day, as 2026-12-31, or a time in UTC; it is required, so that nothing is allowed for good");
    allowances_.push_back(std::move(allowance));
  }

  void read_pattern(const YamlNode& node) {
    if (!node.is_map()) {
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
    if (const YamlNode* tier = node.find("tier"))
      pattern.tier = choice(tier, "tier", tiers, Tier::count);
    else
      error(node, "missing-key", "tier is missing: halt, page, count or pii");
    pattern.is_shadow = truth(node.find("shadow"));
    compiled.tier = pattern.is_shadow && pattern.tier != Tier::pii ? Tier::count : pattern.tier;
    if (const YamlNode* rotate = node.find("rotate")) {
      if (!rotate->is_scalar())
        error(*rotate, "shape", "rotate is a text: where the holder revokes it");
      else
        pattern.rotate = rotate->scalar;
    }
    const YamlNode* const description = node.find("description");
    if (description != nullptr && description->is_scalar())
      pattern.description = description->scalar;
    else
      error(node, "missing-key", "description is missing: a few words, for the people who are paged");

    compiled.shape = choice(node.find("shape"), "shape", shapes, Shape::regex);
    read_check(node.find("check"), pattern, compiled);
    compiled.boundary = choice(node.find("boundary"), "boundary", boundaries, Boundary::alnum);
    compiled.spaces = truth(node.find("spaces"));
    compiled.next_string = truth(node.find("next_string"));
    compiled.only_public = choice(node.find("addresses"), "kind of addresses", kinds_of_addresses, true);
    const int window = static_cast<int>(longest_window);
    const auto take_number = [&](std::string_view key, int least, std::uint32_t& to) {
      const YamlNode* const number = node.find(key);
      if (number != nullptr) to = static_cast<std::uint32_t>(whole_number(*number, least, window));
      return number != nullptr;
    };
    take_number("before", 0, compiled.before);
    const bool has_window = take_number("window", 4, compiled.window);
    take_number("min_length", 1, compiled.min_length);
    const YamlNode* const min_entropy = node.find("min_entropy");
    if (min_entropy != nullptr) {
      const auto bits = number_in(*min_entropy);
      if (!bits) error(*min_entropy, "number", "write bits a character, as 3.5");
      compiled.min_entropy = bits.value_or(0);
    }
    if (const YamlNode* names = node.find("classes")) {
      if (!names->is_list()) error(*names, "shape", "classes is a list, as [upper, digit]");
      for (const YamlNode& name : names->items) {
        compiled.required_classes |= choice(&name, "class of characters", classes, 0);
      }
    }
    std::vector<std::string> not_names = texts(node.find("not_names"), "not_names");
    std::erase(not_names, "");
    std::transform(not_names.begin(), not_names.end(), not_names.begin(), lower);
    compiled.not_names = WordSet(std::move(not_names));
    for (const std::string& name : texts(node.find("names"), "names")) {
      if (name.size() < VendorNames::shortest || lower(name) != name) {
        error(at_key(node, "names"), "name", name + " is no name: at least 3 characters, letters in lower case");
      }
      compiled.names.push_back(name);
    }
    if (compiled.shape == Shape::named && min_entropy == nullptr) compiled.min_entropy = 2.5;
    if (compiled.shape == Shape::named && !has_window) compiled.window = 1024;
    if (compiled.shape == Shape::named && (compiled.names.empty() || node.find("regex") == nullptr)) {
      error(node, "missing-key", "what is known by its vendor's name has names and a regex");
    }
    for (const std::string& text : texts(node.find("published"), "published")) read_published(node, text, compiled);
    if (const YamlNode* pair = node.find("paired_with")) refer_to(*pair, index);
    read_regex(node, compiled);
    read_keywords(node, compiled);
    if (node.find("examples") == nullptr)
      error(node, "missing-key", "examples are missing: at least one text that the pattern hits");
    const YamlNode* const unchecked = node.find("unchecked");
    if (unchecked != nullptr && !compiled.pages_unchecked) {
      error(*unchecked, "shape", "only what halts, and has a check of its structure, pages where that fails");
    }
    read_samples(node.find("examples"), "examples", Sample::Kind::hit, index);
    read_samples(unchecked, "unchecked", Sample::Kind::unchecked, index);
    read_samples(node.find("near_misses"), "near_misses", Sample::Kind::miss, index);

    patterns_.push_back(std::move(pattern));
    compiled_.push_back(std::move(compiled));
  }

  void read_check(const YamlNode* node, const Pattern& pattern, CompiledPattern& compiled) {
    if (node != nullptr && node->is_scalar()) compiled.structure = token_structure_named(node->scalar);
    compiled.pages_unchecked = compiled.structure != nullptr && pattern.tier == Tier::halt;
    if (compiled.structure == nullptr) {
      compiled.check = choice(node, "check", checks, Check::none, token_structures());
    }
  }

  void read_id(const YamlNode& node, std::uint16_t index, Pattern& pattern) {
    const YamlNode* const id_node = node.find("id");
    if (id_node == nullptr || !id_node->is_scalar()) {
      error(node, "missing-key", "id is missing");
      return;
    }
    pattern.id = id_node->scalar;
    const bool plain = std::all_of(pattern.id.begin(), pattern.id.end(), [](char c) {
      return has_class(c, lower_class | digit_class) || c == '_' || c == '.';
    });
    if (pattern.id.empty() || pattern.id.size() > longest_id || !plain) {
      error(*id_node, "id", "an id is at most 40 lower-case letters, digits, _ and .");
    }
    constexpr std::string_view personal = "pii.";
    const bool is_personal = pattern.id.rfind(personal, 0) == 0;
    pattern.short_name = is_personal ? pattern.id.substr(personal.size()) : pattern.id;
    const bool replaces = truth(node.find("replaces"));
    const auto [known, is_new] = by_id_.emplace(pattern.id, index);
    if (replaces && is_new) {
      std::vector<std::string_view> names;
      for (const auto& [id, unused] : by_id_) {
        if (id != pattern.id) names.push_back(id);
      }
      error(at_key(node, "replaces"), "unknown-pattern",
            "no pattern before it is named " + pattern.id + did_you_mean(pattern.id, names));
    } else if (replaces) {
      replaced_.push_back(known->second);
      known->second = index;
    } else if (!is_new) {
      error(*id_node, "duplicate-id",
            "another pattern is named " + pattern.id + " as well; to take its place write replaces: true");
    }
  }

  void read_published(const YamlNode& node, const std::string& text, CompiledPattern& compiled) {
    Hash128 hash;
    bool well_formed = text.size() == 32;
    for (std::size_t i = 0; i < text.size() && well_formed; ++i) {
      const char c = to_lower(text[i]);
      well_formed = is_digit(c) || (c >= 'a' && c <= 'f');
      const auto digit = static_cast<std::uint64_t>(is_digit(c) ? c - '0' : c - 'a' + 10);
      std::uint64_t& half = i < 16 ? hash.high : hash.low;
      half = (half << 4) | digit;
    }
    if (!well_formed)
      error(at_key(node, "published"), "hash", text + " is no XXH3-128 hash: write 32 hexadecimal digits");
    compiled.published.push_back(hash);
  }

  struct Part {
    std::string regex;
    SourcePosition at;
    bool is_wrong = false;  // which has been said
    bool is_used = false;
  };

  // parts: {host: '[a-z.]+'}
  void read_parts(const YamlNode* node) {
    parts_.clear();
    if (node == nullptr) return;
    if (!node->is_map()) return error(*node, "shape", "parts is a map of names and what they stand for in a regex");
    for (std::size_t i = 0; i < node->keys.size(); ++i) {
      const YamlNode& text = node->items[i];
      Part& part = parts_[node->keys[i].scalar];
      part = {text.scalar, node->keys[i].at, true, false};
      if (!text.is_scalar() || text.scalar.empty() || text.scalar.find("{{") != std::string::npos) {
        error(text, "shape", "a part is a text that is not empty and holds no {{part}} itself");
      } else if (const auto regex = is_proven_ ? nullptr : LazyRegex::compile(text.scalar); regex && !regex->ok()) {
        error(text, "regex", "RE2 does not take this: " + regex->error());
      } else {
        part.is_wrong = false;
      }
    }
  }

  void warn_of_unused_parts() {
    if (diagnostics_.has_errors()) return;  // one of them may be about what would use it
    for (const auto& [name, part] : parts_) {
      if (!part.is_used) diagnostics_.warning(file_, part.at, "unused-part", "no regex has {{" + name + "}} in it");
    }
  }

  // With each {{part}} as a group of its own; nothing, after saying why, where there is no such part.
  std::optional<std::string> with_parts(const YamlNode& text) {
    std::string regex;
    std::string_view rest = text.scalar;
    for (;;) {
      const std::size_t begin = rest.find("{{");
      regex += rest.substr(0, begin);
      if (begin == std::string_view::npos) return regex;
      rest.remove_prefix(begin + 2);
      const std::size_t end = rest.find("}}");
      if (end == std::string_view::npos) {
        error(text, "unknown-part", "'{{' without '}}'; write \\{\\{ for the characters themselves");
        return std::nullopt;
      }
      const std::string_view name = rest.substr(0, end);
      const auto part = parts_.find(name);
      if (part == parts_.end()) {
        std::vector<std::string_view> names;
        for (const auto& [known, unused] : parts_) names.push_back(known);
        error(text, "unknown-part",
              "'" + std::string(name) + "' is no part of this file's 'parts'" + did_you_mean(name, names));
        return std::nullopt;
      }
      part->second.is_used = true;
      if (part->second.is_wrong) return std::nullopt;
      regex += "(?:" + part->second.regex + ")";
      rest.remove_prefix(end + 2);
    }
  }

  void read_regex(const YamlNode& node, CompiledPattern& compiled) {
    const YamlNode* const text = node.find("regex");
    const bool by_code =
        compiled.shape != Shape::regex && compiled.shape != Shape::assignment && compiled.shape != Shape::named;
    if (text == nullptr) {
      if (compiled.shape == Shape::regex) error(node, "missing-key", "write a regex, or a shape");
      return;
    }
    if (by_code || !text->is_scalar()) {
      error(*text, "shape", by_code ? "this shape has no regex" : "a regex is a text");
      return;
    }
    const std::optional<std::string> whole = with_parts(*text);
    if (!whole) return;
    auto regex = is_proven_ ? nullptr : checked_regex(*text, *whole, compiled.window);
    if (!is_proven_ && regex == nullptr) return;
    // What the keyword's token must have at least; the file may ask for more.
    const std::size_t shortest = std::min<std::size_t>(shortest_match(*whole), compiled.window);
    compiled.min_length = std::max(compiled.min_length, static_cast<std::uint32_t>(shortest));
    compiled.has_group = (regex != nullptr ? regex->NumberOfCapturingGroups() : count_groups(*whole)) == 1;
    compiled.regex = LazyRegex(*whole, std::move(regex));
  }

  // Null where RE2 does not take it. Reports that, and what else is wrong with it.
  std::unique_ptr<const re2::RE2> checked_regex(const YamlNode& text, const std::string& whole,
                                                std::uint32_t window) {
    auto regex = LazyRegex::compile(whole);
    if (!regex->ok()) {
      error(text, "regex", "RE2 does not take this: " + regex->error());
      return nullptr;
    }
    if (regex->NumberOfCapturingGroups() > 1) {
      error(text, "regex", "at most one group, the secret; write (?:...) for the others");
    }
    // Matching is linear in the window, at worst with a step for each instruction at each byte.
    constexpr std::int64_t most_steps = 100'000'000;
    if (static_cast<std::int64_t>(regex->ProgramSize()) * window > most_steps) {
      error(text, "too-slow",
            "at worst this takes " + std::to_string(regex->ProgramSize()) + " steps for each byte of a window of " +
                std::to_string(window) + ": write smaller repetitions than {1000}, or a smaller window");
    }
    return regex;
  }

  void read_keywords(const YamlNode& node, CompiledPattern& compiled) {
    const bool ignore_case =
        truth(node.find("ignore_case")) || compiled.shape == Shape::assignment || compiled.shape == Shape::named;
    std::vector<std::string> words = texts(node.find("keywords"), "keywords");
    if (compiled.shape == Shape::named) {
      // One look at a value serves all vendors: only the first of these patterns has the words.
      if (!words.empty()) error(at_key(node, "keywords"), "keyword", "a pattern of names needs no keywords");
      if (std::exchange(has_named_, true)) return;
      words = {"key",        "token", "secret", "access", "private", "passw", "_pass",
               "credential", "auth",  "api",    "_pat",   "pwd",     "_pw",   "-pw"};
    }
    const bool by_digits = compiled.shape != Shape::regex && compiled.shape != Shape::assignment &&
                           compiled.shape != Shape::named;  // or another single character
    if (by_digits) return;
    if (words.empty()) error(node, "missing-key", "keywords are missing: without a literal every byte is tried");
    for (std::string& word : words) {
      if (word.size() < 3) {
        error(at_key(node, "keywords"), "keyword",
              word + " is too short: it would stand everywhere; at least 3 characters");
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

  struct Reference {
    std::string id;
    std::optional<std::uint16_t> pair;  // of the pattern that goes with it, by its index
    std::string file;
    SourcePosition at;
  };
  void refer_to(const YamlNode& node, std::optional<std::uint16_t> pair) {
    references_to_patterns_.push_back({node.scalar, pair, file_, node.at});
  }

  std::span<const NamedText> proven_;
  Diagnostics& diagnostics_;
  std::string file_;
  bool is_proven_ = false;      // this file: its regexes need no check
  bool tries_samples_ = false;  // a file that is not proven holds patterns: they may take from others what those hit
  std::string text_;            // of all files: the version hangs on it
  std::map<std::string, Part, std::less<>> parts_;  // of this file
  std::vector<Pattern> patterns_;
  std::vector<FieldRule> field_rules_;
  ReferenceRules reference_rules_;
  std::string references_in_;  // the file that has them
  std::vector<Allowance> allowances_;
  std::vector<CompiledPattern> compiled_;
  std::vector<Keyword> keywords_;
  std::map<std::tuple<std::string, bool, Keyword::Where>, std::size_t> keyword_places_;
  std::vector<std::uint16_t> replaced_;
  std::vector<Sample> samples_;
  bool has_named_ = false;
  std::map<std::string, std::uint16_t, std::less<>> by_id_;
  std::vector<Reference> references_to_patterns_;
};

}  // namespace

std::shared_ptr<const PatternLibrary> load_patterns(std::span<const YamlFile> files, Diagnostics& diagnostics,
                                                    std::span<const NamedText> proven) {
  Loader loader(proven, diagnostics);
  for (const YamlFile& file : files) loader.read(file);
  return loader.finish();
}

std::shared_ptr<const PatternLibrary> load_patterns(std::span<const NamedText> files, Diagnostics& diagnostics,
                                                    std::span<const NamedText> proven) {
  return load_patterns(parse_yaml(files, diagnostics), diagnostics, proven);
}

}  // namespace tocsin
