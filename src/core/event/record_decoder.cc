#include "core/event/record_decoder.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace tocsin {

namespace {

// JSON that is no native event, and has a member that some vendor's form has.
bool may_be_a_vendors(DecodeError error, std::string_view record) {
  constexpr std::string_view members[] = {
      "\"run_type\"", "\"dotted_order\"", "\"observations\"", "\"traceId\"",         "\"body\"",   "\"span_id\"",
      "\"spanID\"",   "\"spanContext\"",  "\"request_body\"", "\"providerRequest\"", "\"context\""};
  switch (error) {
    case DecodeError::no_type:
    case DecodeError::unknown_type:
    case DecodeError::wrong_type:
    case DecodeError::out_of_range:
    case DecodeError::bad_time:
    case DecodeError::not_an_object:
    case DecodeError::too_many_keys:
      return std::any_of(std::begin(members), std::end(members),
                         [&](std::string_view member) { return record.find(member) != std::string_view::npos; });
    default:
      return false;
  }
}

}  // namespace

void RecordDecoder::know(std::shared_ptr<const DialectIndex> names) {
  if (names == nullptr) names = DialectIndex::shipped();
  native_.know(names->own_attributes());
  otlp_.know(names);
  vendors_.know(names);
  spans_.know(std::move(names));
}

std::optional<DecodeError> RecordDecoder::begin(std::string_view record, std::string_view key) {
  single_ = nullptr;
  has_spans_ = false;
  const RecordForm form = form_of(record);
  if (form == RecordForm::native) {
    const auto decoded = native_.decode(record, key);
    if (decoded) {
      single_ = decoded.value();
      return std::nullopt;
    }
    if (!may_be_a_vendors(decoded.error(), record)) return decoded.error();
    const auto vendors = vendors_.decode(record);
    if (!vendors) return decoded.error();
    spans_.begin(*vendors.value(), key, record.size());
    has_spans_ = true;
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
