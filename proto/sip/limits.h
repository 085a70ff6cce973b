/* SPDX-License-Identifier: GPL-2.0-or-later */
/* limits: every bound of the SIP room, named. Sizes in bytes as received. No code. */
#ifndef FG_SIP_LIMITS_H
#define FG_SIP_LIMITS_H

#define SIP_HEAD_BYTES_MAX 32768u         /* start line, header fields and the empty line */
#define SIP_FIELDS_MAX     128u           /* header fields of one message */
#define SIP_BODY_BYTES_MAX (256u * 1024u) /* body */
/* A larger body up to this is passed over unread, and its message refused; beyond, the connection
 * is given up. */
#define SIP_SKIP_BYTES_MAX  (8u * 1024u * 1024u)
#define SIP_MSG_BYTES_MAX   (SIP_HEAD_BYTES_MAX + SIP_BODY_BYTES_MAX)
#define SIP_LIST_VALUES_MAX 128u /* comma-separated values looked at per header name */
#define SIP_VIA_DEPTH_MAX   70u  /* Via values of one request, as Max-Forwards */
#define SIP_PARAMS_MAX      64u  /* parameters of one value or URI */
#define SIP_MAX_FORWARDS    70u  /* RFC 3261 8.1.1.6 */
#define SIP_ID_BYTES        48u  /* room for any id of ids.h, NUL counted */

/* One dialog. Requests that would need more are refused: 100,000 of them live in one node. */
#define SIP_DIALOG_CALL_ID_BYTES_MAX  255u
#define SIP_DIALOG_TAG_BYTES_MAX      128u
#define SIP_DIALOG_URI_BYTES_MAX      512u  /* remote target, URI of From or To */
#define SIP_DIALOG_ROUTES_MAX         10u   /* Route values */
#define SIP_DIALOG_ROUTE_BYTES_MAX    1536u /* all of them together */
#define SIP_DIALOG_EVENT_ID_BYTES_MAX 64u
#define SIP_DIALOG_CSEQ_RESERVE       64u /* numbers that a stored dialog is ahead */
#define SIP_DIALOG_PACKED_BYTES_MAX   4096u

#endif
