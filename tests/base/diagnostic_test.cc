#include "base/diagnostic.h"

#include <gtest/gtest.h>

namespace tocsin {
namespace diagnostic_test {

TEST(Diagnostic, ReadsAsEditorsAndPeopleExpect) {
  EXPECT_EQ(to_text({Severity::error, "a.yaml", {3, 7}, "unknown-key", "what"}), "a.yaml:3:7: unknown-key: what");
  EXPECT_EQ(to_text({Severity::warning, "a.yaml", {3, 7}, "c", "m"}), "a.yaml:3:7: warning: c: m");
  EXPECT_EQ(to_text({Severity::error, "a.yaml", {}, "c", "m"}), "a.yaml: c: m") << "of the whole file";
}

TEST(Diagnostic, WarningsAreNoErrors) {
  Diagnostics diagnostics;
  diagnostics.warning("a", {1, 1}, "c", "m");
  EXPECT_FALSE(diagnostics.has_errors());
  diagnostics.error("a", {1, 1}, "c", "m");
  EXPECT_TRUE(diagnostics.has_errors());
  EXPECT_EQ(diagnostics.error_count(), 1u);
  EXPECT_EQ(diagnostics.warning_count(), 1u);
}

TEST(Diagnostic, AreSortedByFileAndPlaceAndKeepTheirOrderWithinOne) {
  Diagnostics diagnostics;
  diagnostics.error("b", {1, 1}, "1", "");
  diagnostics.error("a", {10, 1}, "2", "");
  diagnostics.error("a", {2, 9}, "3", "");
  diagnostics.error("a", {2, 9}, "4", "");
  std::string order;
  for (const Diagnostic& one : diagnostics.sorted()) order += one.code;
  EXPECT_EQ(order, "3421");
  EXPECT_EQ(diagnostics.all()[0].code, "1");
}

TEST(NearestName, IsTheOneThatWasProbablyMeant) {
  EXPECT_EQ(nearest_name("windw", {"where", "window"}), "window");
  EXPECT_EQ(nearest_name("corelation_ids", {"correlation_id", "call_id"}), "correlation_id");
  EXPECT_EQ(nearest_name("color", {"where", "window"}), "");
  EXPECT_EQ(nearest_name("", {"where"}), "");
  EXPECT_EQ(nearest_name("x", {}), "");
  EXPECT_EQ(nearest_name(std::string(1'000'000, 'a'), {"a"}), "") << "at once";
  EXPECT_EQ(did_you_mean("windw", {"window"}), " (did you mean 'window'?)");
  EXPECT_EQ(did_you_mean("color", {"window"}), "");
}

}  // namespace diagnostic_test
}  // namespace tocsin
