#include "core/stage/block_codec.h"

#include <utility>

#include "core/stage/stage_wire.h"

namespace tocsin {

namespace {

constexpr std::uint8_t block_version = 4;
constexpr std::uint8_t finding_version = 3;

template <class T>
std::optional<T> read(std::string_view bytes, std::uint8_t version) {
  const auto parts = wire::parts_of(bytes);
  T value;
  if (!parts || !wire::read(parts->record, version, value, wire::describe)) return std::nullopt;
  return value;
}

// The first section: which rules the block was made by. Releases that knew no epochs wrote none.
template <class Coder>
void pass_epoch(Coder& coder, Block& block) {
  wire::pass(coder, block.epoch);
  wire::pass(coder, block.promise.number);
  wire::pass(coder, block.promise.until);
}

}  // namespace

std::string encode(const Block& block) {
  const std::string record = wire::write(block, block_version, wire::describe);
  wire::Writer writer;
  Block copy;
  copy.epoch = block.epoch;
  copy.promise = block.promise;
  pass_epoch(writer, copy);
  std::string sections;
  wire::append_section(sections, writer.take());
  return wire::join(record, sections);
}

std::optional<Block> decode_block(std::string_view bytes) {
  auto block = read<Block>(bytes, block_version);
  if (!block) return std::nullopt;
  std::string_view sections = wire::parts_of(bytes)->sections;
  if (sections.empty()) return block;
  wire::Reader reader(*wire::next_section(sections));
  pass_epoch(reader, *block);
  return reader.read_all() ? std::move(block) : std::nullopt;
}

std::string encode(const UrgentFinding& finding) {
  return wire::write(finding, finding_version, wire::describe);
}
std::optional<UrgentFinding> decode_finding(std::string_view bytes) {
  return read<UrgentFinding>(bytes, finding_version);
}

}  // namespace tocsin
