#include "actors/tool/configured_tools.hpp"
#include "tests/actors/tool_fixture.hpp"
#include "tests/net/loopback_server.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;
using net::test::loopback_server;
using net::test::peer;

namespace {

constexpr std::string_view schema =
    R"({"type":"object","properties":{"stage":{"enum":["test","live"]},"count":{"type":"integer"}},)"
    R"("required":["stage"],"additionalProperties":false})";

std::string declared(std::string_view more, std::string_view name = "deploy") {
    return fmt::format(R"({{"name":"{}","description":"Deploys.","parameters":{},{}}})", name, schema, more);
}
std::shared_ptr<void> configured(const std::string& list, secret_finder find_secret = {}) {
    runtime::config settings;
    settings.tools_own = "[" + list + "]";
    auto added = add_configured_tools(settings, {}, std::move(find_secret));
    BOOST_REQUIRE_MESSAGE(added, (added ? "" : added.error().detail));
    return std::move(*added);
}
/// The places of what is wrong.
std::string wrong(const std::string& list) {
    std::string out;
    for (const auto& e : runtime::check_own_tools_list(list)) {
        out += e.pointer + " ";
    }
    return out;
}
bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

} // namespace

BOOST_AUTO_TEST_SUITE(tool_own)

BOOST_AUTO_TEST_CASE(a_command_gets_the_arguments_on_its_input_and_in_the_environment) {
    const tool_place p;
    const auto tools = configured(declared(
        R"("run":{"command":["sh","-c","cat; echo; echo \"$TROUPE_ARGUMENTS $1\"; exit 3","sh","it's $HOME"]})"));
    const auto* tool = find_tool("deploy");
    BOOST_REQUIRE(tool);
    BOOST_TEST(tool->schema() == schema);
    BOOST_TEST(tool->permission == "execute");
    BOOST_TEST((tool->safety == repeat_safety::recorded)); // the runner knows what became of it
    BOOST_TEST((tool->writes && tool->needs_project));
    const std::string arguments = R"({"stage":"test","count":-1})";
    const auto r = p.perform("deploy", arguments);
    BOOST_TEST(!r.is_error, r.content);
    BOOST_TEST(contains(r.content, "exit code: 3"));
    BOOST_TEST(contains(r.content, arguments + "\n" + arguments + " it's $HOME\n"), r.content);
    BOOST_TEST(p.perform("deploy", arguments).content == r.content); // under the same key: not again
}

BOOST_AUTO_TEST_CASE(arguments_that_do_not_fit_the_schema_are_named_and_nothing_is_run) {
    const tool_place p;
    const auto tools = configured(declared(R"("run":{"command":["touch","ran"]})"));
    const auto* tool = find_tool("deploy");
    for (const auto& [bad, place] :
         std::initializer_list<std::pair<const char*, const char*>>{{"", "/"},
                                                                    {"{", "/"},
                                                                    {R"({"stage":"moon"})", "/stage"},
                                                                    {R"({"stage":"test","count":"x"})", "/count"},
                                                                    {R"({"stage":"test","more":1})", "/"}}) {
        const auto checked = tool->check(bad);
        BOOST_REQUIRE(!checked);
        BOOST_TEST((checked.error().code == code::tool_arguments_invalid));
        BOOST_TEST(contains(checked.error().detail, std::string(place) + ": "), bad << ": " << checked.error().detail);
        BOOST_TEST(p.perform("deploy", bad).is_error, bad);
    }
    BOOST_TEST(!p.has("ran"));
    BOOST_TEST(!!tool->check(R"({"stage":"live","count":2})"));
    BOOST_TEST(
        contains(tool->check("{\"stage\":\"" + std::string(100'001, 'x') + "\"}").error().detail, "longer than"));
}

BOOST_AUTO_TEST_CASE(a_request_has_the_arguments_as_its_body_and_secrets_in_its_headers) {
    std::string seen;
    const loopback_server server([&](peer& client) {
        seen = client.read_request();
        client.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
    });
    const auto tools = configured(
        declared(fmt::format(R"("http":{{"method":"PUT","url":"{}","headers":{{"Authorization":"secret:CI"}}}},)"
                             R"("permission":"deploy","repeat":"idempotent")",
                             server.url("/stage"))),
        [](std::string_view name) { return expected<std::string>("Bearer of " + std::string(name)); });
    const tool_place p;
    const auto r = p.perform("deploy", R"({"stage":"test"})");
    BOOST_TEST(r.content == "status 200\ndone");
    BOOST_TEST(!r.is_error);
    BOOST_TEST(seen.starts_with("PUT /stage HTTP/1.1\r\n"));
    BOOST_TEST(contains(seen, "Authorization: Bearer of CI\r\n"));
    BOOST_TEST(seen.ends_with("\r\n\r\n{\"stage\":\"test\"}"));
    BOOST_TEST(find_tool("deploy")->permission == "deploy");
    BOOST_TEST((find_tool("deploy")->safety == repeat_safety::idempotent));
}

BOOST_AUTO_TEST_CASE(a_request_that_may_have_arrived_is_unknown_unless_a_repeat_does_no_harm) {
    const loopback_server server([](peer& client) { client.read_request(); }, 2); // and hangs up
    const auto http = fmt::format(R"("http":{{"url":"{}"}})", server.url());
    const auto tools = configured(declared(http) + "," + declared(http + R"(,"repeat":"idempotent")", "again"));
    tool_place p;
    BOOST_TEST(p.perform("deploy", R"({"stage":"test"})").unknown);
    const auto again = p.perform("again", R"({"stage":"test"})");
    BOOST_TEST(again.is_error);
    BOOST_TEST(!again.unknown);
    p.where.repeat = true; // not asked again
    BOOST_TEST(p.perform("deploy", R"({"stage":"test"})").unknown);
}

BOOST_AUTO_TEST_CASE(a_secret_that_is_not_there_sends_nothing) {
    const auto tools = configured(declared(R"("http":{"url":"http://127.0.0.1:1/","headers":{"X-Key":"secret:NO"}})"),
                                  [](std::string_view) {
                                      return expected<std::string>(problem{code::not_found, "none"});
                                  });
    const tool_place p;
    const auto r = p.perform("deploy", R"({"stage":"test"})");
    BOOST_TEST(r.is_error);
    BOOST_TEST(!r.unknown);
    BOOST_TEST(r.content == "none");
}

BOOST_AUTO_TEST_CASE(declarations_that_are_wrong_are_refused_with_their_place) {
    const std::string run = R"("run":{"command":["x"]})", http = R"("http":{"url":"http://h/"})";
    BOOST_TEST(wrong("[" + declared(run) + "," + declared(http, "two") + "]") == "");
    BOOST_TEST(wrong("") == "");
    BOOST_TEST(wrong("{}") == " ");
    BOOST_TEST(wrong("[{}]") == "/0/name /0/description ");
    BOOST_TEST(wrong("[" + declared(run) + "," + declared(run) + "]") == "/1/name ");
    BOOST_TEST(wrong("[" + declared(run, "Deploy all") + "]") == "/0/name ");
    BOOST_TEST(wrong("[" + declared(run + "," + http) + "]") == "/0 ");
    BOOST_TEST(wrong("[" + declared(R"("permission":"x")") + "]") == "/0 ");
    BOOST_TEST(wrong("[" + declared(run + R"(,"repeat":"once")") + "]") == "/0/repeat ");
    BOOST_TEST(wrong("[" + declared(R"("run":{"command":[]})") + "]") == "/0/run/command ");
    BOOST_TEST(wrong("[" + declared(R"("http":{"url":"ftp://h/"})") + "]") == "/0/http/url ");
    BOOST_TEST(wrong("[" + declared(R"("http":{"url":"http://h/","method":"GET"})") + "]") == "/0/http/method ");
    BOOST_TEST(wrong("[" + declared(R"("http":{"url":"http://h/","headers":{"X":"a\nb"}})") + "]") ==
               "/0/http/headers/X ");
    const auto with_schema = [&](const std::string& parameters) {
        return wrong(R"([{"name":"a","description":"b","parameters":)" + parameters + "," + run + "}]");
    };
    BOOST_TEST(with_schema("7") == "/0/parameters ");
    BOOST_TEST(with_schema(R"({"type":"object","properties":7})") == "/0/parameters ");
    BOOST_TEST(with_schema(R"({"type":"object","$ref":"http://127.0.0.1:1/x"})") == "/0/parameters ");
    BOOST_TEST(with_schema(R"({"type":"string"})") == "/0/parameters/type ");
    runtime::config settings;
    settings.tools_own = "[" + declared(run, "read_file") + "]";
    BOOST_TEST(contains(add_configured_tools(settings, {}).error().detail, "there is one of that name"));
}

BOOST_AUTO_TEST_SUITE_END()
