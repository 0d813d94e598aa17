// A record of the topic `dead-letters`: where the record that could not be read stands, and why; never a byte of it.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/stage/ingest_stage.h"

namespace tocsin {

std::string dead_letter_json(std::string_view topic, std::int32_t partition, const DeadLetter& letter);

}  // namespace tocsin
