#include "app/http_recording.h"

#include "base/ascii.h"
#include "base/json.h"
#include "edge/http/base64.h"

namespace tocsin {

std::optional<HttpRecording> HttpRecording::parse(std::string_view line) {
  const auto json = parse_json(line);
  if (!json.is_object()) return std::nullopt;
  const auto text = [&](const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string{};
  };
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
