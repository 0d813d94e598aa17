#include "app/completion_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/quotes.h"

namespace tocsin {

namespace {

std::string joined(const std::vector<std::string>& words, std::string_view between) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += between;
    text += word;
  }
  return text;
}

std::vector<std::string> names_of(const std::vector<CommandShape>& commands) {
  std::vector<std::string> names;
  for (const CommandShape& command : commands) names.push_back(command.name);
  return names;
}

std::vector<const OptionShape*> positionals_of(const CommandShape& command) {
  std::vector<const OptionShape*> list;
  for (const OptionShape& option : command.options) {
    if (option.names.empty()) list.push_back(&option);
  }
  return list;
}

// Calls visit(command, "tocsin halts list") for the command and all below it.
void for_each(const CommandShape& command, const std::string& path,
              const std::function<void(const CommandShape&, const std::string&)>& visit) {
  visit(command, path);
  for (const CommandShape& below : command.commands) for_each(below, path + " " + below.name, visit);
}

// What comes to mind for a word in this place: names of files, or one of a few words.
std::string bash_values(const OptionShape& option) {
  if (option.is_path) return "_tocsin_files";
  return option.choices.empty() ? ":" : "_tocsin_words " + in_single_quotes(joined(option.choices, " "));
}

std::string bash_script(const CommandShape& shape) {
  std::vector<std::string> known;
  std::string values, words;
  for_each(shape, shape.name, [&](const CommandShape& command, const std::string& path) {
    if (path != shape.name) known.push_back(in_single_quotes(path));
    std::vector<std::string> options;
    for (const OptionShape& option : command.options) {
      options.insert(options.end(), option.names.begin(), option.names.end());
      if (!option.takes_value || option.names.empty()) continue;
      std::vector<std::string> patterns;
      for (const std::string& name : option.names) patterns.push_back(in_single_quotes(path + " " + name));
      values += fmt::format("    {}) {}; return ;;\n", joined(patterns, "|"), bash_values(option));
    }
    const auto positionals = positionals_of(command);
    const std::string others = !command.commands.empty()
                                   ? "_tocsin_words " + in_single_quotes(joined(names_of(command.commands), " "))
                               : positionals.empty() ? ":"
                                                     : bash_values(*positionals.front());
    words += fmt::format("    {}) if [[ $word == -* ]]; then _tocsin_words {}; else {}; fi ;;\n",
                         in_single_quotes(path), in_single_quotes(joined(options, " ")), others);
  });
  return fmt::format(R"(# bash completion for {0}, made by `{0} completion bash`. Load it with
#   source <({0} completion bash)

_tocsin_words() {{
  local IFS=$' \t\n'
  COMPREPLY=($(compgen -W "$1" -- "$word"))
}}

_tocsin_files() {{
  local IFS=$'\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen -f -- "$word"))
}}

_tocsin() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} command={0} i
  COMPREPLY=()
  # --name=value is three words.
  if [[ $word == '=' ]]; then
    word=
  elif [[ $before == '=' ]]; then
    before=${{COMP_WORDS[COMP_CWORD-2]}}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$command ${{COMP_WORDS[i]}}" in
    {1}) command="$command ${{COMP_WORDS[i]}}" ;;
    esac
  done
  case "$command $before" in
{2}  esac
  case $command in
{3}  esac
}}

complete -F _tocsin {0}
)",
                     shape.name, joined(known, "|"), values, words);
}

// Within [..] of _arguments and behind a colon.
std::string zsh_text(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') result += '\\';
    result += c;
  }
  return result;
}

std::string zsh_values(const OptionShape& option) {
  const std::string name = zsh_text(option.names.empty() ? option.placeholder : "value");
  if (option.is_path) return ":" + name + ":_files";
  return ":" + name + ":" + (option.choices.empty() ? " " : "(" + joined(option.choices, " ") + ")");
}

std::string zsh_script(const CommandShape& shape) {
  std::string functions;
  for_each(shape, shape.name, [&](const CommandShape& command, const std::string& path) {
    std::string function = "_" + path;
    std::replace(function.begin(), function.end(), ' ', '_');
    std::vector<std::string> arguments;
    for (const OptionShape& option : command.options) {
      if (option.names.empty()) continue;
      const std::string excluded = "(" + joined(option.names, " ") + ")";
      for (const std::string& name : option.names) {
        arguments.push_back(in_single_quotes((option.may_repeat ? "*" : excluded) + name + "[" +
                                             zsh_text(option.help) + "]" +
                                             (option.takes_value ? zsh_values(option) : "")));
      }
    }
    if (command.commands.empty()) {
      for (const OptionShape* option : positionals_of(command)) {
        arguments.push_back(in_single_quotes((option->may_repeat ? "*" : "") + zsh_values(*option)));
      }
      functions += fmt::format("{}() {{\n  _arguments -s {}\n}}\n\n", function, joined(arguments, " \\\n    "));
      return;
    }
    std::vector<std::string> list, cases;
    for (const CommandShape& below : command.commands) {
      list.push_back(in_single_quotes(below.name + ":" + zsh_text(below.help)));
      cases.push_back(fmt::format("        {0}) {1}_{0} ;;", below.name, function));
    }
    functions +=
        fmt::format(R"({0}() {{
  local context curcontext="$curcontext" state state_descr line
  typeset -A opt_args
  _arguments -C {1} \
    '1:command:->command' '*::argument:->argument'
  case $state in
    command)
      local -a commands
      commands=({2})
      _describe command commands ;;
    argument)
      case $line[1] in
{3}
      esac ;;
  esac
}}

)",
                    function, joined(arguments, " \\\n    "), joined(list, "\n        "), joined(cases, "\n"));
  });
  return fmt::format(R"(#compdef {0}
# zsh completion for {0}, made by `{0} completion zsh`. Load it with
#   source <({0} completion zsh)
# behind compinit, or write it to a file named _{0} in a folder of $fpath.

{1}if [[ $funcstack[1] == _{0} ]]; then
  _{0} "$@"
else
  compdef _{0} {0}
fi
)",
                     shape.name, functions);
}

std::string fish_script(const CommandShape& shape) {
  std::string lines;
  // `seen`: the condition under which a command has been named.
  const std::function<void(const CommandShape&, const std::string&)> add = [&](const CommandShape& command,
                                                                               const std::string& seen) {
    const std::string deepest = command.commands.empty() ? seen
                                                         : seen + "; and not __fish_seen_subcommand_from " +
                                                               joined(names_of(command.commands), " ");
    const std::string start = fmt::format("complete -c {} -n {}", shape.name, in_single_quotes(deepest));
    for (const OptionShape& option : command.options) {
      std::string line = start;
      for (const std::string& name : option.names) {
        line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (option.is_path) {
        line += option.names.empty() ? " -F" : " -r -F";
      } else if (option.takes_value && !option.names.empty()) {
        line += " -x";
      }
      if (!option.choices.empty()) line += " -a " + in_single_quotes(joined(option.choices, " "));
      if (option.names.empty() && !option.is_path && option.choices.empty()) continue;  // nothing comes to mind
      lines += line + " -d " + in_single_quotes(option.help) + "\n";
    }
    for (const CommandShape& below : command.commands) {
      lines += start + " -a " + in_single_quotes(below.name) + " -d " + in_single_quotes(below.help) + "\n";
    }
    for (const CommandShape& below : command.commands) {
      add(below, (command.name == shape.name ? "" : seen + "; and ") + "__fish_seen_subcommand_from " + below.name);
    }
  };
  add(shape, "true");
  return fmt::format(R"(# fish completion for {0}, made by `{0} completion fish`. Load it with
#   {0} completion fish | source

complete -c {0} -f
{1})",
                     shape.name, lines);
}

}  // namespace

std::vector<std::string> choices_in(std::string_view type_name) {
  std::vector<std::string> choices;
  const std::size_t begin = type_name.rfind('{'), end = type_name.rfind('}');
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) return choices;
  std::string_view rest = type_name.substr(begin + 1, end - begin - 1);
  for (;;) {
    const std::size_t comma = rest.find(',');
    choices.emplace_back(rest.substr(0, comma));
    if (comma == std::string_view::npos) return choices;
    rest.remove_prefix(comma + 1);
  }
}

std::string completion_script(const CommandShape& shape, std::string_view shell) {
  return shell == "bash" ? bash_script(shape) : shell == "zsh" ? zsh_script(shape) : fish_script(shape);
}

}  // namespace tocsin
