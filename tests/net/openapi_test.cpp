#include "net/http/openapi.hpp"

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
    static constexpr field_rule rules[] = {{.name = "text", .required = true, .min = 1, .max = 20}};
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
                 .errors = {code::already_exists}};
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
                 .success = 204};
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

BOOST_AUTO_TEST_SUITE_END()
