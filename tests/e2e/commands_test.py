"""The commands as people and scripts use them."""
import json
import pathlib
import subprocess
import tempfile
import unittest

from support import ROOT, TOCSIN, generated, json_lines, run

DATA = ROOT.parent / "shared" / "data"


class Replay(unittest.TestCase):
    def replay(self, text, *options):
        done = run("replay", "-o", "json", *options, "-", input=text)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json_lines(done.stdout)

    @unittest.skipUnless((DATA / "airline").exists(), "the recorded runs are not here")
    def test_the_recorded_runs_raise_nothing_and_add_up(self):
        truth = json.loads((DATA / "airline/truth.json").read_text())
        done = run("replay", "--rules", str(ROOT / "rules"), "-o", "json", str(DATA / "airline/events.jsonl"))
        lines = json_lines(done.stdout)
        self.assertEqual([line["kind"] for line in lines], ["summary"])
        summary = lines[0]
        self.assertEqual(summary["tasks"], truth["tasks"])
        self.assertEqual(summary["model_calls"], truth["steps"])
        self.assertEqual(summary["tokens_in"], truth["tokens_in"])
        self.assertEqual(summary["tokens_out"], truth["tokens_out"])
        self.assertEqual(summary["tool_calls"], sum(truth["tool_calls"].values()))
        self.assertEqual(summary["tool_errors"], truth["tool_errors"])
        self.assertEqual(round(summary["cost_usd"] * 1e6), truth["cost_micro_usd"])
        self.assertEqual(summary["surfaces"], truth["outcomes"]["surfaced"])
        self.assertEqual(summary["dead_letters"], 0)

    def test_bad_records_become_pointers_and_the_stream_goes_on(self):
        good = json.dumps({"type": "step", "time": "2026-03-01T10:00:00Z", "correlation_id": "x", "tokens_in": 5})
        secret = "AKIA" + "QX7TZ4NWB2MD5KRY"
        bad = ['{"type": "step", "' + secret, "[" * 5_000_000, '{"type":"step","content":{"a":"' + "b" * (10 << 20) + '"}}',
               '{"type":"step","correlation_id":"x","tokens_in":"' + secret + '"}', "", "null", "17", '"text"']
        lines = self.replay("\n".join([good, *bad, good]))
        letters = [line for line in lines if line["kind"] == "dead_letter"]
        self.assertEqual([letter["record"] for letter in letters], [2, 3, 4, 5, 7, 8, 9])
        self.assertEqual(letters[2]["reason"], "too_large")
        self.assertEqual(lines[-1]["events"], 2)
        self.assertEqual(lines[-1]["tokens_in"], 10)
        self.assertNotIn(secret, json.dumps(lines))

    def test_cost_that_nobody_reports_is_unknown_and_not_zero(self):
        line = json.dumps({"type": "step", "time": "2026-03-01T10:00:00Z", "correlation_id": "x", "tokens_in": 5})
        self.assertIsNone(self.replay(line)[-1]["cost_usd"])

    def test_events_that_come_twice_count_once(self):
        line = json.dumps({"type": "step", "time": "2026-03-01T10:00:00Z", "correlation_id": "x", "event_id": "e-1",
                           "tokens_in": 5})
        self.assertEqual(self.replay("\n".join([line] * 3))[-1]["tokens_in"], 5)

    def test_fail_on_alert_is_an_exit_status(self):
        line = json.dumps({"type": "step", "time": "2026-03-01T10:00:00Z", "correlation_id": "x",
                           "content": {"o": "AKIA" + "QX7TZ4NWB2MD5KRY"}})
        self.assertEqual(run("replay", "--fail-on-alert", "-", input=line).returncode, 1)
        self.assertEqual(run("replay", "-", input=line).returncode, 0)

    def test_a_running_task_over_its_budget_is_found_while_it_says_nothing(self):
        start = {"type": "task.started", "time": "2026-03-01T10:00:00Z", "correlation_id": "slow", "agent": "a",
                 "env": "prod", "budget": {"wall_clock_s": 60}}
        other = [{"type": "step", "time": f"2026-03-01T10:{m:02d}:00Z", "correlation_id": "other", "agent": "b"}
                 for m in range(1, 9)]
        lines = self.replay("\n".join(json.dumps(event) for event in [start, *other]))
        alerts = [line for line in lines if line["kind"] == "alert"]
        self.assertEqual([(a["alert"], a["time"], a["labels"]["correlation_id"]) for a in alerts],
                         [("TaskOverWallClock", "2026-03-01T10:02:10.000Z", "slow")])

    def test_bad_input_is_a_clear_error(self):
        self.assertEqual(run("replay", "/no/such/file").returncode, 2)
        self.assertEqual(run("replay").returncode, 2)
        self.assertEqual(run("replay", "--rules", "/no/such", "-", input="").returncode, 2)


class Backtest(unittest.TestCase):
    """What people do before they trust it: a trial, other rules, one evaluation in full."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        _, cls.incidents, cls.runs = generated(3, cls.folder)

    def test_a_trial_suggests_specs_and_counts_pages(self):
        out = self.folder / "trial"
        done = run("trial", str(self.runs), "--out", str(out), "-o", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        trial = json.loads(done.stdout)
        self.assertEqual({page["alert"] for page in trial["pages"]}, {
            "CostSpike", "ErrorRateSpike", "SurfaceRateOutOfBand", "SurfaceRateTooLow", "AuthorizationRefusalSpike",
            "SecretLeak", "TaskOverWallClock"})
        self.assertLessEqual(len(trial["pages"]), 8)
        self.assertEqual(len(trial["halts"]), 1)
        self.assertEqual(len(trial["agents"]), 6)
        self.assertTrue(all(page["correlation_ids"] for page in trial["pages"]))
        checked = run("check", str(out))
        self.assertEqual(checked.returncode, 0, checked.stdout)
        self.assertIn("6 specs", checked.stderr)
        text = run("trial", str(self.runs), "--out", str(out)).stdout
        for heading in ("What was seen", "What the rules would see", "What would have been", "What to do next"):
            self.assertIn(heading, text)

    def test_a_trial_wants_something_to_read(self):
        self.assertEqual(run("trial", "-", input="").returncode, 2)
        self.assertEqual(run("trial", "/no/such/file").returncode, 2)

    def test_other_rules_are_compared_by_their_episodes(self):
        rules = self.folder / "other.yaml"
        text = (ROOT / "rules/agents.yaml").read_text()
        rules.write_text(text.replace("hits >= 4", "hits >= 3").replace("alert: SecretLeak", "alert: KeyLeak"))
        arguments = ("replay", str(self.runs), "--rules", str(ROOT / "rules"), "--against", str(rules), "--against",
                     str(ROOT / "rules/specs"))
        changes = json_lines(run(*arguments, "-o", "json").stdout)
        self.assertEqual({(one["change"], one["alert"]) for one in changes if "Leak" in one["alert"]},
                         {("gone", "SecretLeak"), ("new", "KeyLeak")})
        self.assertIn(("earlier", "ErrorRateSpike"), {(one["change"], one["alert"]) for one in changes})
        text = run(*arguments).stdout
        self.assertIn("differences", text.splitlines()[-1])
        same = run("replay", str(self.runs), "--rules", str(ROOT / "rules"), "--against", str(ROOT / "rules"))
        self.assertTrue(same.stdout.endswith(" 0 differences\n"), same.stdout)

    def test_a_line_is_explained_by_its_number_or_as_a_text(self):
        key = "AKIA" + "ODZDOCIS2JHTLGMX"
        done = run("scan", "--explain", f"id {key}\nand no more")
        self.assertEqual(done.returncode, 1)
        self.assertIn("aws.access_key at bytes 3-23", done.stdout)
        self.assertNotIn(key, done.stdout + done.stderr)
        done = run("scan", "--explain", "2", "-", input=f"clean\nid {key}\n")
        self.assertIn("aws.access_key at bytes 3-23", done.stdout)
        done = run("scan", "--explain", "a word")
        self.assertEqual((done.returncode, done.stdout), (0, "nothing in it begins as any pattern does\n"))

    def test_one_evaluation_is_explained_with_every_number(self):
        page = next(one for one in json_lines(run("replay", str(self.runs), "--rules", str(ROOT / "rules"), "-o",
                                                  "json").stdout)
                    if one["kind"] == "alert" and one["alert"] == "CostSpike" and one["state"] == "firing")
        arguments = ("replay", str(self.runs), "--rules", str(ROOT / "rules"), "--explain", "CostSpike", "--labels",
                     "agent=" + page["labels"]["agent"])
        done = run(*arguments, "--at", page["time"])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"value = {page['value']:.6g}", done.stdout)
        self.assertIn(f"mean {page['baseline']:.6g}", done.stdout)
        self.assertIn("so it holds; the alert is firing", done.stdout)
        self.assertEqual(done.stdout.count("    block "), 24)
        for wrong, why in ((("--at", "yesterday"), "--at takes a time"), (("--at", "2027-01-01T00:00:00Z"), "end before")):
            done = run(*arguments, *wrong)
            self.assertEqual(done.returncode, 2)
            self.assertIn(why, done.stderr)
        done = run("replay", str(self.runs), "--explain", "CostSpik", "--at", page["time"])
        self.assertIn("did you mean 'CostSpike'?", done.stderr)

    def explained(self, rule, events, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            rules = pathlib.Path(folder, "rules.yaml")
            rules.write_text(rule)
            return run("replay", "-", "--rules", str(rules), "--explain", *arguments,
                       input="".join(json.dumps(event) + "\n" for event in events))

    def test_what_is_said_of_a_running_task_is_explained_by_the_task(self):
        rule = """groups: [{name: g, rules: [{alert: Long, mode: task, when: elapsed > 2 * spec.wall_clock, page_by: [agent]}]}]
specs: [{name: s, version: "1", wall_clock: 5m}]
"""
        base = {"env": "prod", "agent": "a", "spec": "s", "spec_version": "1"}
        events = [{"type": "task.started", "time": "2026-03-01T10:00:00Z", "correlation_id": "slow", **base},
                  {"type": "task.started", "time": "2026-03-01T10:00:00Z", "correlation_id": "own", "budget": {"wall_clock_s": 60},
                   **base}]
        events += [{"type": "step", "time": f"2026-03-01T10:{minute:02}:00Z", "correlation_id": "other", **base}
                   for minute in range(1, 30)]
        done = self.explained(rule, events, "Long", "--labels", "correlation_id=slow", "--at", "2026-03-01T10:09:00Z")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("started 2026-03-01T10:00:00.000Z, ran 9m\n", done.stdout)
        self.assertIn("  elapsed = 540\n  spec.wall_clock = 300\n", done.stdout)
        self.assertIn("so it does not hold; the alert is not firing\n  it holds after 2026-03-01T10:10:00.000Z and "
                      "is looked at 5s later, unless the task ends or pauses before\n", done.stdout)
        done = self.explained(rule, events, "Long", "--labels", "correlation_id=slow", "--at", "2026-03-01T10:10:10Z")
        self.assertIn("so it holds; the alert is firing\n", done.stdout)
        done = self.explained(rule, events, "Long", "--labels", "correlation_id=own", "--at", "2026-03-01T10:01:00Z")
        self.assertIn("spec.wall_clock = 60   (of the task itself)\n", done.stdout)
        done = self.explained(rule, events, "Long", "--labels", "correlation_id=none", "--at", "2026-03-01T10:01:00Z")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no task is known that has these labels at that time: correlation_id=none", done.stderr)

    def test_a_task_is_explained_as_it_was_known_then(self):
        rule = "groups: [{name: g, rules: [{alert: Silent, mode: task, when: silent > 10m, keep_firing_for: 0s}]}]"
        events = [{"type": "step", "time": f"2026-03-01T10:{minute}:00Z", "correlation_id": "x", "env": "prod", "agent": "a"}
                  for minute in ("00", "30", "45")]
        done = self.explained(rule, events, "Silent", "--labels", "agent=a", "--at", "2026-03-01T10:20:00Z")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("last event 2026-03-01T10:00:00.000Z\n  silent = 1200\n", done.stdout)
        self.assertIn("so it holds; the alert is firing\n", done.stdout)
        done = self.explained(rule, events, "Silent", "--labels", "agent=a", "--at", "2026-03-01T10:05:00Z")
        self.assertIn("it holds after 2026-03-01T10:10:00.000Z and is looked at 5s later, unless the task says something before\n",
                      done.stdout)

    def test_what_is_counted_in_a_task_is_explained_key_by_key(self):
        rule = "groups: [{name: g, rules: [{preset: tool_loop}]}]\n"
        events = [{"type": "tool.call", "time": f"2026-03-01T10:{minute:02}:{second:02}Z", "correlation_id": "loop", "env": "prod",
                   "agent": "a", "tool": "fetch" if second else "search", "arguments": {"page": 1}}
                  for minute in range(15) for second in (0, 20, 40)]
        done = self.explained(rule, events, "ToolLoop", "--labels", "agent=a", "--at", "2026-03-01T10:08:00Z")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("  counted   events of tool.call, within 15m\n    tool=fetch and the same arguments: 16, the last at "
                      "2026-03-01T10:07:40.000Z\n    tool=search and the same arguments: 8, the last at "
                      "2026-03-01T10:07:00.000Z\n", done.stdout)
        self.assertIn("  value = 16\n", done.stdout)
        self.assertIn("so it does not hold; the alert is not firing\n", done.stdout)
        done = self.explained(rule, events, "ToolLoop", "--labels", "agent=a", "--at", "2026-03-01T10:12:00Z")
        self.assertIn("so it holds; the alert is firing\n", done.stdout)

    def test_silence_is_explained_by_the_last_word(self):
        rule = """groups: [{name: g, rules: [{alert: Gone, mode: absence, after: 10m, group_by: [agent]}]}]"""
        events = [{"type": "step", "time": "2026-03-01T10:00:00Z", "correlation_id": "x", "env": "prod", "agent": "quiet"}]
        events += [{"type": "step", "time": f"2026-03-01T10:{minute:02}:00Z", "correlation_id": "y", "env": "prod", "agent": "b"}
                   for minute in range(1, 30)]
        done = self.explained(rule, events, "Gone", "--labels", "agent=quiet", "--at", "2026-03-01T10:05:00Z")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("  last      heard of by 2026-03-01T10:00:10.000Z\n  silent    4m50s; 10m is allowed\n  so it is not gone; the "
                      "alert is inactive\n", done.stdout)
        done = self.explained(rule, events, "Gone", "--labels", "agent=quiet", "--at", "2026-03-01T10:15:00Z")
        self.assertIn("so it is gone; the alert is firing\n", done.stdout)

    def test_of_several_windows_the_longest_is_explained_and_all_are_judged(self):
        rules = ROOT / "tests/rules/burn.yaml"
        done = run("replay", str(self.runs), "--rules", str(rules), "--explain", "BurnsFast", "--labels",
                   "agent=billing-assistant", "--at", "2026-01-07T09:44:00Z")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("  window    1h, 2026-01-07T08:44:00.000Z to 2026-01-07T09:44:00.000Z\n", done.stdout)
        self.assertIn("the condition must hold in the shorter windows, too", done.stdout)


class Expand(unittest.TestCase):
    def test_what_is_expanded_does_the_same(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "mine.yaml"
            path.write_text("groups:\n- name: mine\n  defaults: {labels: {team: a}, keep_firing_for: 10m}\n  rules:\n"
                            "  - preset: cost_spike\n  - {preset: tool_errors, alert: Mine, when: low(value) > 0.5}\n")
            done = run("expand", str(path))
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertNotIn("preset", done.stdout)
            self.assertIn("keep_firing_for: 10m", done.stdout)
            again = pathlib.Path(folder) / "again.yaml"
            again.write_text(done.stdout)
            self.assertEqual(run("check", "--strict", str(again)).stdout,
                             run("check", "--strict", str(path)).stdout.replace("mine.yaml", "again.yaml"))
            self.assertEqual(run("expand", str(again)).stdout, done.stdout.replace("mine.yaml", "again.yaml"))
            path.write_text("groups:\n- name: mine\n  rules:\n  - preset: cost_spik\n")
            self.assertEqual(run("expand", str(path)).returncode, 1)
        self.assertIn("cost_spike:", run("expand", "--presets").stdout)


    def test_several_files_are_one_that_is_right(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "all.yaml"
            done = run("expand", str(ROOT / "rules/agents.yaml"), str(ROOT / "tests/rules/tenants.yaml"))
            path.write_text(done.stdout)
            self.assertIn("attributes:", done.stdout)
            checked = run("check", str(path))
            self.assertEqual(checked.returncode, 0, checked.stdout)


class FirstSteps(unittest.TestCase):
    """What people do who have not read everything."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.events = pathlib.Path(self.folder.name) / "events.jsonl"
        self.events.write_text('{"type":"step","time":"2026-01-05T00:00:00Z","correlation_id":"t","agent":"a"}\n')
        self.rules = str(ROOT / "rules/agents.yaml")

    def tearDown(self):
        self.folder.cleanup()

    def test_an_option_may_stand_behind_the_input_of_replay(self):
        done = run("replay", "--rules", self.rules, str(self.events), "-o", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout.splitlines()[-1])["records"], 1)
        self.assertEqual(run("replay", "--rules", self.rules).returncode, 2)

    def test_standard_input_is_read(self):
        done = run("replay", "-", "-o", "json", input=self.events.read_text() * 3)
        self.assertEqual(json.loads(done.stdout.splitlines()[-1])["records"], 3)

    def test_what_is_not_written_is_no_success(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([TOCSIN, "replay", str(self.events)], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("could not be written", done.stderr)

    def test_what_is_not_read_is_no_success(self):
        self.events.write_text("{nothing\n{of ours\n")
        done = run("replay", "--fail-on-alert", str(self.events))
        self.assertEqual(done.returncode, 2)
        self.assertIn("2 records not read: not_json, the first is number 1", done.stdout)
        self.assertIn("not one of the 2 records", run("trial", str(self.events), "--out", self.folder.name).stderr)

    def test_a_trial_writes_over_nothing_that_people_changed(self):
        with open(self.events, "w") as file:
            for i in range(60):
                of_task = f'"correlation_id":"t{i}","agent":"a","spec":"s","spec_version":"1"'
                file.write(f'{{"type":"task.started","time":"2026-01-05T{i // 4:02}:00:00Z",{of_task}}}\n')
                file.write(f'{{"type":"step","time":"2026-01-05T{i // 4:02}:01:00Z","cost_usd":0.5,{of_task}}}\n')
                file.write(f'{{"type":"task.finished","time":"2026-01-05T{i // 4:02}:02:00Z","outcome":"completed",{of_task}}}\n')
        trial = ["trial", str(self.events), "--out", self.folder.name]
        self.assertEqual(run(*trial).returncode, 0)
        self.assertEqual(run(*trial).returncode, 0, "its own it replaces")
        specs = pathlib.Path(self.folder.name) / "specs/suggested.yaml"
        specs.write_text(specs.read_text() + "# mine\n")
        done = run(*trial)
        self.assertEqual(done.returncode, 2)
        self.assertIn("was changed since a trial wrote it", done.stderr)
        self.assertIn("# mine", specs.read_text())

    def test_an_explanation_is_json_where_that_is_asked_for(self):
        with open(self.events, "a") as file:
            file.write('{"type":"step","time":"2026-01-05T00:01:00Z","correlation_id":"t","agent":"a"}\n')
        rules = pathlib.Path(self.folder.name) / "rules.yaml"
        rules.write_text("groups:\n- name: g\n  rules:\n"
                         "  - {alert: Any, from: step, value: count(), window: 5m, when: value > 0}\n")
        done = run("replay", str(self.events), "--rules", str(rules), "--explain", "Any", "--at", "2026-01-05T00:00:30Z",
                   "-o", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["kind"], "explanation")


class Check(unittest.TestCase):
    def check(self, text, name="rules.yaml", *options):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / name
            path.write_text(text)
            done = run("check", *options, str(path))
            return done.returncode, done.stdout.replace(str(path), name)

    def test_what_ships_is_right(self):
        done = run("check", str(ROOT / "rules"), str(ROOT / "deploy/tocsin.yaml"))
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_every_mistake_is_listed_with_its_place(self):
        status, out = self.check("groups:\n- name: g\n  rules:\n  - alert: A\n    from: stepp\n    value: per_hour(cots)\n"
                                 "    window: 90s\n    when: value > 30m\n    tipo: 1\n")
        self.assertEqual(status, 1)
        self.assertIn("rules.yaml:5:11: unknown-word:", out)
        self.assertIn("did you mean 'step'?", out)
        self.assertIn("rules.yaml:6:21: bad-value:", out)
        self.assertIn("rules.yaml:7:13: bad-window:", out)
        self.assertIn("rules.yaml:9:5: unknown-key:", out)

    def test_what_is_said_of_fields_and_content_needs_no_patterns_beside_it(self):
        status, out = self.check("sanitize: {version: 1, references: {retention: 90d, results: {keep: redacted}}, "
                                 "allow: [{pattern: jwt, until: 2027-01-31, reason: sandbox}]}\n", "content.yaml")
        self.assertEqual((status, out), (0, ""))
        status, out = self.check("sanitize: {version: 1, references: {retention: 90}}\n", "content.yaml")
        self.assertEqual(status, 1)
        self.assertIn("content.yaml:1:48: retention: ", out)

    def test_json_and_the_line_underlined(self):
        text = "groups:\n- name: g\n  rules:\n  - {alert: A, from: stepp, value: count(), window: 5m, when: value > 1}\n"
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "rules.yaml"
            path.write_text(text)
            done = run("check", str(path))
            self.assertEqual(done.stderr.splitlines()[0], "     4 |   - {alert: A, from: stepp, value: count(), window: 5m, when: value > 1}")
            self.assertEqual(done.stderr.splitlines()[1], "       |                      ^^^^^")
            done = run("check", "-o", "json", str(path))
            self.assertEqual(done.returncode, 1)
            found = json.loads(done.stdout)
            self.assertEqual((found["errors"], found["warnings"]), (1, 0))
            self.assertEqual({key: found["diagnostics"][0][key] for key in ("line", "column", "severity", "code")},
                             {"line": 4, "column": 22, "severity": "error", "code": "unknown-word"})
            path.write_text(text.replace("stepp", "step") .replace("value > 1", "value > 1, actions: []"))
            self.assertEqual(run("check", str(path)).returncode, 0)
            self.assertEqual(run("check", "--strict", str(path)).returncode, 1)

    def test_a_bad_configuration_lists_all_its_faults_and_nothing_starts(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "tocsin.yaml"
            path.write_text("halts: {mode: maybe}\nhttp: {port: 99999, adress: x}\nclock: sometimes\n"
                            "receivers:\n- {name: a, url: 'ftp://x'}\nrules: [nowhere]\n")
            for command in (("check", str(path)), ("run", "--embedded", "--config", str(path))):
                done = run(*command)
                out = done.stdout + done.stderr
                self.assertIn(done.returncode, (1, 2))
                for place in (":1:15: unknown-word", ":2:14: out-of-range", ":2:21: unknown-key", ":3:8: unknown-word",
                              ":5:18: bad-url", ":5:3: missing-key", ": unreadable"):
                    self.assertIn(place, out)

    def test_a_bad_rule_file_stops_the_start(self):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "r.yaml").write_text("groups:\n- name: g\n  rules:\n  - {alert: A}\n")
            config = pathlib.Path(folder) / "tocsin.yaml"
            config.write_text("halts: {mode: dry_run}\nhttp: {port: 0}\nrules: [r.yaml]\n")
            done = run("run", "--embedded", "--config", str(config))
            self.assertEqual(done.returncode, 2)
            self.assertIn("r.yaml:4:5: missing-key", done.stderr)

    def test_halts_have_no_default_mode(self):
        done = run("run", "--embedded", "--port", "0")
        self.assertEqual(done.returncode, 2)
        self.assertIn("there is no default", done.stderr)

    def test_hostile_files_end_at_once(self):
        for text in ("a: &a [*a]", "[" * 100_000, "{" * 100_000, "x: " + "(" * 20_000, "\x00\x01", "- - -" * 10_000,
                     "groups: " + "[" * 300 + "]" * 300):
            status, out = self.check(text)
            self.assertEqual(status, 1)
            self.assertLess(len(out), 10_000)


class Scan(unittest.TestCase):
    def test_it_finds_redacts_and_never_prints(self):
        secret = "AKIA" + "QX7TZ4NWB2MD5KRY"
        text = f"hello\nkey {secret} here\nmail jo@example.com\n"
        done = run("scan", "-o", "json", input=text)
        self.assertEqual(done.returncode, 1)
        lines = json_lines(done.stdout)
        self.assertEqual([line["line"] for line in lines], [2, 3])
        self.assertEqual((lines[0]["findings"][0]["start"], lines[0]["findings"][0]["end"]), (4, 24))
        self.assertNotIn(secret, done.stdout)
        done = run("scan", "--redact", input=text)
        self.assertNotIn(secret, done.stdout)
        self.assertNotIn("jo@example.com", done.stdout)
        self.assertEqual(run("scan", "--redact", input=done.stdout).stdout, done.stdout)

    def test_patterns_of_ones_own_may_stand_before_the_inputs(self):
        with tempfile.TemporaryDirectory() as folder:
            own, text = pathlib.Path(folder) / "own.yaml", pathlib.Path(folder) / "text.txt"
            own.write_text("sanitize:\n  version: 1\n  patterns:\n  - {id: acme.key, tier: page, description: d, "
                           "keywords: [acme_], regex: 'acme_[0-9]{8}', examples: [acme_12345678]}\n")
            text.write_text("a\nb acme_87654321\n")
            done = run("scan", "--patterns", str(own), str(text), "-o", "json")
            self.assertEqual((done.returncode, done.stderr), (1, ""))
            self.assertEqual([(line["line"], line["findings"][0]["pattern"]) for line in json_lines(done.stdout)],
                             [(2, "acme.key")])


class Inspect(unittest.TestCase):
    def test_rules_of_ones_own_may_stand_before_the_input(self):
        with tempfile.TemporaryDirectory() as folder:
            records = pathlib.Path(folder) / "records.jsonl"
            records.write_text('{"type":"tool.call","tool":"t","correlation_id":"c","env":"e","agent":"a"}\n')
            done = run("inspect", "--rules", str(ROOT / "rules/agents.yaml"), str(records))
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("record 1: ", done.stdout)

    def test_it_says_what_gave_what_and_what_rules_miss(self):
        span = {"traceId": "01" * 16, "spanId": "02" * 8, "name": "mail to jane@example.com",
                "startTimeUnixNano": "1767571200000000000", "endTimeUnixNano": "1767571201000000000",
                "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
                               {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "7"}},
                               {"key": "gen_ai.request.model", "value": {"stringValue": "nobodys-model"}},
                               {"key": "our.own", "value": {"stringValue": "jane@example.com"}}]}
        done = run("inspect", "-", input=json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}) + "\nnonsense\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
        self.assertIn("record 1: OTLP JSON, " + lines[0].split(", ")[1], lines)
        self.assertIn("tokens in gen_ai.usage.input_tokens", lines)
        self.assertIn("not used our.own", lines)
        self.assertIn("can't be read: not_an_object", lines)
        self.assertIn("AuthorizationRefusalSpike no tool.call event was seen", lines)
        self.assertTrue(any("no step event has cost_usd" in line for line in lines), done.stdout)
        self.assertTrue(any("nobodys-model has no price" in line for line in lines), done.stdout)
        self.assertNotIn("jane@", done.stdout)


class Words(unittest.TestCase):
    def test_version_help_and_misuse(self):
        self.assertRegex(run("--version").stdout, r"^tocsin \d+\.\d+\.\d+")
        for command in ("run", "demo", "replay", "check", "scan", "halts", "silences", "alerts", "status"):
            done = run(command, "--help")
            self.assertEqual(done.returncode, 0)
            self.assertIn("--help", done.stdout)
        self.assertEqual(run("nonsense").returncode, 2)
        self.assertEqual(run("replay", "--nonsense").returncode, 2)


class Demo(unittest.TestCase):
    def test_each_rule_is_seen_to_fire_and_the_agent_obeys(self):
        done = run("demo", "--once", "--port", "0", "--agent", f"python3 {ROOT / 'deploy/obey.py'}")
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr)
        self.assertIn("agent obeyed", done.stdout)
        for alert in ("CostSpike", "ErrorRateSpike", "SurfaceRateOutOfBand", "SurfaceRateTooLow",
                      "AuthorizationRefusalSpike", "SecretLeak", "TaskOverWallClock"):
            self.assertIn("PAGE   " + alert, done.stdout)


if __name__ == "__main__":
    unittest.main()
