#include "core/epoch/control_record.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/time_text.h"

namespace tocsin {

namespace {

constexpr int format = 1;
constexpr std::size_t most_record_bytes = 1 << 20;
constexpr std::size_t most_files = 10'000;

std::optional<std::int64_t> integer_of(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_number_integer()) return std::nullopt;
  return found->get<std::int64_t>();
}

// An object of our own format; null else.
Json parse(std::string_view text, std::string_view kind) {
  if (text.size() > most_record_bytes) return {};
  // What lies deeper than a record of ours goes is left out: the parser itself has no bound.
  Json json = parse_json(text, 4);
  if (!json.is_object() || text_of(json, "kind") != kind || integer_of(json, "version") != format) return {};
  return json;
}

}  // namespace

std::string hash_of_file(std::string_view text) {
  return to_hex(hash128(text));
}

std::string key_of(const RuleProposal& proposal, std::string_view writer) {
  return std::string(control_propose_prefix) + std::to_string(proposal.number) + "/" + std::string(writer);
}

std::string key_of(const RuleDecision& decision, std::string_view writer) {
  return std::string(control_decide_prefix) + std::to_string(decision.number) + "/" + std::string(writer);
}

std::string to_json(const RuleProposal& proposal) {
  Json files = Json::array();
  for (const ControlFile& file : proposal.files) files.push_back({{"name", file.name}, {"hash", file.hash}});
  return dump({{"kind", "propose"},
               {"version", format},
               {"number", proposal.number},
               {"hash", proposal.hash},
               {"files", files},
               {"by", proposal.by},
               {"at", to_rfc3339(proposal.at)}});
}

std::string to_json(const RuleDecision& decision) {
  Json json{{"kind", "decide"}, {"version", format}, {"number", decision.number}};
  if (decision.dropped.empty()) {
    json["from"] = to_rfc3339(as_event_time(decision.from));
  } else {
    json["dropped"] = decision.dropped;
  }
  json["by"] = decision.by;
  json["at"] = to_rfc3339(decision.at);
  return dump(json);
}

std::string to_json(const RuleTrouble& trouble) {
  return dump({{"kind", "trouble"},
               {"version", format},
               {"process", trouble.process},
               {"summary", trouble.summary},
               {"at", to_rfc3339(trouble.at)}});
}

std::optional<RuleProposal> proposal_from_json(std::string_view text) {
  const Json json = parse(text, "propose");
  const auto number = integer_of(json, "number");
  const auto files = json.is_object() ? json.find("files") : json.end();
  if (!number || *number < 0 || files == json.end() || !files->is_array() || files->size() > most_files) {
    return std::nullopt;
  }
  RuleProposal proposal;
  proposal.number = *number;
  proposal.hash = text_of(json, "hash");
  proposal.by = text_of(json, "by");
  proposal.at = parse_rfc3339(text_of(json, "at")).value_or(EventTime{});
  for (const Json& file : *files) {
    if (!file.is_object()) return std::nullopt;
    proposal.files.push_back({text_of(file, "name"), text_of(file, "hash")});
  }
  if (proposal.hash.empty()) return std::nullopt;
  return proposal;
}

std::optional<RuleDecision> decision_from_json(std::string_view text) {
  const Json json = parse(text, "decide");
  const auto number = integer_of(json, "number");
  if (!number || *number < 0) return std::nullopt;
  RuleDecision decision;
  decision.number = *number;
  decision.dropped = text_of(json, "dropped");
  decision.by = text_of(json, "by");
  decision.at = parse_rfc3339(text_of(json, "at")).value_or(EventTime{});
  const auto from = parse_rfc3339(text_of(json, "from"));
  if (decision.dropped.empty() && !from) return std::nullopt;
  if (from) decision.from = as_record_time(*from);
  return decision;
}

std::optional<RuleTrouble> trouble_from_json(std::string_view text) {
  const Json json = parse(text, "trouble");
  if (!json.is_object() || text_of(json, "process").empty()) return std::nullopt;
  return RuleTrouble{text_of(json, "process"), text_of(json, "summary"),
                     parse_rfc3339(text_of(json, "at")).value_or(EventTime{})};
}

}  // namespace tocsin
