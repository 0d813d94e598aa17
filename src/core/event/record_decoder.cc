#include "core/event/record_decoder.h"

#include <utility>

namespace tocsin {

std::optional<DecodeError> RecordDecoder::begin(std::string_view record, std::string_view key) {
  single_ = nullptr;
  has_spans_ = false;
  const RecordForm form = form_of(record);
  if (form == RecordForm::native) {
    const auto decoded = native_.decode(record, key);
    if (!decoded) return decoded.error();
    single_ = decoded.value();
    return std::nullopt;
  }
  const auto batch = otlp_.decode(record, form);
  if (!batch) return batch.error();
  spans_.begin(*batch.value(), key, record.size());
  has_spans_ = true;
  return std::nullopt;
}

std::optional<EventTime> RecordDecoder::latest() const {
  if (has_spans_) return spans_.latest();
  return single_ != nullptr ? single_->fields.time : std::nullopt;
}

const AgentEvent* RecordDecoder::next() {
  return has_spans_ ? spans_.next() : std::exchange(single_, nullptr);
}

}  // namespace tocsin
