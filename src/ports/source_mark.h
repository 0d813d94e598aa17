// What stands in front of a source partition's position, for whoever goes on from there: under which number the
// partition goes, which must be the same everywhere and for ever, and how many partitions its topic had.
//
// As text: "@NUMBER/READ/PARTITIONS/UNTIL ", and behind it the position. Positions of earlier versions have none.

#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/units.h"

namespace tocsin {

struct SourceMark {
  std::int32_t number = 0;
  std::int32_t read = 0;        // of the partitions of its topic: the others came later
  std::int32_t partitions = 0;  // of its topic, those that came later among them
  // Log time until which tasks may have events in another partition, as the topic got more partitions.
  RecordTime moving_until = before_all;

  std::string to_text() const {
    return "@" + std::to_string(number) + "/" + std::to_string(read) + "/" + std::to_string(partitions) + "/" +
           std::to_string(moving_until.since_epoch.count()) + " ";
  }
};

// The mark and what stands behind it. No mark where there is none, or none that can be read.
inline std::pair<std::optional<SourceMark>, std::string_view> split_mark(std::string_view metadata) {
  SourceMark mark;
  std::int64_t until = 0;
  const char* at = metadata.data();
  const char* const end = at + metadata.size();
  const auto take = [&](char before, auto& number) {
    if (at == end || *at != before) return false;
    const auto [next, error] = std::from_chars(at + 1, end, number);
    at = next;
    return error == std::errc{};
  };
  const bool good = take('@', mark.number) && take('/', mark.read) && take('/', mark.partitions) &&
                    take('/', until) && at != end && *at == ' ';
  if (!good) return {std::nullopt, metadata};
  mark.moving_until = RecordTime{Duration{until}};
  return {mark, metadata.substr(static_cast<std::size_t>(at + 1 - metadata.data()))};
}

}  // namespace tocsin
