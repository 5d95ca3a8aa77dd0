#include "net/http/router.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::net;

namespace {

route make(verb v, std::string path, std::string operation) {
    route r;
    r.verb = v;
    r.path = std::move(path);
    r.operation = std::move(operation);
    r.permission = "test:write";
    r.run = [](request, responder) {};
    return r;
}

router table() {
    auto health = make(verb::get, "/health", "health");
    health.rooted = true;
    auto list = make(verb::get, "/tasks", "list_tasks");
    list.query = {{"limit", "", R"({"type":"integer","minimum":1,"maximum":200})"},
                  {"status", "", R"({"type":"string","enum":["pending","done"]})"},
                  {"archived", "", R"({"type":"boolean"})"},
                  {"text", ""}};
    return *router::make({health, list, make(verb::post, "/tasks", "create_task"),
                          make(verb::get, "/tasks/{id}", "get_task"), make(verb::put, "/tasks/{id}", "put_task"),
                          make(verb::get, "/tasks/export", "export_tasks"),
                          make(verb::post, "/tasks/{task}/assign", "assign_task"),
                          make(verb::get, "/projects/{id}/files/{path}", "read_file"),
                          make(verb::get, "/projects/{id}/files", "list_files")});
}

std::string operation_at(const router& r, verb v, std::string_view path) {
    const auto found = r.find(v, path);
    return !found ? "refused" : found->target == nullptr ? found->allow : found->target->operation;
}

} // namespace

BOOST_AUTO_TEST_SUITE(router_table)

BOOST_AUTO_TEST_CASE(both_base_paths_lead_to_the_same_route) {
    const auto r = table();
    BOOST_TEST(operation_at(r, verb::get, "/api/v1/tasks") == "list_tasks");
    BOOST_TEST(operation_at(r, verb::get, "/api/tasks") == "list_tasks");
    BOOST_TEST(operation_at(r, verb::get, "/tasks") == "");
    BOOST_TEST(operation_at(r, verb::get, "/api/v2/tasks") == "");
    BOOST_TEST(r.find(verb::get, "/api/v1/tasks/7")->path == "/tasks/7");
}

BOOST_AUTO_TEST_CASE(a_rooted_route_has_no_base_path) {
    const auto r = table();
    BOOST_TEST(operation_at(r, verb::get, "/health") == "health");
    BOOST_TEST(operation_at(r, verb::get, "/api/v1/health") == "");
}

BOOST_AUTO_TEST_CASE(a_literal_wins_over_a_parameter_that_still_gets_the_rest) {
    const auto r = table();
    BOOST_TEST(operation_at(r, verb::get, "/api/v1/tasks/export") == "export_tasks");
    BOOST_TEST(operation_at(r, verb::put, "/api/v1/tasks/export") == "put_task");
    const auto assign = r.find(verb::post, "/api/v1/tasks/export/assign");
    BOOST_REQUIRE(assign->target != nullptr);
    BOOST_TEST(assign->params.at("task") == "export");
}

BOOST_AUTO_TEST_CASE(parameters_are_decoded_and_only_a_trailing_path_takes_slashes) {
    const auto r = table();
    BOOST_TEST(r.find(verb::get, "/api/v1/tasks/a%2Fb%20c%C3%A9")->params.at("id") == "a/b c\xc3\xa9");
    BOOST_TEST(r.find(verb::get, "/api/v1/projects/p/files/src/a%20b.cpp")->params.at("path") == "src/a b.cpp");
    BOOST_TEST(operation_at(r, verb::get, "/api/v1/projects/p/files") == "list_files");
    BOOST_TEST(operation_at(r, verb::get, "/api/v1/projects/p/files/") == "");
    BOOST_TEST(operation_at(r, verb::get, "/api/v1/tasks/a/b") == "");
    BOOST_TEST(operation_at(r, verb::get, "/api/v1/tasks/") == "");
    BOOST_TEST(operation_at(r, verb::get, "/api/v1/%74asks") == "list_tasks");
}

BOOST_AUTO_TEST_CASE(a_path_without_that_method_says_what_is_allowed) {
    const auto r = table();
    BOOST_TEST(operation_at(r, verb::del, "/api/v1/tasks") == "GET, HEAD, POST, OPTIONS");
    BOOST_TEST(operation_at(r, verb::post, "/api/v1/tasks/export") == "GET, HEAD, PUT, OPTIONS");
    BOOST_TEST(r.find(std::nullopt, "/api/v1/tasks/7/assign")->allow == "POST, OPTIONS");
}

BOOST_AUTO_TEST_CASE(paths_that_cannot_be_decoded_are_malformed) {
    const auto r = table();
    for (const auto* path :
         {"/api/v1/tasks/%", "/api/v1/tasks/%zz", "/api/v1/tasks/%00", "/api/v1/tasks/%0a", "/api/v1/tasks/%ff",
          "/api/v1/tasks/%c0%af", "/api/v1/tasks/%ed%a0%80", "/api/v1/tasks/a\tb", "tasks"}) {
        const auto found = r.find(verb::get, path);
        BOOST_REQUIRE_MESSAGE(!found.has_value(), path);
        BOOST_TEST((found.error().code == code::malformed_http), path);
    }
}

BOOST_AUTO_TEST_CASE(a_table_with_a_mistake_is_refused) {
    const auto refused = [](std::vector<route> routes) {
        const auto made = router::make(std::move(routes));
        return !made && made.error().code == code::config_invalid;
    };
    BOOST_TEST(refused({make(verb::get, "/a/{x}", "one"), make(verb::get, "/a/{y}", "two")}));
    BOOST_TEST(refused({make(verb::get, "/a", "one"), make(verb::get, "/b", "one")}));
    BOOST_TEST(refused({make(verb::get, "/a", "")}));
    BOOST_TEST(refused({make(verb::get, "a", "one")}));
    auto open = make(verb::post, "/a", "one");
    open.permission.clear();
    BOOST_TEST(refused({open}));
    open.verb = verb::get;
    BOOST_TEST(!refused({open}));
    auto empty = make(verb::get, "/a", "one");
    empty.run = nullptr;
    BOOST_TEST(refused({empty}));
}

BOOST_AUTO_TEST_CASE(queries_are_decoded_and_checked) {
    const auto r = table();
    const auto& list = *r.find(verb::get, "/api/v1/tasks")->target;
    const auto good = r.read_query(list, "limit=20&status=done&text=a+b%26c&archived=true");
    BOOST_REQUIRE(good.has_value());
    BOOST_TEST(good->at("text") == "a b&c");
    BOOST_TEST(r.read_query(list, "").has_value());
    // Where others than ours make the URL, what is not known is passed over, and what is known is checked.
    auto open = make(verb::get, "/callback", "callback");
    open.query = {{"code", "", R"({"type":"string","maxLength":3})"}, {"*", ""}};
    const auto tolerant = *router::make({open});
    const auto& callback = *tolerant.find(verb::get, "/api/v1/callback")->target;
    const auto read = tolerant.read_query(callback, "code=a&colour=red&colour=blue");
    BOOST_REQUIRE(read.has_value());
    BOOST_TEST(read->size() == 1U);
    BOOST_TEST(!tolerant.read_query(callback, "code=long&colour=red").has_value());
    BOOST_TEST(!tolerant.read_query(callback, "code=a&code=b").has_value());
    for (const auto& [query, pointer] : std::map<std::string, std::string>{{"colour=red", "colour"},
                                                                           {"limit=many", "limit"},
                                                                           {"limit=0", "limit"},
                                                                           {"limit=201", "limit"},
                                                                           {"status=lost", "status"},
                                                                           {"archived=yes", "archived"},
                                                                           {"text=a&text=b", "text"}}) {
        const auto bad = r.read_query(list, query);
        BOOST_REQUIRE_MESSAGE(!bad.has_value(), query);
        BOOST_TEST((bad.error().code == code::invalid_request));
        BOOST_REQUIRE(bad.error().errors.size() == 1);
        BOOST_TEST(bad.error().errors[0].pointer == pointer);
    }
    BOOST_TEST((r.read_query(list, "text=%f").error().code == code::malformed_http));
}

BOOST_AUTO_TEST_CASE(dates_of_deprecation_have_to_make_sense) {
    const auto made = [](std::string since, std::string sunset) {
        auto r = make(verb::get, "/old", "old");
        r.deprecated_since = std::move(since);
        r.sunset = std::move(sunset);
        const auto table = router::make({r});
        return table ? std::string() : table.error().detail;
    };
    BOOST_TEST(made("2026-11-21", "") == "");
    BOOST_TEST(made("2026-11-21", "2027-05-21") == "");
    BOOST_TEST(made("", "2027-05-21").find("is not deprecated") != std::string::npos);
    BOOST_TEST(made("2026-11-21", "2026-11-20").find("before its deprecation") != std::string::npos);
    for (const auto* bad : {"soon", "2026-13-01", "2026-11-21T00:00:00Z", "26-11-21"})
        BOOST_TEST(made(bad, "").find("is no day") != std::string::npos, bad);
}

BOOST_AUTO_TEST_SUITE_END()
