// Collections of labelled samples and recorded runs beside the project: nothing that is none may halt an agent, and
// of the kinds that the library knows nearly all are found.

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <map>

#include "core/sanitize/shipped_patterns.h"
#include "edge/http/base64.h"

namespace tocsin {
namespace labelled_secrets_test {

const std::filesystem::path data = std::filesystem::path(PROJECT_ROOT) / "../shared/data";

struct Kind {
  int samples = 0;
  int found = 0;
};

TEST(LabelledSecrets, NothingThatIsNoneHaltsAndOfTheKindsThatAreKnownNearlyAllAreFound) {
  if (!std::filesystem::exists(data / "secrets")) GTEST_SKIP() << "no shared data beside the project";
  Scanner scanner(test::shipped_patterns());
  std::map<std::string, Kind> kinds;
  for (const auto& entry : std::filesystem::directory_iterator(data / "secrets")) {
    if (entry.path().extension() != ".jsonl") continue;
    std::ifstream in(entry.path());
    for (std::string line; std::getline(in, line);) {
      const auto sample = nlohmann::json::parse(line);
      const std::string text = from_base64(sample["b64"].get<std::string>()).value();
      Tier gravest = Tier::pii;
      for (const Match& match : scanner.scan(text)) gravest = std::min(gravest, match.tier);
      if (sample["expect"] == "miss") {
        EXPECT_NE(gravest, Tier::halt) << sample["rule"] << ", which is none";
        continue;
      }
      // Names alone, passwords in prose: these are no vendor's.
      const std::string rule = sample["rule"];
      if (rule.find("generic") != std::string::npos || rule.find("odbc") != std::string::npos) continue;
      Kind& kind = kinds[rule];
      ++kind.samples;
      kind.found += gravest <= Tier::page ? 1 : 0;
    }
  }
  std::erase_if(kinds, [](const auto& kind) { return kind.second.found == 0; });
  Kind all;
  for (const auto& [name, kind] : kinds) {
    all.samples += kind.samples;
    all.found += kind.found;
  }
  EXPECT_GE(kinds.size(), 640U);
  EXPECT_GE(all.found, all.samples * 0.97)
      << all.found << " of " << all.samples << " in " << kinds.size() << " kinds";
}

// The planted key of `http` and `kafka` is the only one in all recorded runs.
TEST(LabelledSecrets, RecordedRunsHaltForThePlantedKeyAlone) {
  if (!std::filesystem::exists(data / "airline")) GTEST_SKIP() << "no shared data beside the project";
  Scanner scanner(test::shipped_patterns());
  std::map<std::string, int> halts;
  for (const std::string folder : {"airline", "otlp", "vendors", "http", "kafka"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(data / folder)) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path());
      const std::string text{std::istreambuf_iterator<char>(in), {}};
      for (const Match& match : scanner.scan(text)) {
        if (match.tier == Tier::halt) ++halts[scanner.library().patterns()[match.pattern].id];
      }
    }
  }
  halts.erase("aws.access_key");
  halts.erase("aws.secret_access_key");
  EXPECT_TRUE(halts.empty()) << halts.begin()->first << ", " << halts.begin()->second << " times";
}

}  // namespace labelled_secrets_test
}  // namespace tocsin
