#include "app/completion_command.h"

#include <gtest/gtest.h>

#include <functional>
#include <iostream>
#include <set>
#include <sstream>

#include "app/command_line.h"

namespace tocsin {
namespace completion_command_test {

std::string output_of(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "tocsin");
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  testing::internal::CaptureStdout();
  EXPECT_EQ(run_command_line(static_cast<int>(pointers.size()), pointers.data()), 0);
  std::cout.flush();
  return testing::internal::GetCapturedStdout();
}

// What a page of help names: its commands, and its long options.
struct Named {
  std::vector<std::string> commands, options;
};
Named named_in(const std::string& help) {
  Named named;
  std::istringstream lines(help);
  bool in_commands = false;
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line[0] != ' ') in_commands = line == "Subcommands:";
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (in_commands && line.starts_with("  ") && line[2] != ' ' && !word.empty()) named.commands.push_back(word);
    const std::size_t option = line.find("--");
    const bool is_option = line.starts_with("  -") && option != std::string::npos;
    if (is_option) named.options.push_back(line.substr(option, line.find_first_of(" ,:", option) - option));
  }
  return named;
}

TEST(CompletionCommand, NamesEveryCommandAndEveryOptionThatHelpNames) {
  const std::string bash = output_of({"completion", "bash"});
  const std::string zsh = output_of({"completion", "zsh"});
  const std::string fish = output_of({"completion", "fish"});
  std::size_t commands = 0, options = 0;
  const std::function<void(const std::vector<std::string>&)> look = [&](const std::vector<std::string>& path) {
    std::vector<std::string> ask = path;
    ask.emplace_back("--help");
    const Named named = named_in(output_of(ask));
    std::string words = "tocsin", function = "_tocsin";
    for (const std::string& word : path) {
      words += " " + word;
      function += "_" + word;
    }
    SCOPED_TRACE(words);
    // The part of each script that is about this command.
    const auto part = [](const std::string& text, const std::string& begin, const std::string& end) {
      const std::size_t from = text.find(begin);
      EXPECT_NE(from, std::string::npos) << begin;
      return from == std::string::npos ? std::string{} : text.substr(from, text.find(end, from) - from);
    };
    const std::string in_bash = part(bash, "'" + words + "') if ", ";;");
    const std::string in_zsh = part(zsh, function + "() {", "\n}\n");
    EXPECT_FALSE(named.options.empty());
    for (const std::string& option : named.options) {
      ++options;
      EXPECT_NE(in_bash.find(option), std::string::npos) << option;
      EXPECT_NE(in_zsh.find(option + "["), std::string::npos) << option;
      const std::string seen =
          path.empty() ? "'true; and not"
                       : (path.size() == 1 ? "'" : "; and ") + ("__fish_seen_subcommand_from " + path.back());
      std::istringstream lines(fish);
      bool is_in_fish = false;
      for (std::string line; std::getline(lines, line);) {
        is_in_fish = is_in_fish || (line.find(seen) != std::string::npos &&
                                    line.find(" -l " + option.substr(2) + " ") != std::string::npos);
      }
      EXPECT_TRUE(is_in_fish) << option;
    }
    for (const std::string& command : named.commands) {
      ++commands;
      EXPECT_NE(bash.find("'" + words + " " + command + "'"), std::string::npos) << command;
      EXPECT_NE(zsh.find(function + "_" + command + "() {"), std::string::npos) << command;
      EXPECT_NE(fish.find(" -a '" + command + "' "), std::string::npos) << command;
      std::vector<std::string> below = path;
      below.push_back(command);
      look(below);
    }
  };
  look({});
  EXPECT_GE(commands, 25U) << "or the pages of help were not understood";
  EXPECT_GE(options, 90U);
}

TEST(CompletionCommand, OffersTheChoicesOfAnOptionAndFilesWhereItTakesPaths) {
  const std::string bash = output_of({"completion", "bash"});
  EXPECT_NE(bash.find("'tocsin replay --input-format') _tocsin_words 'auto native otlp http'"), std::string::npos);
  EXPECT_NE(bash.find("'tocsin replay --output'|'tocsin replay -o') _tocsin_words 'text json'"), std::string::npos);
  EXPECT_NE(bash.find("'tocsin replay --rules') _tocsin_files"), std::string::npos);
  EXPECT_NE(bash.find("'tocsin halts release --by') :"), std::string::npos) << "a name is nobody's to guess";
  EXPECT_EQ(bash.find("'tocsin run --embedded')"), std::string::npos) << "a flag takes no value";
}

TEST(CompletionCommand, QuotesWhatAShellWouldRead) {
  CommandShape shape{"tocsin", "", {}, {{"odd", "a 'quoted' [word]: $HOME `id`", {}, {}}}};
  shape.commands[0].options.push_back({{"--it"}, "", "it's [odd]: $(id)", true, false, false, {"a", "b"}});
  EXPECT_NE(completion_script(shape, "zsh").find(R"('(--it)--it[it'\''s \[odd\]\: $(id)]:value:(a b)')"),
            std::string::npos)
      << completion_script(shape, "zsh");
  EXPECT_NE(completion_script(shape, "fish").find(R"(-d 'it'\''s [odd]: $(id)')"), std::string::npos);
  EXPECT_NE(completion_script(shape, "fish").find(R"(-d 'a '\''quoted'\'' [word]: $HOME `id`')"), std::string::npos);
}

TEST(CompletionCommand, ReadsChoicesAsTheLibraryNamesThem) {
  using Choices = std::vector<std::string>;
  EXPECT_EQ(choices_in("TEXT:{text,json}"), (Choices{"text", "json"}));
  EXPECT_EQ(choices_in("{one}"), (Choices{"one"}));
  EXPECT_EQ(choices_in("INT in [1 - 32]"), Choices{});
  EXPECT_EQ(choices_in("}{"), Choices{});
}

}  // namespace completion_command_test
}  // namespace tocsin
