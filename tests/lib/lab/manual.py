# SPDX-License-Identifier: GPL-2.0-or-later
"""Examples of a manual page: the lines "$ COMMAND" with the output that is shown below them. What
may stand before them is described at the top of doc/man/fedgatectl.1."""
import os
import re
import subprocess

from .stage import LabError

ROFF = (("\\&", ""), ("\\(dq", '"'), ("\\(aq", "'"), ("\\-", "-"), ("\\e", "\\"),
        ("\\(:u", "\u00fc"))
TIMEOUT_S = 60


class Example:
    def __init__(self, line, command, status, skip):
        self.line = line
        self.command = command
        self.status = status
        self.skip = skip  # why, or None
        self.output = []

    def agrees(self, printed):
        """Whether the output is what the page shows: white space folded, "..." stands for any."""
        wanted = [re.escape(" ".join(line.split())) for line in self.output]
        pattern = "\n".join(wanted).replace(re.escape("..."), ".*")
        got = "\n".join(" ".join(line.split()) for line in printed.splitlines())
        return re.fullmatch(pattern, got.strip(), re.DOTALL) is not None


def plain(line):
    for roff, text in ROFF:
        line = line.replace(roff, text)
    return line


class Page:
    """Examples in order; files to be made before one: {its number: [(name, text)]}."""

    def __init__(self, path):
        self.examples = []
        self.files = {}
        self._status, self._skip, self._file = 0, None, None
        self._inside = False
        with open(path, encoding="utf-8") as source:
            for number, line in enumerate(source, 1):
                self._take(number, line.rstrip("\n"))

    def _take(self, number, line):
        if line.startswith('.\\" test: '):
            self._note(line.removeprefix('.\\" test: '))
        elif line.startswith('.\\" | ') and self._file is not None:
            self._file.append(line.removeprefix('.\\" | '))
        elif line.startswith(".Bd -literal"):
            self._inside = True
        elif line == ".Ed":
            self._inside = False
        elif self._inside and line.startswith("$ "):
            self.examples.append(Example(number, plain(line[2:]), self._status, self._skip))
            self._status, self._skip, self._file = 0, None, None
        elif self._inside and self.examples and not line.startswith(".\\\""):
            self.examples[-1].output.append(plain(line))

    def _note(self, note):
        word, _, rest = note.partition(" ")
        if word == "status":
            self._status = int(rest)
        elif word == "skip":
            self._skip = rest
        elif word == "file":
            self._file = []
            self.files.setdefault(len(self.examples), []).append((rest, self._file))
        else:
            raise LabError(f"manual page: unknown note {note!r}")

    def run(self, folder, environment, replace):
        """Runs all of them in folder; returns how many ran and how many were left out.
        replace(text): what the page says, as it is here."""
        skipped = 0
        for number, example in enumerate(self.examples):
            for name, lines in self.files.get(number, ()):
                with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
                    out.write("".join(replace(line) + "\n" for line in lines))
            if example.skip:
                skipped += 1
                continue
            done = subprocess.run(["/bin/sh", "-c", replace(example.command)], cwd=folder,
                                  env=environment, stdin=subprocess.DEVNULL, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=TIMEOUT_S)
            if done.returncode != example.status:
                raise LabError(f"line {example.line}: {example.command}: ended with "
                               f"{done.returncode}, not {example.status}\n{done.stdout}")
            example.output = [replace(line) for line in example.output]
            if example.output and not example.agrees(done.stdout):
                raise LabError(f"line {example.line}: {example.command}: prints\n{done.stdout}"
                               "and the page shows\n" + "\n".join(example.output))
        return len(self.examples) - skipped, skipped
