#include "core/sanitize/scanner.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "core/sanitize/checks.h"
#include "core/sanitize/matcher.h"

namespace tocsin {

namespace {

// What a scan may spend beyond the gate. Two purses, so that a flood of addresses and numbers cannot hide a key.
constexpr std::int64_t nanoseconds_per_byte = 14;  // each purse: about 15 ms per MiB
constexpr std::int64_t least_budget = 200'000;     // a short event full of real finds is still read to its end

// How far a pair's halves stand apart: one object, one file of credentials.
constexpr std::size_t pair_reach = 200;

// Costs in nanoseconds, roughly, as in matcher.cc.
constexpr std::int64_t shape_cost = 40;
constexpr std::int64_t accept_cost = 800;

bool is_secret(Tier tier) {
  return tier == Tier::halt || tier == Tier::page;
}

// Ones come in from above: a run that leaves the block is looked at rather than missed.
std::uint64_t shifted(std::uint64_t mask, int by) {
  return (mask >> by) | ~(~std::uint64_t{0} >> by);
}

}  // namespace

Scanner::Scanner(std::shared_ptr<const PatternLibrary> library) : library_(std::move(library)) {}
Scanner::~Scanner() = default;
Scanner::Scanner(Scanner&&) noexcept = default;
Scanner& Scanner::operator=(Scanner&&) noexcept = default;

std::span<const Match> Scanner::scan(std::string_view buffer) {
  constexpr std::size_t block = LiteralGate::block_size;
  constexpr std::size_t blocks_at_once = 16;  // masks of 1 KiB stay in the first cache
  constexpr std::size_t overlap = LiteralGate::fingerprint_length - 1;

  found_.clear();
  kept_.clear();
  cut_at_.reset();
  left_for_secrets_ = left_for_the_rest_ =
      std::max(least_budget, nanoseconds_per_byte * static_cast<std::int64_t>(buffer.size()));
  digit_before_ = false;

  const LiteralGate& gate = library_->matcher().gate();
  std::array<BlockMasks, blocks_at_once> masks;
  std::size_t base = 0;
  while (buffer.size() - base >= block + overlap) {
    const std::size_t count = std::min(blocks_at_once, (buffer.size() - base - overlap) / block);
    gate.classify(buffer.data() + base, masks.data(), count);
    for (std::size_t i = 0; i < count; ++i) look_at(buffer, base + i * block, masks[i]);
    base += count * block;
  }
  while (base < buffer.size()) {
    std::array<char, 2 * block> tail{};
    const std::size_t size = std::min(block, buffer.size() - base);
    std::memcpy(tail.data(), buffer.data() + base, std::min(tail.size(), buffer.size() - base));
    gate.classify(tail.data(), masks.data(), 1);
    look_at(buffer, base, masks[0]);
    base += size;
  }
  if (found_.empty()) return {};
  add_pairs(buffer);
  keep_the_gravest();
  join_pairs();
  return kept_;
}

void Scanner::look_at(std::string_view buffer, std::size_t base, const BlockMasks& masks) {
  std::uint64_t literals = masks.literal;
  while (literals != 0) {
    const std::size_t at = base + static_cast<std::size_t>(__builtin_ctzll(literals));
    literals &= literals - 1;
    if (at < buffer.size()) look_at_literals(buffer, at);
  }

  const Matcher& matcher = library_->matcher();
  const std::uint64_t digit = masks.digit;
  const std::uint64_t two_digits = digit & shifted(digit, 1);
  const std::uint64_t four_digits = two_digits & shifted(two_digits, 2);
  // Five to eight digits are nothing that look_at_digits() knows; hexadecimal ids are full of such runs.
  const std::uint64_t perhaps_nine = shifted(four_digits, 4) & shifted(digit, 8);
  const std::uint64_t five_to_eight = (digit >> 4) & ~perhaps_nine;
  std::uint64_t long_runs =
      four_digits & ~five_to_eight & ~((digit << 1) | static_cast<std::uint64_t>(digit_before_));
  digit_before_ = (digit >> 63) != 0;
  while (long_runs != 0) {
    const std::size_t at = base + static_cast<std::size_t>(__builtin_ctzll(long_runs));
    long_runs &= long_runs - 1;
    look_at_digits(buffer, at);
  }

  std::uint64_t ibans = masks.upper & shifted(masks.upper, 1) & shifted(digit, 2) & shifted(digit, 3);
  const std::uint16_t iban = matcher.of_shape(Shape::iban);
  while (ibans != 0 && iban != no_pattern) {
    const std::size_t at = base + static_cast<std::size_t>(__builtin_ctzll(ibans));
    ibans &= ibans - 1;
    if (!afford(Tier::pii, at)) break;
    charge(Tier::pii, shape_cost);
    if (at + 1 < buffer.size() && has_class(buffer[at + 1], upper_class)) {
      if (const auto range = iban_at(buffer, at)) add(iban, range->begin, range->end);
    }
  }

  std::uint64_t pluses = masks.plus & shifted(digit, 1);
  const std::uint16_t phone = matcher.of_shape(Shape::phone);
  while (pluses != 0 && phone != no_pattern) {
    const std::size_t at = base + static_cast<std::size_t>(__builtin_ctzll(pluses));
    pluses &= pluses - 1;
    if (!afford(Tier::pii, at)) break;
    charge(Tier::pii, shape_cost);
    if (const auto range = international_phone_at(buffer, at)) add(phone, range->begin, range->end);
  }
}

void Scanner::look_at_literals(std::string_view buffer, std::size_t at) {
  const Matcher& matcher = library_->matcher();
  // Nearly every place is a false hit: the look at it is inlined above, what a true one takes is not (70 ns an
  // event).
  const auto visit = [&](const Keyword& keyword, std::size_t begin) __attribute__((noinline)) {
    for (const std::uint16_t index : keyword.patterns) {
      const CompiledPattern& pattern = matcher.pattern(index);
      if (!afford(pattern.tier, begin)) continue;
      std::int64_t work = 0;
      std::optional<TextRange> range;
      switch (pattern.shape) {
        case Shape::regex:
          range = matcher.match_regex(pattern, buffer, begin, work);
          break;
        case Shape::assignment:
          range = matcher.match_assignment(pattern, buffer, {begin, begin + keyword.text.size()}, work);
          break;
        case Shape::email:
          work = shape_cost;
          range = email_at(buffer, begin);
          break;
        case Shape::card:
        case Shape::ssn:
        case Shape::iban:
        case Shape::phone:
          break;  // digits lead to these, not keywords
      }
      charge(pattern.tier, work);
      if (range) add(index, range->begin, range->end);
    }
  };
  matcher.gate().for_each_keyword_at(buffer, at, visit);
}

void Scanner::look_at_digits(std::string_view buffer, std::size_t begin) {
  constexpr std::size_t longest_run_of_interest = 20;  // a card has 19
  const std::size_t limit = std::min(buffer.size(), begin + longest_run_of_interest);
  std::size_t end = begin;
  while (end < limit && is_digit(buffer[end])) ++end;
  const std::size_t size = end - begin;
  if (size < 4 || (size > 4 && size < 9)) return;  // these come from the edge of a block
  const char before = begin > 0 ? buffer[begin - 1] : '\0';
  const char after = end < buffer.size() ? buffer[end] : '\0';
  // Most runs are years, fractions and counts: rule those out before anything is called.
  const bool card = size >= 13 ? size <= 19 : size == 4 && (after == ' ' || after == '-');
  const bool grouped = size == 4 && (before == '-' || before == ' ' || before == '.') && begin >= 2 &&
                       (is_digit(buffer[begin - 2]) || buffer[begin - 2] == ')');
  if (!card && !grouped && size != 9 && size != 10) return;
  if (!afford(Tier::pii, begin)) return;
  charge(Tier::pii, shape_cost);
  const Matcher& matcher = library_->matcher();
  const TextRange digits{begin, end};
  if (card && matcher.of_shape(Shape::card) != no_pattern) {
    if (const auto range = card_from(buffer, digits)) add(matcher.of_shape(Shape::card), range->begin, range->end);
  }
  if ((grouped || size == 9) && matcher.of_shape(Shape::ssn) != no_pattern) {
    if (const auto range = ssn_ending_with(buffer, digits))
      add(matcher.of_shape(Shape::ssn), range->begin, range->end);
  }
  if ((grouped || size == 10) && matcher.of_shape(Shape::phone) != no_pattern) {
    if (const auto range = us_phone_ending_with(buffer, digits)) {
      add(matcher.of_shape(Shape::phone), range->begin, range->end);
    }
  }
}

void Scanner::add_pairs(std::string_view buffer) {
  const Matcher& matcher = library_->matcher();
  const std::size_t first_halves = found_.size();
  for (const std::uint16_t index : matcher.paired()) {
    const CompiledPattern& pattern = matcher.pattern(index);
    for (std::size_t i = 0; i < first_halves; ++i) {
      if (found_[i].pattern != pattern.paired_with) continue;
      if (!afford(pattern.tier, found_[i].begin)) return;
      const std::size_t from = found_[i].begin > pair_reach ? found_[i].begin - pair_reach : 0;
      const std::size_t to = std::min(buffer.size(), found_[i].end + pair_reach);
      charge(pattern.tier, 4 * static_cast<std::int64_t>(to - from));
      std::size_t at = from;
      while (at < to) {
        if (!has_class(buffer[at], base64_class) || !token_may_begin_at(buffer, at)) {
          ++at;
          continue;
        }
        const bool cut_off = at == from && at > 0 && has_class(buffer[at - 1], base64_class);
        std::size_t end = at;
        while (end < buffer.size() && has_class(buffer[end], base64_class)) ++end;
        const bool padded = end < buffer.size() && buffer[end] == '=';
        constexpr std::size_t shortest_half = 16;
        if (!cut_off && !padded && end - at >= shortest_half) {
          charge(pattern.tier, accept_cost);
          if (matcher.accepts(pattern, buffer.substr(at, end - at))) add(index, at, end);
        }
        at = end + 1;
      }
    }
  }
}

void Scanner::add(std::uint16_t pattern, std::size_t begin, std::size_t end) {
  Match match;
  match.begin = match.identity_begin = static_cast<std::uint32_t>(begin);
  match.end = match.identity_end = static_cast<std::uint32_t>(end);
  match.pattern = pattern;
  found_.push_back(match);
}

bool Scanner::afford(Tier tier, std::size_t at) {
  if ((is_secret(tier) ? left_for_secrets_ : left_for_the_rest_) > 0) return true;
  cut_at_ = std::min(cut_at_.value_or(Match::whole), static_cast<std::uint32_t>(at));
  return false;
}

void Scanner::charge(Tier tier, std::int64_t work) {
  (is_secret(tier) ? left_for_secrets_ : left_for_the_rest_) -= work;
}

void Scanner::keep_the_gravest() {
  const auto patterns = library_->patterns();
  const auto graver = [&](const Match& a, const Match& b) {
    // Counting and personal data rank alike: of a password that holds an address, the password is the find.
    const auto rank = [&](const Match& m) { return std::min(patterns[m.pattern].tier, Tier::count); };
    if (rank(a) != rank(b)) return rank(a) < rank(b);
    const std::uint32_t a_size = a.end - a.begin;
    const std::uint32_t b_size = b.end - b.begin;
    return a_size != b_size ? a_size > b_size : a.pattern < b.pattern;
  };
  std::sort(found_.begin(), found_.end(), [](const Match& a, const Match& b) {
    if (a.begin != b.begin) return a.begin < b.begin;
    return a.end != b.end ? a.end < b.end : a.pattern < b.pattern;
  });
  for (const Match& match : found_) {
    bool keep = true;
    while (keep && !kept_.empty() && kept_.back().end > match.begin) {
      if (graver(match, kept_.back()))
        kept_.pop_back();
      else
        keep = false;
    }
    if (keep) kept_.push_back(match);
  }
}

void Scanner::join_pairs() {
  const Matcher& matcher = library_->matcher();
  if (matcher.paired().empty()) return;
  // Two sweeps, for the nearest first half before and after: the number of matches may be large.
  const auto sweep = [&](auto distance, std::size_t first, std::size_t step) {
    for (const std::uint16_t second_half : matcher.paired()) {
      const std::uint16_t first_half = matcher.pattern(second_half).paired_with;
      std::size_t nearest = kept_.size();
      for (std::size_t n = 0, i = first; n < kept_.size(); ++n, i += step) {
        Match& match = kept_[i];
        if (match.pattern == first_half) nearest = i;
        if (match.pattern != second_half || nearest == kept_.size()) continue;
        const Match& other = kept_[nearest];
        if (match.part_of != Match::whole && distance(match, kept_[match.part_of]) <= distance(match, other))
          continue;
        match.part_of = static_cast<std::uint32_t>(nearest);
        match.identity_begin = other.begin;
        match.identity_end = other.end;
      }
    }
  };
  const auto distance = [](const Match& a, const Match& b) {
    return a.begin < b.begin ? b.begin - a.end : a.begin - b.end;
  };
  sweep(distance, 0, 1);
  sweep(distance, kept_.size() - 1, ~std::size_t{0});
}

}  // namespace tocsin
