#include "core/event/otlp_decoder.h"

#include <protozero/pbf_message.hpp>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

#include "core/event/decimal.h"
#include "core/event/dialect.h"
#include "core/event/json_string.h"

namespace tocsin {

namespace {

namespace ondemand = simdjson::ondemand;

constexpr int most_levels = 32;
// For each MiB that a record may have.
constexpr std::size_t most_attributes = 65'536;
constexpr std::size_t most_spans = 16'384;
constexpr int status_error = 2;
// What agents' metrics are called. Their figures repeat those of spans and logs: what they say of an agent as a whole
// counts, and their texts are scanned.
constexpr std::string_view metric_prefixes[] = {"gen_ai.", "claude_code.", "tocsin.", "llm.", "traceloop."};

// Field numbers of opentelemetry-proto, trace/v1 and common/v1.
enum class TracesField : protozero::pbf_tag_type { resource_spans = 1 };
enum class ResourceSpansField : protozero::pbf_tag_type { resource = 1, scope_spans = 2 };
enum class ResourceField : protozero::pbf_tag_type { attributes = 1 };
enum class ScopeSpansField : protozero::pbf_tag_type { scope = 1, spans = 2 };
enum class ScopeField : protozero::pbf_tag_type { name = 1 };
enum class SpanField : protozero::pbf_tag_type {
  trace_id = 1,
  span_id = 2,
  parent_span_id = 4,
  name = 5,
  start = 7,
  end = 8,
  attributes = 9,
  events = 11,
  status = 15
};
// logs/v1.
enum class LogField : protozero::pbf_tag_type {
  time = 1,
  severity_number = 2,
  body = 5,
  attributes = 6,
  trace_id = 9,
  span_id = 10,
  observed_time = 11,
  event_name = 12
};
// metrics/v1. Each kind of metric holds its points in field 1; where a point has what differs from kind to kind.
enum class MetricField : protozero::pbf_tag_type {
  name = 1,
  gauge = 5,
  sum = 7,
  histogram = 9,
  exponential_histogram = 10,
  summary = 11
};
enum class PointsField : protozero::pbf_tag_type { data_points = 1 };
enum class NumberPointField : protozero::pbf_tag_type { time = 3, as_double = 4, as_int = 6, attributes = 7 };
enum class SumPointField : protozero::pbf_tag_type {
  attributes_of_exponential = 1,
  time = 3,
  sum = 5,
  attributes_of_summary = 7,
  attributes = 9
};
enum class EventField : protozero::pbf_tag_type { time = 1, name = 2, attributes = 3 };
enum class StatusField : protozero::pbf_tag_type { message = 2, code = 3 };
enum class KeyValueField : protozero::pbf_tag_type { key = 1, value = 2 };
enum class AnyValueField : protozero::pbf_tag_type {
  string_value = 1,
  bool_value = 2,
  int_value = 3,
  double_value = 4,
  array_value = 5,
  kvlist_value = 6,
  bytes_value = 7
};
enum class ListField : protozero::pbf_tag_type { values = 1 };

// A field counts with its own wire type only: with another one it is somebody else's, and passed over.
using protozero::pbf_wire_type;
constexpr pbf_wire_type bytes_type = pbf_wire_type::length_delimited;
template <class Field>
constexpr std::uint32_t bytes_of(Field field) {
  return protozero::tag_and_type(field, bytes_type);
}
template <class Field>
constexpr std::uint32_t fixed_of(Field field) {
  return protozero::tag_and_type(field, pbf_wire_type::fixed64);
}
template <class Field>
constexpr std::uint32_t varint_of(Field field) {
  return protozero::tag_and_type(field, pbf_wire_type::varint);
}

// Of each byte its two digits.
constexpr auto hex_digits = [] {
  std::array<char, 512> digits{};
  for (std::size_t byte = 0; byte < 256; ++byte) {
    digits[2 * byte] = "0123456789abcdef"[byte >> 4];
    digits[2 * byte + 1] = "0123456789abcdef"[byte & 15];
  }
  return digits;
}();

std::string_view view_of(protozero::data_view data) {
  return {data.data(), data.size()};
}

}  // namespace

namespace {

// A first message of 123 bytes makes protobuf begin as JSON might, with a line feed and a brace.
bool is_whole_protobuf(std::string_view record) {
  while (!record.empty()) {
    if (record.front() != '\n') return false;
    record.remove_prefix(1);
    std::uint64_t size = 0;
    int shift = 0;
    for (bool more = true; more; shift += 7) {
      if (record.empty() || shift > 28) return false;
      const auto byte = static_cast<unsigned char>(record.front());
      record.remove_prefix(1);
      size |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      more = byte >= 0x80;
    }
    if (size > record.size()) return false;
    record.remove_prefix(size);
  }
  return true;
}

}  // namespace

RecordForm form_of(std::string_view record) {
  // Nearly every record of ours begins so.
  if (record.size() > 2 && record[0] == '{' && record[1] == '"' && record[2] != 'r') return RecordForm::native;
  if (record.starts_with("\n{") && is_whole_protobuf(record)) return RecordForm::otlp_protobuf;
  const std::size_t first = record.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return RecordForm::native;
  if (record[first] != '{')
    return record.front() == '\n' && record.size() > 1 ? RecordForm::otlp_protobuf : RecordForm::native;
  const std::size_t key = record.find_first_not_of(" \t\r\n", first + 1);
  if (key == std::string_view::npos) return RecordForm::native;
  const std::string_view rest = record.substr(key);
  const bool is_otlp = rest.starts_with("\"resourceSpans\"") || rest.starts_with("\"resourceLogs\"") ||
                       rest.starts_with("\"resourceMetrics\"");
  return is_otlp ? RecordForm::otlp_json : RecordForm::native;
}

struct OtlpDecoder::State {
  SpanBatch batch;
  std::vector<char> input;
  std::shared_ptr<const DialectIndex> names = DialectIndex::shipped();
  bool reads_all = false;
  std::size_t most_bytes = most_record_bytes;
  ondemand::parser parser{most_bytes + simdjson::SIMDJSON_PADDING};
  std::size_t mebibytes = std::max<std::size_t>(1, most_bytes >> 20);
  explicit State(std::size_t most) : most_bytes(most) {}
  DecodeError error = DecodeError::not_protobuf;

  bool fail(DecodeError reason) {
    error = reason;
    return false;
  }

  bool add_attribute(std::string_view name, bool is_part) {
    if (batch.attributes.size() >= most_attributes * mebibytes) return fail(DecodeError::too_many_keys);
    SpanAttribute& attribute = batch.attributes.emplace_back();
    attribute.name = name;
    attribute.is_part = is_part;
    return true;
  }

  // One without a trace is nobody's, but for a log record.
  bool add_span(const Span& span) {
    if (span.trace_id.empty() && !span.is_log) return true;
    if (batch.spans.size() >= most_spans * mebibytes) return fail(DecodeError::too_many_keys);
    batch.spans.push_back(span);
    return true;
  }

  // The first text inside a list is the list's own as well.
  void lend_text(std::size_t part, std::size_t whole) {
    SpanAttribute& outer = batch.attributes[whole];
    const AttributeValue& inner = batch.attributes[part].value;
    if (outer.value.kind != AttributeValue::Kind::none || inner.kind != AttributeValue::Kind::text) return;
    outer.value = inner;
    outer.is_lent = true;
  }

  std::uint32_t attribute_count() const { return static_cast<std::uint32_t>(batch.attributes.size()); }

  // ---- protobuf ----

  std::string_view hex_of(protozero::data_view bytes) {
    if (bytes.size() > 16) return {};
    char* const at = batch.text.data() + batch.text_end;
    unsigned char any = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const auto byte = static_cast<unsigned char>(bytes.data()[i]);
      any |= byte;
      std::memcpy(at + 2 * i, hex_digits.data() + 2 * std::size_t{byte}, 2);
    }
    if (any == 0) return {};  // all zeros is none
    batch.text_end += 2 * bytes.size();
    return {at, 2 * bytes.size()};
  }

  // `index`: of the attribute whose value this is; the first text inside a list is its own.
  bool read_value(protozero::pbf_message<AnyValueField> value, std::size_t index, int level) {
    if (level > most_levels) return fail(DecodeError::too_deep);
    while (value.next()) {
      AttributeValue& own = batch.attributes[index].value;
      switch (value.tag_and_type()) {
        case bytes_of(AnyValueField::string_value):
        case bytes_of(AnyValueField::bytes_value):
          own = {AttributeValue::Kind::text, view_of(value.get_view()), 0, 0};
          break;
        case varint_of(AnyValueField::bool_value):
          own = {AttributeValue::Kind::flag, {}, value.get_int64() != 0 ? 1 : 0, 0};
          break;
        case varint_of(AnyValueField::int_value):
          own = {AttributeValue::Kind::integer, {}, value.get_int64(), 0};
          break;
        case fixed_of(AnyValueField::double_value):
          own = {AttributeValue::Kind::number, {}, 0, value.get_double()};
          break;
        case bytes_of(AnyValueField::array_value): {
          protozero::pbf_message<ListField> list = value.get_message();
          while (list.next(ListField::values, bytes_type)) {
            if (!read_part(list.get_message(), {}, index, level)) return false;
          }
          break;
        }
        case bytes_of(AnyValueField::kvlist_value): {
          protozero::pbf_message<ListField> list = value.get_message();
          while (list.next(ListField::values, bytes_type)) {
            if (!read_key_value(list.get_message(), true, index, level + 1)) return false;
          }
          break;
        }
        default:
          value.skip();
      }
    }
    return true;
  }

  bool read_part(protozero::pbf_message<AnyValueField> value, std::string_view name, std::size_t whole, int level) {
    if (!add_attribute(name, true)) return false;
    const std::size_t index = batch.attributes.size() - 1;
    if (!read_value(value, index, level + 1)) return false;
    lend_text(index, whole);
    return true;
  }

  bool read_key_value(protozero::pbf_message<KeyValueField> pair, bool is_part, std::size_t whole, int level) {
    std::string_view name;
    protozero::data_view value;
    bool has_value = false;
    while (pair.next()) {
      switch (pair.tag_and_type()) {
        case bytes_of(KeyValueField::key):
          name = view_of(pair.get_view());
          break;
        case bytes_of(KeyValueField::value):
          value = pair.get_view();
          has_value = true;
          break;
        default:
          pair.skip();
      }
    }
    if (is_part) return !has_value || read_part(protozero::pbf_message<AnyValueField>(value), name, whole, level);
    if (!add_attribute(name, false)) return false;
    return !has_value || read_value(protozero::pbf_message<AnyValueField>(value), batch.attributes.size() - 1, level);
  }

  bool read_event(protozero::pbf_message<EventField> message) {
    SpanEvent event;
    event.begin = attribute_count();
    while (message.next()) {
      switch (message.tag_and_type()) {
        case fixed_of(EventField::time):
          event.time_ns = static_cast<std::int64_t>(message.get_fixed64());
          break;
        case bytes_of(EventField::name):
          event.name = view_of(message.get_view());
          break;
        case bytes_of(EventField::attributes):
          if (!read_key_value(message.get_message(), false, 0, 0)) return false;
          break;
        default:
          message.skip();
      }
    }
    event.end = attribute_count();
    batch.events.push_back(event);
    return true;
  }

  enum class Look : std::uint8_t { no_span, nobodys, ours };

  // What is read of any span: where it stands.
  struct Place {
    protozero::data_view trace_id, span_id, parent_span_id, name, status;
    std::uint64_t start = 0, end = 0;
  };

  // Log records and metrics stand at the same places of messages that look alike. Of a span whose attributes have no
  // name that any dialect has only the place is read: most of a service's spans are such.
  Look look_at(protozero::pbf_message<SpanField> message, Place& place) const {
    bool has_name = false, has_time = false;
    const auto whole = message;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case bytes_of(SpanField::trace_id):
          place.trace_id = message.get_view();
          if (place.trace_id.size() != 16) return Look::no_span;
          break;
        case bytes_of(SpanField::span_id):
          place.span_id = message.get_view();
          break;
        case bytes_of(SpanField::parent_span_id):
          place.parent_span_id = message.get_view();
          break;
        case bytes_of(SpanField::name):
          place.name = message.get_view();
          break;
        case bytes_of(SpanField::status):
          place.status = message.get_view();
          break;
        case fixed_of(SpanField::start):
          place.start = message.get_fixed64();
          has_time = true;
          break;
        case fixed_of(SpanField::end):
          place.end = message.get_fixed64();
          has_time = true;
          break;
        case bytes_of(SpanField::attributes):
          // A log record has its trace here.
          if (has_name || place.trace_id.size() == 0) {
            has_name = true;
            message.skip();
          } else {
            has_name = has_known_key(message.get_message());
          }
          break;
        default: {
          const auto tag = message.tag();
          if (tag == SpanField::trace_id || tag == SpanField::start || tag == SpanField::end) return Look::no_span;
          if (tag == SpanField::attributes) has_name = true;
          message.skip();
        }
      }
    }
    if (place.trace_id.size() == 0 || (!has_time && is_metric(whole))) return Look::no_span;
    return has_name || reads_all ? Look::ours : Look::nobodys;
  }

  bool has_known_key(protozero::pbf_message<KeyValueField> pair) const {
    while (pair.next()) {
      if (pair.tag_and_type() == bytes_of(KeyValueField::key))
        return names->find(view_of(pair.get_view())) != nullptr;
      pair.skip();
    }
    return false;
  }

  static void read_status(protozero::pbf_message<StatusField> status, Span& span) {
    while (status.next()) {
      if (status.tag_and_type() == varint_of(StatusField::code)) {
        span.is_error = status.get_enum() == status_error;
      } else if (status.tag_and_type() == bytes_of(StatusField::message)) {
        span.status_message = view_of(status.get_view());
      } else {
        status.skip();
      }
    }
  }

  bool add_nobodys(const Place& place, Span span) {
    span.trace_id = hex_of(place.trace_id);
    span.span_id = hex_of(place.span_id);
    span.parent_span_id = hex_of(place.parent_span_id);
    span.name = view_of(place.name);
    span.start_ns = static_cast<std::int64_t>(place.start);
    span.end_ns = static_cast<std::int64_t>(place.end);
    if (place.status.size() > 0) read_status(protozero::pbf_message<StatusField>(place.status), span);
    span.begin = span.end = attribute_count();
    span.events_begin = span.events_end = static_cast<std::uint32_t>(batch.events.size());
    return add_span(span);
  }

  bool read_span(protozero::pbf_message<SpanField> message, Span span) {
    // Attributes of the span's events come in between its own where a writer orders fields so: they are read last.
    span.begin = attribute_count();
    protozero::pbf_message<SpanField> events = message;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case bytes_of(SpanField::trace_id):
          span.trace_id = hex_of(message.get_view());
          break;
        case bytes_of(SpanField::span_id):
          span.span_id = hex_of(message.get_view());
          break;
        case bytes_of(SpanField::parent_span_id):
          span.parent_span_id = hex_of(message.get_view());
          break;
        case bytes_of(SpanField::name):
          span.name = view_of(message.get_view());
          break;
        case fixed_of(SpanField::start):
          span.start_ns = static_cast<std::int64_t>(message.get_fixed64());
          break;
        case fixed_of(SpanField::end):
          span.end_ns = static_cast<std::int64_t>(message.get_fixed64());
          break;
        case bytes_of(SpanField::attributes):
          if (!read_key_value(message.get_message(), false, 0, 0)) return false;
          break;
        case bytes_of(SpanField::status):
          read_status(message.get_message(), span);
          break;
        default:
          message.skip();
      }
    }
    span.end = attribute_count();
    span.events_begin = static_cast<std::uint32_t>(batch.events.size());
    while (events.next(SpanField::events, bytes_type)) {
      if (!read_event(events.get_message())) return false;
    }
    span.events_end = static_cast<std::uint32_t>(batch.events.size());
    return add_span(span);
  }

  // A span's first field is its trace id, of bytes.
  static bool is_log(protozero::pbf_message<LogField> message) {
    while (message.next()) {
      switch (message.tag_and_type()) {
        case fixed_of(LogField::time):
        case fixed_of(LogField::observed_time):
        case varint_of(LogField::severity_number):
          return true;
        default:
          if (message.tag() == LogField::time) return false;
          message.skip();
      }
    }
    return false;
  }

  bool read_log(protozero::pbf_message<LogField> message, Span span) {
    span.is_log = true;
    span.begin = attribute_count();
    std::int64_t observed_ns = 0;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case fixed_of(LogField::time):
          span.end_ns = static_cast<std::int64_t>(message.get_fixed64());
          break;
        case fixed_of(LogField::observed_time):
          observed_ns = static_cast<std::int64_t>(message.get_fixed64());
          break;
        case bytes_of(LogField::body):
          if (!add_attribute(log_body_name, false)) return false;
          if (!read_value(protozero::pbf_message<AnyValueField>(message.get_view()), batch.attributes.size() - 1, 0))
            return false;
          break;
        case bytes_of(LogField::attributes):
          if (!read_key_value(message.get_message(), false, 0, 0)) return false;
          break;
        case bytes_of(LogField::trace_id):
          span.trace_id = hex_of(message.get_view());
          break;
        case bytes_of(LogField::span_id):
          span.span_id = hex_of(message.get_view());
          break;
        case bytes_of(LogField::event_name):
          span.name = view_of(message.get_view());
          break;
        default:
          message.skip();
      }
    }
    return add_log(span, observed_ns);
  }
  bool add_log(Span& span, std::int64_t observed_ns) {
    span.end = attribute_count();
    if (span.end_ns <= 0) span.end_ns = observed_ns;  // events of Python have no time of their own
    span.events_begin = span.events_end = static_cast<std::uint32_t>(batch.events.size());
    return add_span(span);
  }

  // A name, and points of one kind. Where a metric has a gauge or a sum, a span has a text or a time.
  template <class Field>
  static bool is_metric(protozero::pbf_message<Field> message) {
    bool has_name = false, has_points = false;
    while (message.next()) {
      const auto tag = static_cast<protozero::pbf_tag_type>(message.tag());
      const bool is_bytes = message.wire_type() == bytes_type;
      const auto is = [&](MetricField field) { return tag == static_cast<protozero::pbf_tag_type>(field); };
      if (is(MetricField::name)) {
        if (!is_bytes) return false;
        const std::string_view name = view_of(message.get_view());
        has_name = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f; });
        continue;
      }
      has_points =
          has_points || (is_bytes && (is(MetricField::gauge) || is(MetricField::sum) || is(MetricField::histogram) ||
                                      is(MetricField::summary) || is(MetricField::exponential_histogram)));
      message.skip();
    }
    return has_name && has_points;
  }

  static bool is_known_metric(std::string_view name) {
    return std::any_of(std::begin(metric_prefixes), std::end(metric_prefixes),
                       [&](std::string_view prefix) { return name.starts_with(prefix); });
  }

  // A point as a log record: its attributes, and its value under the name of the metric.
  bool add_point(Span& span, const AttributeValue& value) {
    if (!add_attribute(span.name, false)) return false;
    batch.attributes.back().value = value;
    return add_log(span, 0);
  }

  bool read_metric(protozero::pbf_message<MetricField> message, Span span) {
    auto names_first = message;
    while (names_first.next(MetricField::name, bytes_type)) span.name = view_of(names_first.get_view());
    if (!reads_all && !is_known_metric(span.name) && names->find(span.name) == nullptr) return true;
    span.is_log = span.is_metric = true;
    while (message.next()) {
      const auto kind = message.tag();
      const bool holds_points =
          message.wire_type() == bytes_type &&
          (kind == MetricField::gauge || kind == MetricField::sum || kind == MetricField::histogram ||
           kind == MetricField::exponential_histogram || kind == MetricField::summary);
      if (!holds_points) {
        message.skip();
        continue;
      }
      protozero::pbf_message<PointsField> points = message.get_message();
      while (points.next(PointsField::data_points, bytes_type)) {
        const bool is_number = kind == MetricField::gauge || kind == MetricField::sum;
        const auto attributes = kind == MetricField::histogram ? SumPointField::attributes
                                : kind == MetricField::summary ? SumPointField::attributes_of_summary
                                                               : SumPointField::attributes_of_exponential;
        const bool good = is_number ? read_number_point(points.get_message(), span)
                                    : read_sum_point(points.get_message(), span, attributes);
        if (!good) return false;
      }
    }
    return true;
  }

  bool read_number_point(protozero::pbf_message<NumberPointField> point, Span span) {
    span.begin = attribute_count();
    AttributeValue value;
    while (point.next()) {
      switch (point.tag_and_type()) {
        case fixed_of(NumberPointField::time):
          span.end_ns = static_cast<std::int64_t>(point.get_fixed64());
          break;
        case fixed_of(NumberPointField::as_double):
          value = {AttributeValue::Kind::number, {}, 0, point.get_double()};
          break;
        case fixed_of(NumberPointField::as_int):
          value = {AttributeValue::Kind::integer, {}, point.get_sfixed64(), 0};
          break;
        case bytes_of(NumberPointField::attributes):
          if (!read_key_value(point.get_message(), false, 0, 0)) return false;
          break;
        default:
          point.skip();
      }
    }
    return add_point(span, value);
  }

  bool read_sum_point(protozero::pbf_message<SumPointField> point, Span span, SumPointField attributes) {
    span.begin = attribute_count();
    AttributeValue value;
    while (point.next()) {
      if (point.tag_and_type() == fixed_of(SumPointField::time)) {
        span.end_ns = static_cast<std::int64_t>(point.get_fixed64());
      } else if (point.tag_and_type() == fixed_of(SumPointField::sum)) {
        value = {AttributeValue::Kind::number, {}, 0, point.get_double()};
      } else if (point.tag_and_type() == bytes_of(attributes)) {
        if (!read_key_value(point.get_message(), false, 0, 0)) return false;
      } else {
        point.skip();
      }
    }
    return add_point(span, value);
  }

  bool read_scope_spans(protozero::pbf_message<ScopeSpansField> message, Span span) {
    protozero::pbf_message<ScopeSpansField> scopes = message;
    while (scopes.next(ScopeSpansField::scope, bytes_type)) {
      protozero::pbf_message<ScopeField> scope = scopes.get_message();
      while (scope.next(ScopeField::name, bytes_type)) span.scope = view_of(scope.get_view());
    }
    while (message.next(ScopeSpansField::spans, bytes_type)) {
      const protozero::data_view bytes = message.get_view();
      Place place;
      const Look look = look_at(protozero::pbf_message<SpanField>(bytes), place);
      if (look == Look::nobodys) {
        if (!add_nobodys(place, span)) return false;
      } else if (look == Look::ours) {
        if (!read_span(protozero::pbf_message<SpanField>(bytes), span)) return false;
      } else if (is_log(protozero::pbf_message<LogField>(bytes))) {
        if (!read_log(protozero::pbf_message<LogField>(bytes), span)) return false;
      } else if (is_metric(protozero::pbf_message<MetricField>(bytes))) {
        if (!read_metric(protozero::pbf_message<MetricField>(bytes), span)) return false;
      }
    }
    return true;
  }

  bool read_protobuf(std::string_view record) {
    protozero::pbf_message<TracesField> traces(record.data(), record.size());
    while (traces.next(TracesField::resource_spans, bytes_type)) {
      const protozero::data_view bytes = traces.get_view();
      Span span;
      span.resource_begin = attribute_count();
      protozero::pbf_message<ResourceSpansField> resources(bytes);
      while (resources.next(ResourceSpansField::resource, bytes_type)) {
        protozero::pbf_message<ResourceField> resource = resources.get_message();
        while (resource.next(ResourceField::attributes, bytes_type)) {
          if (!read_key_value(resource.get_message(), false, 0, 0)) return false;
        }
      }
      span.resource_end = attribute_count();
      protozero::pbf_message<ResourceSpansField> scopes(bytes);
      while (scopes.next(ResourceSpansField::scope_spans, bytes_type)) {
        if (!read_scope_spans(scopes.get_message(), span)) return false;
      }
    }
    return true;
  }

  // ---- JSON ----

  bool fail(simdjson::error_code) { return fail(DecodeError::not_json); }

  std::string_view keep(ondemand::raw_json_string raw) {
    const std::string_view kept = unescape_json_string(raw.raw(), batch.text.data() + batch.text_end);
    batch.text_end += kept.size();
    return kept;
  }

  bool read_text(ondemand::value& value, std::string_view& out) {
    ondemand::raw_json_string raw;
    if (auto code = value.get_raw_json_string().get(raw)) return fail(code);
    out = keep(raw);
    return true;
  }

  // 64-bit integers are texts in this form; some writers leave them bare.
  bool read_integer(ondemand::value& value, std::int64_t& out) {
    ondemand::json_type type{};
    if (auto code = value.type().get(type)) return fail(code);
    std::string_view digits;
    if (type == ondemand::json_type::string) {
      const std::size_t before = batch.text_end;
      if (!read_text(value, digits)) return false;
      batch.text_end = before;
    } else if (type == ondemand::json_type::number) {
      digits = value.raw_json_token();
      while (!digits.empty() && static_cast<unsigned char>(digits.back()) <= ' ') digits.remove_suffix(1);
    } else {
      return fail(DecodeError::wrong_type);
    }
    // A count of nanoseconds has nineteen digits, one more than a decimal keeps.
    const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    if (code == std::errc{} && end == digits.data() + digits.size()) return true;
    const ScaledDecimal number = parse_scaled_decimal(digits, 0);
    if (number.error != DecimalError::none) return fail(DecodeError::wrong_type);
    out = number.value;
    return true;
  }

  bool read_id(ondemand::value& value, std::string_view& out) {
    if (!read_text(value, out)) return false;
    bool any = false;
    for (std::size_t i = 0; i < out.size(); ++i) {
      char& c = batch.text[static_cast<std::size_t>(out.data() - batch.text.data()) + i];
      if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
      any = any || c != '0';
    }
    if (!any) out = {};
    return true;
  }

  // Calls `visit(key, value)` for each member; keys are not unescaped, ours have no escapes.
  template <class Visit>
  bool for_members(ondemand::value& value, Visit visit) {
    ondemand::json_type type{};
    if (auto code = value.type().get(type)) return fail(code);
    if (type == ondemand::json_type::null) return true;  // as good as absent
    ondemand::object object;
    if (value.get_object().get(object)) return fail(DecodeError::wrong_type);
    for (auto member : object) {
      if (member.error()) return fail(member.error());
      ondemand::field&& field = std::move(member).value_unsafe();
      const char* const raw = field.key().raw();
      const auto* const end = static_cast<const char*>(
          std::memchr(raw, '"', static_cast<std::size_t>(input.data() + input.size() - raw)));
      const std::string_view key(raw, end != nullptr ? static_cast<std::size_t>(end - raw) : 0);
      if (!visit(key, field.value())) return false;
    }
    return true;
  }
  template <class Visit>
  bool for_items(ondemand::value& value, Visit visit) {
    ondemand::json_type type{};
    if (auto code = value.type().get(type)) return fail(code);
    if (type == ondemand::json_type::null) return true;
    ondemand::array array;
    if (value.get_array().get(array)) return fail(DecodeError::wrong_type);
    for (auto item : array) {
      if (item.error()) return fail(item.error());
      ondemand::value&& element = std::move(item).value_unsafe();
      if (!visit(element)) return false;
    }
    return true;
  }

  bool read_json_value(ondemand::value& any, std::size_t index, int level) {
    if (level > most_levels) return fail(DecodeError::too_deep);
    return for_members(any, [&](std::string_view key, ondemand::value& value) {
      AttributeValue own;
      if (key == "stringValue" || key == "bytesValue") {
        own.kind = AttributeValue::Kind::text;
        if (!read_text(value, own.text)) return false;
      } else if (key == "intValue") {
        own.kind = AttributeValue::Kind::integer;
        if (!read_integer(value, own.integer)) return false;
      } else if (key == "doubleValue") {
        own.kind = AttributeValue::Kind::number;
        ondemand::json_type type{};
        if (auto code = value.type().get(type)) return fail(code);
        if (type != ondemand::json_type::number) return true;  // "NaN" and the infinities are texts
        if (value.get_double().get(own.number)) return fail(DecodeError::wrong_type);
      } else if (key == "boolValue") {
        own.kind = AttributeValue::Kind::flag;
        bool flag = false;
        if (value.get_bool().get(flag)) return fail(DecodeError::wrong_type);
        own.integer = flag ? 1 : 0;
      } else if (key == "arrayValue" || key == "kvlistValue") {
        const bool is_list = key == "arrayValue";
        return for_members(value, [&](std::string_view name, ondemand::value& values) {
          if (name != "values") return true;
          return for_items(values, [&](ondemand::value& item) {
            return is_list ? read_json_part(item, index, level) : read_json_pair(item, true, index, level + 1);
          });
        });
      } else {
        return true;
      }
      batch.attributes[index].value = own;
      return true;
    });
  }

  bool read_json_part(ondemand::value& value, std::size_t whole, int level) {
    if (!add_attribute({}, true)) return false;
    const std::size_t index = batch.attributes.size() - 1;
    if (!read_json_value(value, index, level + 1)) return false;
    lend_text(index, whole);
    return true;
  }

  // Its value may stand before its key: then the attribute is there before its name is known.
  bool read_json_pair(ondemand::value& pair, bool is_part, std::size_t whole, int level) {
    if (!add_attribute({}, is_part)) return false;
    const std::size_t index = batch.attributes.size() - 1;
    const bool good = for_members(pair, [&](std::string_view key, ondemand::value& value) {
      if (key == "key") return read_text(value, batch.attributes[index].name);
      if (key == "value") {
        ondemand::json_type type{};
        if (auto code = value.type().get(type)) return fail(code);
        return type == ondemand::json_type::null || read_json_value(value, index, level);
      }
      return true;
    });
    if (!good || !is_part) return good;
    lend_text(index, whole);
    return true;
  }

  bool read_json_attributes(ondemand::value& list) {
    return for_items(list, [&](ondemand::value& pair) { return read_json_pair(pair, false, 0, 0); });
  }

  bool read_json_event(ondemand::value& value) {
    SpanEvent event;
    event.begin = attribute_count();
    const bool good = for_members(value, [&](std::string_view key, ondemand::value& member) {
      if (key == "timeUnixNano") return read_integer(member, event.time_ns);
      if (key == "name") return read_text(member, event.name);
      if (key == "attributes") return read_json_attributes(member);
      return true;
    });
    event.end = attribute_count();
    batch.events.push_back(event);
    return good;
  }

  bool read_json_span(ondemand::value& value) {
    Span span;
    span.events_begin = static_cast<std::uint32_t>(batch.events.size());
    span.begin = span.end = attribute_count();
    const bool good = for_members(value, [&](std::string_view key, ondemand::value& member) {
      if (key == "traceId") return read_id(member, span.trace_id);
      if (key == "spanId") return read_id(member, span.span_id);
      if (key == "parentSpanId") return read_id(member, span.parent_span_id);
      if (key == "name") return read_text(member, span.name);
      if (key == "startTimeUnixNano") return read_integer(member, span.start_ns);
      if (key == "endTimeUnixNano") return read_integer(member, span.end_ns);
      if (key == "attributes") {
        span.begin = attribute_count();
        const bool read = read_json_attributes(member);
        span.end = attribute_count();
        return read;
      }
      if (key == "events") return for_items(member, [&](ondemand::value& event) { return read_json_event(event); });
      if (key == "status") {
        return for_members(member, [&](std::string_view name, ondemand::value& part) {
          if (name == "message") return read_text(part, span.status_message);
          if (name != "code") return true;
          ondemand::json_type type{};
          if (auto code = part.type().get(type)) return fail(code);
          if (type == ondemand::json_type::string) {
            std::string_view word;
            if (!read_text(part, word)) return false;
            span.is_error = word == "STATUS_CODE_ERROR" || word == "2";
            return true;
          }
          std::int64_t number = 0;
          if (!read_integer(part, number)) return false;
          span.is_error = number == status_error;
          return true;
        });
      }
      return true;
    });
    span.events_end = static_cast<std::uint32_t>(batch.events.size());
    return good && add_span(span);
  }

  bool read_json_log(ondemand::value& value) {
    Span span;
    span.is_log = true;
    span.begin = attribute_count();
    std::int64_t observed_ns = 0;
    const bool good = for_members(value, [&](std::string_view key, ondemand::value& member) {
      if (key == "traceId") return read_id(member, span.trace_id);
      if (key == "spanId") return read_id(member, span.span_id);
      if (key == "eventName") return read_text(member, span.name);
      if (key == "timeUnixNano") return read_integer(member, span.end_ns);
      if (key == "observedTimeUnixNano") return read_integer(member, observed_ns);
      if (key == "attributes") return read_json_attributes(member);
      if (key != "body") return true;
      return add_attribute(log_body_name, false) && read_json_value(member, batch.attributes.size() - 1, 0);
    });
    return good && add_log(span, observed_ns);
  }

  // Its points may stand before its name: they are told afterwards.
  bool read_json_metric(ondemand::value& metric) {
    const std::size_t first = batch.spans.size();
    std::string_view metric_name;
    const bool good = for_members(metric, [&](std::string_view key, ondemand::value& kind) {
      if (key == "name") return read_text(kind, metric_name);
      if (key != "gauge" && key != "sum" && key != "histogram" && key != "exponentialHistogram" && key != "summary")
        return true;
      return for_members(kind, [&](std::string_view name, ondemand::value& points) {
        return name != "dataPoints" ||
               for_items(points, [&](ondemand::value& point) { return read_json_point(point); });
      });
    });
    if (!good) return false;
    if (!reads_all && !is_known_metric(metric_name) && names->find(metric_name) == nullptr) {
      batch.spans.resize(first);
      return true;
    }
    for (std::size_t i = first; i < batch.spans.size(); ++i) {
      batch.spans[i].name = metric_name;
      batch.attributes[batch.spans[i].end - 1].name = metric_name;
    }
    return true;
  }

  bool read_json_point(ondemand::value& point) {
    Span span;
    span.is_log = span.is_metric = true;
    span.begin = attribute_count();
    AttributeValue value;
    const bool good = for_members(point, [&](std::string_view key, ondemand::value& member) {
      if (key == "timeUnixNano") return read_integer(member, span.end_ns);
      if (key == "attributes") return read_json_attributes(member);
      if (key == "asInt") {
        value.kind = AttributeValue::Kind::integer;
        return read_integer(member, value.integer);
      }
      if (key != "asDouble" && key != "sum") return true;
      ondemand::json_type type{};
      if (auto code = member.type().get(type)) return fail(code);
      if (type != ondemand::json_type::number) return true;  // "NaN" and the infinities are texts
      value.kind = AttributeValue::Kind::number;
      return !member.get_double().get(value.number) || fail(DecodeError::wrong_type);
    });
    return good && add_point(span, value);
  }

  bool read_json(std::string_view record) {
    input.resize(std::max(input.size(), record.size() + simdjson::SIMDJSON_PADDING));
    std::memcpy(input.data(), record.data(), record.size());
    std::memset(input.data() + record.size(), ' ', simdjson::SIMDJSON_PADDING);
    ondemand::document document;
    if (auto code = parser.iterate(input.data(), record.size(), input.size()).get(document)) return fail(code);
    ondemand::value root;
    if (auto code = document.get_value().get(root)) return fail(code);
    const bool good = for_members(root, [&](std::string_view key, ondemand::value& resources) {
      if (key != "resourceSpans" && key != "resourceLogs" && key != "resourceMetrics") return true;
      return for_items(resources, [&](ondemand::value& resource) { return read_json_resource(resource); });
    });
    if (!good) return false;
    if (!document.current_location().error()) return fail(DecodeError::trailing_data);
    return true;
  }

  // The resource may stand behind its spans: they are told afterwards where its attributes are.
  bool read_json_resource(ondemand::value& value) {
    const std::size_t first = batch.spans.size();
    std::uint32_t begin = 0, end = 0;
    const bool good = for_members(value, [&](std::string_view key, ondemand::value& member) {
      if (key == "resource") {
        return for_members(member, [&](std::string_view name, ondemand::value& attributes) {
          if (name != "attributes") return true;
          begin = attribute_count();
          const bool read = read_json_attributes(attributes);
          end = attribute_count();
          return read;
        });
      }
      const bool is_scope =
          key == "scopeSpans" || key == "scopeLogs" || key == "scopeMetrics" || key == "instrumentationLibrarySpans";
      if (!is_scope) return true;
      return for_items(member, [&](ondemand::value& scope) { return read_json_scope(scope); });
    });
    for (std::size_t i = first; i < batch.spans.size(); ++i) {
      batch.spans[i].resource_begin = begin;
      batch.spans[i].resource_end = end;
    }
    return good;
  }

  bool read_json_scope(ondemand::value& value) {
    const std::size_t first = batch.spans.size();
    std::string_view scope;
    const bool good = for_members(value, [&](std::string_view key, ondemand::value& member) {
      if (key == "scope" || key == "instrumentationLibrary") {
        return for_members(member, [&](std::string_view name, ondemand::value& part) {
          return name != "name" || read_text(part, scope);
        });
      }
      if (key != "spans" && key != "logRecords" && key != "metrics") return true;
      return for_items(member, [&](ondemand::value& one) {
        return key == "spans" ? read_json_span(one) : key == "metrics" ? read_json_metric(one) : read_json_log(one);
      });
    });
    for (std::size_t i = first; i < batch.spans.size(); ++i) batch.spans[i].scope = scope;
    return good;
  }
};

OtlpDecoder::OtlpDecoder(std::size_t most_bytes) : state_(std::make_unique<State>(most_bytes)) {}
OtlpDecoder::~OtlpDecoder() = default;

void OtlpDecoder::read_all_spans() {
  state_->reads_all = true;
}

void OtlpDecoder::know(std::shared_ptr<const DialectIndex> names) {
  state_->names = std::move(names);
}

Result<const SpanBatch*, DecodeError> OtlpDecoder::decode(std::string_view record, RecordForm form) {
  if (record.empty()) return DecodeError::empty;
  if (record.size() > state_->most_bytes) return DecodeError::too_large;
  State& state = *state_;
  state.batch.begin(2 * record.size() + json_string_slack);
  if (form == RecordForm::otlp_json) {
    if (!state.read_json(record)) return state.error;
    return &state.batch;
  }
  try {
    state.error = DecodeError::not_protobuf;
    if (!state.read_protobuf(record)) return state.error;
  } catch (const protozero::exception&) {
    return DecodeError::not_protobuf;
  }
  return &state.batch;
}

}  // namespace tocsin
