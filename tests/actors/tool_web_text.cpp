#include "actors/tool/web_text.hpp"
#include "schemas/base/json.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;

namespace {

std::string markdown(std::string_view body) {
    return read_html("<!doctype html><html><body>" + std::string(body), "https://example.org/dir/page").markdown;
}
bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

} // namespace

BOOST_AUTO_TEST_SUITE(tool_web_text)

BOOST_AUTO_TEST_CASE(words_headings_and_paragraphs) {
    BOOST_TEST(markdown("<h1>Big\n title</h1><p>One <b>bold </b>and\n <i>slanted</i> word.<br>Next<p>Last") ==
               "# Big title\n\nOne **bold** and *slanted* word.\nNext\n\nLast");
    BOOST_TEST(markdown("<div><div>a</div></div><div>b<hr>c</div>") == "a\n\nb\n\n---\n\nc");
    BOOST_TEST(markdown("a &amp; b &lt;c&gt; &eacute; &#x1F600;") == "a & b <c> é 😀");
}

BOOST_AUTO_TEST_CASE(links_are_absolute_and_only_of_the_web) {
    BOOST_TEST(markdown(R"(<a href="other">x</a> <a href="/top?a=1&amp;b">y</a> <a href="//h.org/z">z</a>)") ==
               "[x](https://example.org/dir/other) [y](https://example.org/top?a=1&b) [z](https://h.org/z)");
    BOOST_TEST(
        markdown(R"x(<a href="javascript:alert(1)">x</a> <a href="#part">y</a> <a href="data:text/html,z">z</a>)x") ==
        "x y z");
    BOOST_TEST(markdown(R"(<a href="a b/ä">x</a>)") == "[x](https://example.org/dir/a%20b/%C3%A4)");
    BOOST_TEST(markdown(R"(<img src="i.png" alt="a tree"><img src="no-words.png">)") ==
               "![a tree](https://example.org/dir/i.png)");
    BOOST_TEST(read_html(R"(<base href="https://other.net/x/"><a href="y">z</a>)", "https://example.org/").markdown ==
               "[z](https://other.net/x/y)");
}

BOOST_AUTO_TEST_CASE(lists_quotes_and_code) {
    BOOST_TEST(markdown("<ul><li>a<ul><li>b</ul><li><li><p>c</p></ul>d") == "- a\n  - b\n- \n- c\n\nd");
    BOOST_TEST(markdown("<ol><li>a<li>b<pre>x\n  y\n</pre></ol>") == "1. a\n2. b\n\n   ```\n   x\n     y\n   ```");
    BOOST_TEST(markdown("<blockquote><p>a<p>b</blockquote>c") == "> a\n>\n> b\n\nc");
    BOOST_TEST(markdown("<pre><code>if (a &lt; b)\n  ```\n</code></pre> use <code>x &amp; y</code>") ==
               "````\nif (a < b)\n  ```\n````\n\nuse `x & y`");
}

BOOST_AUTO_TEST_CASE(tables_of_data_are_tables_and_others_are_not) {
    BOOST_TEST(markdown("<table><tr><th>a<th>b|c<tr><td>1<td><p>2</p><p>3</p></tr><tr><td>4</table>") ==
               "| a | b\\|c |\n| --- | --- |\n| 1 | 2 3 |\n| 4 | |");
    BOOST_TEST(markdown("<table><tr><td>a</td></tr><tr><td>b</td></tr></table>") == "a\n\nb");
    BOOST_TEST(markdown("<table><tr><td>a<td><table><tr><td>b</table></table>") == "a\n\nb");
}

BOOST_AUTO_TEST_CASE(what_people_do_not_see_is_left_out) {
    BOOST_TEST(markdown("a<script>if (a < b) { '</p>' }</script><style>p{}</style><!-- c --><template>t</template>"
                        "<noscript>n</noscript><p hidden>h</p><p style='Display : None'>d</p>"
                        "<span aria-hidden=true>e</span><p style='visibility:hidden'>f</p><textarea>g</textarea>z") ==
               "az");
    const auto page = read_html("<html><head><title>The\n title</title><meta name=x></head><body>b", "https://e.org/");
    BOOST_TEST(page.title == "The title");
    BOOST_TEST(page.markdown == "b");
}

BOOST_AUTO_TEST_CASE(pages_that_are_broken_or_hostile_are_read_as_far_as_they_go) {
    BOOST_TEST(markdown("<p>a<b>b<p>c</i></div>d") == "a**b**\n\ncd");
    BOOST_TEST(read_html("", "https://e.org/").markdown.empty());
    BOOST_TEST(read_html("no tags", "https://e.org/").markdown == "no tags");
    std::string deep;
    for (int i = 0; i < 100'000; ++i) {
        deep += "<div><ul><li><b>";
    }
    (void)read_html(deep, "https://e.org/");
    // No file and no address is asked for.
    BOOST_TEST(!contains(
        read_html("<!DOCTYPE html [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><p>&x;", "https://e.org/").markdown,
        "root:"));
}

BOOST_AUTO_TEST_CASE(bytes_become_utf8_by_what_is_known_of_them) {
    BOOST_TEST(to_utf8("\xe4", "iso-8859-1") == "ä");
    BOOST_TEST(to_utf8("\x80", "ISO-8859-1") == "€"); // as browsers do
    BOOST_TEST(to_utf8("\xe4", "") == "ä");
    BOOST_TEST(to_utf8("ä", "") == "ä");
    BOOST_TEST(to_utf8("\xEF\xBB\xBFä", "iso-8859-1") == "ä");
    BOOST_TEST(to_utf8(std::string_view("\xFF\xFE\xe4\x00", 4), "") == "ä");
    BOOST_TEST(to_utf8("<meta charset=\"windows-1251\">\xe4", "") == "<meta charset=\"windows-1251\">д");
    BOOST_TEST(to_utf8("<meta http-equiv=x content='text/html; charset=koi8-r'>\xc4", "").ends_with("д"));
    BOOST_TEST(to_utf8("\x93\xfa\x96\x7b", "shift_jis") == "日本");
    BOOST_TEST(to_utf8("a\xff"
                       "b",
                       "utf-8") == "a\xEF\xBF\xBD"
                                   "b");
    BOOST_TEST(to_utf8("ä", "no-such-charset") == "ä");
}

BOOST_AUTO_TEST_CASE(what_lies_beyond_unicode_is_replaced) {
    const auto text = to_utf8("a\xf7\x90\x90\x90z \xed\xa0\x80 \xf4\x90\x80\x80", "utf-8");
    const auto read = json::document::parse(json::quoted(text)).value();
    BOOST_TEST(read.root().as_string().value() == text); // it is UTF-8
    BOOST_TEST(text.starts_with("a\xef\xbf\xbd"));
    BOOST_TEST(text.find('z') != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
