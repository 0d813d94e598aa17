#include "core/halt/ack_watch.h"

#include <utility>

#include "base/json.h"
#include "base/json_version.h"
#include "core/halt/halt_record.h"

namespace tocsin {

namespace {

// Acknowledgements are anybody's to write, so those of halts that never were must not pile up.
constexpr std::size_t most_acknowledged = 100'000;
constexpr std::size_t most_ack_bytes = 16 << 10;

}  // namespace

bool AckWatch::apply_halt(std::string_view key, std::string_view value, RecordTime arrived) {
  if (key.starts_with(release_key_prefix)) {
    const std::string name(key.substr(release_key_prefix.size()));
    if (value.empty()) {
      released_.erase(name);
      return true;
    }
    const auto release = release_from_json(value);
    if (!release || release->scope + "/" + release->id != name) return false;
    released_.insert(name);
    end(name, "released by " + release->by);
    return true;
  }
  if (!key.starts_with(halt_key_prefix)) return false;
  const std::string name(key.substr(halt_key_prefix.size()));
  if (value.empty()) {
    end(name, "the halt has expired");
    acknowledged_.erase(name);
    return true;
  }
  auto halt = halt_from_json(value);
  if (!halt || halt->scope + "/" + halt->id != name) return false;
  if (!halt->enforced()) {
    end(name, "the halt is no longer enforced");
  } else if (!released_.contains(name) && !acknowledged_.contains(name)) {
    const auto waiting =
        waiting_.try_emplace(name, Waiting{std::move(halt->scope), std::move(halt->agent), arrived, {}}).first;
    waiting->second.expires_at = halt->expires_at;
  }
  return true;
}

bool AckWatch::apply_ack(std::string_view value) {
  if (value.size() > most_ack_bytes) return false;
  const auto json = parse_json(value);
  if (!json.is_object() || text_of(json, "kind") != "halt_ack" || !has_readable_version(json)) return false;
  const std::string id = text_of(json, "halt_id"), scope = text_of(json, "scope");
  if (id.empty() || scope.empty()) return false;
  const std::string by = text_of(json, "by");
  end(scope + "/" + id, by.empty() ? "acknowledged" : "acknowledged by " + by);
  remember_ack(scope + "/" + id);
  return true;
}

void AckWatch::remember_ack(std::string name) {
  if (!acknowledged_.insert(name).second) return;
  acknowledged_order_.push_back(std::move(name));
  if (acknowledged_order_.size() <= most_acknowledged) return;
  acknowledged_.erase(acknowledged_order_.front());
  acknowledged_order_.pop_front();
}

void AckWatch::end(const std::string& name, const std::string& reason) {
  const auto waiting = waiting_.find(name);
  if (waiting == waiting_.end()) return;
  if (overdue_.contains(waiting->second.scope)) end_reasons_[waiting->second.scope] = reason;
  waiting_.erase(waiting);
}

AckReport AckWatch::advance(RecordTime now) {
  std::map<std::string_view, Unacknowledged> by_scope;
  for (auto entry = waiting_.begin(); entry != waiting_.end();) {
    const Waiting& waiting = entry->second;
    if (as_event_time(now) >= waiting.expires_at) {
      if (overdue_.contains(waiting.scope)) end_reasons_[waiting.scope] = "the halt has expired";
      entry = waiting_.erase(entry);
      continue;
    }
    if (now - waiting.since >= patience) {
      const std::string id = entry->first.substr(waiting.scope.size() + 1);
      const auto [first, is_new] =
          by_scope.try_emplace(waiting.scope, Unacknowledged{waiting.scope, id, waiting.agent, waiting.since});
      if (!is_new && waiting.since < first->second.since) {
        first->second = {waiting.scope, id, waiting.agent, waiting.since};
      }
    }
    ++entry;
  }
  AckReport report;
  for (const std::string& scope : overdue_) {
    if (!by_scope.contains(scope)) report.ended.emplace_back(scope, end_reasons_[scope]);
  }
  overdue_.clear();
  end_reasons_.clear();
  for (auto& [scope, overdue] : by_scope) {
    overdue_.insert(overdue.scope);
    report.overdue.push_back(overdue);
  }
  return report;
}

}  // namespace tocsin
