#include "core/stage/receive_stage.h"

#include <utility>

#include "core/sanitize/sanitized_event_json.h"

namespace tocsin {

ReceivedRecord source_record(const EventSanitizer& sanitizer, const SanitizedEvent& clean, const AgentEvent& event) {
  return {std::string(clean.fields().get(StringField::correlation_id)),
          to_source_json(clean, sanitizer.reference(event, TextPlace::content),
                         sanitizer.reference(event, TextPlace::argument))};
}

ReceiveStage::ReceiveStage(std::shared_ptr<const PatternLibrary> library, Fingerprinter fingerprinter,
                           std::size_t most_bytes)
    : decoder_(most_bytes), sanitizer_(std::move(library), std::move(fingerprinter)) {}

void ReceiveStage::know(std::shared_ptr<const DialectIndex> names, std::shared_ptr<const PatternLibrary> library) {
  decoder_.know(std::move(names));
  sanitizer_.know(std::move(library));
}

const Received& ReceiveStage::apply(const Upload& upload) {
  received_.records.clear();
  received_.error = decoder_.begin(upload);
  if (!received_.error) {
    while (const AgentEvent* const event = decoder_.next()) {
      received_.records.push_back(source_record(sanitizer_, sanitizer_.sanitize(*event), *event));
    }
  }
  received_.ids.clear();
  if (!received_.error && door_of(upload.path) == Door::langfuse) received_.ids = decoder_.ids_of_batch();
  received_.refused = received_.error ? 0 : decoder_.refused();
  received_.refused_for = received_.error ? std::nullopt : decoder_.refused_for();
  return received_;
}

}  // namespace tocsin
