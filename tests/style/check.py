#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The style test: rules of form that a reader should not have to look for. Reads each file once.

    tests/style/check.py [--warnings] [FILE...]     exit 0: clean, 1: violations (printed)

Errors: line length, tabs, trailing blanks, final newline, SPDX and purpose at the top, length of
functions and files, who may include whom, one room per third-party library, banned calls, direct
assignments to a state field, atomics without explicit order, unticketed reminders, sources in no
target, READMEs. Warnings: files above 600 lines, .def entries that nothing uses.
"""
import os
import re
import subprocess
import sys

TREE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
LINE_MAX = 100
FUNCTION_LINES_MAX = 70
FILE_LINES_WARN = 600
FILE_LINES_MAX = 900
README_LINES_MAX = 60

# Room -> the rooms whose headers it may include, besides its own (DESIGN section 2).
ROOMS = {
    "core/base": (), "core/io": ("base",), "core/store": ("base",), "proto/xml": ("base",),
    "proto/sip": ("base",),
    "proto/dns": ("base",), "proto/xmpp": ("base", "xml"),
    "proto/translate": ("base", "xml", "xmpp", "sip"),
    "proto/presence": ("base", "xml", "xmpp", "sip", "translate"), "tls": ("base",),
    "policy/import": ("base", "xml", "xmpp", "sip", "translate", "policy"),
    "policy": ("base", "xml", "xmpp", "sip", "dns", "translate"),
    "core/engine": ("base", "io", "tls", "dns"),
    "core/edge": ("base", "io", "xml", "sip", "dns", "xmpp", "translate", "tls", "policy",
                  "engine", "store", "presence"),
    "core/ctl": ("base", "io", "xml", "sip", "dns", "xmpp", "translate", "tls", "policy",
                 "import", "engine", "edge"),
}
ROOM_NAMES = {path.rsplit("/", 1)[-1] for path in ROOMS}

# Third-party header prefix -> where it may be included, besides tests/ and bench/.
THIRD_PARTY = {
    "liburing": r"core/io/", "linux/io_uring": r"core/io/",
    "ares": r"core/(engine/resolver|ctl/diagnose_dns)",
    "wolfssl/": r"tls/(wolfssl|aead_wolfcrypt|signature_wolfssl)",
    "mbedtls/": r"tls/(mbedtls|aead_mbedcrypto|signature_mbedtls)",
    "yajl/": r"policy/json", "stringprep": r"proto/xmpp/jid", "punycode": r"proto/xmpp/jid",
    "idna": r"proto/xmpp/jid", "urcu": r"core/engine/", "microhttpd": r"core/edge/http",
    "sqlite3": r"core/store/lite", "libpq": r"core/store/", "linux/tls": r"(tls|core/io)/",
    "criterion": r"tests/", "expat": r"(tests|bench)/", "osip": r"(tests|bench)/",
    "openssl/": r"(tests|bench)/",
}
PROTO_FORBIDDEN_HEADERS = {"sys/socket.h", "unistd.h", "fcntl.h", "pthread.h", "threads.h",
                           "sys/epoll.h", "netdb.h", "poll.h"}
FUZZ_LINES_MAX = 60
BANNED = re.compile(
    r"(?<![\w.>])(strcpy|strncpy|stpcpy|strcat|strncat|sprintf|vsprintf|strtok|strtok_r|atoi|atol"
    r"|atoll|atof|gets|scanf|sscanf|fscanf|vsscanf|localtime|gmtime|ctime|asctime|rand|srand|random"
    r"|alloca|__builtin_alloca)\s*\(")
ALLOCATION = re.compile(r"(?<![\w.>])(malloc|calloc|realloc|reallocarray|free|strdup|strndup)\s*\(")
ATOMIC = re.compile(r"\batomic_(load|store|exchange|fetch_\w+|compare_exchange_\w+|flag_\w+)\s*\(")
# A constant or a variable of that meaning on the right: a text for people is no state.
STATE = re.compile(r"[\w\])](->|\.)state\s*=\s*([A-Z][A-Z0-9_]+|state|next|to)\b")
MAY_SET_STATE = re.compile(r"(set_state|_init|_reset|_new)$")
REMINDER = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b(?!.*(#\d+|issue \d+))")
NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
FUNCTION_NAME = re.compile(r"\b(\w+)\s*\(")
SPDX = "SPDX-License-Identifier: GPL-2.0-or-later"


class Report:
    def __init__(self):
        self.errors = []
        self.warnings = []

    def error(self, path, line, text):
        self.errors.append(f"{path}:{line}: {text}")

    def warn(self, path, line, text):
        self.warnings.append(f"{path}:{line}: warning: {text}")


def listed_files():
    """What git tracks or would track; a build tree is never looked at."""
    out = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard"],
                         cwd=TREE, capture_output=True, text=True, check=True).stdout
    return [path for path in out.splitlines() if os.path.isfile(os.path.join(TREE, path))]


def kind_of(path, text):
    """c, h, py, sh, cmake, md, lua, cfg or None (data, not looked at)."""
    if path.startswith(("tests/fuzz/corpus/", "tests/data/")):
        return None
    name = os.path.basename(path)
    end = name.rsplit(".", 1)[-1] if "." in name[1:] else ""
    known = {"c": "c", "h": "h", "def": "def", "py": "py", "sh": "sh", "cmake": "cmake", "md": "md",
             "lua": "lua"}
    if name == "CMakeLists.txt":
        return "cmake"
    if end in known:
        return known[end]
    if text.startswith("#!"):
        return "py" if "python" in text.split("\n", 1)[0] else "sh"
    return None


def blank_noise(text):
    """The same text with comments and literals blanked, so that columns and lines stay."""
    return NOISE.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)


def room_of(path):
    for room in ROOMS:
        if path.startswith(room + "/"):
            return room
    return None


def check_lines(path, kind, text, report):
    tabs_are_wrong = kind in ("c", "h", "def", "py", "cmake", "lua")
    for number, line in enumerate(text.split("\n"), 1):
        # The rows of a table cannot be folded.
        if len(line) > LINE_MAX and kind not in ("md", "def"):
            report.error(path, number, f"{len(line)} characters, at most {LINE_MAX}")
        if line != line.rstrip():
            report.error(path, number, "trailing blanks")
        if tabs_are_wrong and "\t" in line:
            report.error(path, number, "tab")
        if kind != "md" and REMINDER.search(line):
            report.error(path, number, "reminder without a ticket number")
    if text and not text.endswith("\n"):
        report.error(path, text.count("\n") + 1, "no newline at the end of the file")
    elif text.endswith("\n\n"):
        report.error(path, text.count("\n"), "blank line at the end of the file")


def check_top(path, kind, text, report):
    if kind in ("md", "def"):
        return
    head = text.split("\n", 8)[:8]
    if not any(SPDX in line for line in head[:2]):
        report.error(path, 1, f"first line must be '{SPDX}' in a comment (second after #!)")
        return
    if kind in ("c", "h"):
        if head[0] != f"/* {SPDX} */":
            report.error(path, 1, f"first line must be '/* {SPDX} */'")
        elif not head[1].startswith("/*"):
            report.error(path, 2, "second line must begin the comment on what the file is for")
    if kind == "h" and not re.search(r"^#ifndef FG_\w+_H\n#define FG_\w+_H$", text, re.MULTILINE):
        report.error(path, 1, "no include guard FG_..._H")


def check_size(path, kind, text, report):
    lines = text.count("\n")
    if kind in ("c", "h", "py", "sh") and lines > FILE_LINES_MAX:
        report.error(path, 1, f"{lines} lines, at most {FILE_LINES_MAX}")
    elif kind in ("c", "h", "py", "sh") and lines > FILE_LINES_WARN:
        report.warn(path, 1, f"{lines} lines, better at most {FILE_LINES_WARN}")
    if path.startswith("tests/fuzz/") and kind == "c" and lines > FUZZ_LINES_MAX:
        report.error(path, 1, f"{lines} lines, at most {FUZZ_LINES_MAX} for a fuzz target")
    if kind == "md" and os.path.basename(path) == "README.md" and room_of(path) \
            and lines > README_LINES_MAX:
        report.error(path, 1, f"{lines} lines, at most {README_LINES_MAX} for a room")


def functions(code):
    """(name, first line, last line) of each function: braces alone in column 0 (.clang-format)."""
    lines = code.split("\n")
    begin = None
    for number, line in enumerate(lines, 1):
        if line.rstrip() == "{" and begin is None:
            begin = number
        elif line.startswith("}") and begin is not None:
            at = begin - 2
            head = ""
            while at >= 0 and lines[at].strip() and not lines[at].startswith(("}", "#", ";")):
                head = lines[at] + " " + head
                at -= 1
            name = FUNCTION_NAME.search(re.sub(r"\b[A-Z_]{3,}\s*\([^)]*\)", "", head))
            name = name or FUNCTION_NAME.search(head)
            yield (name.group(1) if name else "?"), begin, number
            begin = None


def check_includes(path, text, report):
    room = room_of(path)
    for match in INCLUDE.finditer(text):
        mark, header = match.groups()
        number = text.count("\n", 0, match.start()) + 1
        if ".." in header:
            report.error(path, number, f"include of '{header}' climbs out of its folder")
        first = header.split("/")[0]
        if mark == '"' and room and first in ROOM_NAMES:
            own = room.rsplit("/", 1)[-1]
            if first != own and first not in ROOMS[room]:
                report.error(path, number, f"{room} may not include '{header}'")
        if mark == "<":
            for prefix, where in THIRD_PARTY.items():
                if header.startswith(prefix) and not path.startswith(("tests/", "bench/")) \
                        and not re.match(where, path):
                    report.error(path, number, f"<{header}> belongs to {where} alone")
        if path.startswith("proto/") and header in PROTO_FORBIDDEN_HEADERS:
            report.error(path, number, f"<{header}>: no I/O and no threads in protocol rooms")


def check_calls(path, code, report):
    product = room_of(path) is not None
    for number, line in enumerate(code.split("\n"), 1):
        if (match := BANNED.search(line)) and not (match.group(1) == "random" and not product):
            report.error(path, number, f"{match.group(1)} is banned")
        if product and path != "core/base/pool.c" and (match := ALLOCATION.search(line)):
            report.error(path, number, f"{match.group(1)}: allocate through core/base/pool.h")
        if (match := ATOMIC.search(line)) and not match.group(1).endswith("_explicit"):
            report.error(path, number, "atomic without explicit memory order")


def check_functions(path, code, report):
    lines = code.split("\n")
    product = room_of(path) is not None
    for name, begin, end in functions(code):
        if end - begin + 1 > FUNCTION_LINES_MAX:
            report.error(path, begin, f"{name}: {end - begin + 1} lines, "
                                      f"at most {FUNCTION_LINES_MAX}")
        if product and not MAY_SET_STATE.search(name):
            for number in range(begin, end):
                if STATE.search(lines[number - 1]):
                    report.error(path, number, f"{name} assigns a state field: only *set_state may")


def check_targets(paths, texts, report):
    """Every .c stands in some CMake file (tests/rooms/*.cmake for the tests)."""
    recipes = "\n".join(texts[p] for p in paths
                        if p.endswith(".cmake") or p.endswith("CMakeLists.txt"))
    for path in paths:
        name = re.escape(os.path.basename(path))
        if path.endswith(".c") and not re.search(rf"(?<![\w-]){name}\b", recipes):
            report.error(path, 1, "is in no target (dead file?)")


def check_readmes(paths, report):
    for room in ROOMS:
        if any(p.startswith(room + "/") and p.endswith(".c") for p in paths) \
                and f"{room}/README.md" not in paths:
            report.error(room, 0, "a room needs a README.md")


def check_defs(texts, report):
    """Errors and log events that nothing names."""
    for table, prefix, macro in (("core/base/err.def", "ERR_", r"\b(?:ERR|ERROR|ERR_CODE)\((\w+)"),
                                 ("core/base/log.def", "", r"\bLOG_EVENT\((\w+)\)")):
        code = "\n".join(t for p, t in texts.items() if p.endswith((".c", ".h")))
        for name in re.findall(macro, texts.get(table, "")):
            if not re.search(rf"\b({prefix}{name}|{name})\b", code):
                report.warn(table, 1, f"{name} is used nowhere")


def check_file(path, kind, text, report):
    check_lines(path, kind, text, report)
    check_top(path, kind, text, report)
    check_size(path, kind, text, report)
    if kind in ("c", "h"):
        code = blank_noise(text)
        check_includes(path, text, report)
        check_calls(path, code, report)
        check_functions(path, code, report)


def run(only=()):
    report = Report()
    paths = listed_files()
    texts = {}
    for path in paths:
        with open(os.path.join(TREE, path), "rb") as source:
            raw = source.read()
        try:
            texts[path] = raw.decode("utf-8")
        except UnicodeDecodeError:
            texts[path] = None
    kinds = {p: kind_of(p, t) for p, t in texts.items() if t is not None}
    texts = {p: t for p, t in texts.items() if t is not None}
    for path, kind in kinds.items():
        if kind and (not only or path in only):
            check_file(path, kind, texts[path], report)
    if not only:
        check_targets([p for p in paths if p in texts], texts, report)
        check_readmes(paths, report)
        check_defs(texts, report)
    return report, sum(1 for kind in kinds.values() if kind)


def main():
    arguments = [a for a in sys.argv[1:] if a != "--warnings"]
    report, count = run([os.path.relpath(os.path.abspath(a), TREE) for a in arguments])
    if "--warnings" in sys.argv:
        print("\n".join(report.warnings))
    for line in report.errors:
        print(line)
    print(f"style: {count} files, {len(report.errors)} violations, {len(report.warnings)} warnings")
    return 1 if report.errors else 0


if __name__ == "__main__":
    sys.exit(main())
