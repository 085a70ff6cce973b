# SPDX-License-Identifier: GPL-2.0-or-later
fg_unit(dns SOURCES unit/dns/answer_test.c unit/dns/dns_test.c NEEDS fg_dns)
fg_fuzz(dns_answer SOURCES fuzz/dns_answer_fuzz.c NEEDS fg_dns)
