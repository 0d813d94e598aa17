#include "core/event/upload_decoder.h"

#include <string>

#include "base/compression.h"
#include "core/event/otlp_decoder.h"
#include "core/event/span_reader.h"
#include "core/event/vendors/vendor_decoder.h"

namespace tocsin {

Door door_of(std::string_view path) {
  path = path.substr(0, path.find('?'));
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  for (const std::string_view end : {"/v1/traces", "/v1/logs", "/v1/metrics", "/v1/trace/log-python"}) {
    if (path.ends_with(end)) return Door::otlp;
  }
  if (path.ends_with("/api/public/ingestion")) return Door::langfuse;
  if (path.ends_with("/runs/multipart")) return Door::langsmith_multipart;
  if (path.ends_with("/runs/batch")) return Door::langsmith_batch;
  if (path == "/feedback" || path.ends_with("/langsmith/feedback")) return Door::langsmith_feedback;
  if (path.ends_with("/runs") || path.find("/runs/") != std::string_view::npos) return Door::langsmith_run;
  if (path.ends_with("/v0.4/traces") || path.ends_with("/v0.3/traces")) return Door::datadog_traces;
  if (path.ends_with("/v0.5/traces")) return Door::datadog_traces_v05;
  if (path.ends_with("/api/v2/llmobs")) return Door::datadog_llmobs;
  if (path.ends_with("/v1/log")) return Door::helicone;
  if (path.ends_with("/v1/events")) return Door::native;
  return Door::none;
}

struct UploadDecoder::State {
  explicit State(std::size_t most) : most_bytes(most), otlp(most) {}

  std::size_t most_bytes;
  std::string inflated;
  NativeDecoder native;
  OtlpDecoder otlp;
  VendorDecoder vendors;
  SpanReader spans;
  std::string_view lines;  // native events that were not read yet
  bool has_spans = false;
  std::uint64_t refused = 0;
  std::optional<DecodeError> refused_for;

  std::optional<DecodeError> read_spans(const Result<const SpanBatch*, DecodeError>& batch, std::size_t bytes) {
    if (!batch) return batch.error();
    spans.begin(*batch.value(), {}, bytes);
    has_spans = true;
    return std::nullopt;
  }

  std::optional<DecodeError> begin(const Upload& upload) {
    lines = {};
    has_spans = false;
    refused = 0;
    refused_for.reset();
    auto how = compression_named(upload.content_encoding);
    if (!how) return DecodeError::compression;
    std::string_view body = upload.body;
    // Some say nothing of how they compress.
    const Compression compression = how.value() == Compression::none ? compression_of(body) : how.value();
    if (compression != Compression::none) {
      auto plain = decompress(body, compression, most_bytes);
      if (!plain) {
        return plain.error() == CompressionError::too_large ? DecodeError::too_large : DecodeError::compression;
      }
      inflated = std::move(plain.value());
      body = inflated;
    }
    if (body.size() > most_bytes) return DecodeError::too_large;
    const Door door = door_of(upload.path);
    if (door == Door::none) return DecodeError::unknown_form;
    if (door == Door::datadog_traces_v05) return std::nullopt;  // it holds nothing that its other posts do not
    if (door == Door::native) {
      lines = body;
      return std::nullopt;
    }
    if (door != Door::otlp) return read_spans(vendors.decode(door, upload, body), body.size());
    if (body.empty()) return std::nullopt;  // an export of nothing
    const bool is_json = upload.content_type.find("json") != std::string_view::npos;
    const RecordForm form = is_json ? RecordForm::otlp_json : form_of(body);
    if (form == RecordForm::native) return DecodeError::not_protobuf;
    return read_spans(otlp.decode(body, form), body.size());
  }

  const AgentEvent* next() {
    if (has_spans) return spans.next();
    while (!lines.empty()) {
      const std::string_view line = lines.substr(0, lines.find('\n'));
      lines.remove_prefix(std::min(lines.size(), line.size() + 1));
      if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
      const auto event = native.decode(line);
      if (event) return event.value();
      ++refused;
      refused_for = event.error();
    }
    return nullptr;
  }
};

UploadDecoder::UploadDecoder(std::size_t most_bytes) : state_(std::make_unique<State>(most_bytes)) {}
UploadDecoder::~UploadDecoder() = default;

void UploadDecoder::know(std::shared_ptr<const DialectIndex> names) {
  if (names == nullptr) names = DialectIndex::shipped();
  state_->native.know(names->own_attributes());
  state_->otlp.know(names);
  state_->vendors.know(names);
  state_->spans.know(std::move(names));
}
void UploadDecoder::read_all_spans() {
  state_->otlp.read_all_spans();
}
std::optional<DecodeError> UploadDecoder::begin(const Upload& upload) {
  return state_->begin(upload);
}
const AgentEvent* UploadDecoder::next() {
  return state_->next();
}
std::vector<std::string> UploadDecoder::ids_of_batch() const {
  return state_->vendors.ids_of_batch();
}
const SpanReader* UploadDecoder::spans() const {
  return state_->has_spans ? &state_->spans : nullptr;
}
std::uint64_t UploadDecoder::refused() const {
  return state_->refused;
}
std::optional<DecodeError> UploadDecoder::refused_for() const {
  return state_->refused_for;
}

}  // namespace tocsin
