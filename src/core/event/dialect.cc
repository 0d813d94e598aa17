#include "core/event/dialect.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "base/hash.h"
#include "core/event/dialects/tables.h"
#include "core/event/hand_over.h"

namespace tocsin {

namespace {

constexpr const Dialect* in_order[] = {
    &dialect::tocsin,
    &dialect::otel_genai,
    &dialect::mcp,
    &dialect::openinference,
    &dialect::openllmetry,
    &dialect::langfuse,
    &dialect::langsmith,
    &dialect::google_adk,
    &dialect::logfire,
    &dialect::vercel_ai,
    &dialect::claude_code,
    &dialect::langsmith_runs,
    &dialect::langfuse_ingestion,
    &dialect::datadog,
    &dialect::helicone,
    &dialect::resource,
};

}  // namespace

std::string_view name_of(SpanKind kind) {
  constexpr std::string_view names[] = {
      "nothing of an agent's", "model call", "tool call", "agent", "workflow", "evaluation", "decision", "hand-over"};
  return names[static_cast<std::size_t>(kind)];
}

std::string_view name_of(Meaning meaning) {
  constexpr std::array<std::string_view, meaning_count> names{"kind",
                                                              "env",
                                                              "agent",
                                                              "agent version",
                                                              "spec",
                                                              "spec version",
                                                              "session",
                                                              "user",
                                                              "correlation id",
                                                              "correlation id of a log",
                                                              "model",
                                                              "model version",
                                                              "model tier",
                                                              "tool",
                                                              "call id",
                                                              "error type",
                                                              "error (a flag)",
                                                              "success (a flag)",
                                                              "level",
                                                              "pending",
                                                              "outcome",
                                                              "surface reason",
                                                              "authorization",
                                                              "authorization reason",
                                                              "decision",
                                                              "who decided",
                                                              "side effect",
                                                              "finish reason",
                                                              "tokens in",
                                                              "tokens in, without cached",
                                                              "usage (JSON)",
                                                              "cached tokens",
                                                              "tokens written to the cache",
                                                              "input details (text)",
                                                              "tokens out",
                                                              "cost",
                                                              "time to first token",
                                                              "suite",
                                                              "score",
                                                              "verdict",
                                                              "budget: wall clock",
                                                              "budget: tokens",
                                                              "budget: cost",
                                                              "concurrent tasks",
                                                              "queue depth",
                                                              "cost an hour",
                                                              "content",
                                                              "arguments",
                                                              "content reference",
                                                              "arguments reference",
                                                              "attribute"};
  return names[static_cast<std::size_t>(meaning)];
}

std::span<const Dialect* const> dialects() {
  return in_order;
}

const std::shared_ptr<const DialectIndex>& DialectIndex::shipped() {
  static const std::shared_ptr<const DialectIndex> index = std::make_shared<DialectIndex>();
  return index;
}

DialectIndex::DialectIndex(OwnNames own, std::shared_ptr<const OwnAttributes> attributes)
    : own_(std::move(own)), attributes_(std::move(attributes)) {
  for (const OwnName& one : own_.fields) own_rows_.push_back({one.name, one.meaning, one.unit});
  own_dialect_ = {"own", "the file with the key 'names'", own_rows_, {}};
  for (std::size_t i = 0; attributes_ != nullptr && i < attributes_->size(); ++i) {
    for (const AttributeSource& source : (*attributes_)[i].sources) {
      if (source.kind == AttributeSource::Kind::json) continue;
      attribute_rows_.push_back({source.name, Meaning::own_attribute});
    }
  }
  attribute_dialect_ = {"own", "the file with the key 'attributes'", attribute_rows_, {}};
  std::size_t count = own_rows_.size() + attribute_rows_.size();
  for (const Dialect* dialect : in_order) count += dialect->rows.size();
  slots_.resize(std::bit_ceil(4 * count));
  std::uint16_t rank = 0;
  add(own_dialect_, rank);
  for (const Dialect* dialect : in_order) add(*dialect, rank);
  add(attribute_dialect_, rank);
  if (attributes_ != nullptr) add_own_sources();
}

void DialectIndex::add(const Dialect& dialect, std::uint16_t& rank) {
  for (const DialectRow& row : dialect.rows) {
    ++rank;
    gate_[gate_of(row.name) / 64] |= std::uint64_t{1} << (gate_of(row.name) % 64);
    const std::size_t slot = slot_of(row.name);
    if (slots_[slot].row == nullptr)
      slots_[slot] = {&dialect, &row, rank, 0, 0};  // an earlier dialect has the name, too
  }
}

// A name may give one attribute from resources alone, and another from wherever it stands.
void DialectIndex::add_own_sources() {
  for (const DialectRow& row : attribute_rows_) {
    Entry& entry = slots_[slot_of(row.name)];
    if (entry.own_end > 0) continue;
    entry.own_begin = static_cast<std::uint8_t>(own_sources_.size());
    for (std::size_t i = 0; i < attributes_->size(); ++i) {
      const auto& sources = (*attributes_)[i].sources;
      for (std::size_t rank = 0; rank < sources.size(); ++rank) {
        if (sources[rank].kind == AttributeSource::Kind::json || sources[rank].name != row.name) continue;
        own_sources_.push_back({static_cast<std::uint8_t>(i), static_cast<std::uint16_t>(rank),
                                sources[rank].kind == AttributeSource::Kind::resource});
      }
    }
    entry.own_end = static_cast<std::uint8_t>(own_sources_.size());
  }
}

// Where the name is, or would be put.
std::size_t DialectIndex::slot_of(std::string_view name) const {
  std::size_t slot = hash64(name) & (slots_.size() - 1);
  while (slots_[slot].row != nullptr && slots_[slot].row->name != name) slot = (slot + 1) & (slots_.size() - 1);
  return slot;
}

const DialectIndex::Entry* DialectIndex::look_up(std::string_view name) const {
  const Entry& entry = slots_[slot_of(name)];
  return entry.row == nullptr ? nullptr : &entry;
}

bool DialectIndex::hands_over(std::string_view tool) const {
  return is_hand_over_tool(tool) ||
         std::find(own_.hand_over_tools.begin(), own_.hand_over_tools.end(), tool) != own_.hand_over_tools.end();
}

SpanKind DialectIndex::kind_of(const Dialect& dialect, std::string_view name, std::string_view word) {
  for (const KindWord& known : dialect.kinds) {
    if (known.word == word && known.name == name) return known.kind;
  }
  return SpanKind::other;
}

}  // namespace tocsin
