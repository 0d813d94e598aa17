#include "base/json.h"

namespace tocsin {

Json parse_json(std::string_view text) {
  return Json::parse(text, nullptr, false);
}

Json parse_json(std::string_view text, int most_levels) {
  return Json::parse(
      text, [most_levels](int depth, Json::parse_event_t, const Json&) { return depth < most_levels; }, false);
}

std::string dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string text_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

}  // namespace tocsin
