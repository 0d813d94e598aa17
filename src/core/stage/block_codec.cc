#include "core/stage/block_codec.h"

#include <bit>
#include <utility>

namespace tocsin {

namespace {

constexpr std::uint8_t block_version = 2;
constexpr std::uint8_t finding_version = 2;

// One description of each type serves both directions: a Writer appends what a Reader takes back.
class Writer {
 public:
  static constexpr bool reads = false;

  void number(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<char>(value | 0x80));
    bytes_.push_back(static_cast<char>(value));
  }
  void text(const std::string& text) {
    number(text.size());
    bytes_ += text;
  }
  template <class T, class Item>
  void list(std::vector<T>& items, Item item) {
    number(items.size());
    for (T& one : items) item(one);
  }
  bool good() const { return true; }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class Reader {
 public:
  static constexpr bool reads = true;

  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  void number(std::uint64_t& value) {
    value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (bytes_.empty()) return fail();
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return;
    }
    fail();
  }
  void text(std::string& text) {
    std::uint64_t size = 0;
    number(size);
    if (size > bytes_.size()) return fail();
    text.assign(bytes_.substr(0, size));
    bytes_.remove_prefix(size);
  }
  template <class T, class Item>
  void list(std::vector<T>& items, Item item) {
    std::uint64_t size = 0;
    number(size);
    if (size > bytes_.size()) return fail();  // an item has one byte at least
    items.clear();
    for (std::uint64_t i = 0; i < size && good_; ++i) item(items.emplace_back());
  }
  void fail() {
    good_ = false;
    bytes_ = {};
  }
  bool good() const { return good_; }
  bool at_end() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
  bool good_ = true;
};

void pass(Writer& out, std::int64_t& value) {
  out.number((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
}
void pass(Reader& in, std::int64_t& value) {
  std::uint64_t raw = 0;
  in.number(raw);
  value = static_cast<std::int64_t>(raw >> 1) ^ -static_cast<std::int64_t>(raw & 1);
}

template <class Coder, class Integer>
void pass_integer(Coder& coder, Integer& value) {
  auto wide = static_cast<std::int64_t>(value);
  pass(coder, wide);
  value = static_cast<Integer>(wide);
}

template <class Coder>
void pass(Coder& coder, bool& value) {
  pass_integer(coder, value);
}
template <class Coder>
void pass(Coder& coder, std::string& text) {
  coder.text(text);
}
template <class Coder>
void pass(Coder& coder, double& value) {
  auto bits = std::bit_cast<std::int64_t>(value);
  pass(coder, bits);
  value = std::bit_cast<double>(bits);
}
template <class Coder>
void pass(Coder& coder, Duration& duration) {
  std::int64_t count = duration.count();
  pass(coder, count);
  duration = Duration{count};
}
template <class Coder>
void pass(Coder& coder, RecordTime& time) {
  pass(coder, time.since_epoch);
}
template <class Coder>
void pass(Coder& coder, EventTime& time) {
  Duration since = time.time_since_epoch();
  pass(coder, since);
  time = EventTime{since};
}

// An enumeration of `count` values; a reader refuses others.
template <class Coder, class Enum>
void pass_enum(Coder& coder, Enum& value, std::int64_t count) {
  auto number = static_cast<std::int64_t>(value);
  pass(coder, number);
  if constexpr (Coder::reads) {
    if (number < 0 || number >= count) return coder.fail();
  }
  value = static_cast<Enum>(number);
}

template <class Coder>
void pass(Coder& coder, Example& example) {
  pass(coder, example.correlation_id);
  pass(coder, example.amount);
}

template <class Coder>
void pass_distinct(Coder& coder, DistinctSet& set) {
  std::vector<std::uint64_t> hashes(set.hashes().begin(), set.hashes().end());
  std::vector<std::uint8_t> registers(set.registers().begin(), set.registers().end());
  coder.list(hashes, [&](std::uint64_t& hash) { coder.number(hash); });
  coder.list(registers, [&](std::uint8_t& rank) { pass_integer(coder, rank); });
  if constexpr (Coder::reads) {
    const std::size_t full = std::size_t{1} << DistinctSet::register_bits;
    if (!registers.empty() && registers.size() != full) return coder.fail();
    set = DistinctSet::from_parts(std::move(hashes), std::move(registers));
  }
}

template <class Coder>
void pass(Coder& coder, Cell& cell) {
  pass_integer(coder, cell.aggregate);
  pass(coder, cell.group);
  pass(coder, cell.totals.sum);
  pass(coder, cell.totals.count);
  coder.list(cell.examples, [&](Example& example) { pass(coder, example); });
  pass_distinct(coder, cell.distinct);
}

template <class Coder>
void pass(Coder& coder, Sighting& sighting) {
  pass(coder, sighting.agent);
  pass_enum(coder, sighting.field, string_field_count);
  pass(coder, sighting.value);
}

template <class Coder>
void pass(Coder& coder, TaskNews& news) {
  pass_enum(coder, news.kind, 3);
  pass_integer(coder, news.rule);
  pass(coder, news.group);
  pass(coder, news.started);
  pass(coder, news.elapsed);
  pass(coder, news.limit);
  pass(coder, news.wall_clock);
  pass_enum(coder, news.outcome, 6);
}

template <class Coder>
void pass(Coder& coder, HaltRecord& halt) {
  pass(coder, halt.id);
  pass(coder, halt.scope);
  pass_enum(coder, halt.state, 3);
  pass(coder, halt.rule);
  pass(coder, halt.reason);
  pass(coder, halt.pattern);
  pass(coder, halt.fingerprint);
  pass(coder, halt.env);
  pass(coder, halt.agent);
  pass(coder, halt.correlation_id);
  pass_integer(coder, halt.count);
  pass(coder, halt.first_at);
  pass(coder, halt.last_at);
  pass(coder, halt.expires_at);
}

template <class Coder>
void pass(Coder& coder, UrgentFinding& finding) {
  pass(coder, finding.id);
  pass_integer(coder, finding.rule);
  pass(coder, finding.group);
  pass(coder, finding.pattern);
  pass(coder, finding.fingerprint);
  pass(coder, finding.place);
  pass(coder, finding.correlation_id);
  pass(coder, finding.event_time);
  pass(coder, finding.at);
  bool has_halt = finding.halt.has_value();
  pass(coder, has_halt);
  if (has_halt && !finding.halt) finding.halt.emplace();
  if (has_halt) pass(coder, *finding.halt);
  pass(coder, finding.is_repeat);
  pass_enum(coder, finding.notice, 3);
}

template <class Coder>
void pass(Coder& coder, Block& block) {
  pass_integer(coder, block.partition);
  pass(coder, block.grid);
  pass(coder, block.rule_set);
  pass(coder, block.idle);
  pass(coder, block.records);
  pass(coder, block.groups_over_cap);
  coder.list(block.cells, [&](Cell& cell) { pass(coder, cell); });
  coder.list(block.sightings, [&](Sighting& sighting) { pass(coder, sighting); });
  coder.list(block.tasks, [&](TaskNews& news) { pass(coder, news); });
  coder.list(block.findings, [&](UrgentFinding& finding) { pass(coder, finding); });
}

template <class T>
std::string write(const T& value, std::uint8_t version) {
  Writer writer;
  writer.number(version);
  T copy = value;  // the description takes what a reader fills
  pass(writer, copy);
  return writer.take();
}

template <class T>
std::optional<T> read(std::string_view bytes, std::uint8_t version) {
  Reader reader(bytes);
  std::uint64_t found = 0;
  reader.number(found);
  T value;
  if (found == version) pass(reader, value);
  if (found != version || !reader.good() || !reader.at_end()) return std::nullopt;
  return value;
}

}  // namespace

std::string encode(const Block& block) {
  return write(block, block_version);
}
std::optional<Block> decode_block(std::string_view bytes) {
  return read<Block>(bytes, block_version);
}
std::string encode(const UrgentFinding& finding) {
  return write(finding, finding_version);
}
std::optional<UrgentFinding> decode_finding(std::string_view bytes) {
  return read<UrgentFinding>(bytes, finding_version);
}

}  // namespace tocsin
