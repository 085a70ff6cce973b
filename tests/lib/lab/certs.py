# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates of the lab, made by tests/lib/make_certs."""
import os
import subprocess

MAKE = os.path.join(os.path.dirname(__file__), "..", "make_certs")


class Certs:
    """A folder of certificates. A usual one needs its name alone: certs.make('fabrikam.test')."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.made = set()
        self._run()

    def _run(self, *specs):
        done = subprocess.run([MAKE, self.folder, *specs], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"make_certs failed: {done.stderr}")

    def make(self, *domains, name=None, **options):
        """Makes a certificate for domains (dNSName); returns its name."""
        name = name or domains[0]
        spec = {"name": name, "dns": ",".join(domains), **options}
        spec = {key: value for key, value in spec.items() if value not in (None, "")}
        self._run(" ".join(f"{key}={value}" for key, value in spec.items()))
        self.made.add(name)
        return name

    def need(self, domain):
        """The good certificate of a domain, made at first use."""
        if domain not in self.made:
            self.make(domain, f"conference.{domain}", f"xmpp.{domain}", name=domain)
        return domain

    def crl(self, name, issuer="ca", revoke=(), **options):
        """Makes a revocation list of names of certificates; returns its path."""
        spec = {"crl": name, "ca": issuer, "revoke": ",".join(revoke), **options}
        self._run(" ".join(f"{key}={value}" for key, value in spec.items() if value != ""))
        return os.path.join(self.folder, f"{name}.crl")

    def crt(self, name):
        return os.path.join(self.folder, f"{name}.crt")

    def key(self, name):
        return os.path.join(self.folder, f"{name}.key")

    def both(self, name):
        """Certificate chain and key in one file, as ejabberd and jabberd2 want it."""
        path = os.path.join(self.folder, f"{name}.pem")
        with open(path, "w", encoding="ascii") as out:
            for part in (self.crt(name), self.key(name)):
                with open(part, encoding="ascii") as source:
                    out.write(source.read())
        return path

    @property
    def trust(self):
        """The CA to trust. Not trust.crt, which each run writes anew under the readers' eyes."""
        return os.path.join(self.folder, "ca.crt")
