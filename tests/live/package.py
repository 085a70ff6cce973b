#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian package (deploy/deb): what is in it, its life from installation to purge, its unit."""
import gzip
import os
import re
import shutil
import stat
import subprocess
import sys
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, Skip, check, long_run, main
from lab.fedgate import TREE, binary
from lab.process import HANG_S, Process

EX_CONFIG = 78
CONF = "etc/fedgate/fedgate.conf"
UNIT = "lib/systemd/system/fedgate.service"
FILES = {  # path: mode
    "etc/fedgate": 0o750, CONF: 0o640, UNIT: 0o644, "usr/sbin/fedgate": 0o755,
    "usr/bin/fedgatectl": 0o755, "usr/share/bash-completion/completions/fedgatectl": 0o644,
    "usr/lib/sysusers.d/fedgate.conf": 0o644, "usr/lib/modules-load.d/fedgate.conf": 0o644,
    "usr/share/man/man8/fedgate.8.gz": 0o644, "usr/share/man/man5/fedgate.conf.5.gz": 0o644,
    "usr/share/man/man1/fedgatectl.1.gz": 0o644,
    "usr/share/doc/fedgate/copyright": 0o644, "usr/share/doc/fedgate/changelog.gz": 0o644,
}
HEALTH = "http://127.0.0.1:8069/healthz"  # as the starting configuration says


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skip(f"no {program} on this machine")


def out_of(*argv, status=0, **options):
    """Output of a command that must end with that status."""
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True,
                          timeout=600, **options)
    said = done.stdout + done.stderr
    check(done.returncode == status, f"{argv[0]} ended with {done.returncode}:", argv, said)
    return said


def build(lab, *arguments):
    """(package, debug symbols), made in a folder of the lab."""
    need("dpkg-deb", "dpkg-shlibdeps")
    said = out_of(os.path.join(TREE, "deploy/deb/build"), *arguments, lab.folder("packages"))
    package, symbols = re.findall(r"^/.*\.deb$", said, re.MULTILINE)
    return package, symbols


def build_quickly(lab):
    """Around the release build that is there anyway."""
    return build(lab, "--program", binary("release"))


def field(package, name):
    return out_of("dpkg-deb", "--field", package, name).strip()


def give_certificate(lab, folder):
    """What the starting configuration asks for first."""
    lab.certs.make("corp.example", name="edge")
    shutil.copy(lab.certs.crt("edge"), os.path.join(folder, "edge.pem"))
    shutil.copy(lab.certs.key("edge"), os.path.join(folder, "edge.key"))


def contents():
    """Every file at its place with its mode, and nothing else."""
    with Lab("deb-contents") as lab:
        package, symbols = build_quickly(lab)
        root = lab.folder("files")
        out_of("dpkg-deb", "--extract", package, root)
        found = {}
        for folder, _, names in os.walk(root):
            for path in [folder] + [os.path.join(folder, name) for name in names]:
                found[os.path.relpath(path, root)] = stat.S_IMODE(os.stat(path).st_mode)
        wrong = {path: oct(found.get(path, 0)) for path, mode in FILES.items()
                 if found.get(path) != mode}
        check(not wrong, "missing, or with another mode:", wrong)
        more = [path for path in found if path not in FILES
                and not any(path == "." or known.startswith(path + "/") for known in FILES)]
        check(not more, "not expected:", more)
        for page in ("man8/fedgate.8", "man5/fedgate.conf.5", "man1/fedgatectl.1"):
            with gzip.open(os.path.join(root, "usr/share/man", page + ".gz"), "rt") as packed, \
                    open(os.path.join(TREE, "doc/man", page[5:]), encoding="utf-8") as source:
                check(packed.read() == source.read(), f"{page} is another page")
        listing = out_of("dpkg-deb", "--contents", package)
        strangers = [line for line in listing.splitlines() if " root/root " not in line]
        check(not strangers, "not root's:", strangers)
        for library in ("libc6", "liburing2", "libmbedtls14", "ca-certificates"):
            check(library in field(package, "Depends"), f"does not depend on {library}")
        build_ids = field(symbols, "Build-Ids").split()
        check(len(build_ids) == 2, "two programs", build_ids)
        for build_id in build_ids:
            check(f"/{build_id[:2]}/{build_id[2:]}.debug" in
                  out_of("dpkg-deb", "--contents", symbols), "no symbols for", build_id)
        for program in ("usr/sbin/fedgate", "usr/bin/fedgatectl"):
            said = out_of(os.path.join(root, program), "--version")
            check(re.fullmatch(rf"{os.path.basename(program)} [\d.]+\n", said), "--version:", said)
        complete(root)


def complete(root):
    """The shell completes what the program has, and what it knows of."""
    script = os.path.join(root, "usr/share/bash-completion/completions/fedgatectl")

    def of(*words):
        line = " ".join(f"'{word}'" for word in words)
        return out_of("bash", "-c", f"source {script}; COMP_WORDS=({line}); "
                      f"COMP_CWORD={len(words) - 1}; _fedgatectl; echo ${{COMPREPLY[*]}}",
                      env={**os.environ, "PATH": f"{root}/usr/bin:{os.environ['PATH']}"}).split()
    commands = [line.split()[0] for line in
                out_of(os.path.join(root, "usr/bin/fedgatectl"), "--help").splitlines()
                if re.match(r"  [a-z]", line)]
    check(commands and of("fedgatectl", "") == commands, "commands", of("fedgatectl", ""))
    check(of("fedgatectl", "--json", "stat") == ["status"], "a command behind an option")
    check(of("fedgatectl", "--js") == ["--json"], "an option")
    check(of("fedgatectl", "why", "--act", "not") == ["notify"], "an act")


def starting_configuration():
    """Refused with what is missing; valid as soon as the certificate is there."""
    with Lab("deb-conf") as lab:
        folder = lab.folder("etc")
        path = os.path.join(folder, "fedgate.conf")
        with open(os.path.join(TREE, "deploy/deb/fedgate.conf"), encoding="utf-8") as conf:
            text = conf.read()
        with open(path, "w", encoding="utf-8") as conf: # /var/lib/fedgate is the machine's
            conf.write(text.replace('"node": {', f'"node": {{ "state_dir": "{folder}",', 1))
        said = out_of(binary(), "--config", path, "--check", status=EX_CONFIG)
        check(os.path.join(folder, "edge.pem") in said, "the missing file is not named:", said)
        give_certificate(lab, folder)
        out_of(binary(), "--config", path, "--check")


def unit():
    """systemd finds nothing to say about the unit, and its sandbox stays as tight as it is."""
    need("systemd-analyze")
    with Lab("deb-unit") as lab:
        source = os.path.join(TREE, "deploy/systemd/fedgate.service")
        root = lab.folder("root")
        path = os.path.join(root, UNIT)
        os.makedirs(os.path.dirname(path))
        with open(source, encoding="utf-8") as text, open(path, "w", encoding="utf-8") as out:
            # It must find a program; that it is at its place is tested with the package.
            out.write(text.read().replace("=/usr/sbin/fedgate ", f"={binary()} "))
        said = out_of("systemd-analyze", "verify", "--man=no", path)
        check("fedgate.service" not in said, "systemd-analyze verify:", said)
        out_of("systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=16",
               source)


def need_users():
    """Changing to other owners than root takes a real root."""
    with open("/proc/self/uid_map", encoding="ascii") as uid_map:
        if os.geteuid() != 0 or int(uid_map.read().split()[2]) < 65536:
            raise Skip("needs root: users other than root have no number here")


class Root:
    """A root directory with dpkg's records and no programs: scripts run outside of it."""

    def __init__(self, lab):
        self.path = lab.folder("root")
        for folder in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "etc", "var/log"):
            os.makedirs(os.path.join(self.path, folder))
        for name in ("status", "available"):
            with open(os.path.join(self.path, "var/lib/dpkg", name), "wb"):
                pass

    def at(self, path):
        return os.path.join(self.path, path)

    def dpkg(self, *arguments):
        return out_of("dpkg", f"--root={self.path}", "--force-script-chrootless",
                      "--force-depends", "--force-confold", *arguments)

    def group(self, path):
        with open(self.at("etc/group"), encoding="utf-8") as groups:
            numbers = {int(line.split(":")[2]): line.split(":")[0] for line in groups}
        return numbers.get(os.stat(self.at(path)).st_gid)


def life():
    """Installed, configured, run, installed again, removed, purged."""
    need("dpkg", "dpkg-deb", "systemd-sysusers", "deb-systemd-helper")
    need_users()
    with Lab("deb-life") as lab:
        package, _ = build_quickly(lab)
        root = Root(lab)
        root.dpkg("--install", package)
        for path in ("etc/fedgate", CONF):
            check(root.group(path) == "fedgate", f"{path} is of group", root.group(path))
        wants = root.at("etc/systemd/system/multi-user.target.wants/fedgate.service")
        check(not os.path.lexists(wants), "enabled before it was configured")

        give_certificate(lab, root.at("etc/fedgate"))
        with open(root.at(CONF), encoding="utf-8") as conf:
            text = conf.read().replace("corp.example", "corp.test")
        text = text.replace("/run/fedgate/admin.sock", lab.socket_path(root.path, "run.sock"))
        # For /var/lib/fedgate, which is that of the machine.
        text = text.replace('"node": {', f'"node": {{ "state_dir": "{lab.folder("state")}",', 1)
        if not os.path.exists("/proc/net/if_inet6"):
            text = re.sub(r', "\[::\]:\d+"', "", text)
        with open(root.at(CONF), "w", encoding="utf-8") as conf:
            conf.write(text)
        daemon = Process("fedgate", [root.at("usr/sbin/fedgate"), "--config", root.at(CONF)],
                         lab.folder("run"), {"ASAN_OPTIONS": "detect_leaks=0"}).start()
        lab.own(daemon)
        daemon.wait_ready(is_healthy)
        said = out_of(root.at("usr/bin/fedgatectl"), "--config", root.at(CONF), "status")
        check("the file is what runs" in said, "fedgatectl status:", said)
        check(daemon.stop(timeout=2 * HANG_S) == 0, "did not end well", daemon.tail())

        check(stat.S_IMODE(os.stat(root.at("var/lib/fedgate")).st_mode) == 0o750, "state folder")
        os.chmod(root.at(CONF), 0o600)
        root.dpkg("--install", package)
        with open(root.at(CONF), encoding="utf-8") as conf:
            check(conf.read() == text, "the configuration was replaced")
        check(stat.S_IMODE(os.stat(root.at(CONF)).st_mode) == 0o600, "its mode was changed")
        root.dpkg("--remove", "fedgate")
        check(not os.path.exists(root.at("usr/sbin/fedgate")), "the program is still there")
        for path in (CONF, "var/lib/fedgate"):
            check(os.path.exists(root.at(path)), f"{path} did not outlive the removal")
        root.dpkg("--purge", "fedgate")
        gone = {*FILES, "var/lib/fedgate", "etc/systemd/system/fedgate.service"} - {"etc/fedgate"}
        left = [path for path in gone if os.path.lexists(root.at(path))]
        check(not left, "left by the purge:", left)
        check(os.listdir(root.at("etc/fedgate")), "the purge took the certificates")


def is_healthy():
    try:
        with urllib.request.urlopen(HEALTH, timeout=HANG_S) as page:
            return page.status == 200
    except OSError:
        return False


def whole_build():
    """As it is shipped: its own build with the production wolfSSL in it."""
    if not long_run():
        raise Skip("a minute of compiling: only in tests/run --long")
    with Lab("deb-build") as lab:
        package, _ = build(lab)
        check("libwolfssl" not in field(package, "Depends"), "the distribution's wolfSSL is needed")
        with open(os.path.join(TREE, "deploy/wolfssl/sources"), encoding="utf-8") as sources:
            pinned = re.search(r"^version (\S+)$", sources.read(), re.MULTILINE).group(1)
        check(field(package, "Built-Using") == f"wolfssl (= {pinned})", "Built-Using",
              field(package, "Built-Using"))
        with open(package, "rb") as first:
            before = first.read()
        build(lab)
        with open(package, "rb") as second:
            check(second.read() == before, "packaged twice, it is not the same")


if __name__ == "__main__":
    main(contents, starting_configuration, unit, life, whole_build)
