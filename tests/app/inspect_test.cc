// The tables of names that people read are those that spans are read by.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "app/inspect_command.h"
#include "core/event/dialect.h"

namespace tocsin {
namespace inspect_test {

TEST(Dialects, TheDocumentSaysWhatTheTablesSay) {
  std::ifstream in(std::filesystem::path(PROJECT_ROOT) / "rules/README.md");
  const std::string document{std::istreambuf_iterator<char>(in), {}};
  ASSERT_FALSE(document.empty());
  EXPECT_NE(document.find(dialects_markdown()), std::string::npos)
      << "put what `tocsin inspect --dialects` prints in place of the tables of rules/README.md";
}

TEST(Dialects, EveryNameIsFoundAndEveryKindHasARow) {
  for (const Dialect* dialect : dialects()) {
    for (const DialectRow& row : dialect->rows) {
      const auto* const entry = DialectIndex::shipped()->find(row.name);
      ASSERT_NE(entry, nullptr) << row.name;
    }
    for (const KindWord& kind : dialect->kinds) {
      const auto* const entry = DialectIndex::shipped()->find(kind.name);
      ASSERT_NE(entry, nullptr) << dialect->name << " " << kind.name;
      EXPECT_EQ(entry->row->meaning, Meaning::span_kind) << dialect->name << " " << kind.name;
    }
  }
}

}  // namespace inspect_test
}  // namespace tocsin
