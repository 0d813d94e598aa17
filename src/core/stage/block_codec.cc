#include "core/stage/block_codec.h"

#include <utility>

#include "core/stage/stage_wire.h"

namespace tocsin {

namespace {

constexpr std::uint8_t block_version = 4;
constexpr std::uint8_t finding_version = 3;

// The first section: which rules the block was made by. Releases that knew no epochs wrote none.
template <class Coder>
void pass_epoch(Coder& coder, std::int64_t& epoch, Promise& promise) {
  wire::pass(coder, epoch);
  wire::pass(coder, promise.number);
  wire::pass(coder, promise.until);
}

}  // namespace

std::string encode(const Block& block) {
  const std::string record = wire::write(block, block_version, wire::describe);
  wire::Writer writer;
  std::int64_t epoch = block.epoch;
  Promise promise = block.promise;
  pass_epoch(writer, epoch, promise);
  std::string sections;
  wire::append_section(sections, writer.take());
  return wire::join(record, sections);
}

std::optional<Block> decode_block(std::string_view bytes) {
  auto parts = wire::parts_of(bytes);
  Block block;
  if (!parts || !wire::read(parts->record, block_version, block, wire::describe)) return std::nullopt;
  if (parts->sections.empty()) return block;
  wire::Reader reader(*wire::next_section(parts->sections));
  pass_epoch(reader, block.epoch, block.promise);
  if (!reader.read_all()) return std::nullopt;
  return block;
}

std::string encode(const UrgentFinding& finding) {
  return wire::write(finding, finding_version, wire::describe);
}
std::optional<UrgentFinding> decode_finding(std::string_view bytes) {
  const auto parts = wire::parts_of(bytes);
  UrgentFinding finding;
  if (!parts || !wire::read(parts->record, finding_version, finding, wire::describe)) return std::nullopt;
  return finding;
}

}  // namespace tocsin
