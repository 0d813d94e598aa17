#include "core/halt/halt_record.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/json_version.h"
#include "base/time_text.h"

namespace tocsin {

namespace {

EventTime time_of(const Json& json, const char* key) {
  return parse_rfc3339(text_of(json, key)).value_or(EventTime{});
}

std::optional<Json> object_of(std::string_view text) {
  Json json = parse_json(text);
  if (!json.is_object() || !has_readable_version(json)) return std::nullopt;
  if (text_of(json, "halt_id").empty() || text_of(json, "scope").empty()) return std::nullopt;
  return json;
}

}  // namespace

std::string_view name_of(HaltState state) {
  switch (state) {
    case HaltState::enforced:
      return "enforced";
    case HaltState::dry_run:
      return "dry_run";
    case HaltState::held:
      return "held";
  }
  return "";
}

std::string to_json(const HaltRecord& halt) {
  return dump({{"kind", "halt"},
               {"halt_id", halt.id},
               {"scope", halt.scope},
               {"state", name_of(halt.state)},
               {"enforced", halt.enforced()},
               {"rule", halt.rule},
               {"reason", halt.reason},
               {"secret_pattern", halt.pattern},
               {"fingerprint", halt.fingerprint},
               {"env", halt.env},
               {"agent", halt.agent},
               {"correlation_id", halt.correlation_id},
               {"count", halt.count},
               {"first_at", to_rfc3339(halt.first_at)},
               {"last_at", to_rfc3339(halt.last_at)},
               {"expires_at", to_rfc3339(halt.expires_at)},
               {"version", json_version}});
}

std::string to_json(const HaltRelease& release) {
  return dump({{"kind", "release"},
               {"halt_id", release.id},
               {"scope", release.scope},
               {"by", release.by},
               {"reason", release.reason},
               {"at", to_rfc3339(release.at)},
               {"version", json_version}});
}

std::optional<HaltRecord> halt_from_json(std::string_view text) {
  const auto json = object_of(text);
  if (!json || text_of(*json, "kind") != "halt") return std::nullopt;
  HaltRecord halt;
  halt.id = text_of(*json, "halt_id");
  halt.scope = text_of(*json, "scope");
  const std::string state = text_of(*json, "state");
  halt.state = state == "enforced" ? HaltState::enforced : state == "held" ? HaltState::held : HaltState::dry_run;
  halt.rule = text_of(*json, "rule");
  halt.reason = text_of(*json, "reason");
  halt.pattern = text_of(*json, "secret_pattern");
  halt.fingerprint = text_of(*json, "fingerprint");
  halt.env = text_of(*json, "env");
  halt.agent = text_of(*json, "agent");
  halt.correlation_id = text_of(*json, "correlation_id");
  const auto count = json->find("count");
  halt.count = count != json->end() && count->is_number_unsigned() ? count->get<std::uint64_t>() : 1;
  halt.first_at = time_of(*json, "first_at");
  halt.last_at = time_of(*json, "last_at");
  halt.expires_at = time_of(*json, "expires_at");
  return halt;
}

std::optional<HaltRelease> release_from_json(std::string_view text) {
  const auto json = object_of(text);
  if (!json || text_of(*json, "kind") != "release") return std::nullopt;
  return HaltRelease{text_of(*json, "halt_id"), text_of(*json, "scope"), text_of(*json, "by"),
                     text_of(*json, "reason"), time_of(*json, "at")};
}

std::string halt_id(std::string_view deployment, std::string_view rule, std::string_view scope,
                    std::string_view fingerprint) {
  return to_hex(hash_parts({"halt", deployment, rule, scope, fingerprint}));
}

}  // namespace tocsin
