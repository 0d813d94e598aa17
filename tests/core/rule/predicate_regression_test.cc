// What once went wrong here, so that it does not again.

#include <gtest/gtest.h>

#include "core/rule/predicate.h"

namespace tocsin {
namespace predicate_regression_test {

bool holds(const char* text) {
  ExpressionError error;
  const auto expression = parse_expression(text, error);
  Predicate predicate;
  if (!expression || !Predicate::compile(*expression, false, predicate, error)) return true;  // refused is well
  EventFields event;
  event.set(NumberField::tokens_in, 2);
  return predicate.holds(event);
}

TEST(Predicate, LiteralsBetweenAndBeyondTheIntegersMeanWhatTheySay) {
  EXPECT_TRUE(holds("tokens_in > 1.5"));
  EXPECT_TRUE(holds("tokens_in < 100000000000000000000"));
}

}  // namespace predicate_regression_test
}  // namespace tocsin
