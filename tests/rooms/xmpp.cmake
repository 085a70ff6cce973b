# SPDX-License-Identifier: GPL-2.0-or-later
# The stream machines of the xmpp room. Crypto comes from a real backend: the vectors are real.
set(xmpp_kit unit/xmpp/rig.c)
set(xmpp_needs fg_xmpp fg_xml fg_tls fg_base)

fg_unit(xmpp_stream_in SOURCES unit/xmpp/stream_in_test.c ${xmpp_kit} NEEDS ${xmpp_needs})
