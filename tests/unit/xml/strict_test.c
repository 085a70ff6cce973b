/* SPDX-License-Identifier: GPL-2.0-or-later */
/* strict_test: what is refused, and as what. The SEC numbers are cases of the test plan. */
#include "kit.h"

#define BAD(text)        kit_expect_stanza_why(SLICE_LIT(text), XML_WHY_NOT_WELL_FORMED)
#define RESTRICTED(text) kit_expect_stanza_why(SLICE_LIT(text), XML_WHY_RESTRICTED)
#define FINE(text)       kit_expect_stanza_why(SLICE_LIT(text), XML_WHY_NONE)
#define START(text, why) kit_expect_why(SLICE_LIT(text), &xml_limits_authenticated, (why))

Test(strict, sec51_bytes_that_are_no_utf8)
{
    /* Lead bytes that would swallow '<' or a quote. */
    BAD("<a>\xc3<b/></a>");
    BAD("<a>\xe2\x82<b/></a>");
    BAD("<a>\xf0\x9f\x98<b/></a>");
    BAD("<a b='\xc3'/>");
    BAD("<a b='\xe2\x82'/>");
    BAD("<a b='\xf0\x9f\x98'/>");
    BAD("<a \xc3='1'/>");
    BAD("<a\xe2\x82 b='1'/>");
    BAD("<a><![CDATA[\xc3]]></a>");
    /* Overlong, surrogates, above U+10FFFF, lone continuation, never-bytes. */
    BAD("<a>\xc0\xbc</a>");
    BAD("<a>\xc1\xbf</a>");
    BAD("<a>\xe0\x80\xbc</a>");
    BAD("<a>\xe0\x9f\xbf</a>");
    BAD("<a>\xf0\x80\x80\xbc</a>");
    BAD("<a>\xf0\x8f\xbf\xbf</a>");
    BAD("<a>\xed\xa0\x80</a>");
    BAD("<a>\xed\xbf\xbf</a>");
    BAD("<a>\xf4\x90\x80\x80</a>");
    BAD("<a>\xf5\x80\x80\x80</a>");
    BAD("<a>\x80</a>");
    BAD("<a>\xff</a>");
    BAD("<a b='\xed\xa0\x80'/>");
    BAD("<a b='\xc0\xa7/>");
    BAD("<a><![CDATA[\xed\xa0\x80]]></a>");
    BAD("<a xmlns='\x80'/>");
}

Test(strict, sec51_characters_that_are_no_xml)
{
    BAD("<a>\xef\xbf\xbe</a>");
    BAD("<a>\xef\xbf\xbf</a>");
    BAD("<a b='\xef\xbf\xbe'/>");
    BAD("<a>\x01</a>");
    BAD("<a>\0</a>");
    BAD("<a b='\x1f'/>");
    BAD("<a b='\0'/>");
    BAD("<a><![CDATA[\x0b]]></a>");
    BAD("<a>&#0;</a>");
    BAD("<a>&#x1;</a>");
    BAD("<a>&#11;</a>");
    BAD("<a>&#xD800;</a>");
    BAD("<a>&#xDFFF;</a>");
    BAD("<a>&#xFFFE;</a>");
    BAD("<a>&#65535;</a>");
    BAD("<a>&#x110000;</a>");
    BAD("<a>&#4294967361;</a>"); /* 2^32 + 65 */
    BAD("<a>&#x10000000000000041;</a>");
    BAD("<a b='&#0;'/>");
    FINE("<a "
         "b='\x7f\xc2\x80\xef\xbf\xbd\xee\x80\x80'>"
         "\x7f\xc2\x80\xef\xbf\xbd\xf4\x8f\xbf\xbf\xed\x9f\xbf</a>");
    FINE("<a>\xef\xbb\xbf\xf0\x9f\xbf\xbe</a>"); /* U+FEFF inside is a character; U+1FFFE too */
}

Test(strict, sec52_namespace_rules)
{
    BAD("<p:a/>");
    BAD("<a p:b=''/>");
    BAD("<a xmlns:p=''/>");
    BAD("<a xmlns:p='u'><b xmlns:p=''/></a>");
    BAD("<a xmlns:xml='u'/>");
    BAD("<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>");
    BAD("<a xmlns='http://www.w3.org/XML/1998/namespace'/>");
    BAD("<a xmlns:xmlns='u'/>");
    BAD("<a xmlns:xmlns='http://www.w3.org/2000/xmlns/'/>");
    BAD("<a xmlns:p='http://www.w3.org/2000/xmlns/'/>");
    BAD("<a xmlns='http://www.w3.org/2000/xmlns/'/>");
    BAD("<xmlns:a/>");
    BAD("<a xmlns:p='u' xmlns:p='u'/>");
    BAD("<a xmlns='u' xmlns='v'/>");
    BAD("<a xmlns:p='u'/><p:b/>"); /* scope has ended */
    BAD("<a xmlns:p='u'><b/></a><p:c/>");
    FINE("<a xmlns=''/>");
    FINE("<xml:a/>");
    FINE("<p:a xmlns:p='u'><p:b/></p:a>");
}

Test(strict, sec52_duplicate_attributes)
{
    BAD("<a b='1' b='1'/>");
    BAD("<a xmlns:p='u' p:b='1' p:b='2'/>");
    BAD("<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>");
    BAD("<a xmlns:p='u' p:b='1' xmlns:q='&#117;' q:b='2'/>");
    FINE("<a xmlns:p='u' xmlns:q='v' p:b='1' q:b='2' b='3'/>");
    FINE("<a xmlns='u' xmlns:p='u' p:b='1' b='2'/>"); /* unprefixed: in no namespace */
}

Test(strict, sec53_restricted_xml)
{
    RESTRICTED("<!-- c -->");
    RESTRICTED("<a><!-- c --></a>");
    RESTRICTED("<a><?pi?></a>");
    RESTRICTED("<?pi?>");
    RESTRICTED("<?xml version='1.0'?>");
    RESTRICTED("<a><?xml version='1.0'?></a>");
    RESTRICTED("<!DOCTYPE a>");
    RESTRICTED("<a><!DOCTYPE a></a>");
    RESTRICTED("<a><!ELEMENT a ANY></a>");
    RESTRICTED("<a>&nbsp;</a>");
    RESTRICTED("<a b='&nbsp;'/>");
    RESTRICTED("<a b='&LT;'/>");
    RESTRICTED("<![CDATA[ ]]>"); /* between first-level elements */
    RESTRICTED("<a><![cdata[x]]></a>");
    START("<!DOCTYPE a><a/>", XML_WHY_RESTRICTED);
    START("<!-- c --><a/>", XML_WHY_RESTRICTED);
    START("<?pi?><a/>", XML_WHY_RESTRICTED);
    START("<?xml-style x?><a/>", XML_WHY_RESTRICTED);
    START(" <?xml version='1.0'?><a/>", XML_WHY_RESTRICTED);
    START("<?xml version='1.0'?><?xml version='1.0'?><a/>", XML_WHY_RESTRICTED);
}

Test(strict, sec53_framing)
{
    BAD("<a></b>");
    BAD("<a></a></a>");
    BAD("<a></ab>");
    BAD("<ab></a>");
    BAD("<p:a xmlns:p='u' xmlns:q='u'></q:a>");
    BAD("<a></ a>");
    BAD("<a></a b='1'>");
    BAD("<a></a/>");
    BAD("<a></>");
    BAD("<a/ >");
    BAD("<a/b>");
    BAD("< a/>");
    BAD("<>");
    BAD("</>");
    BAD("</stream:streams>");
    BAD("<a>]]></a>");
    BAD("<a>]]]></a>");
    BAD("<a b='<'/>");
    BAD("<a b='1' <c/>");
    BAD("<a b=\"'/>");
    BAD("<a b=1/>");
    BAD("<a b/>");
    BAD("<a b=/>");
    BAD("<a b='1'c='2'/>");
    BAD("<a ='1'/>");
    BAD("<a &amp;='1'/>");
    BAD("text");
    BAD("<a/>text<b/>");
    BAD("&#32;");
    BAD("\0");
    FINE("<a b='1'/>  <b/>\t");
    FINE("<a>]] ]]&gt;]</a>");
    START(HEADER CLOSE "<a/>", XML_WHY_NOT_WELL_FORMED);
    START(HEADER CLOSE "x", XML_WHY_NOT_WELL_FORMED);
    START("</a>", XML_WHY_NOT_WELL_FORMED);
    START("a", XML_WHY_NOT_WELL_FORMED);
}

Test(strict, sec53_names_and_references)
{
    BAD("<1a/>");
    BAD("<-a/>");
    BAD("<a:/>");
    BAD("<:a/>");
    BAD("<a:b:c/>");
    BAD("<stream:1/>");
    BAD("<a 1='x'/>");
    BAD("<\xc2\xb7/>");          /* may not start a name */
    BAD("<a\xf0\x90\x80\x80/>"); /* fifth edition only */
    BAD("<a\xe2\x82\xac/>");
    BAD("<a>&</a>");
    BAD("<a>&lt</a>");
    BAD("<a>&;</a>");
    BAD("<a>&#;</a>");
    BAD("<a>&#x;</a>");
    BAD("<a>&#X41;</a>");
    BAD("<a>&#xG;</a>");
    BAD("<a>&#6A;</a>");
    BAD("<a>&#-65;</a>");
    BAD("<a>& lt;</a>");
    BAD("<a>&lt ;</a>");
    BAD("<a>&<b/>lt;</a>");
    BAD("<a b='&lt'/>");
    FINE("<a\xc2\xb7/>");
}

Test(strict, sec58_declaration_and_encoding)
{
    START("\xef\xbb\xbf<a/>", XML_WHY_UNSUPPORTED_ENCODING);
    START("\xff\xfe<\0a\0/\0>\0", XML_WHY_UNSUPPORTED_ENCODING);
    START("\xfe\xff\0<\0a\0/\0>", XML_WHY_UNSUPPORTED_ENCODING);
    START("<\0a\0/\0>\0", XML_WHY_UNSUPPORTED_ENCODING);
    START("\0<\0a\0/\0>", XML_WHY_UNSUPPORTED_ENCODING);
    START("<?xml version='1.0' encoding='utf-7'?><a/>", XML_WHY_UNSUPPORTED_ENCODING);
    START("<?xml version='1.0' encoding='UTF-16'?><a/>", XML_WHY_UNSUPPORTED_ENCODING);
    START("<?xml version='1.0' encoding='iso-8859-1'?><a/>", XML_WHY_UNSUPPORTED_ENCODING);
    START("<?xml version='1.0' encoding=''?><a/>", XML_WHY_UNSUPPORTED_ENCODING);
    START("<?xml version='1.1'?><a/>", XML_WHY_UNSUPPORTED_ENCODING);
    START("<?xml version='1.0' standalone='no'?><a/>", XML_WHY_RESTRICTED);
    START("<?xml version='1.0' standalone='maybe'?><a/>", XML_WHY_NOT_WELL_FORMED);
    START("<?xml version='1.0' encoding='UTF-8' encoding='UTF-8'?><a/>", XML_WHY_NOT_WELL_FORMED);
    START("<?xml version='1.0' standalone='yes' encoding='UTF-8'?><a/>", XML_WHY_NOT_WELL_FORMED);
    START("<?xml encoding='UTF-8'?><a/>", XML_WHY_NOT_WELL_FORMED);
    START("<?xml version='1.0'encoding='UTF-8'?><a/>", XML_WHY_NOT_WELL_FORMED);
    START("<?xml version=1.0?><a/>", XML_WHY_NOT_WELL_FORMED);
    START("<?xml version='1.0'><a/>", XML_WHY_NOT_WELL_FORMED);
    START("<?xml ?><a/>", XML_WHY_NOT_WELL_FORMED);
    START("<?xml?><a/>", XML_WHY_RESTRICTED);
    START("<?XML version='1.0'?><a/>", XML_WHY_RESTRICTED);
}

Test(strict, stream_header_follows_the_same_rules)
{
    START("<s:s>", XML_WHY_NOT_WELL_FORMED);
    START("<s:s xmlns:s='u' a='1' a='2'>", XML_WHY_NOT_WELL_FORMED);
    START("<s:s xmlns:s=''>", XML_WHY_NOT_WELL_FORMED);
    START("<s a='&foo;'>", XML_WHY_RESTRICTED);
    START("<s:s xmlns:s='u'></s>", XML_WHY_NOT_WELL_FORMED);
    START("<s:s xmlns:s='u'></s:s>", XML_WHY_NONE);
}
