#include "core/sanitize/keyword_gate.h"

#include <hs/hs.h>

#include <stdexcept>
#include <utility>

namespace tocsin {

namespace {

bool is_in_long_token(std::string_view text, std::size_t begin) {
  std::size_t first = begin;
  std::size_t end = begin;
  while (end < text.size() && end - begin < KeywordGate::long_token && has_class(text[end], token_class)) ++end;
  while (first > 0 && end - first < KeywordGate::long_token && has_class(text[first - 1], token_class)) --first;
  return end - first >= KeywordGate::long_token;
}

struct Found {
  const std::vector<Keyword>& keywords;
  std::string_view text;
  std::vector<KeywordGate::Hit>& hits;
};

// Called by Hyperscan, which no exception may cross.
int note_hit(unsigned keyword, unsigned long long, unsigned long long end, unsigned, void* context) noexcept {
  const Found& found = *static_cast<const Found*>(context);
  const Keyword& known = found.keywords[keyword];
  const std::size_t begin = end - known.text.size();
  if (known.where == Keyword::Where::anywhere || is_in_long_token(found.text, begin)) {
    found.hits.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint16_t>(keyword)});
  }
  return 0;
}

}  // namespace

KeywordGate::KeywordGate(std::vector<Keyword> keywords) : keywords_(std::move(keywords)) {
  if (hs_valid_platform() != HS_SUCCESS) throw std::runtime_error("this processor is too old: it lacks SSSE3");
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  std::vector<unsigned> flags;
  std::vector<unsigned> ids;
  for (std::size_t i = 0; i < keywords_.size(); ++i) {
    const Keyword& keyword = keywords_[i];
    if (keyword.where == Keyword::Where::at_long_token_start) {
      starts_.add(static_cast<std::uint16_t>(i), keyword.text);
      continue;
    }
    texts.push_back(keyword.text.data());
    sizes.push_back(keyword.text.size());
    flags.push_back(keyword.ignore_case ? HS_FLAG_CASELESS : 0);
    ids.push_back(static_cast<unsigned>(i));
  }
  if (texts.empty()) return;
  hs_database_t* database = nullptr;
  hs_compile_error_t* problem = nullptr;
  if (hs_compile_lit_multi(texts.data(), flags.data(), ids.data(), sizes.data(), static_cast<unsigned>(texts.size()),
                           HS_MODE_BLOCK, nullptr, &database, &problem) != HS_SUCCESS) {
    const std::string why = problem != nullptr ? problem->message : "no reason given";
    hs_free_compile_error(problem);
    throw std::runtime_error("the patterns' keywords cannot be compiled: " + why);
  }
  database_.reset(database);
}

KeywordGate::~KeywordGate() = default;
KeywordGate::KeywordGate(KeywordGate&&) noexcept = default;
KeywordGate& KeywordGate::operator=(KeywordGate&&) noexcept = default;

void KeywordGate::Free::operator()(hs_database* database) const {
  hs_free_database(database);
}

void KeywordGate::Search::Free::operator()(hs_scratch* scratch) const {
  hs_free_scratch(scratch);
}

KeywordGate::Search KeywordGate::search() const {
  Search search;
  if (database_ == nullptr) return search;
  hs_scratch_t* scratch = nullptr;
  if (hs_alloc_scratch(database_.get(), &scratch) != HS_SUCCESS) throw std::bad_alloc();
  search.scratch_.reset(scratch);
  return search;
}

std::span<const KeywordGate::Hit> KeywordGate::find(std::string_view text, Search& search) const {
  search.hits_.clear();
  if (database_ == nullptr) return {};
  Found found{keywords_, text, search.hits_};
  if (hs_scan(database_.get(), text.data(), static_cast<unsigned>(text.size()), 0, search.scratch_.get(), note_hit,
              &found) != HS_SUCCESS) {
    throw std::logic_error("a search for keywords that is not its gate's");
  }
  return search.hits_;
}

void KeywordGate::StartTable::add(std::uint16_t keyword, std::string_view text) {
  const std::uint32_t word = word_at(text, 0);
  const std::uint32_t slot = slot_of_three(word);
  threes_.set(slot);
  if (text.size() >= sizeof word)
    fours_.set(slot_of_four(word));
  else
    only_threes_.set(slot);
  entries_.push_back({keyword, first_[slot]});
  first_[slot] = static_cast<std::uint16_t>(entries_.size() - 1);
}

}  // namespace tocsin
