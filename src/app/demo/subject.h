// The person and the case that one task is about, all of it made up, and the filling of text templates with them.
//
// Names, e-mail addresses (example.com) and telephone numbers (555) are there on purpose: real runs are full of
// personal data, and sanitizing must find them.

#pragma once

#include <string>
#include <string_view>

#include "app/demo/random.h"

namespace tocsin {

struct Subject {
  std::string person;
  std::string email;
  std::string phone;
  std::string case_id;
  std::string amount;
  std::string city;
  std::string date;
};

Subject make_subject(Random& random);

// The text with $person, $email, $phone, $case, $amount, $city and $date replaced.
std::string fill(std::string_view text, const Subject& subject);

}  // namespace tocsin
