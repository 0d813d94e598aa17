// One record of what a stage's partition knows, as it stands in a compacted topic: its process may end, this stays.

#pragma once

#include <string>
#include <vector>

namespace tocsin {

struct StateRecord {
  std::string key;
  std::string value;  // empty: the key is forgotten
};

}  // namespace tocsin
