// `tocsin completion`: what a shell needs to complete commands, options and their choices, made from the definition
// of the command line itself.

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tocsin {

// The command line as it is defined, without the library that reads it.
struct OptionShape {
  std::vector<std::string> names;  // "--output" and "-o"; none where it stands by its place
  std::string placeholder;         // of what stands by its place: PATH
  std::string help;
  bool takes_value = false;
  bool is_path = false;
  bool may_repeat = false;
  std::vector<std::string> choices;
};
struct CommandShape {
  std::string name;
  std::string help;
  std::vector<OptionShape> options;
  std::vector<CommandShape> commands;
};

// The text between the last pair of braces, split at commas: how the library names a choice, {text,json}.
std::vector<std::string> choices_in(std::string_view type_name);

// `shell`: bash, zsh or fish. The script is for the command `shape.name`.
std::string completion_script(const CommandShape& shape, std::string_view shell);

}  // namespace tocsin
