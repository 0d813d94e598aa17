#include <cctype>
#include <map>
#include <string>

#include "core/event/vendors/vendors.h"

namespace tocsin::vendor {

namespace {

constexpr std::size_t uuid_size = 36;

// "20261121T015209076658Z<uuid>.20261121T015209096837Z<uuid>": the runs from the root to this one.
std::string_view id_in(std::string_view segment) {
  return segment.size() > uuid_size ? segment.substr(segment.size() - uuid_size) : std::string_view{};
}

bool is_run(const Tree& tree) {
  return tree.is_object() && (tree.contains("id") || tree.contains("dotted_order")) &&
         (tree.contains("run_type") || tree.contains("dotted_order") || tree.contains("trace_id"));
}

// The texts of a failure are text and stack; other fields say the type.
std::string_view type_of_error(std::string_view error) {
  std::size_t size = 0;
  while (size < error.size() && size < 64 &&
         (std::isalnum(static_cast<unsigned char>(error[size])) != 0 || error[size] == '_' || error[size] == '.'))
    ++size;
  return size > 0 && size < error.size() && (error[size] == '(' || error[size] == ':') ? error.substr(0, size)
                                                                                       : std::string_view{};
}

std::string_view trace_of(const Tree& run) {
  const std::string_view order = text_of(at(run, "dotted_order"));
  std::string_view trace = text_of(at(run, "trace_id"));
  if (trace.empty()) trace = id_in(order.substr(0, order.find('.')));
  return trace.empty() ? text_of(at(run, "id")) : trace;
}

void write_run(const Tree& run, SpanWriter& out) {
  Span span;
  span.span_id = text_of(at(run, "id"));
  const std::string_view order = text_of(at(run, "dotted_order"));
  span.trace_id = trace_of(run);
  span.parent_span_id = text_of(at(run, "parent_run_id"));
  const std::size_t last = order.rfind('.');
  if (span.parent_span_id.empty() && last != std::string_view::npos) {
    const std::size_t before = order.substr(0, last).rfind('.');
    span.parent_span_id = id_in(order.substr(0, last).substr(before == std::string_view::npos ? 0 : before + 1));
  }
  if (span.parent_span_id == span.span_id) span.parent_span_id = {};
  span.name = text_of(at(run, "name"));
  span.start_ns = time_ns_of(at(run, "start_time"));
  span.end_ns = time_ns_of(at(run, "end_time"));
  span.is_open = span.end_ns == 0;
  const std::string_view error = text_of(at(run, "error"));
  span.is_error = !error.empty() || text_of(at(run, "status")) == "error";
  span.status_message = error;
  out.open(span);
  const Tree& type = at(run, "run_type");
  out.put("run_type", type);
  // Patches of older SDKs do not repeat what kind of run it is; only a model's has tokens.
  if (type.is_null() && at_path(run, "outputs.usage_metadata").is_object()) out.put_text("run_type", "llm");
  if (type.is_null() && span.parent_span_id.empty() && !at_path(run, "outputs.usage_metadata").is_object()) {
    out.put_text("run_type", "chain");
  }
  out.put_text("error_type", type_of_error(error));
  for (const char* name : {"prompt_tokens", "completion_tokens", "total_cost"}) out.put(name, at(run, name));
  for (const char* name : {"inputs", "outputs", "extra", "tags", "serialized", "session_name"}) {
    if (!at(run, name).is_null()) out.put_all(name, at(run, name));
  }
  for (const Tree& event : at(run, "events")) {
    if (text_of(at(event, "name")) == "new_token") out.put_event("new_token", time_ns_of(at(event, "time")));
  }
  out.close();
}

// Of people it is a verdict, where it says yes or no; of a model, or as a figure, a score.
void write_feedback(const Tree& feedback, SpanWriter& out) {
  Span span;
  span.span_id = text_of(at(feedback, "id"));
  span.parent_span_id = text_of(at(feedback, "run_id"));
  span.trace_id = text_of(at(feedback, "trace_id"));
  if (span.trace_id.empty()) span.trace_id = span.parent_span_id;
  span.end_ns = time_ns_of(at(feedback, "modified_at"));
  if (span.end_ns == 0) span.end_ns = time_ns_of(at(feedback, "created_at"));
  span.name = text_of(at(feedback, "key"));
  out.open(span);
  out.put_text("run_type", "feedback");
  out.put("feedback.key", at(feedback, "key"));
  const Tree& score = at(feedback, "score");
  const bool is_yes_or_no = score.is_boolean() || (score.is_number() && (score == 0 || score == 1));
  const bool is_a_models = text_of(at_path(feedback, "feedback_source.type")) == "model";
  out.put(is_yes_or_no && !is_a_models ? "feedback.verdict" : "feedback.score", score);
  for (const char* name : {"comment", "correction"}) {
    if (!at(feedback, name).is_null()) out.put_all(std::string("feedback.") + name, at(feedback, name));
  }
  for (const char* name : {"value", "extra", "feedback_source"}) {
    if (!at(feedback, name).is_null()) out.put_all(name, at(feedback, name));
  }
  out.close();
}

void write_attachment(const Tree& attachment, const std::map<std::string, std::string>& traces, SpanWriter& out) {
  const std::string run(text_of(at(attachment, "run_id")));
  const auto trace = traces.find(run);
  Span span;
  span.parent_span_id = text_of(at(attachment, "run_id"));
  span.trace_id = trace == traces.end() ? span.parent_span_id : out.keep(std::string(trace->second));
  span.name = "attachment";
  span.is_open = true;  // it ends nothing
  out.open(span);
  out.put_text("run_type", "attachment");
  out.put_text("attachment", text_of(at(attachment, "text")));
  out.close();
}

}  // namespace

bool read_langsmith(const Tree& root, SpanWriter& out) {
  const bool has_more = at(root, feedback_of_batch).is_array() || at(root, attachments_of_batch).is_array();
  const bool is_batch = root.is_object() && (at(root, "post").is_array() || at(root, "patch").is_array() || has_more);
  const bool is_list = root.is_array() && !root.empty() && is_run(root.front());
  if (!is_batch && !is_list && !is_run(root)) return false;
  std::map<std::string, Tree> runs;
  std::vector<std::string> order;
  const auto note = [&](const Tree& run) {
    if (!run.is_object()) return;
    std::string id(text_of(at(run, "id")));
    // Older patches of JavaScript are of the run that ends their order.
    if (id.empty()) id = id_in(text_of(at(run, "dotted_order")));
    if (id.empty()) return;
    const auto [place, is_new] = runs.try_emplace(id, Tree{{"id", id}});
    if (is_new) order.push_back(id);
    lay_over(place->second, run);
  };
  if (is_batch) {
    for (const char* list : {"post", "patch"}) {
      for (const Tree& run : at(root, list)) note(run);
    }
  } else if (is_list) {
    for (const Tree& run : root) note(run);
  } else {
    note(root);
  }
  std::map<std::string, std::string> traces;
  for (const auto& [id, run] : runs) traces[id] = trace_of(run);
  for (const std::string& id : order) write_run(out.keep(std::move(runs[id])), out);
  if (!is_batch) return true;
  for (const Tree& one : at(root, feedback_of_batch)) {
    if (one.is_object()) write_feedback(one, out);
  }
  for (const Tree& one : at(root, attachments_of_batch)) {
    if (one.is_object()) write_attachment(one, traces, out);
  }
  return true;
}

}  // namespace tocsin::vendor
