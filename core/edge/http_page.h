/* SPDX-License-Identifier: GPL-2.0-or-later */
/* http_page: the page at /: one static text that shows /stats. Everything it shows is set as text,
 * never as markup: partner names and failure texts come from the network.                        */
#ifndef FG_EDGE_HTTP_PAGE_H
#define FG_EDGE_HTTP_PAGE_H

extern const char http_page[];
/* Value of Content-Security-Policy that the page works under. */
extern const char http_page_policy[];

#endif
