#include "core/stage/rekey_stage.h"

#include <utility>

#include "base/hash.h"

namespace tocsin {

RekeyStage::RekeyStage(std::shared_ptr<const PatternLibrary> library, Fingerprinter fingerprinter)
    : sanitizer_(std::move(library), std::move(fingerprinter)) {}

void RekeyStage::know(std::shared_ptr<const DialectIndex> names, std::shared_ptr<const PatternLibrary> library) {
  decoder_.know(std::move(names));
  sanitizer_.know(std::move(library));
}

const Rekeyed& RekeyStage::apply(std::string_view key, std::string_view value, std::string_view place) {
  rekeyed_.records.clear();
  rekeyed_.error = decoder_.begin(value, key);
  rekeyed_.was_keyed = !rekeyed_.error && !key.empty();
  if (rekeyed_.error) return rekeyed_;
  for (int number = 0; const AgentEvent* const event = decoder_.next(); ++number) {
    SanitizedEvent& clean = sanitizer_.sanitize(*event);
    const EventFields& fields = clean.fields();
    rekeyed_.was_keyed = rekeyed_.was_keyed && event->fields.get(StringField::correlation_id) == key;
    const bool is_known = fields.has(StringField::event_id) || fields.has(StringField::span_id) ||
                          fields.type == EventType::task_heartbeat;
    const std::string id =
        is_known ? std::string() : to_hex(hash_parts({"event", std::string(place), std::to_string(number)}));
    clean.fill(StringField::event_id, id);
    rekeyed_.records.push_back(source_record(sanitizer_, clean, *event));
  }
  return rekeyed_;
}

}  // namespace tocsin
