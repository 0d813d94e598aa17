#include "core/stage/block_codec.h"

#include <algorithm>
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

// The second: what new aggregates missed.
template <class Coder>
void pass_past(Coder& coder, std::int64_t& owes_past_of, Past& past) {
  wire::pass(coder, owes_past_of);
  wire::pass(coder, past);
}

// The third, and the first of a finding of its own: what pages and investigations say beside it. The fourth is what
// rules counted within tasks.
template <class Coder>
void pass_pointers(Coder& coder, UrgentFinding& finding) {
  wire::pass(coder, finding.rotate);
  wire::pass(coder, finding.record);
}

// The fourth: of cells that have one, their place in the list and their distribution.
template <class Coder>
void pass_distributions(Coder& coder, std::vector<Cell>& cells) {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (!cells[i].distribution.empty()) places.push_back(i);
  }
  coder.list(places, [&](std::size_t& place) {
    std::uint64_t number = place;
    coder.number(number);
    if constexpr (Coder::reads) {
      if (number >= cells.size()) return coder.fail();
    }
    wire::pass(coder, cells[number].distribution);
  });
}

}  // namespace

std::string encode(const Block& block) {
  const std::string record = wire::write(block, block_version, wire::describe);
  std::string sections;
  wire::Writer epochs;
  std::int64_t epoch = block.epoch;
  Promise promise = block.promise;
  pass_epoch(epochs, epoch, promise);
  wire::append_section(sections, epochs.take());
  wire::Writer pasts;
  std::int64_t owes_past_of = block.owes_past_of;
  Past past = block.past;
  pass_past(pasts, owes_past_of, past);
  wire::append_section(sections, pasts.take());
  wire::Writer pointers;
  for (UrgentFinding finding : block.findings) pass_pointers(pointers, finding);
  wire::append_section(sections, pointers.take());
  wire::Writer distributions;
  std::vector<Cell> cells;
  const bool has_distributions = std::any_of(block.cells.begin(), block.cells.end(),
                                             [](const Cell& cell) { return !cell.distribution.empty(); });
  if (has_distributions) cells = block.cells;
  pass_distributions(distributions, cells);
  wire::append_section(sections, distributions.take());
  wire::Writer counts;
  for (TaskNews news : block.tasks) wire::pass_count(counts, news);
  wire::append_section(sections, counts.take());
  return wire::join(record, sections);
}

std::optional<Block> decode_block(std::string_view bytes) {
  auto parts = wire::parts_of(bytes);
  Block block;
  if (!parts || !wire::read(parts->record, block_version, block, wire::describe)) return std::nullopt;
  if (parts->sections.empty()) return block;
  wire::Reader epochs(*wire::next_section(parts->sections));
  pass_epoch(epochs, block.epoch, block.promise);
  if (!epochs.read_all()) return std::nullopt;
  if (parts->sections.empty()) return block;
  wire::Reader pasts(*wire::next_section(parts->sections));
  pass_past(pasts, block.owes_past_of, block.past);
  if (!pasts.read_all()) return std::nullopt;
  if (parts->sections.empty()) return block;
  wire::Reader pointers(*wire::next_section(parts->sections));
  for (UrgentFinding& finding : block.findings) pass_pointers(pointers, finding);
  if (!pointers.read_all()) return std::nullopt;
  if (parts->sections.empty()) return block;
  wire::Reader distributions(*wire::next_section(parts->sections));
  pass_distributions(distributions, block.cells);
  if (!distributions.read_all()) return std::nullopt;
  if (parts->sections.empty()) return block;
  wire::Reader counts(*wire::next_section(parts->sections));
  for (TaskNews& news : block.tasks) wire::pass_count(counts, news);
  if (!counts.read_all()) return std::nullopt;
  return block;
}

std::string encode(const UrgentFinding& finding) {
  wire::Writer pointers;
  UrgentFinding copy = finding;
  pass_pointers(pointers, copy);
  std::string sections;
  wire::append_section(sections, pointers.take());
  return wire::join(wire::write(finding, finding_version, wire::describe), sections);
}
std::optional<UrgentFinding> decode_finding(std::string_view bytes) {
  auto parts = wire::parts_of(bytes);
  UrgentFinding finding;
  if (!parts || !wire::read(parts->record, finding_version, finding, wire::describe)) return std::nullopt;
  if (parts->sections.empty()) return finding;
  wire::Reader pointers(*wire::next_section(parts->sections));
  pass_pointers(pointers, finding);
  if (!pointers.read_all()) return std::nullopt;
  return finding;
}

}  // namespace tocsin
