#include <string>

#include "core/event/vendors/vendors.h"

namespace tocsin::vendor {

namespace {

constexpr std::int64_t ns_per_us = 1'000;
constexpr std::int64_t ns_per_s = 1'000'000'000;
constexpr int status_error = 2;

// [seconds, nanoseconds] as JavaScript's SDK has it, else any time.
std::int64_t time_of(const Tree& tree) {
  if (!tree.is_array() || tree.size() != 2) return time_ns_of(tree);
  const std::int64_t seconds = integer_of(tree[0]).value_or(0), ns = integer_of(tree[1]).value_or(0);
  if (seconds <= 0 || seconds > INT64_MAX / ns_per_s - 1 || ns < 0 || ns >= ns_per_s) return 0;
  return seconds * ns_per_s + ns;
}

// "0x1f" is how Python prints an id.
std::string_view id_of(const Tree& tree) {
  std::string_view id = text_of(tree);
  if (id.starts_with("0x")) id.remove_prefix(2);
  return id.find_first_not_of('0') == std::string_view::npos ? std::string_view{} : id;
}

const Tree& either(const Tree& tree, const char* first, const char* second) {
  const Tree& one = at(tree, first);
  return one.is_null() ? at(tree, second) : one;
}

bool is_sdk_span(const Tree& tree) {
  return tree.is_object() && at(tree, "attributes").is_object() && either(tree, "spanContext", "context").is_object();
}

void put_attributes(const Tree& attributes, SpanWriter& out) {
  for (auto one = attributes.begin(); attributes.is_object() && one != attributes.end(); ++one) {
    out.put_all(one.key(), one.value());
  }
}

void write_sdk_span(const Tree& tree, SpanWriter& out) {
  const Tree& context = either(tree, "spanContext", "context");
  Span span;
  span.trace_id = id_of(either(context, "traceId", "trace_id"));
  span.span_id = id_of(either(context, "spanId", "span_id"));
  const Tree& parent = at(tree, "parentSpanContext");
  span.parent_span_id = parent.is_object() ? id_of(either(parent, "spanId", "span_id"))
                                           : id_of(either(tree, "parentSpanId", "parent_id"));
  span.name = text_of(at(tree, "name"));
  span.start_ns = time_of(either(tree, "startTime", "start_time"));
  span.end_ns = time_of(either(tree, "endTime", "end_time"));
  const Tree& status = at(tree, "status");
  span.is_error = integer_of(at(status, "code")) == status_error || text_of(at(status, "status_code")) == "ERROR";
  span.status_message = text_of(either(status, "message", "description"));
  out.open(span);
  put_attributes(at_path(tree, "resource.attributes"), out);
  put_attributes(at(tree, "attributes"), out);
  for (const Tree& event : at(tree, "events")) {
    put_attributes(at(event, "attributes"), out);
    out.put_event(text_of(at(event, "name")), time_of(either(event, "time", "timestamp")));
  }
  out.close();
}

bool is_jaeger_trace(const Tree& tree) {
  return tree.is_object() && tree.contains("traceID") && at(tree, "spans").is_array();
}

void put_jaeger_tags(const Tree& tags, SpanWriter& out) {
  for (const Tree& tag : tags) {
    const std::string_view name = text_of(at(tag, "key"));
    if (!name.empty()) out.put_all(name, at(tag, "value"));
  }
}

void write_jaeger_span(const Tree& tree, const Tree& processes, SpanWriter& out) {
  Span span;
  span.trace_id = id_of(at(tree, "traceID"));
  span.span_id = id_of(at(tree, "spanID"));
  for (const Tree& reference : at(tree, "references")) {
    if (text_of(at(reference, "refType")) == "CHILD_OF") span.parent_span_id = id_of(at(reference, "spanID"));
  }
  span.name = text_of(at(tree, "operationName"));
  span.start_ns = time_ns_of(at(tree, "startTime"));
  span.end_ns = end_ns_of(span.start_ns, at(tree, "duration"), ns_per_us);
  for (const Tree& tag : at(tree, "tags")) {
    if (text_of(at(tag, "key")) == "otel.status_code") span.is_error = text_of(at(tag, "value")) == "ERROR";
  }
  out.open(span);
  const Tree& process = at(processes, std::string(text_of(at(tree, "processID"))).c_str());
  put_jaeger_tags(at(process, "tags"), out);
  put_jaeger_tags(at(tree, "tags"), out);
  for (const Tree& log : at(tree, "logs")) put_jaeger_tags(at(log, "fields"), out);
  out.close();
}

}  // namespace

bool read_otel_export(const Tree& root, SpanWriter& out) {
  const Tree& list = at(root, "data").is_array() ? at(root, "data") : root;
  if (is_sdk_span(root)) {
    write_sdk_span(root, out);
    return true;
  }
  if (!is_jaeger_trace(root) && (!list.is_array() || list.empty())) return false;
  if (list.is_array() && !list.empty() && is_sdk_span(list.front())) {
    for (const Tree& one : list) write_sdk_span(one, out);
    return true;
  }
  const auto write_trace = [&](const Tree& trace) {
    for (const Tree& one : at(trace, "spans")) write_jaeger_span(one, at(trace, "processes"), out);
  };
  if (is_jaeger_trace(root)) {
    write_trace(root);
    return true;
  }
  if (list.empty() || !is_jaeger_trace(list.front())) return false;
  for (const Tree& trace : list) write_trace(trace);
  return true;
}

}  // namespace tocsin::vendor
