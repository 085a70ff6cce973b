# SPDX-License-Identifier: GPL-2.0-or-later
"""Who lives where in the lab.

Every server has a loopback address of its own, so that the standard ports can be used and a name
without SRV record still works. Nothing listens anywhere else.
"""
DNS = "127.77.0.53"
FEDGATE = "127.77.0.1"
PROSODY = "127.77.0.2"
PROSODY2 = "127.77.0.3"
EJABBERD = "127.77.0.4"
JABBERD2 = "127.77.0.5"
KAMAILIO = "127.77.0.6"
PHONES = "127.77.0.7"
SIPP = "127.77.0.8"
SCRIPTED = "127.77.0.9"  # peers that the tests play themselves
NOBODY = "127.77.0.99"  # nothing ever listens here

XMPP_CLIENT = 5222
XMPP_SERVER = 5269
XMPPS_SERVER = 5270
COMPONENT = 5347
SIP_TCP = 5060
SIP_TLS = 5061
HTTP = 8069

CORP = "corp.test"  # the organisation behind fedgate, users on the SIP pool
APP = "app.corp.test"  # a domain of the organisation served by a component
FABRIKAM = "fabrikam.test"  # partner on Prosody
ADATUM = "adatum.test"  # second Prosody
CONTOSO = "contoso.test"  # partner on ejabberd
LITWARE = "litware.test"  # partner on jabberd2
