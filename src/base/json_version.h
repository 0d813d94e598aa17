// The version that each JSON record of a topic carries as "version". Members are added under the same one, and
// readers pass over those that they do not know; a record of another version can't be read. One without is of
// version 1.

#pragma once

namespace tocsin {

inline constexpr int json_version = 1;

template <class Json>
bool has_readable_version(const Json& object) {
  const auto found = object.find("version");
  return found == object.end() || *found == json_version;
}

}  // namespace tocsin
