#include "actors/common/markdown.hpp"

#include "tests/safe_html.hpp"
#include "tests/source_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

using namespace troupe::actors;
using troupe::test::unsafe_html;

namespace {

/// One attempt each: they are kept in a file, which the system test gives a real parser of HTML, too.
std::vector<std::string> attempts() {
    std::ifstream in(troupe::test::source_folder() / "tests/fixtures/markdown/attempts.md");
    std::string all((std::istreambuf_iterator<char>(in)), {});
    std::vector<std::string> out;
    constexpr std::string_view between = "\n%%%%\n";
    for (std::size_t at = 0; at < all.size();) {
        const auto end = std::min(all.find(between, at), all.size());
        out.push_back(all.substr(at, end - at));
        at = end + between.size();
    }
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(markdown)

BOOST_AUTO_TEST_CASE(what_is_promised_is_shown) {
    BOOST_TEST(render_markdown("# A *b* **c** ~~d~~ `e`") ==
               "<h1>A <em>b</em> <strong>c</strong> <del>d</del> <code>e</code></h1>\n");
    BOOST_TEST(render_markdown("|a|b|\n|-|:-:|\n|1|2|\n").find("<td align=\"center\">2</td>") != std::string::npos);
    const auto list = render_markdown("- [x] done\n- [ ] open\n");
    BOOST_TEST(list.find("<input type=\"checkbox\" checked=\"\" disabled=\"\" /> done") != std::string::npos);
    BOOST_TEST(render_markdown("```py\na < b\n```") == "<pre><code class=\"language-py\">a &lt; b\n</code></pre>\n");
    BOOST_TEST(render_markdown("") == "");
}

BOOST_AUTO_TEST_CASE(links_go_where_they_may_and_say_what_they_are) {
    constexpr std::string_view rel = " rel=\"noopener noreferrer nofollow\"";
    const auto link = [&](std::string_view href, std::string_view text) {
        return "<p><a" + std::string(rel) + " href=\"" + std::string(href) + "\">" + std::string(text) + "</a></p>\n";
    };
    BOOST_TEST(render_markdown("[a](https://b.example/?c=d&e=f)") == link("https://b.example/?c=d&amp;e=f", "a"));
    BOOST_TEST(render_markdown("[a](../b#c)") == link("../b#c", "a"));
    BOOST_TEST(render_markdown("[a](MAILTO:b@c.example)") == link("MAILTO:b@c.example", "a"));
    BOOST_TEST(render_markdown("www.b.example") == link("http://www.b.example", "www.b.example"));
    BOOST_TEST(render_markdown("[a](b \"c\\\"d\")") ==
               "<p><a" + std::string(rel) + " href=\"b\" title=\"c&quot;d\">a</a></p>\n");
    BOOST_TEST(render_markdown("[a](javascript:alert(1))") == "<p>a</p>\n");
    BOOST_TEST(render_markdown("[a](data:text/html,x)") == "<p>a</p>\n");
    BOOST_TEST(render_markdown("[a]( <ftp://b>)") == "<p>a</p>\n");
}

BOOST_AUTO_TEST_CASE(a_picture_is_a_link_to_it) {
    BOOST_TEST(render_markdown("![a](https://b.example/c.png)") ==
               "<p><a rel=\"noopener noreferrer nofollow\" href=\"https://b.example/c.png\">a</a></p>\n");
    BOOST_TEST(render_markdown("[![a](b.png)](c)") ==
               "<p><a rel=\"noopener noreferrer nofollow\" href=\"c\">a</a></p>\n");
}

BOOST_AUTO_TEST_CASE(html_is_shown_not_meant) {
    BOOST_TEST(render_markdown("a <b>c</b>") == "<p>a &lt;b&gt;c&lt;/b&gt;</p>\n");
    BOOST_TEST(render_markdown("<script>\nalert(1)\n</script>").starts_with("<p>&lt;script&gt;"));
}

BOOST_AUTO_TEST_CASE(no_attempt_gets_through) {
    const auto all = attempts();
    BOOST_TEST(all.size() >= 60u);
    for (const auto& one : all) {
        const auto html = render_markdown(one);
        const auto wrong = unsafe_html(html);
        BOOST_CHECK_MESSAGE(wrong.empty(), wrong << "\n--- of\n" << one << "\n--- came\n" << html);
    }
}

BOOST_AUTO_TEST_CASE(the_check_of_attempts_can_fail) {
    for (const auto* bad :
         {"<script>", "<a onclick=\"x\">", "<a href=\"javascript:x\">", "<img src=\"x\">", "<a href=x>"}) {
        BOOST_CHECK_MESSAGE(!unsafe_html(bad).empty(), bad);
    }
    BOOST_TEST(unsafe_html("<p>a <a href=\"/b\">c</a></p>").empty());
}

BOOST_AUTO_TEST_CASE(what_takes_too_long_is_shown_as_it_is) {
    BOOST_TEST(render_markdown(std::string(markdown_bytes_max + 1, '*')).starts_with("<pre>**"));
    std::string brackets;
    for (std::size_t i = 0; i <= markdown_brackets_max; ++i) {
        brackets += "![[]()<";
    }
    BOOST_TEST(render_markdown(brackets).starts_with("<pre>![[]()&lt;"));
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_text_are_replaced) {
    BOOST_TEST(render_markdown(std::string("a\0b\xff", 4)) == "<p>a\xef\xbf\xbd"
                                                              "b\xef\xbf\xbd</p>\n");
}

BOOST_AUTO_TEST_SUITE_END()
