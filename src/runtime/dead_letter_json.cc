#include "runtime/dead_letter_json.h"

#include "base/json.h"
#include "base/json_version.h"

namespace tocsin {

std::string dead_letter_json(std::string_view topic, std::int32_t partition, const DeadLetter& letter) {
  return dump({{"topic", topic},
               {"partition", partition},
               {"offset", letter.offset},
               {"reason", name_of(letter.reason)},
               {"bytes", letter.bytes},
               {"version", json_version}});
}

}  // namespace tocsin
