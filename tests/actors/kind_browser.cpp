#include "actors/kinds/browser/browser_tools.hpp"
#include "actors/kinds/browser/page_log.hpp"
#include "actors/kinds/browser/page_tree.hpp"
#include "actors/kinds/kind.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;

namespace {

page_tree tree_of(const std::string& nodes) { return read_tree(json::document::parse(nodes).value().root()); }

std::string node(int id, std::string_view role, std::string_view name, std::string_view children,
                 std::string_view more = "") {
    return fmt::format(R"({{"nodeId":"{}","ignored":false,"role":{{"value":"{}"}},"name":{{"value":{}}},)"
                       R"("childIds":[{}],"backendDOMNodeId":{}{}}})",
                       id, role, json::quoted(name), children, id + 100, more);
}

net::devtools::message event(std::string_view method, std::string_view params) {
    return net::devtools::read_message(fmt::format(R"({{"method":"{}","params":{}}})", method, params)).value();
}

} // namespace

BOOST_AUTO_TEST_SUITE(kind_browser)

BOOST_AUTO_TEST_CASE(a_page_is_a_tree_of_what_counts_with_references_to_what_can_be_used) {
    const auto tree = tree_of(
        "[" + node(1, "RootWebArea", "Shop", "\"2\",\"3\",\"6\",\"8\"") + "," +
        node(2, "heading", "Hello", "\"9\"", R"(,"properties":[{"name":"level","value":{"value":1}}])") + "," +
        node(3, "generic", "", "\"4\",\"5\"") + "," +
        node(4, "textbox", "Query", "",
             R"(,"value":{"value":"cats"},"properties":[{"name":"focusable","value":{"value":true}}])") +
        "," + node(5, "button", "Go", "", R"(,"properties":[{"name":"disabled","value":{"value":true}}])") + "," +
        node(6, "link", "more", "\"7\"", R"(,"properties":[{"name":"url","value":{"value":"http://a/x"}}])") + "," +
        node(7, "StaticText", "more", "") + "," + node(8, "StaticText", "line\nof \x1b[31mtext", "") + "," +
        node(9, "StaticText", "Hello", "") + "]");
    BOOST_TEST(tree.text == "- heading \"Hello\" [level=1]\n"
                            "- textbox \"Query\" [ref=e104] value=\"cats\"\n"
                            "- button \"Go\" [disabled] [ref=e105]\n"
                            "- link \"more\" [ref=e106] -> http://a/x\n"
                            "- text: line of [31mtext\n");
    BOOST_TEST((tree.refs == std::set<std::int64_t>{104, 105, 106}));
}

BOOST_AUTO_TEST_CASE(what_is_ignored_is_passed_over_and_a_tree_that_is_none_ends) {
    const auto tree = tree_of(R"([{"nodeId":"1","ignored":true,"role":{"value":"none"},"childIds":["2","1"]},)" +
                              node(2, "button", "Go", "\"1\",\"2\",\"77\"") + ",7,{}]");
    BOOST_TEST(tree.text == "- button \"Go\" [ref=e102]\n");
    BOOST_TEST(tree_of("[]").text.empty());
    BOOST_TEST(tree_of("{}").text.empty());
}

BOOST_AUTO_TEST_CASE(a_tree_that_is_too_long_is_cut_and_says_so) {
    std::string children, nodes;
    for (int i = 2; i < 2000; ++i) {
        children += fmt::format("{}\"{}\"", children.empty() ? "" : ",", i);
        nodes += "," + node(i, "button", std::string(200, 'x'), "");
    }
    const auto tree = tree_of("[" + node(1, "RootWebArea", "", children) + nodes + "]");
    BOOST_TEST(tree.text.size() < tree_bytes_max + 200);
    BOOST_TEST(tree.text.find("is left out") != std::string::npos);
    BOOST_TEST(tree.refs.size() < 400U); // nothing can be used that was not shown
}

BOOST_AUTO_TEST_CASE(references_are_read_back) {
    BOOST_TEST(parse_ref(ref_text(12)).value() == 12);
    for (const auto* wrong : {"", "e", "12", "e-1", "e0", "e1x", "E1", "e99999999999999999999"}) {
        BOOST_TEST(!parse_ref(wrong), wrong);
    }
}

BOOST_AUTO_TEST_CASE(the_console_keeps_the_newest_entries) {
    page_log log;
    log.take(event("Runtime.consoleAPICalled",
                   R"({"type":"log","args":[{"value":"one"},{"value":2},{"type":"object","description":"Object"}]})"));
    log.take(event("Runtime.exceptionThrown",
                   R"({"exceptionDetails":{"text":"Uncaught","exception":{"description":"Error: no\n at x"}}})"));
    log.take(event("Log.entryAdded", R"({"entry":{"level":"error","text":"blocked","url":"http://a/"}})"));
    log.take(event("Page.loadEventFired", "{}"));
    BOOST_TEST(log.console() == "log: one 2 Object\nexception: Error: no at x\nerror: blocked http://a/\n");
    for (std::size_t i = 0; i < page_log::console_max; ++i) {
        log.say("log", std::to_string(i));
    }
    BOOST_TEST(log.console().starts_with("[… 3 older ones left out …]\nlog: 0\n"));
}

BOOST_AUTO_TEST_CASE(requests_have_their_answers_also_those_of_redirects) {
    page_log log;
    const auto sent = [](std::string_view url, std::string_view more) {
        return fmt::format(R"({{"requestId":"1","type":"Document","request":{{"method":"GET","url":"{}"}}{}}})", url,
                           more);
    };
    log.take(event("Network.requestWillBeSent", sent("http://a/", "")));
    log.take(event("Network.requestWillBeSent", sent("http://a/b", R"(,"redirectResponse":{"status":302})")));
    BOOST_TEST(log.network() ==
               "GET http://a/ (Document): 302, redirected\nGET http://a/b (Document): no answer yet\n");
    log.take(event("Network.responseReceived", R"({"requestId":"1","response":{"status":200}})"));
    log.take(event("Network.loadingFailed", R"({"requestId":"1","errorText":"net::ERR_ABORTED"})"));
    BOOST_TEST(log.network().find("http://a/b (Document): 200\n") != std::string::npos);
    for (std::size_t i = 0; i < page_log::network_max; ++i) {
        log.take(event("Network.requestWillBeSent", sent("http://a/c", "")));
    }
    BOOST_TEST(log.network().starts_with("[… 2 older ones left out …]\n"));
}

BOOST_AUTO_TEST_CASE(tools_that_act_are_never_repeated_and_need_a_browser) {
    for (const auto* name : {"browser_click", "browser_type", "browser_select"}) {
        const auto* tool = find_tool(name);
        BOOST_REQUIRE(tool);
        BOOST_TEST((tool->safety == repeat_safety::once), name);
        tool_environment again;
        again.repeat = true;
        const auto r = perform_tool(name, R"({"ref":"e1","text":"","value":""})", again);
        BOOST_TEST(r.unknown, name);
    }
    BOOST_TEST((find_tool("browser_open")->safety == repeat_safety::idempotent));
    const auto r = perform_tool("browser_open", R"({"url":"http://a/"})", {});
    BOOST_TEST(r.is_error);
    BOOST_TEST(r.content == "there are no browsers here");
    BOOST_TEST(perform_tool("browser_open", R"({"url":"javascript:1"})", {}).is_error);
}

BOOST_AUTO_TEST_CASE(parameters_name_their_place) {
    BOOST_TEST(!!check_parameters("browser", R"({"url":"https://a/"})"));
    BOOST_TEST(check_parameters("browser", R"({"url":"file:///x"})").error().errors.front().pointer ==
               "/parameters/url");
    BOOST_TEST(check_parameters("browser", R"({"speed":1})").error().errors.front().pointer == "/parameters/speed");
}

BOOST_AUTO_TEST_SUITE_END()
