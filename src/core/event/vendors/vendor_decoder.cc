#include "core/event/vendors/vendor_decoder.h"

#include <map>
#include <string>
#include <vector>

#include "core/event/vendors/multipart.h"
#include "core/event/vendors/vendors.h"

namespace tocsin {

namespace {

using vendor::Tree;

// A file that goes with a run, where it is a text: what is none is nobody's to scan.
void add_attachment(Tree& batch, std::string_view run, std::string_view bytes) {
  constexpr std::size_t looked_at = 1'024;
  if (bytes.substr(0, looked_at).find('\0') != std::string_view::npos) return;
  batch[vendor::attachments_of_batch].push_back(Tree{{"run_id", run}, {"text", bytes}});
}

// "post.ID", "post.ID.inputs", "patch.ID.error": the fields of runs one by one, as a batch of whole ones, with the
// files ("attachment.ID.NAME") and the feedback ("feedback.ID") that come with them. Nothing where a part is no JSON.
std::optional<Tree> batch_of(const std::vector<vendor::Part>& parts) {
  Tree batch = Tree::object();
  std::map<std::string, std::size_t> places;
  for (const vendor::Part& part : parts) {
    const std::string_view kind = part.name.substr(0, part.name.find('.'));
    const std::string_view rest = part.name.substr(std::min(part.name.size(), kind.size() + 1));
    const std::string id(rest.substr(0, rest.find('.')));
    if (kind == "attachment") add_attachment(batch, id, part.body);
    if (kind == "feedback") {
      auto feedback = vendor::parse_json(part.body);
      if (!feedback || !feedback->is_object()) return std::nullopt;
      batch[vendor::feedback_of_batch].push_back(std::move(*feedback));
    }
    if (kind != "post" && kind != "patch") continue;
    const std::string field(rest.substr(std::min(rest.size(), id.size() + 1)));
    auto value = vendor::parse_json(part.body);
    if (!value || id.empty() || (field.empty() && !value->is_object())) return std::nullopt;
    Tree& list = batch[std::string(kind)];
    const auto [place, is_new] = places.try_emplace(std::string(kind) + "." + id, list.size());
    if (is_new) list.push_back(Tree{{"id", id}});
    Tree& run = list[place->second];
    if (field.empty()) {
      vendor::lay_over(run, *value);
    } else {
      run[field] = std::move(*value);
    }
  }
  if (batch.empty()) return std::nullopt;
  return batch;
}

}  // namespace

struct VendorDecoder::State {
  Tree tree;  // what the batch's texts are views into
  vendor::SpanWriter writer;
  SpanBatch batch;

  void begin(std::string_view vendor) { writer.begin(batch, vendor); }

  // In the order in which they are told apart best.
  bool read_any() {
    begin("langsmith");
    if (vendor::read_langsmith(tree, writer)) return true;
    begin("langfuse");
    if (vendor::read_langfuse(tree, writer)) return true;
    begin("datadog");
    if (vendor::read_datadog(tree, writer)) return true;
    begin("helicone");
    if (vendor::read_helicone(tree, {}, writer)) return true;
    begin({});
    return vendor::read_otel_export(tree, writer);
  }

  Result<const SpanBatch*, DecodeError> decode(Door door, const Upload& upload, std::string_view body);

  Result<const SpanBatch*, DecodeError> done(bool is_known) {
    if (!is_known) return DecodeError::unknown_form;
    if (writer.is_over_limit()) return DecodeError::too_many_keys;
    return &batch;
  }

  std::optional<DecodeError> parse(std::string_view body, std::string_view content_type) {
    const bool is_packed = content_type.find("msgpack") != std::string_view::npos;
    auto parsed = is_packed ? vendor::parse_msgpack(body) : vendor::parse_json(body);
    if (!parsed) return is_packed ? DecodeError::not_msgpack : DecodeError::not_json;
    tree = std::move(*parsed);
    return std::nullopt;
  }
};

VendorDecoder::VendorDecoder() : state_(std::make_unique<State>()) {}
VendorDecoder::~VendorDecoder() = default;

void VendorDecoder::know(std::shared_ptr<const DialectIndex> names) {
  state_->writer.know(std::move(names));
}

std::vector<std::string> VendorDecoder::ids_of_batch() const {
  std::vector<std::string> ids;
  for (const Tree& event : vendor::at(state_->tree, "batch")) {
    const std::string_view id = vendor::text_of(vendor::at(event, "id"));
    if (!id.empty()) ids.emplace_back(id);
  }
  return ids;
}

Result<const SpanBatch*, DecodeError> VendorDecoder::decode(std::string_view record) {
  return decode(Door::none, Upload{}, record);
}

Result<const SpanBatch*, DecodeError> VendorDecoder::decode(Door door, const Upload& upload, std::string_view body) {
  try {
    return state_->decode(door, upload, body);
  } catch (const Tree::exception&) {  // its text holds what was posted
    return DecodeError::not_json;
  }
}

Result<const SpanBatch*, DecodeError> VendorDecoder::State::decode(Door door, const Upload& upload,
                                                                   std::string_view body) {
  if (door == Door::langsmith_multipart) {
    auto runs = batch_of(vendor::parts_of(upload.content_type, body));
    if (!runs) return DecodeError::not_multipart;
    tree = std::move(*runs);
  } else if (const auto error = parse(body, upload.content_type)) {
    return *error;
  }
  switch (door) {
    case Door::langsmith_run: {
      // The run that is patched is named by the path.
      const std::string_view path = upload.path.substr(0, upload.path.find('?'));
      const std::string_view id = path.substr(path.rfind('/') + 1);
      if (tree.is_object() && !tree.contains("id") && id != "runs") tree["id"] = id;
      [[fallthrough]];
    }
    case Door::langsmith_feedback:
      if (door == Door::langsmith_feedback) tree = Tree{{vendor::feedback_of_batch, Tree::array({std::move(tree)})}};
      [[fallthrough]];
    case Door::langsmith_batch:
    case Door::langsmith_multipart:
      begin("langsmith");
      return done(vendor::read_langsmith(tree, writer));
    case Door::langfuse:
      begin("langfuse");
      return done(vendor::read_langfuse(tree, writer));
    case Door::datadog_traces:
    case Door::datadog_llmobs: {
      begin("datadog");
      const bool is_known = vendor::read_datadog(tree, writer);
      // Traces of anything come to a tracer's door.
      return done(is_known || (door == Door::datadog_traces && tree.is_array()));
    }
    case Door::helicone:
      begin("helicone");
      return done(vendor::read_helicone(tree, upload.headers, writer));
    default:
      return done(read_any());
  }
}

}  // namespace tocsin
