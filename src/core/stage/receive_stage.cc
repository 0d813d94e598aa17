#include "core/stage/receive_stage.h"

#include <utility>

#include "core/sanitize/sanitized_event_json.h"

namespace tocsin {

ReceiveStage::ReceiveStage(std::shared_ptr<const PatternLibrary> library, Fingerprinter fingerprinter,
                           std::size_t most_bytes)
    : decoder_(most_bytes), sanitizer_(std::move(library), std::move(fingerprinter)) {}

const Received& ReceiveStage::apply(const Upload& upload) {
  received_.records.clear();
  received_.error = decoder_.begin(upload);
  if (!received_.error) {
    while (const AgentEvent* const event = decoder_.next()) {
      const SanitizedEvent& clean = sanitizer_.sanitize(*event);
      received_.records.push_back({std::string(clean.fields().get(StringField::correlation_id)),
                                   to_source_json(clean, sanitizer_.reference(*event, TextPlace::content),
                                                  sanitizer_.reference(*event, TextPlace::argument))});
    }
  }
  received_.refused = received_.error ? 0 : decoder_.refused();
  received_.refused_for = received_.error ? std::nullopt : decoder_.refused_for();
  return received_;
}

}  // namespace tocsin
