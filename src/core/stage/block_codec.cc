#include "core/stage/block_codec.h"

#include <utility>

#include "core/stage/stage_wire.h"

namespace tocsin {

namespace {

constexpr std::uint8_t block_version = 5;
constexpr std::uint8_t finding_version = 3;

template <class T>
std::optional<T> read(std::string_view bytes, std::uint8_t version) {
  const auto parts = wire::parts_of(bytes);
  T value;
  if (!parts || !wire::read(parts->record, version, value, wire::describe)) return std::nullopt;
  return value;
}

}  // namespace

std::string encode(const Block& block) {
  return wire::write(block, block_version, wire::describe);
}
std::optional<Block> decode_block(std::string_view bytes) {
  return read<Block>(bytes, block_version);
}
std::string encode(const UrgentFinding& finding) {
  return wire::write(finding, finding_version, wire::describe);
}
std::optional<UrgentFinding> decode_finding(std::string_view bytes) {
  return read<UrgentFinding>(bytes, finding_version);
}

}  // namespace tocsin
