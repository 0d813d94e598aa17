#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "base/ascii.h"
#include "core/event/vendors/vendors.h"

namespace tocsin::vendor {

namespace {

constexpr int most_texts_in_texts = 2;

bool is_observation(const Tree& tree) {
  return tree.is_object() && tree.contains("traceId") && tree.contains("startTime") && tree.contains("type");
}

// What is known of one trace: later events complete earlier ones.
struct Trace {
  std::string id;
  Tree own;  // null where the record does not say
  Tree observations = Tree::array();
  Tree scores = Tree::array();
  bool is_whole = false;  // an export: nothing comes later
};

// Names of the tools that the model was offered or asked for: before there was a type of its own for tools, they
// were spans that have a tool's name.
void collect_tools(const Tree& tree, std::set<std::string>& names, int level, int texts) {
  if (level > most_levels) return;
  const auto add = [&](const Tree& tool) {
    for (const char* path : {"function.name", "name"}) {
      const std::string_view name = text_of(at_path(tool, path));
      if (!name.empty()) names.emplace(name);
    }
  };
  if (tree.is_object()) {
    for (auto member = tree.begin(); member != tree.end(); ++member) {
      const std::string& key = member.key();
      if (key == "tools" || key == "tool_calls" || key == "toolCalls") {
        for (const Tree& tool : member.value()) add(tool);
      } else if (key == "toolCallNames") {
        for (const Tree& name : member.value()) names.emplace(text_of(name));
      } else if (key == "toolDefinitions" && member.value().is_object()) {
        for (auto tool = member.value().begin(); tool != member.value().end(); ++tool) names.insert(tool.key());
      } else {
        collect_tools(member.value(), names, level + 1, texts);
      }
    }
  } else if (tree.is_array()) {
    for (const Tree& item : tree) collect_tools(item, names, level + 1, texts);
  } else if (const std::string_view text = text_of(tree); texts < most_texts_in_texts && text.size() > 2) {
    if (text.front() != '{' && text.front() != '[' && text.front() != '"') return;
    if (const auto inner = parse_json(text)) collect_tools(*inner, names, level + 1, texts + 1);
  }
}

// "lookup", "tool.lookup", "execute_tool lookup".
bool is_tool(std::string_view name, const std::set<std::string>& tools) {
  const std::size_t last = name.find_last_of(" .:");
  return tools.contains(std::string(name)) ||
         (last != std::string_view::npos && tools.contains(std::string(name.substr(last + 1))));
}

void write_trace(std::string_view id, const Tree& own, const Tree& observations, bool is_whole, SpanWriter& out) {
  Span span;
  span.trace_id = span.span_id = id;
  span.name = text_of(at(own, "name"));
  span.start_ns = time_ns_of(at(own, "timestamp"));
  span.end_ns = time_ns_of(at(own, "end_time"));
  for (const Tree& one : observations) {
    const bool is_top = at(one, "parentObservationId").is_null();
    span.is_error = span.is_error || (is_whole && is_top && text_of(at(one, "level")) == "ERROR");
    if (is_whole) span.end_ns = std::max(span.end_ns, time_ns_of(at(one, "endTime")));
  }
  // A trace is never said to have ended; its output comes when what it is about is done.
  const bool has_output = !at(own, "output").is_null();
  if (span.end_ns == 0 && has_output) span.end_ns = time_ns_of(at(own, "said_at"));
  if (!has_output && !is_whole) span.end_ns = 0;
  span.is_open = span.end_ns == 0;
  out.open(span);
  out.put_text("type", "trace");
  for (const char* name : {"environment", "sessionId", "userId", "release", "version"}) {
    out.put(name, at(own, name));
  }
  for (const char* name : {"input", "output", "metadata", "tags"}) {
    if (!at(own, name).is_null()) out.put_all(name, at(own, name));
  }
  out.close();
}

void write_observation(std::string_view trace_id, const Tree& one, const std::set<std::string>& tools,
                       SpanWriter& out) {
  std::string type = in_lower_case(text_of(at(one, "type")));
  Span span;
  span.trace_id = trace_id;
  span.span_id = text_of(at(one, "id"));
  span.parent_span_id = text_of(at(one, "parentObservationId"));
  if (span.parent_span_id.empty() && span.span_id != span.trace_id) span.parent_span_id = span.trace_id;
  span.name = text_of(at(one, "name"));
  span.start_ns = time_ns_of(at(one, "startTime"));
  span.end_ns = time_ns_of(at(one, "endTime"));
  if (type == "event" && span.end_ns == 0) span.end_ns = span.start_ns;
  span.is_open = span.end_ns == 0;
  span.status_message = text_of(at(one, "statusMessage"));
  if (type == "span" && is_tool(span.name, tools)) type = "tool";
  out.open(span);
  out.put_text("type", out.keep(std::move(type)));
  for (const char* name : {"level", "model", "environment", "version", "promptName", "promptVersion"}) {
    out.put(name, at(one, name));
  }
  const Tree& details = at(one, "usageDetails");
  if (details.is_object() && !details.empty()) {
    out.put_text("usageDetails", out.keep(dump(details)));
  } else if (at(one, "usage").is_object()) {
    out.put_all("usage", at(one, "usage"));
  } else if (integer_of(at(one, "totalUsage")).value_or(0) > 0) {
    for (const char* name : {"inputUsage", "outputUsage"}) out.put(name, at(one, name));
  }
  out.put("costDetails.total", at_path(one, "costDetails.total"));
  for (const char* name : {"input", "output", "metadata", "modelParameters"}) {
    if (!at(one, name).is_null()) out.put_all(name, at(one, name));
  }
  if (const std::int64_t first = time_ns_of(at(one, "completionStartTime")); first > 0) {
    out.put_event("new_token", first);
  }
  out.close();
}

void write_score(std::string_view trace_id, const Tree& score, SpanWriter& out) {
  Span span;
  span.trace_id = trace_id;
  span.span_id = text_of(at(score, "id"));
  span.parent_span_id = span.trace_id;
  span.end_ns = time_ns_of(at(score, "timestamp"));
  if (span.end_ns == 0) span.end_ns = time_ns_of(at(score, "createdAt"));
  if (span.end_ns == 0) span.end_ns = time_ns_of(at(score, "said_at"));
  out.open(span);
  out.put_text("type", "score");
  out.put("score.name", at(score, "name"));
  const Tree& value = at(score, "value");
  const bool is_verdict = value.is_boolean() || text_of(at(score, "dataType")) == "BOOLEAN";
  out.put(is_verdict ? "score.verdict" : "score.value", value);
  if (!at(score, "comment").is_null()) out.put_all("score.comment", at(score, "comment"));
  out.close();
}

void write(Trace trace, SpanWriter& out) {
  std::set<std::string> tools;
  for (const Tree& one : trace.observations) collect_tools(one, tools, 0, 0);
  // What is written are views: the trees stay with the writer.
  const Tree& own = out.keep(std::move(trace.own));
  const Tree& observations = out.keep(std::move(trace.observations));
  const Tree& scores = out.keep(std::move(trace.scores));
  const std::string_view id = out.keep(std::move(trace.id));
  if (own.is_object()) write_trace(id, own, observations, trace.is_whole, out);
  for (const Tree& one : observations) write_observation(id, one, tools, out);
  for (const Tree& score : scores) write_score(id, score, out);
}

// "generation-update" says what kind of thing its body is, "observation-create" leaves that to the body.
std::string kind_of(std::string_view type) {
  const std::size_t dash = type.rfind('-');
  return std::string(type.substr(0, dash));
}

void read_batch(const Tree& events, SpanWriter& out) {
  std::map<std::string, Trace> traces;
  std::vector<std::string> order;
  std::map<std::string, std::string> trace_of;                          // by observation
  std::map<std::pair<std::string, std::string>, std::size_t> place_of;  // of an observation in its trace
  const auto trace_called = [&](const std::string& id) -> Trace& {
    const auto [place, is_new] = traces.try_emplace(id);
    if (is_new) order.push_back(id);
    place->second.id = id;
    return place->second;
  };
  for (const Tree& event : events) {
    const std::string kind = kind_of(text_of(at(event, "type")));
    Tree body = at(event, "body");
    if (!body.is_object() || kind == "sdk") continue;
    body["said_at"] = at(event, "timestamp");
    const std::string id(text_of(at(body, "id")));
    if (kind == "trace") {
      Trace& trace = trace_called(id);
      if (trace.own.is_null()) trace.own = Tree::object();
      // When it began was said first.
      if (at(trace.own, "timestamp").is_primitive() && !at(trace.own, "timestamp").is_null()) body.erase("timestamp");
      lay_over(trace.own, body);
      continue;
    }
    std::string trace_id(text_of(at(body, "traceId")));
    if (trace_id.empty()) trace_id = trace_of[id];
    if (trace_id.empty()) trace_id = id;
    Trace& trace = trace_called(trace_id);
    if (kind == "score") {
      trace.scores.push_back(std::move(body));
      continue;
    }
    trace_of[id] = trace_id;
    if (kind != "observation") body["type"] = kind;
    const auto [place, is_new] = place_of.try_emplace({trace_id, id}, trace.observations.size());
    if (is_new) trace.observations.push_back(Tree::object());
    lay_over(trace.observations[place->second], body);
  }
  for (const std::string& id : order) write(std::move(traces[id]), out);
}

}  // namespace

bool read_langfuse(const Tree& root, SpanWriter& out) {
  const Tree& events = at(root, "batch");
  if (events.is_array() && (events.empty() || at(events.front(), "body").is_object())) {
    read_batch(events, out);
    return true;
  }
  if (root.is_array() && !root.empty() && is_observation(root.front())) {
    std::map<std::string, Trace> traces;
    for (const Tree& one : root) traces[std::string(text_of(at(one, "traceId")))].observations.push_back(one);
    for (auto& [id, own] : traces) {
      own.id = id;
      own.is_whole = true;
      write(std::move(own), out);
    }
    return true;
  }
  const Tree* list = nullptr;
  Trace trace;
  trace.is_whole = true;
  if (at(root, "observations").is_array()) {
    list = &at(root, "observations");
    trace.own = at(root, "trace").is_object() ? at(root, "trace") : root;
  } else if (at_path(root, "trace.observations").is_array()) {
    trace.own = at(root, "trace");
    list = &at_path(root, "trace.observations");
  }
  if (list == nullptr && !is_observation(root)) return false;
  if (list != nullptr && !list->empty() && !is_observation(list->front())) return false;
  if (list == nullptr) {
    trace.observations.push_back(root);
  } else {
    for (const Tree& one : *list) trace.observations.push_back(one);
  }
  trace.id = text_of(at(trace.own, "id"));
  if (trace.id.empty() && !trace.observations.empty()) trace.id = text_of(at(trace.observations.front(), "traceId"));
  for (const Tree& score : at(trace.own, "scores")) trace.scores.push_back(score);
  if (trace.own.is_object()) {
    trace.own.erase("observations");
    trace.own.erase("scores");
  }
  write(std::move(trace), out);
  return true;
}

}  // namespace tocsin::vendor
