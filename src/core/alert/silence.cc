#include "core/alert/silence.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/hash.h"
#include "base/json.h"
#include "base/json_version.h"
#include "base/quotes.h"
#include "base/time_text.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_matchers = 32;
constexpr std::size_t most_text_bytes = 512;
constexpr Duration longest = std::chrono::days{366};
constexpr std::size_t most_silence_bytes = 128 << 10;
constexpr std::size_t most_unknown_bytes = 4 << 10;  // of each of the silences in memory
constexpr std::array<std::string_view, 11> known_members{"kind",       "silence_id", "matchers", "from",
                                                         "until",      "by",         "reason",   "created_at",
                                                         "expired_at", "expired_by", "version"};

std::string id_of(const Silence& silence) {
  std::string matchers;
  for (const LabelMatcher& matcher : silence.matchers) matchers += matcher.text() + '\n';
  constexpr std::size_t digits = 12;
  return to_hex(hash_parts({"silence", matchers, to_rfc3339(silence.from), to_rfc3339(silence.until), silence.by,
                            silence.reason, to_rfc3339(silence.created_at)}))
      .substr(0, digits);
}

std::string shell_quoted(const std::string& text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("_-./:@+=").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (plain && !text.empty()) return text;
  return in_single_quotes(text);
}

}  // namespace

bool Silence::matches(std::string_view alert, const Labels& labels) const {
  return std::all_of(matchers.begin(), matchers.end(),
                     [&](const LabelMatcher& matcher) { return matcher.matches(alert, labels); });
}

Result<Silence, std::string> make_silence(const std::vector<std::string>& matchers, EventTime from, EventTime until,
                                          const std::string& by, const std::string& reason, EventTime created_at) {
  if (matchers.empty()) return failure(std::string("a silence needs at least one matcher, such as agent=support"));
  if (matchers.size() > most_matchers) return failure(std::string("a silence has at most 32 matchers"));
  if (by.empty() || reason.empty()) return failure(std::string("a silence has a name ('by') and a 'reason'"));
  if (by.size() > most_text_bytes || reason.size() > most_text_bytes) {
    return failure(std::string("'by' and 'reason' have at most 512 bytes"));
  }
  if (until <= from) return failure(std::string("the silence would end before it begins"));
  if (until - from > longest) return failure(std::string("a silence lasts a year at most; change the rule instead"));
  Silence silence;
  for (const std::string& text : matchers) {
    auto matcher = LabelMatcher::parse(text);
    if (!matcher) return failure(matcher.error());
    silence.matchers.push_back(std::move(matcher.value()));
  }
  // As Alertmanager has it: what matches the empty value of every label silences everything by mistake.
  if (std::all_of(silence.matchers.begin(), silence.matchers.end(),
                  [](const LabelMatcher& matcher) { return matcher.matches_value({}); })) {
    return failure(
        std::string("these matchers match alerts without any of these labels: at least one must ask for "
                    "a value"));
  }
  silence.from = from;
  silence.until = until;
  silence.by = by;
  silence.reason = reason;
  silence.created_at = created_at;
  silence.id = id_of(silence);
  return success(std::move(silence));
}

std::string to_json(const Silence& silence) {
  Json matchers = Json::array();
  for (const LabelMatcher& matcher : silence.matchers) matchers.push_back(matcher.text());
  Json json{{"kind", "silence"},
            {"silence_id", silence.id},
            {"matchers", matchers},
            {"from", to_rfc3339(silence.from)},
            {"until", to_rfc3339(silence.until)},
            {"by", silence.by},
            {"reason", silence.reason},
            {"created_at", to_rfc3339(silence.created_at)}};
  if (silence.expired_at) {
    json["expired_at"] = to_rfc3339(*silence.expired_at);
    json["expired_by"] = silence.expired_by;
  }
  json["version"] = json_version;
  if (!silence.unknown.empty()) json.update(parse_json(silence.unknown));
  return dump(json);
}

std::optional<Silence> silence_from_json(std::string_view text) {
  if (text.size() > most_silence_bytes) return std::nullopt;
  // What lies deeper than a silence goes is left out: the parser itself has no bound.
  const Json json = parse_json(text, 4);
  if (!json.is_object() || text_of(json, "kind") != "silence" || !has_readable_version(json)) return std::nullopt;
  Silence silence;
  silence.id = text_of(json, "silence_id");
  silence.by = text_of(json, "by");
  silence.reason = text_of(json, "reason");
  silence.expired_by = text_of(json, "expired_by");
  const auto from = parse_rfc3339(text_of(json, "from")), until = parse_rfc3339(text_of(json, "until"));
  const auto matchers = json.find("matchers");
  if (silence.id.empty() || !from || !until || matchers == json.end() || !matchers->is_array()) return std::nullopt;
  if (matchers->empty() || matchers->size() > most_matchers) return std::nullopt;
  for (const Json& matcher : *matchers) {
    auto parsed = LabelMatcher::parse(matcher.is_string() ? matcher.get<std::string>() : std::string{});
    if (!parsed) return std::nullopt;
    silence.matchers.push_back(std::move(parsed.value()));
  }
  silence.from = *from;
  silence.until = *until;
  silence.created_at = parse_rfc3339(text_of(json, "created_at")).value_or(*from);
  silence.expired_at = parse_rfc3339(text_of(json, "expired_at"));
  Json unknown = Json::object();
  for (const auto& [name, value] : json.items()) {
    if (std::find(known_members.begin(), known_members.end(), name) == known_members.end()) unknown[name] = value;
  }
  if (unknown.empty()) return silence;
  silence.unknown = dump(unknown);
  if (silence.unknown.size() > most_unknown_bytes) silence.unknown.clear();
  return silence;
}

std::string silence_command(const std::string& alert, const Labels& labels, const std::string& url) {
  std::string command = "tocsin silences add " + shell_quoted(LabelMatcher::equal("alertname", alert).text());
  for (const auto& [name, value] : labels) command += " " + shell_quoted(LabelMatcher::equal(name, value).text());
  command += " --for 2h --by YOUR-NAME --reason WHY";
  if (!url.empty()) command += " --url " + shell_quoted(url);
  return command;
}

}  // namespace tocsin
