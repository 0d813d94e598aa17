#include "app/demo/subject.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tocsin {

namespace {

constexpr std::string_view first_names[] = {"Anna",  "Bruno", "Chloe", "David", "Elena", "Farid", "Greta", "Hugo",
                                            "Irene", "Jonas", "Keiko", "Lucia", "Marek", "Nadia", "Oscar", "Priya"};
constexpr std::string_view last_names[] = {"Abel",   "Brandt", "Costa",  "Dubois", "Eriksen", "Fischer",
                                           "Grant",  "Haddad", "Ivanov", "Jensen", "Kimura",  "Lopez",
                                           "Moreau", "Novak",  "Okafor", "Patel"};
constexpr std::string_view cities[] = {"Lisbon", "Oslo",    "Vienna", "Turin",  "Ghent",  "Porto",
                                       "Bergen", "Cardiff", "Malaga", "Gdansk", "Zurich", "Tampere"};

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return result;
}

}  // namespace

Subject make_subject(Random& random) {
  const std::string_view first = random.pick(first_names);
  const std::string_view last = random.pick(last_names);
  Subject subject;
  subject.person = fmt::format("{} {}", first, last);
  subject.email = fmt::format("{}.{}{}@example.com", lower(first), lower(last), random.between(1, 99));
  subject.phone = fmt::format("+1-{}-555-01{:02}", random.between(201, 989), random.below(100));
  subject.case_id = fmt::format("C{}", random.between(10'000, 99'999));
  subject.amount = fmt::format("{}.{:02} USD", random.lognormal(120, 900) + 5, random.below(100));
  subject.city = random.pick(cities);
  subject.date = fmt::format("2025-{:02}-{:02}", random.between(1, 12), random.between(1, 28));
  return subject;
}

std::string fill(std::string_view text, const Subject& subject) {
  const std::pair<std::string_view, std::string_view> slots[] = {
      {"$person", subject.person}, {"$email", subject.email}, {"$phone", subject.phone}, {"$case", subject.case_id},
      {"$amount", subject.amount}, {"$city", subject.city},   {"$date", subject.date}};
  std::string filled;
  filled.reserve(text.size() + 64);
  while (!text.empty()) {
    const std::size_t dollar = std::min(text.find('$'), text.size());
    filled += text.substr(0, dollar);
    text.remove_prefix(dollar);
    if (text.empty()) break;
    const auto slot = std::ranges::find_if(slots, [&](const auto& each) { return text.starts_with(each.first); });
    if (slot == std::end(slots)) {
      filled += '$';
      text.remove_prefix(1);
    } else {
      filled += slot->second;
      text.remove_prefix(slot->first.size());
    }
  }
  return filled;
}

}  // namespace tocsin
