#include "app/command_line.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <system_error>

#include "app/check_command.h"
#include "app/client_commands.h"
#include "app/completion_command.h"
#include "app/core_dumps.h"
#include "app/demo_command.h"
#include "app/expand_command.h"
#include "app/files.h"
#include "app/import_command.h"
#include "app/inspect_command.h"
#include "app/replay_command.h"
#include "app/run_command.h"
#include "app/scan_command.h"
#include "app/test_command.h"
#include "app/topics_command.h"
#include "app/trial_command.h"

namespace tocsin {

namespace {

const char* const epilogue =
    "Exit status: 0 well, 1 found what it looks for (a failing check, a leak), 2 used wrongly.\n"
    "What machines read goes to standard output, what people read to standard error.\n"
    "Start here:  tocsin demo --once";

void add_output(CLI::App& command, std::string& output) {
  command.add_option("-o,--output", output, "how to print: text or json")->check(CLI::IsMember({"text", "json"}));
}

// An option that takes several paths takes the input behind it too: `replay --rules mine.yaml events.jsonl -o json`.
// What is neither YAML nor a folder is the input.
void take_input(std::string& input, std::initializer_list<std::vector<std::string>*> lists) {
  for (std::vector<std::string>* const list : lists) {
    if (!input.empty()) return;
    const auto found = std::find_if(list->rbegin(), list->rend(), [](const std::string& one) {
      std::error_code unreadable;
      return !one.ends_with(".yaml") && !one.ends_with(".yml") && !std::filesystem::is_directory(one, unreadable);
    });
    if (found == list->rend()) continue;
    input = *found;
    list->erase(std::next(found).base());
  }
  if (input.empty()) throw CLI::RequiredError("INPUT (a file of events, - or kafka://HOST:PORT/TOPIC)");
}

// What a shell completes with the names of files.
const char* const path = "PATH";

OptionShape shape_of(const CLI::Option& option) {
  OptionShape shape;
  for (const std::string& name : option.get_lnames()) shape.names.push_back("--" + name);
  for (const std::string& name : option.get_snames()) shape.names.push_back("-" + name);
  if (option.get_positional()) shape.placeholder = option.get_name(true);
  shape.help = option.get_description();
  shape.takes_value = option.get_items_expected_max() > 0;
  shape.may_repeat = option.get_items_expected_max() > 1;
  shape.is_path = option.get_type_name() == path;
  shape.choices = choices_in(option.get_type_name());
  return shape;
}

CommandShape shape_of(const CLI::App& app) {
  CommandShape shape{app.get_name(), app.get_description(), {}, {}};
  for (const CLI::Option* option : app.get_options()) shape.options.push_back(shape_of(*option));
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    shape.commands.push_back(shape_of(*command));
  }
  return shape;
}

// `line`: to explain; a number in the inputs, or a text in their place.
int scan(const std::vector<std::string>& patterns, const std::vector<std::string>& inputs, const std::string& output,
         const std::string& line, ScanOptions options) {
  Diagnostics diagnostics;
  const RulesAndPatterns loaded = load_rules_and_patterns(patterns, diagnostics);
  if (print(diagnostics)) return 2;
  options.library = loaded.patterns;
  options.output = output == "json" ? ScanOptions::Output::json : ScanOptions::Output::text;
  if (!line.empty()) {
    const auto [end, problem] = std::from_chars(line.data(), line.data() + line.size(), options.explain);
    const bool is_number = problem == std::errc{} && end == line.data() + line.size() && options.explain > 0;
    if (!is_number) return explain_text(options, line);
  }
  return run_scan(std::move(options), inputs.empty() ? std::vector<std::string>{"-"} : inputs);
}

}  // namespace

int run_command_line(int argc, char** argv) {
  forbid_core_dumps();
  CLI::App app{"Tocsin: alerts and halts from the telemetry of AI agents", "tocsin"};
  app.set_version_flag("--version", std::string("tocsin ") + TOCSIN_VERSION);
  app.require_subcommand(1);
  app.footer(epilogue);
  int status = 0;

  RunOptions run;
  CLI::App* command = app.add_subcommand("run", "the service: events in, pages and halts out");
  command->add_option("--config", run.config, "the configuration file; deploy/tocsin.yaml explains each key")
      ->type_name(path);
  command->add_flag("--embedded", run.embedded, "without a broker: the bus is in memory, events come over HTTP");
  command->add_option("--port", run.port, "of the HTTP doors, in the configuration's place (0: any free one)");
  command->add_option("--halts", run.halts, "what a halt does, in the configuration's place")
      ->check(CLI::IsMember({"dry_run", "enforce"}));
  command->add_option("--clock", run.clock, "wall, or events: the events' own times drive the clock, as in replay")
      ->check(CLI::IsMember({"wall", "events"}));
  command
      ->add_option("--stages", run.stages,
                   "on Kafka: the stages of this process, with a comma between (default: all)")
      ->delimiter(',')
      ->check(CLI::IsMember({"receive", "rekey", "ingest", "evaluate", "deliver"}));
  command->callback([&] { status = run_service(run); });

  DemoOptions demo;
  command = app.add_subcommand("demo", "three days of six agents with an incident for each rule, at speed");
  command->add_flag("--once", demo.once, "end when all has been seen; exit status 1 where something was not");
  command->add_option("--seed", demo.seed, "of the generated runs")->capture_default_str();
  command->add_option("--port", demo.port, "of the HTTP doors")->capture_default_str();
  command->add_option("--agent", demo.agent, "a command that obeys halts, such as 'python3 deploy/obey.py'");
  command->callback([&] { status = run_demo(demo); });

  ReplayOptions replay;
  command = app.add_subcommand("replay", "what the rules would have done with recorded events");
  command->add_option("--rules", replay.rules, "rule files and folders (default: the rules that ship)")
      ->type_name(path);
  command->add_option("--specs", replay.specs, "spec files and folders")->type_name(path);
  command
      ->add_option("--input-format", replay.input_format,
                   "auto (each record tells its form itself), native, otlp, or http (recorded requests to a door)")
      ->check(CLI::IsMember({"auto", "native", "otlp", "http"}))
      ->capture_default_str();
  command->add_option("--config", replay.config, "a service's configuration, whose labels and keys give the same ids")
      ->type_name(path);
  add_output(*command, replay.output);
  command->add_option("--from", replay.from, "of a topic: a time, or -7d (default: its beginning)");
  command->add_option("--to", replay.to, "of a topic (default: its end)");
  command
      ->add_option("--against", replay.against,
                   "other rule files and folders: print what they would change, new, gone, earlier, later")
      ->type_name(path);
  CLI::Option* explain = command->add_option(
      "--explain", replay.explain, "an alert's name: how its evaluation at --at came out, with every number");
  command->add_option("--at", replay.at, "with --explain: the time, such as 2026-01-07T12:00:00Z")->needs(explain);
  command->add_option("--labels", replay.labels, "with --explain: of its group, as agent=support,env=prod")
      ->delimiter(',')
      ->needs(explain);
  command->add_flag("--fail-on-alert", replay.fail_on_alert, "exit status 1 when anything fired");
  command
      ->add_option(
          "INPUT", replay.input,
          "a file of lines, each `value` or `key TAB value`; - is standard input; or kafka://HOST:PORT/TOPIC")
      ->type_name(path);
  command->callback([&] {
    take_input(replay.input, {&replay.rules, &replay.specs, &replay.against});
    status = run_replay(replay);
  });

  TrialOptions trial;
  command = app.add_subcommand("trial", "what would have been last week: reads only, suggests specs, counts pages");
  command->add_option("--rules", trial.rules, "rule, spec and pattern files and folders (default: those that ship)")
      ->type_name(path);
  command->add_option("--from", trial.from, "of a topic: a time, or -7d (default: its beginning)");
  command->add_option("--to", trial.to, "of a topic (default: its end)");
  command->add_option("--config", trial.config, "a configuration, for its way to Kafka")->type_name(path);
  command->add_option("--out", trial.out, "the folder for what is suggested")->type_name(path)->capture_default_str();
  add_output(*command, trial.output);
  command->add_option("INPUT", trial.input, "a file as for replay, or kafka://HOST:PORT/TOPIC")->type_name(path);
  command->callback([&] {
    take_input(trial.input, {&trial.rules});
    status = run_trial(trial);
  });

  InspectOptions inspect;
  command = app.add_subcommand("inspect", "what is read out of records of telemetry, and what rules miss in it");
  command
      ->add_option("--rules", inspect.rules,
                   "a rule or spec file or folder (default: those that ship); once for each")
      ->allow_extra_args(false)  // else it would take the input behind it
      ->type_name(path);
  command->add_option("--input-format", inspect.input_format, "auto, or http (recorded requests to a door)")
      ->check(CLI::IsMember({"auto", "http"}))
      ->capture_default_str();
  command->add_option("--records", inspect.records, "how many are shown; all of them count for the rules")
      ->capture_default_str();
  command->add_flag("--dialects", inspect.dialects, "print which names of which dialect give which field");
  command->add_option("--from", inspect.from, "of a topic: a time, or -7d (default: its beginning)");
  command->add_option("--to", inspect.to, "of a topic (default: its end)");
  command->add_option("--config", inspect.config, "a configuration, for its way to Kafka")->type_name(path);
  command->add_option("INPUT", inspect.input, "a file as for replay, or kafka://HOST:PORT/TOPIC; - is standard input")
      ->type_name(path)
      ->capture_default_str();
  command->callback([&] { status = run_inspect(inspect); });

  CheckOptions check;
  command = app.add_subcommand("check", "every mistake of rule, spec, pattern and configuration files");
  command->add_flag("--strict", check.strict, "exit status 1 for warnings as well");
  add_output(*command, check.output);
  command->add_option("PATH", check.paths, "files and folders")->type_name(path)->required();
  command->callback([&] { status = run_check(check); });

  ExpandOptions expand;
  command = app.add_subcommand("expand", "rules as they are in force, with what presets and defaults add");
  CLI::Option* presets = command->add_flag("--presets", expand.presets, "print the presets that there are");
  command->add_option("PATH", expand.paths, "rule files and folders")->type_name(path)->excludes(presets);
  command->callback([&] { status = run_expand(expand); });

  TestOptions test;
  command =
      app.add_subcommand("test", "unit tests of rules: events in shorthand, and the alerts that must come of them");
  command->add_option("--only", test.only, "tests whose name holds this text");
  add_output(*command, test.output);
  command->add_option("PATH", test.paths, "test files and folders")->type_name(path)->required();
  command->callback([&] { status = run_tests(test); });

  ImportOptions import;
  command = app.add_subcommand("import", "Prometheus' alerts on agents as rules of Tocsin, and why others are none");
  command->add_option("--prometheus", import.prometheus, "a file of Prometheus' alerting rules")
      ->type_name(path)
      ->required();
  command->callback([&] { status = run_import(import); });

  std::vector<std::string> scan_patterns, scan_inputs;
  std::string scan_output = "text";
  ScanOptions scan_options;
  command = app.add_subcommand("scan", "the secrets and personal data in each line of a text");
  command->add_option("--patterns", scan_patterns, "a pattern file or folder, besides those that ship; once for each")
      ->allow_extra_args(false)  // else it would take the inputs behind it
      ->type_name(path);
  command->add_flag("--redact", scan_options.redact, "write the lines back, redacted");
  std::string scan_line;
  command
      ->add_option("--explain", scan_line,
                   "of the line with this number, or of this text: which pattern, which check, why the tier")
      ->type_name("LINE");
  add_output(*command, scan_output);
  command->add_option("INPUT", scan_inputs, "files and folders; - is standard input, which is the default")
      ->type_name(path);
  command->callback([&] { status = scan(scan_patterns, scan_inputs, scan_output, scan_line, scan_options); });

  TopicsOptions topics;
  command = app.add_subcommand("topics", "the Kafka topics and rights that it needs: checks, creates or prints them");
  command->add_option("--config", topics.config, "the configuration file, with its 'kafka'")
      ->type_name(path)
      ->required();
  auto* create = command->add_flag("--create", topics.create, "create what is missing; what is there is not altered");
  command->add_option("--print", topics.print, "print them for other tools, without asking a cluster")
      ->check(CLI::IsMember({"kafka-topics", "strimzi", "acls"}))
      ->excludes(create);
  command
      ->add_option("--source-partitions", topics.source_partitions,
                   "of all sources together, where no cluster is asked; with --create of each source that is missing")
      ->check(CLI::Range(1, 100'000));
  command->add_option("--replication-factor", topics.replication_factor, "in the configuration's place")
      ->check(CLI::Range(1, 32));
  command->add_option("--principal", topics.principal, "with --print acls: the service (default: the SASL user)");
  command->add_option("--agents", topics.agents, "with --print acls: the agents that obey halts")
      ->capture_default_str();
  command->add_option("--cluster", topics.cluster, "with --print strimzi: the Kafka resource")->capture_default_str();
  command->callback([&] { status = run_topics(topics); });

  ClientOptions client;
  std::string scope, by, reason;
  const auto add_client = [&](CLI::App& parent, const char* name, const char* help) {
    CLI::App* sub = parent.add_subcommand(name, help);
    sub->add_option("--url", client.url, "of the service (default: TOCSIN_URL, else http://127.0.0.1:8686)");
    add_output(*sub, client.output);
    return sub;
  };
  // What people order needs no service where there is a cluster.
  const auto add_order = [&](CLI::App& parent, const char* name, const char* help) {
    CLI::App* sub = add_client(parent, name, help);
    CLI::Option* config =
        sub->add_option("--config", client.config, "the configuration whose 'kafka:' --kafka takes")->type_name(path);
    sub->add_flag("--kafka", client.kafka, "act on the topics in Kafka directly, without a running service")
        ->needs(config);
    return sub;
  };
  CLI::App* halts = app.add_subcommand("halts", "look at halts, and release them");
  halts->require_subcommand(1);
  add_order(*halts, "list", "all halts")->callback([&] { status = run_halts_list(client); });
  command = add_order(*halts, "show", "whether a scope is halted, and why");
  command->add_option("SCOPE", scope, "task:ID or agent:NAME")->required();
  command->callback([&] { status = run_halts_show(client, scope); });
  command = add_order(*halts, "release", "let a scope go on; the same secret does not halt it again");
  command->add_option("SCOPE", scope, "task:ID or agent:NAME")->required();
  command->add_option("--by", by, "who releases it")->required();
  command->add_option("--reason", reason, "why")->required();
  command->callback([&] { status = run_halts_release(client, scope, by, reason); });
  command = add_order(*halts, "drill", "halt a scope for ten minutes, to see that its agent obeys");
  command->add_option("SCOPE", scope, "task:ID or agent:NAME")->required();
  command->add_option("--by", by, "who drills")->required();
  command->callback([&] { status = run_halts_drill(client, scope, by); });

  SilenceRequest silence;
  std::string silence_id;
  CLI::App* silences = app.add_subcommand("silences", "times in which nobody is paged for some alerts");
  silences->require_subcommand(1);
  command = add_order(*silences, "add", "send no pages for alerts whose labels match; alerts and halts go on");
  command
      ->add_option("MATCHER", silence.matchers,
                   "LABEL=VALUE, or with !=, =~REGEX, !~REGEX; all must match. "
                   "alertname is the alert's name")
      ->required();
  CLI::Option* length = command->add_option("--for", silence.length, "how long, such as 2h");
  command->add_option("--until", silence.until, "when it ends, such as 2026-01-07T12:00:00Z")->excludes(length);
  command->add_option("--from", silence.from, "when it begins (default: now)");
  command->add_option("--by", silence.by, "who silences")->required();
  command->add_option("--reason", silence.reason, "why")->required();
  command->callback([&] { status = run_silences_add(client, silence); });
  add_order(*silences, "list", "all silences, those of the last days too")->callback([&] {
    status = run_silences_list(client);
  });
  command = add_order(*silences, "expire", "end a silence now");
  command->add_option("ID", silence_id, "of the silence")->required();
  command->add_option("--by", silence.by, "who ends it")->required();
  command->callback([&] { status = run_silences_expire(client, silence_id, silence.by); });

  std::string accepted_alert;
  std::vector<std::string> accepted_labels;
  CLI::App* baselines = app.add_subcommand("baselines", "what alerts take as usual");
  baselines->require_subcommand(1);
  command =
      add_client(*baselines, "accept", "what an alert fires for is the new normal: it resolves and learns it now");
  command->add_option("ALERT", accepted_alert, "the alert's name")->required();
  command->add_option("LABEL", accepted_labels, "LABEL=VALUE of the group that fires, such as agent=support");
  command->add_option("--by", by, "who accepts it")->required();
  command->add_option("--reason", reason, "why")->required();
  command->callback([&] { status = run_baselines_accept(client, accepted_alert, accepted_labels, by, reason); });

  CLI::App* alerts = app.add_subcommand("alerts", "look at the alerts of a running service");
  alerts->require_subcommand(1);
  add_client(*alerts, "list", "what fires now")->callback([&] { status = run_alerts_list(client); });
  add_client(app, "status", "how a running service is doing")->callback([&] { status = run_status(client); });

  std::string shell;
  command = app.add_subcommand("completion", "what a shell needs to complete this: source <(tocsin completion bash)");
  command->add_option("SHELL", shell, "which shell")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->callback([&] { std::cout << completion_script(shape_of(app), shell); });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error, std::cout, std::cerr);
    return code == 0 ? 0 : 2;
  }
  std::cout.flush();
  if (!std::cout || std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    std::cerr << "tocsin: what was to be printed could not be written to its end\n";
    return 2;
  }
  return status;
}

}  // namespace tocsin
