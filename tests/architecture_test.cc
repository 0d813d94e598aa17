// Checks of the code's shape, run with every other test: which folder may include which, what the pure core must not
// touch, where outside libraries may stand, and that the map names every folder. When a rule gets in the way, change
// the table here and the map in src/README.md together, in one commit.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>

namespace architecture_test {

namespace fs = std::filesystem;

const fs::path source_root = SOURCE_ROOT;

const std::map<std::string, std::set<std::string>> may_include = {
    {"base", {"base"}},
    {"core", {"base", "core"}},
    {"ports", {"base", "core", "ports"}},
    {"edge", {"base", "core", "ports", "edge"}},
    {"runtime", {"base", "core", "ports", "runtime"}},
    {"app", {"base", "core", "ports", "edge", "runtime", "app"}},
};

// Outside libraries in headers beyond the edge: one header each, so that a change of library is a change of one file.
const std::map<std::string, std::string> allowed_in_header = {
    {"base/result.h", "boost/outcome"},
    {"core/sanitize/clean_texts.h", "immintrin.h"},  // the processor's, not a library's
    {"base/json.h", "nlohmann"},
    {"core/event/vendors/tree.h", "nlohmann"},
};

// What would make the core irreproducible: clocks, threads, files, sockets, the environment, randomness.
const std::regex impure(
    R"(<(thread|mutex|shared_mutex|atomic|condition_variable|future|semaphore|latch|barrier|stop_token|fstream|iostream|filesystem|random|cstdio|stdio\.h|ctime|time\.h|unistd\.h|fcntl\.h|(sys|netinet|arpa)/[^>]*)>)"
    R"(|::now\(|\bgetenv\b|\bs?rand\(|\brandom_device\b|\bgettimeofday\b|\bclock_gettime\b|std::(cout|cerr|clog)\b|\bprintf\(|\bfopen\b)");

// A memo that threads share is the same whoever makes it.
const std::set<std::string> may_share_a_memo = {"core/sanitize/lazy_regex.h"};

// g++ 12 destroys such an argument twice; name it first, then move it in.
const std::regex brace_or_lambda_in_co_await(R"(co_await[^;]*\(([^;]*[,\s(])?(\[|\{|[A-Z]\w*\{))");

template <class Visit>
void for_each_source_line(Visit visit) {
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(source_root)) {
    const std::string extension = entry.path().extension();
    if (extension != ".h" && extension != ".cc") continue;
    ++files;
    std::ifstream file(entry.path());
    const fs::path relative = fs::relative(entry.path(), source_root);
    int line_number = 0;
    for (std::string line; std::getline(file, line);) visit(relative, ++line_number, line.substr(0, line.find("//")));
  }
  EXPECT_GT(files, 100) << "looked in the wrong place: " << source_root;
}

bool is_library_path(const std::string& header) {
  return header.find_first_of("./") != std::string::npos;
}

TEST(Architecture, FoldersIncludeOnlyWhatTheyMay) {
  const std::regex quoted_include(R"re(#include "([^/"]+)/)re");
  for_each_source_line([&](const fs::path& file, int line_number, const std::string& line) {
    const std::string folder = file.begin()->string();
    ASSERT_TRUE(may_include.contains(folder)) << "unknown folder src/" << folder;
    std::smatch match;
    if (!std::regex_search(line, match, quoted_include)) return;
    EXPECT_TRUE(may_include.at(folder).contains(match[1]))
        << "src/" << file.string() << ":" << line_number << " includes " << match[1];
  });
}

TEST(Architecture, CoreAndBaseHaveNoClockThreadInputOutputOrChance) {
  for_each_source_line([&](const fs::path& file, int line_number, const std::string& line) {
    if (*file.begin() != "core" && *file.begin() != "base") return;
    if (line == "#include <atomic>" && may_share_a_memo.contains(file.string())) return;
    EXPECT_FALSE(std::regex_search(line, impure)) << "src/" << file.string() << ":" << line_number << ": " << line;
  });
}

TEST(Architecture, NoOutsideLibraryStandsInAHeaderBeyondTheEdge) {
  const std::regex angle_include(R"(#include <([^>]+)>)");
  for_each_source_line([&](const fs::path& file, int line_number, const std::string& line) {
    std::smatch match;
    if (file.extension() != ".h" || *file.begin() == "edge" || !std::regex_search(line, match, angle_include)) return;
    const std::string header = match[1];
    if (!is_library_path(header)) return;  // of the standard library
    const auto allowed = allowed_in_header.find(file.string());
    EXPECT_TRUE(allowed != allowed_in_header.end() && header.starts_with(allowed->second))
        << "src/" << file.string() << ":" << line_number << " includes <" << header << ">";
  });
}

TEST(Architecture, AwaitedCallsTakeNamedArguments) {
  for_each_source_line([&](const fs::path& file, int line_number, const std::string& line) {
    EXPECT_FALSE(std::regex_search(line, brace_or_lambda_in_co_await))
        << "src/" << file.string() << ":" << line_number;
  });
}

TEST(Architecture, TheMapNamesEveryFolderAndNoOther) {
  std::ifstream in(source_root / "README.md");
  ASSERT_TRUE(in) << "src/README.md, the map, is missing";
  const std::string map{std::istreambuf_iterator<char>(in), {}};
  for (const auto& entry : fs::recursive_directory_iterator(source_root)) {
    if (!entry.is_directory()) continue;
    bool holds_files = false;
    for (const auto& inner : fs::directory_iterator(entry.path())) holds_files |= inner.is_regular_file();
    const std::string name = "`" + fs::relative(entry.path(), source_root).string() + "/`";
    if (holds_files) {
      EXPECT_NE(map.find(name), std::string::npos) << "src/README.md does not name " << name;
    }
  }
  const std::regex folder(R"(`((base|core|ports|edge|runtime|app)(/[a-z_]+)*)/`)");
  for (auto found = std::sregex_iterator(map.begin(), map.end(), folder); found != std::sregex_iterator(); ++found) {
    EXPECT_TRUE(fs::is_directory(source_root / (*found)[1].str()))
        << "src/README.md names " << (*found)[1] << ", which is not there";
  }
}

}  // namespace architecture_test
