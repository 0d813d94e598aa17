#include <string>

#include "core/event/vendors/vendors.h"

namespace tocsin::vendor {

namespace {

constexpr int first_bad_status = 400;

std::string_view header(const Headers& headers, std::string_view name) {
  for (const auto& [known, value] : headers) {
    if (known == name) return value;
  }
  return {};
}

// "/support/lookup_order": what the work is called, then what is done in it.
std::string_view first_of_path(std::string_view path) {
  if (path.starts_with('/')) path.remove_prefix(1);
  return path.substr(0, path.find('/'));
}

// {"seconds": 1795225940, "milliseconds": 205}
std::int64_t time_of_parts(const Tree& parts) {
  const std::int64_t seconds = integer_of(at(parts, "seconds")).value_or(0);
  const std::int64_t ms = integer_of(at(parts, "milliseconds")).value_or(0);
  if (seconds <= 0 || seconds > INT64_MAX / 2'000'000'000 || ms < 0 || ms > 1'000'000) return 0;
  return (seconds * 1'000 + ms) * ns_per_ms;
}

// A streamed reply is its chunks, one JSON a line, with or without "data: ": what they say together. `is_reply`:
// whether any line was one.
Tree whole_of_stream(std::string_view text, bool& is_reply) {
  Tree whole = Tree::object();
  is_reply = false;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.starts_with("data:")) line.remove_prefix(5);
    const auto chunk = parse_json(line);
    if (!chunk || !chunk->is_object()) continue;
    is_reply = true;
    // Anthropic's first chunk holds the message.
    for (const Tree* part : {&at(*chunk, "message"), static_cast<const Tree*>(&*chunk)}) {
      for (const char* name : {"model", "usage", "id"}) {
        if (!at(*part, name).is_null()) lay_over(whole[name], at(*part, name));
      }
    }
    const Tree& stop_reason = at_path(*chunk, "delta.stop_reason");
    if (stop_reason.is_string()) whole["stop_reason"] = stop_reason;
    for (const Tree& choice : at(*chunk, "choices")) {
      if (at(choice, "finish_reason").is_string()) whole["choices"] = Tree::array({choice});
    }
  }
  return whole;
}

// A body is a text in some of its forms.
Tree body_of(const Tree& body) {
  if (!body.is_string()) return body;
  auto parsed = parse_json(text_of(body));
  return parsed ? std::move(*parsed) : Tree(nullptr);
}

void write_call(const Tree& request, const Tree& reply, SpanWriter& out) {
  out.put("request.model", at(request, "model"));
  out.put("response.model", at(reply, "model"));
  const Tree& usage = at(reply, "usage");
  if (usage.is_object()) {
    out.put_text("response.usage", out.keep(dump(usage)));
  }
  out.put("response.stop_reason", at(reply, "stop_reason"));
  for (const Tree& choice : at(reply, "choices")) out.put("response.finish_reason", at(choice, "finish_reason"));
}

// Outside of a session a call is a task of its own. Requires: `span` has its id.
void set_session(Span& span, std::string_view session) {
  span.trace_id = session.empty() ? span.span_id : session;
  span.parent_span_id = session;
}

// What a logger posted.
void write_logged(const Tree& root, const Headers& headers, SpanWriter& out) {
  const Tree& request = at_path(root, "providerRequest.json");
  const Tree& response = at(root, "providerResponse");
  const std::string_view kind = text_of(at(request, "_type"));
  Span span;
  span.span_id = header(headers, "helicone-request-id");
  set_session(span, header(headers, "helicone-session-id"));
  span.start_ns = time_of_parts(at_path(root, "timing.startTime"));
  span.end_ns = time_of_parts(at_path(root, "timing.endTime"));
  span.name = text_of(at(request, kind == "tool" ? "toolName" : "model"));
  const std::string_view text = text_of(at(response, "textBody"));
  bool is_reply = false;
  const Tree streamed = text.empty() ? Tree() : whole_of_stream(text, is_reply);
  const Tree& reply = out.keep(is_reply ? streamed : at(response, "json"));
  // A failed call may have the status of a good one, and the stack in place of the reply.
  span.is_error = integer_of(at(response, "status")).value_or(0) >= first_bad_status ||
                  !at(reply, "error").is_null() || (!text.empty() && !is_reply);
  out.open(span);
  out.put_text("type", kind.empty() ? std::string_view("llm") : kind);
  const std::string_view path = first_of_path(header(headers, "helicone-session-path"));
  out.put_text("session_path", path.empty() ? header(headers, "helicone-session-name") : path);
  out.put_text("session_id", header(headers, "helicone-session-id"));
  out.put_text("user_id", header(headers, "helicone-user-id"));
  for (const auto& [name, value] : headers) {
    constexpr std::string_view property = "helicone-property-";
    if (name.starts_with(property)) out.put_text("property." + std::string(name.substr(property.size())), value);
  }
  if (kind == "tool") {
    out.put("tool", at(request, "toolName"));
    out.put_all("arguments", at(request, "input"));
  } else {
    write_call(request, reply, out);
    const auto ttft = integer_of(at_path(root, "timing.timeToFirstToken"));
    if (ttft && *ttft > 0) out.put("ttft_ms", out.keep(Tree(*ttft)));
    out.put_all("request", request);
  }
  out.put_all("response", at(response, "json"));
  out.put_text("response.text", text);
  out.close();
}

// A row of the request table, or what a webhook is told.
void write_row(const Tree& row, SpanWriter& out) {
  const Tree& request = out.keep(body_of(at(row, "request_body")));
  const Tree& reply = out.keep(body_of(at(row, "response_body")));
  const Tree& properties =
      at(row, "request_properties").is_object() ? at(row, "request_properties") : at(row, "properties");
  Span span;
  span.span_id = text_of(at(row, "request_id"));
  set_session(span, text_of(at(properties, "Helicone-Session-Id")));
  span.start_ns = time_ns_of(at(row, "request_created_at"));
  span.end_ns = time_ns_of(at(row, "response_created_at"));
  auto delay_ms = integer_of(at(row, "delay_ms"));
  if (!delay_ms) delay_ms = integer_of(at_path(row, "metadata.latencyMs"));
  if (span.end_ns == 0 && span.start_ns > 0 && delay_ms && *delay_ms >= 0 && *delay_ms < 1'000'000'000) {
    span.end_ns = span.start_ns + *delay_ms * ns_per_ms;
  }
  if (span.end_ns == 0) span.end_ns = time_ns_of(at(reply, "created"));
  span.is_error =
      integer_of(at(row, "response_status")).value_or(0) >= first_bad_status || !at(reply, "error").is_null();
  const std::string_view kind = text_of(at(request, "_type"));
  out.open(span);
  out.put_text("type", kind.empty() ? std::string_view("llm") : kind);
  const std::string_view path = first_of_path(text_of(at(properties, "Helicone-Session-Path")));
  out.put_text("session_path", path.empty() ? text_of(at(properties, "Helicone-Session-Name")) : path);
  out.put("session_id", at(properties, "Helicone-Session-Id"));
  for (const char* name : {"request_user_id", "user_id"}) out.put("user_id", at(row, name));
  out.put("tool", at(request, "toolName"));
  for (const char* name : {"prompt_tokens", "completion_tokens", "prompt_cache_read_tokens",
                           "prompt_cache_write_tokens", "cost", "costUSD", "request_model", "response_model"}) {
    out.put(name, at(row, name));
  }
  for (const char* name : {"promptTokens", "completionTokens", "cost"}) {
    out.put("metadata." + std::string(name), at_path(row, "metadata." + std::string(name)));
  }
  const auto ttft = integer_of(at(row, "time_to_first_token"));
  if (ttft && *ttft > 0) out.put("ttft_ms", at(row, "time_to_first_token"));
  if (kind.empty()) write_call(request, reply, out);
  out.put_all(kind == "tool" ? "arguments" : "request", request);
  out.put_all("response", reply);
  if (!properties.is_null()) out.put_all("property", properties);
  out.close();
}

bool is_row(const Tree& tree) {
  return tree.is_object() && at(tree, "request_id").is_string() &&
         (tree.contains("request_body") || tree.contains("response_body"));
}

}  // namespace

bool read_helicone(const Tree& root, const Headers& headers, SpanWriter& out) {
  if (at(root, "providerRequest").is_object() && at(root, "providerResponse").is_object()) {
    write_logged(root, headers, out);
    return true;
  }
  const Tree& list = at(root, "data").is_array() ? at(root, "data") : root;
  if (list.is_array() && !list.empty() && is_row(list.front())) {
    for (const Tree& row : list) write_row(row, out);
    return true;
  }
  if (!is_row(root)) return false;
  write_row(root, out);
  return true;
}

}  // namespace tocsin::vendor
