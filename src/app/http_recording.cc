#include "app/http_recording.h"

#include "base/ascii.h"
#include "core/event/vendors/tree.h"
#include "edge/http/base64.h"

namespace tocsin {

std::optional<HttpRecording> HttpRecording::parse(std::string_view line) {
  const auto parsed = vendor::parse_json(line);
  if (!parsed || !parsed->is_object()) return std::nullopt;
  const vendor::Tree& json = *parsed;
  const auto text = [&](const char* name) { return std::string(vendor::text_of(vendor::at(json, name))); };
  HttpRecording recording;
  recording.method = text("method");
  recording.path = text("path");
  if (recording.path.empty()) return std::nullopt;
  recording.body = text("body");
  if (const std::string packed = text("body_b64"); !packed.empty()) {
    auto bytes = from_base64(packed);
    if (!bytes) return std::nullopt;
    recording.body = std::move(*bytes);
  }
  const auto headers = json.find("headers");
  if (headers == json.end() || !headers->is_object()) return recording;
  for (auto header = headers->begin(); header != headers->end(); ++header) {
    if (!header.value().is_string()) continue;
    const std::string name = in_lower_case(header.key());
    const auto value = header.value().get<std::string>();
    if (name == "content-type") recording.content_type = value;
    if (name == "content-encoding") recording.content_encoding = value;
    if (is_part_of_upload(name)) recording.helicone.emplace_back(name, value);
  }
  return recording;
}

}  // namespace tocsin
