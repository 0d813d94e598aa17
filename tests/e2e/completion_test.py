"""What shells complete with the scripts of `tocsin completion`."""
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from support import TOCSIN, run

# Completes the last word as bash does when a person presses the tab key.
COMPLETE = """
source <("$TOCSIN" completion bash) || exit 1
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_tocsin tocsin "${@: -1}" "${@: -2:1}"
[[ ${#COMPREPLY[@]} -eq 0 ]] || printf '%s\\n' "${COMPREPLY[@]}"
"""


class Bash(unittest.TestCase):
    def complete(self, *words, cwd=None):
        done = subprocess.run(["bash", "-c", COMPLETE, "bash", *words], capture_output=True, text=True, timeout=30,
                              cwd=cwd, env={"TOCSIN": TOCSIN, "PATH": "/usr/bin:/bin"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.splitlines()

    def test_commands_and_options_are_completed(self):
        self.assertEqual(self.complete("tocsin", "re"), ["replay"])
        self.assertIn("completion", self.complete("tocsin", ""))
        self.assertEqual(self.complete("tocsin", "replay", "--inp"), ["--input-format"])
        self.assertEqual(self.complete("tocsin", "halts", ""), ["list", "show", "release", "drill"])
        self.assertEqual(self.complete("tocsin", "baselines", "a"), ["accept"])
        self.assertEqual(self.complete("tocsin", "silences", "add", "--rea"), ["--reason"])
        self.assertEqual(self.complete("tocsin", "silences", "list", "--rea"), [])
        self.assertEqual(self.complete("tocsin", "--ver"), ["--version"])
        self.assertEqual(self.complete("tocsin", "nonsense", ""), self.complete("tocsin", ""))

    def test_choices_are_completed(self):
        self.assertEqual(self.complete("tocsin", "replay", "--input-format", "o"), ["otlp"])
        self.assertEqual(self.complete("tocsin", "replay", "--input-format", "="),
                         self.complete("tocsin", "replay", "--input-format", ""))
        self.assertEqual(self.complete("tocsin", "replay", "--input-format", "=", "na"), ["native"])
        self.assertEqual(self.complete("tocsin", "alerts", "list", "-o", ""), ["text", "json"])
        self.assertEqual(self.complete("tocsin", "topics", "--print", "str"), ["strimzi"])
        self.assertEqual(self.complete("tocsin", "completion", "z"), ["zsh"])
        self.assertEqual(self.complete("tocsin", "halts", "release", "task:1", "--by", ""), [])

    def test_paths_are_completed(self):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "my rules.yaml").touch()
            (pathlib.Path(folder) / "other.yaml").touch()
            for words in (("check", "my"), ("replay", "--rules", "my"), ("run", "--config", "my"), ("scan", "my"),
                          ("replay", "--against", "my"), ("halts", "list", "--config", "my")):
                self.assertEqual(self.complete("tocsin", *words, cwd=folder), ["my rules.yaml"], words)
            self.assertEqual(self.complete("tocsin", "status", "my", cwd=folder), [])

    def test_bash_calls_it_for_tocsin(self):
        done = subprocess.run(["bash", "-c", 'source <("$TOCSIN" completion bash); complete -p tocsin'],
                              capture_output=True, text=True, timeout=30, env={"TOCSIN": TOCSIN, "PATH": "/usr/bin:/bin"})
        self.assertEqual(done.stdout, "complete -F _tocsin tocsin\n")

    def test_another_shell_is_refused(self):
        done = run("completion", "tcsh")
        self.assertEqual(done.returncode, 2)
        self.assertIn("{bash,zsh,fish}", done.stderr)
        self.assertEqual(run("completion").returncode, 2)


class OtherShells(unittest.TestCase):
    def check(self, shell, *arguments):
        if shutil.which(shell) is None:
            self.skipTest(f"{shell} is not installed")
        with tempfile.NamedTemporaryFile("w", suffix="." + shell) as script:
            script.write(run("completion", shell).stdout)
            script.flush()
            done = subprocess.run([shell, *arguments, script.name], capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_zsh_can_read_it(self):
        self.check("zsh", "-n")

    def test_fish_can_read_it(self):
        self.check("fish", "--no-execute")


if __name__ == "__main__":
    unittest.main()
