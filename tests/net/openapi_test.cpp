#include "net/http/openapi.hpp"

#include "net/http/docs_page.hpp"
#include "net/http/html.hpp"
#include "net/http/schema_example.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/json.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <set>

using namespace troupe;
using namespace troupe::net;

namespace openapi_test_types {
struct new_note {
    std::string text;
    std::optional<std::int64_t> weight;
    static constexpr field_rule rules[] = {
        {.name = "text", .required = true, .min = 1, .max = 20, .example = "\"milk\""}};
};
BOOST_DESCRIBE_STRUCT(new_note, (), (text, weight))
struct note {
    uuid id;
    std::string text;
};
BOOST_DESCRIBE_STRUCT(note, (), (id, text))
} // namespace openapi_test_types

namespace {

using namespace openapi_test_types;

std::vector<route> table() {
    route create{.verb = verb::post,
                 .path = "/notes",
                 .operation = "create_note",
                 .summary = "Make a note.",
                 .tag = "notes",
                 .permission = "note:write",
                 .body = body_of<new_note>("new_note"),
                 .reply = reply_of<note>("note"),
                 .success = 201,
                 .errors = {code::already_exists},
                 .reply_headers = {"ETag", "Location"}};
    route get{.verb = verb::get,
              .path = "/notes/{id}",
              .operation = "get_note",
              .summary = "One note.",
              .tag = "notes",
              .permission = "note:read",
              .query = {{"fields", "Which fields."}},
              .reply = reply_of<note>("note")};
    route remove{.verb = verb::del,
                 .path = "/notes/{id}",
                 .operation = "delete_note",
                 .summary = "Remove it.",
                 .tag = "notes",
                 .permission = "note:write",
                 .success = 204,
                 .reply_headers = {"ETag"},
                 .deprecated_since = "2026-11-21",
                 .sunset = "2027-05-21"};
    route health{.verb = verb::get,
                 .path = "/health",
                 .operation = "health",
                 .summary = "Health.",
                 .tag = "system",
                 .permission = "",
                 .rooted = true};
    return {create, get, remove, health};
}

void collect_references(json::value v, std::vector<std::string>& out) {
    if (v.type() == json::kind::object)
        v.each_member([&](std::string_view name, json::value member) {
            if (name == "$ref")
                out.emplace_back(member.as_string().value_or("?"));
            collect_references(member, out);
        });
    v.each_element([&](json::value element) { collect_references(element, out); });
}

} // namespace

BOOST_AUTO_TEST_SUITE(openapi)

BOOST_AUTO_TEST_CASE(every_route_is_there_and_every_reference_resolves) {
    const auto routes = table();
    const auto text = make_openapi(routes, {"1.2.3", {}});
    const auto document = json::document::parse(text);
    BOOST_REQUIRE(document.has_value());
    const auto root = document->root();
    BOOST_TEST(root.text_or("openapi") == "3.1.0");
    BOOST_TEST(root.pointer("/info/version")->as_string().value() == "1.2.3");
    BOOST_TEST(root.pointer("/info/license/identifier")->as_string().value() == "Apache-2.0");
    for (const auto& r : routes) {
        std::string method(name_of(r.verb));
        for (auto& c : method)
            c = static_cast<char>(std::tolower(c));
        const auto item = root.find("paths")->find(r.path);
        BOOST_REQUIRE_MESSAGE(item.has_value(), r.path);
        const auto operation = item->find(method);
        BOOST_REQUIRE_MESSAGE(operation.has_value(), r.operation);
        BOOST_TEST(operation->text_or("operationId") == r.operation);
        BOOST_TEST(operation->find("responses")->find(std::to_string(r.success)).has_value());
    }
    std::vector<std::string> references;
    collect_references(root, references);
    BOOST_TEST(!references.empty());
    for (const auto& reference : references) {
        BOOST_REQUIRE_MESSAGE(reference.starts_with("#/"), reference);
        BOOST_TEST(root.pointer(reference.substr(1)).has_value(), reference);
    }
}

BOOST_AUTO_TEST_CASE(parameters_headers_and_problems_come_from_the_declaration) {
    const auto document = json::document::parse(make_openapi(table(), {"1", {}}));
    const auto root = document->root();
    const auto names = [&](std::string_view path, std::string_view method) {
        std::set<std::string> out;
        root.find("paths")->find(path)->find(method)->find("parameters")->each_element([&](json::value p) {
            out.insert(p.text_or("name", p.text_or("$ref")));
        });
        return out;
    };
    BOOST_TEST((names("/notes", "post") == std::set<std::string>{"#/components/parameters/idempotency_key"}));
    BOOST_TEST((names("/notes/{id}", "get") == std::set<std::string>{"id", "fields"}));
    BOOST_TEST((names("/notes/{id}", "delete") == std::set<std::string>{"id", "#/components/parameters/if_match"}));
    const auto create = root.find("paths")->find("/notes")->find("post");
    BOOST_TEST(create->find("requestBody").has_value());
    for (const auto* status : {"401", "403", "409", "413", "415", "422", "500"})
        BOOST_TEST(create->find("responses")->find(status).has_value(), status);
    BOOST_TEST(root.pointer("/components/schemas/new_note/properties/text/maxLength")->as_int().value() == 20);
    const auto health = root.find("paths")->find("/health")->find("get");
    BOOST_TEST(health->find("security")->size() == 0);
    BOOST_TEST(health->find("servers")->size() == 1);
    BOOST_TEST(!health->find("responses")->find("401").has_value());
}

BOOST_AUTO_TEST_CASE(examples_are_made_of_what_rules_say) {
    const auto document = json::document::parse(make_openapi(table(), {"1", {}}));
    const auto root = document->root();
    const auto at = [&](const char* pointer) {
        const auto found = root.pointer(pointer);
        BOOST_REQUIRE_MESSAGE(found.has_value(), pointer);
        return found->dump();
    };
    BOOST_TEST(at("/paths/~1notes/post/requestBody/content/application~1json/example") == R"({"text":"milk"})");
    BOOST_TEST(at("/paths/~1notes/post/responses/201/content/application~1json/example") ==
               R"({"id":"018f6e2c-7b1a-7c3d-9e4f-5a6b7c8d9e0f","text":"milk"})");
    BOOST_TEST(at("/components/schemas/note/required") == R"(["id","text"])");
    BOOST_TEST(at("/components/examples/already_exists/value/status") == "409");
}

BOOST_AUTO_TEST_CASE(what_is_deprecated_is_marked) {
    const auto document = json::document::parse(make_openapi(table(), {"1", {}}));
    const auto remove = document->root().find("paths")->find("/notes/{id}")->find("delete");
    BOOST_TEST(remove->find("deprecated")->as_bool().value());
    BOOST_TEST(remove->text_or("x-sunset") == "2027-05-21");
    BOOST_TEST(remove->text_or("description").find("gone on 2027-05-21") != std::string::npos);
    BOOST_TEST(remove->pointer("/responses/204/headers/Sunset").has_value());
    BOOST_TEST(!document->root().find("paths")->find("/notes/{id}")->find("get")->find("deprecated").has_value());
}

BOOST_AUTO_TEST_CASE(tags_are_told_by_the_program) {
    const auto document = json::document::parse(make_openapi(table(), {"1", {{"notes", "What to buy."}}}));
    BOOST_TEST(document->root().pointer("/tags/0/description")->as_string().value() == "What to buy.");
    BOOST_TEST(!document->root().pointer("/tags/1/description")->as_string().value().empty());
}

BOOST_AUTO_TEST_CASE(an_example_keeps_the_bounds_of_its_schema) {
    example_book book;
    book.learn(R"({"type":"object","properties":{"name":{"type":"string","examples":["anna"]}}})");
    BOOST_TEST(book.of_reply(R"({"type":"object","properties":{"name":{"type":"string"},"code":{"type":"string",)"
                             R"("minLength":6,"maxLength":6},"n":{"type":"integer","minimum":7,"maximum":9}}})") ==
               R"({"name":"anna","code":"codexx","n":7})");
    BOOST_TEST(book.of_request(R"({"type":"object","properties":{"a":{"type":"boolean"},"b":{"type":"boolean"}},)"
                               R"("required":["b"]})") == R"({"b":false})");
    BOOST_TEST(book.of_reply(R"({"type":"array","items":{"type":"string","enum":["x","y"]}})") == R"(["x"])");
    BOOST_TEST(book.of_reply("not json") == "null");
}

BOOST_AUTO_TEST_CASE(the_page_shows_every_operation_and_escapes_what_it_shows) {
    auto routes = table();
    routes[0].summary = "Make <b>one</b> & \"go\".";
    const auto page = make_docs_page(make_openapi(routes, {"1", {}}));
    for (const auto& r : routes)
        BOOST_TEST(page.find("id=\"op-" + r.operation + "\"") != std::string::npos, r.operation);
    BOOST_TEST(page.find("<b>") == std::string::npos);
    BOOST_TEST(page.find("Make &lt;b&gt;one&lt;/b&gt; &amp; &quot;go&quot;.") != std::string::npos);
    BOOST_TEST(page.find("curl -X POST") != std::string::npos);
    BOOST_TEST(page.find("id=\"versions\"") != std::string::npos);
    BOOST_TEST(page.find("<strong class=\"deprecated\">") != std::string::npos);
    BOOST_TEST(make_docs_page("not json").empty());
}

BOOST_AUTO_TEST_CASE(markdown_becomes_html_and_nothing_else_does) {
    BOOST_TEST(
        markdown_to_html("## Live events\n\nOne `a<b`\ntwo.\n\n- x\n- y\n") ==
        "<h2 id=\"live\">Live events</h2>\n<p>One <code>a&lt;b</code> two.</p>\n<ul><li>x</li><li>y</li></ul>\n");
    BOOST_TEST(markdown_to_html("<script>") == "<p>&lt;script&gt;</p>\n");
}

BOOST_AUTO_TEST_SUITE_END()
