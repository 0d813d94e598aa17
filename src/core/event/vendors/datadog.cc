#include <string>

#include "core/event/vendors/vendors.h"

namespace tocsin::vendor {

namespace {

bool is_event(const Tree& tree) {
  return tree.is_object() && tree.contains("span_id") && at_path(tree, "meta.span.kind").is_string();
}
bool holds_events(const Tree& tree) {
  const Tree& spans = at(tree, "spans");
  return spans.is_array() && (spans.empty() || is_event(spans.front()));
}
// A span of the tracer: with or without an event in it.
bool is_traced(const Tree& tree) {
  return tree.is_object() && tree.contains("span_id") && tree.contains("trace_id") && tree.contains("resource");
}

// Ids are texts here and numbers there.
std::string_view id_of(const Tree& tree, SpanWriter& out) {
  if (tree.is_number_unsigned()) return out.keep(std::to_string(tree.get<std::uint64_t>()));
  if (tree.is_number_integer()) return out.keep(std::to_string(tree.get<std::int64_t>()));
  return text_of(tree);
}
std::string_view parent_of(const Tree& tree, SpanWriter& out) {
  const std::string_view id = id_of(tree, out);
  return id == "undefined" || id == "0" ? std::string_view{} : id;
}

// "env:production", in a list or as members.
void put_tags(const Tree& tags, SpanWriter& out) {
  if (tags.is_object()) return out.put_all("tags", tags);
  for (const Tree& tag : tags) {
    const std::string_view text = text_of(tag);
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos || colon + 1 == text.size()) continue;
    out.put_text("tags." + std::string(text.substr(0, colon)), text.substr(colon + 1));
  }
}

// `span`: what is known of it besides the event.
void write_event(const Tree& event, Span span, SpanWriter& out) {
  if (span.span_id.empty()) span.span_id = id_of(at(event, "span_id"), out);
  span.trace_id = id_of(at(event, "trace_id"), out);
  span.parent_span_id = parent_of(at(event, "parent_id"), out);
  if (const std::string_view name = text_of(at(event, "name")); !name.empty()) span.name = name;
  const Tree& start = at(event, "start_ns");
  if (!start.is_null()) span.start_ns = integer_of(start).value_or(0);
  if (const std::int64_t end = end_ns_of(span.start_ns, at(event, "duration"), 1); end > 0) span.end_ns = end;
  if (span.end_ns == 0) span.end_ns = span.start_ns;
  span.is_error = span.is_error || text_of(at(event, "status")) == "error";
  const Tree& meta = at(event, "meta");
  span.status_message = text_of(at_path(meta, "error.message"));
  out.open(span);
  out.put("session_id", at(event, "session_id"));
  out.put_all("metrics", at(event, "metrics"));
  put_tags(at(event, "tags"), out);
  for (auto member = meta.begin(); meta.is_object() && member != meta.end(); ++member) {
    out.put_all("meta." + member.key(), member.value());
  }
  out.close();
}

void write_traced(const Tree& traced, SpanWriter& out) {
  Span span;
  span.span_id = id_of(at(traced, "span_id"), out);
  span.name = text_of(at(traced, "name"));
  span.start_ns = integer_of(at(traced, "start")).value_or(0);
  span.end_ns = end_ns_of(span.start_ns, at(traced, "duration"), 1);
  span.is_error = integer_of(at(traced, "error")).value_or(0) != 0;
  const Tree& packed = at_path(traced, "meta_struct._llmobs");
  if (packed.is_string()) {
    if (auto event = parse_msgpack(text_of(packed))) write_event(out.keep(std::move(*event)), span, out);
    return;
  }
  if (packed.is_object()) return write_event(packed, span, out);
  const Tree& meta = at(traced, "meta");
  // Its event came by the other way, or it is none of an agent's.
  const bool is_submitted = integer_of(at(meta, "_dd.llmobs.submitted")).value_or(0) != 0;
  if (is_submitted || !meta.is_object() || !meta.contains("_dd.llmobs.span_kind")) return;
  span.trace_id = id_of(at(traced, "trace_id"), out);
  span.parent_span_id = parent_of(at(traced, "parent_id"), out);
  out.open(span);
  out.put_all("apm.meta", meta);
  out.put_all("apm.metrics", at(traced, "metrics"));
  out.close();
}

}  // namespace

bool read_datadog(const Tree& root, SpanWriter& out) {
  const Tree& inner = at_path(root, "data.attributes");
  if (inner.is_object() && holds_events(inner)) return read_datadog(inner, out);
  if (is_event(root)) {
    write_event(root, {}, out);
    return true;
  }
  if (root.is_object()) {
    if (!at(root, "spans").is_array() || !holds_events(root)) return false;
    for (const Tree& event : at(root, "spans")) write_event(event, {}, out);
    return true;
  }
  if (!root.is_array() || root.empty()) return false;
  bool any = false;
  for (const Tree& item : root) {
    if (item.is_object() && item.contains("spans") && holds_events(item)) {
      for (const Tree& event : at(item, "spans")) write_event(event, {}, out);
      any = true;
    } else if (is_event(item)) {
      write_event(item, {}, out);
      any = true;
    } else if (item.is_array() && !item.empty() && is_traced(item.front())) {
      for (const Tree& traced : item) write_traced(traced, out);
      any = true;
    }
  }
  return any;
}

}  // namespace tocsin::vendor
