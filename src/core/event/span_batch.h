// The spans of one record, flat: what decoders of OTLP fill and the reading of spans takes, in buffers that keep
// their memory from record to record.
//
// Views are into the record or into the batch; they hold until the next record.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace tocsin {

// What a log record says, as if it were an attribute.
inline constexpr std::string_view log_body_name = "log.body";

struct AttributeValue {
  enum class Kind : std::uint8_t { none, text, integer, number, flag };
  Kind kind = Kind::none;
  std::string_view text;     // of a list the first text in it
  std::int64_t integer = 0;  // of a flag 0 or 1
  double number = 0;
};

struct SpanAttribute {
  std::string_view name;
  AttributeValue value;
  bool is_part = false;  // stands inside the value of the attribute before it; its name may be empty
  bool is_lent = false;  // its text is that of a part of it
};

struct SpanEvent {
  std::string_view name;
  std::int64_t time_ns = 0;
  std::uint32_t begin = 0, end = 0;  // of its attributes
};

struct Span {
  std::string_view trace_id, span_id, parent_span_id;  // hexadecimal, lower case; empty where absent
  std::string_view name;
  std::string_view status_message;
  std::string_view scope;
  std::int64_t start_ns = 0, end_ns = 0;
  bool is_error = false;
  bool is_open = false;              // it has begun and will come again when it ends
  bool is_log = false;               // a log record: what it says of a call, its span says too, where it has one
  bool is_metric = false;            // the same of a metric's point: its value is the attribute of its name
  std::uint32_t begin = 0, end = 0;  // of its attributes
  std::uint32_t resource_begin = 0, resource_end = 0;  // of its resource's
  std::uint32_t events_begin = 0, events_end = 0;
};

struct SpanBatch {
  std::vector<Span> spans;
  std::vector<SpanAttribute> attributes;
  std::vector<SpanEvent> events;
  std::vector<char> text;  // ids and unescaped strings
  std::size_t text_end = 0;

  std::span<const SpanAttribute> attributes_of(std::uint32_t begin, std::uint32_t end) const {
    return {attributes.data() + begin, end - begin};
  }
  // `most_text`: bytes that are copied in until the next record.
  void begin(std::size_t most_text) {
    spans.clear();
    attributes.clear();
    events.clear();
    if (text.size() < most_text) text.resize(2 * most_text);
    text_end = 0;
  }
  // Requires: there is room.
  std::string_view put(std::string_view bytes) {
    char* const at = text.data() + text_end;
    for (std::size_t i = 0; i < bytes.size(); ++i) at[i] = bytes[i];
    text_end += bytes.size();
    return {at, bytes.size()};
  }
};

}  // namespace tocsin
