#include "core/stage/ingest_state.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <utility>

#include "base/wire.h"

namespace tocsin {

namespace {

constexpr std::uint64_t task_version = 1;
constexpr std::uint64_t halt_version = 1;
constexpr std::uint64_t page_version = 1;
constexpr std::int64_t position_version = 1;
constexpr std::size_t first_numbers = 7 + UnkeyedWatch::enough;  // an earlier release's

using wire::pass;
using wire::pass_enum;
using wire::Reader;
using wire::Writer;

template <class Coder>
void pass_hashes(Coder& coder, std::vector<std::uint64_t>& hashes) {
  std::uint64_t size = hashes.size();
  coder.number(size);
  if constexpr (Coder::reads) {
    if (size > coder.left() / 8) return coder.fail();
    hashes.resize(size);
  }
  for (std::uint64_t& hash : hashes) coder.bits(hash);
}

template <class Coder>
void pass(Coder& coder, Task& task, std::vector<std::uint64_t>& fired_rules) {
  for (std::string& field : task.fields) coder.text(field);
  pass(coder, task.started);
  pass(coder, task.ended);
  pass(coder, task.paused);
  pass(coder, task.paused_for);
  pass(coder, task.last_event);
  pass(coder, task.wall_clock);
  pass(coder, task.forget_at);
  pass_enum(coder, task.saw_start, 2);
  pass_enum(coder, task.is_unkeyed, 2);
  pass_hashes(coder, fired_rules);
}

// What releases before did not know of a task.
template <class Coder>
void pass_more(Coder& coder, Task& task) {
  pass(coder, task.was_handed_over);
  pass(coder, task.session);
  for (auto* const sum : {&task.tokens_in, &task.tokens_out, &task.tokens_cached, &task.cost}) pass(coder, *sum);
}

template <class Coder>
void pass(Coder& coder, TaskAttribute& attribute) {
  coder.text(attribute.name);
  coder.text(attribute.value);
}

std::string more_of(Task task) {
  const bool has_more = task.was_handed_over || !task.session.empty() || task.tokens_in || task.tokens_out ||
                        task.tokens_cached || task.cost;
  Writer writer;
  if (has_more) pass_more(writer, task);
  return writer.take();
}

std::string attributes_of(Task task) {
  std::erase_if(task.attributes, [](const TaskAttribute& one) { return one.value.empty(); });
  Writer writer;
  if (!task.attributes.empty()) {
    writer.list(task.attributes, [&](TaskAttribute& one) { pass(writer, one); });
  }
  return writer.take();
}

template <class Coder>
void pass_amount(Coder& coder, std::int64_t& amount) {
  pass(coder, amount);
  if constexpr (Coder::reads) {
    if (amount < 0 || amount > largest_number) coder.fail();
  }
}

// And what rules count of it, and under which labels they spoke of it.
template <class Coder>
void pass_counts(Coder& coder, Task& task) {
  coder.list(task.counted, [&](CountedKey& one) {
    coder.bits(one.rule);
    coder.bits(one.key);
    coder.text(one.values);
    pass(coder, one.latest);
    pass_amount(coder, one.total);
    std::int64_t before = 0;
    coder.list(one.cells, [&](CountedKey::Cell& cell) {
      std::int64_t step = cell.number - before;  // short, but for the first
      pass(coder, step);
      if constexpr (Coder::reads) {
        const bool fits = std::abs(step) <= largest_number && (before == 0 || step > 0);
        if (!fits) return coder.fail();
        cell.number = before + step;
      }
      before = cell.number;
      pass_amount(coder, cell.amount);
    });
  });
  coder.list(task.said, [&](Task::SaidGroup& one) {
    coder.bits(one.rule);
    coder.text(one.group);
  });
}

std::string counts_of(Task task) {
  Writer writer;
  if (!task.counted.empty() || !task.said.empty()) pass_counts(writer, task);
  return writer.take();
}

// Those at the end that say nothing are left out.
std::string sections_of(const Task& task) {
  const std::array<std::string, task_sections> all{more_of(task), attributes_of(task), counts_of(task)};
  std::size_t used = all.size();
  while (used > 0 && all[used - 1].empty()) --used;
  std::string sections;
  for (std::size_t i = 0; i < used; ++i) wire::append_section(sections, all[i]);
  return sections;
}

template <class Coder>
void pass(Coder& coder, HaltLedger::Known& halt) {
  pass_enum(coder, halt.state, 3);
  coder.number(halt.count);
  pass(coder, halt.first_at);
  pass(coder, halt.expires_at);
  pass(coder, halt.entered_at);
  pass_enum(coder, halt.is_counted, 2);
  coder.text(halt.agent);
}

// A position's numbers, in order.
template <class Visit>
void for_each_number(IngestPosition& position, Visit visit) {
  const auto time = [&](RecordTime& value) {
    std::int64_t number = value.since_epoch.count();
    visit(number);
    value.since_epoch = Duration{number};
  };
  time(position.log_time);
  time(position.next_grid);
  visit(position.leaps_in_a_row);
  time(position.last_held);
  visit(position.generation);
  visit(position.identities);
  time(position.unkeyed.said);
  for (RecordTime& one : position.unkeyed.latest) time(one);
  visit(position.epoch);
  visit(position.promise.number);
  time(position.promise.until);
  for (OwedPast& owed : position.owed) {
    visit(owed.epoch);
    visit(owed.until);
  }
}

template <class T>
std::optional<T> parse(std::string_view text) {
  T number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::string encode(const Task& task, const std::vector<std::uint64_t>& fired_rules) {
  Writer writer;
  writer.number(task_version);
  Task copy = task;  // the description takes what a reader fills
  std::vector<std::uint64_t> copied_rules = fired_rules;
  pass(writer, copy, copied_rules);
  return wire::join(writer.take(), sections_of(task));
}

bool decode_task(std::string_view bytes, Task& task, std::vector<std::uint64_t>& fired_rules) {
  const auto parts = wire::parts_of(bytes);
  if (!parts) return false;
  Reader reader(parts->record);
  std::uint64_t version = 0;
  reader.number(version);
  if (version != task_version) return false;
  pass(reader, task, fired_rules);
  if (!reader.read_all()) return false;
  std::string_view sections = parts->sections;
  task.forget_more();
  task.attributes.clear();
  // Behind each a later release may say more.
  const auto read_next = [&](auto read) {
    const std::string_view section = sections.empty() ? std::string_view{} : *wire::next_section(sections);
    if (section.empty()) return true;
    Reader own(section);
    read(own);
    return own.good();
  };
  return read_next([&](Reader& own) { pass_more(own, task); }) &&
         read_next([&](Reader& own) { own.list(task.attributes, [&](TaskAttribute& one) { pass(own, one); }); }) &&
         read_next([&](Reader& own) { pass_counts(own, task); });
}

std::string encode(const HaltLedger::Known& halt) {
  Writer writer;
  writer.number(halt_version);
  HaltLedger::Known copy = halt;
  pass(writer, copy);
  return writer.take();
}

std::optional<HaltLedger::Known> decode_halt(std::string_view bytes) {
  Reader reader(bytes);
  std::uint64_t version = 0;
  reader.number(version);
  if (version != halt_version) return std::nullopt;
  HaltLedger::Known halt;
  pass(reader, halt);
  return reader.read_all() ? std::optional(halt) : std::nullopt;
}

std::string encode(const RecentIdentities::Page& page) {
  Writer writer;
  writer.number(page_version);
  writer.number(page.generation);
  writer.number(page.identities.size());
  for (const std::uint64_t identity : page.identities) writer.bits(identity);
  return writer.take();
}

std::optional<RecentIdentities::Page> decode_page(std::string_view place, std::string_view bytes,
                                                  std::vector<std::uint64_t>& storage) {
  const auto number = parse<std::size_t>(place);
  Reader reader(bytes);
  std::uint64_t version = 0;
  reader.number(version);
  if (!number || version != page_version) return std::nullopt;
  RecentIdentities::Page page;
  page.place = *number;
  reader.number(page.generation);
  pass_hashes(reader, storage);
  if (!reader.read_all()) return std::nullopt;
  page.identities = storage;
  return page;
}

std::string to_text(const IngestPosition& position) {
  std::string text = std::to_string(position_version);
  text.reserve(most_position_bytes);
  IngestPosition copy = position;
  for_each_number(copy, [&](std::int64_t number) { text += ' ' + std::to_string(number); });
  return text;
}

std::optional<IngestPosition> read_position(std::string_view text) {
  bool good = true;
  const auto next = [&] {
    const std::size_t end = text.find(' ');
    const auto number = parse<std::int64_t>(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    good = good && number;
    return number.value_or(0);
  };
  if (next() != position_version) return std::nullopt;
  IngestPosition position;
  std::size_t count = 0;
  for_each_number(position, [&](std::int64_t& number) {
    if (!text.empty() || count < first_numbers) number = next();
    ++count;
  });
  if (!good) return std::nullopt;  // behind them a later release may append more
  return position;
}

}  // namespace tocsin
