#include "schemas/base/problem.hpp"

#include "schemas/base/json.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <string>

using namespace troupe;

BOOST_AUTO_TEST_SUITE(problems)

BOOST_AUTO_TEST_CASE(every_code_has_a_whole_page_and_a_name_of_its_own) {
    BOOST_TEST(all_codes().size() == static_cast<std::size_t>(code::would_lock_out) + 1);
    std::set<std::string_view> names;
    for (const auto& info : all_codes()) {
        BOOST_TEST_CONTEXT(info.name) {
            BOOST_TEST(names.insert(info.name).second);
            BOOST_TEST(info.http_status >= 400);
            BOOST_TEST(info.http_status < 600);
            BOOST_TEST(!info.title.empty());
            BOOST_TEST(info.cause.size() > 20u);
            BOOST_TEST(info.remedy.size() > 20u);
            BOOST_TEST(info.cause.ends_with('.'));
            BOOST_TEST(info.remedy.ends_with('.'));
            BOOST_TEST(&explain(info.code) == &info);
            BOOST_TEST((code_named(info.name) == info.code));
        }
    }
}

BOOST_AUTO_TEST_CASE(an_unknown_name_is_no_code) {
    BOOST_TEST(!code_named("no_such_code").has_value());
    BOOST_TEST(!code_named("").has_value());
}

BOOST_AUTO_TEST_CASE(an_unknown_number_explains_itself_as_internal) {
    BOOST_TEST((explain(static_cast<code>(9999)).code == code::internal));
}

BOOST_AUTO_TEST_CASE(the_body_says_all_that_is_known) {
    const problem p{code::invalid_request, "title: must not be empty", {{"/title", "must not be empty"}}};
    BOOST_TEST(to_problem_json(p, "/api/v1/tasks") ==
               R"({"type":"/api/v1/problems/invalid_request","title":"The request is not valid","status":422,)"
               R"("detail":"title: must not be empty","code":"invalid_request",)"
               R"("errors":[{"pointer":"/title","message":"must not be empty"}],"instance":"/api/v1/tasks"})");
}

BOOST_AUTO_TEST_CASE(the_body_leaves_out_what_is_not_there) {
    const auto text = to_problem_json({code::not_found, "there is no task \"x\""});
    BOOST_TEST(text.find("errors") == std::string::npos);
    BOOST_TEST(text.find("instance") == std::string::npos);
    BOOST_TEST(json::document::parse(text).has_value());
}

BOOST_AUTO_TEST_CASE(a_body_reads_back_as_the_same_problem) {
    const problem p{code::conflict, "a \"quoted\" sentence", {{"/a", "first"}, {"/b/0", "second"}}};
    const auto back = from_problem_json(to_problem_json(p), 409);
    BOOST_TEST((back.code == code::conflict));
    BOOST_TEST(back.detail == p.detail);
    BOOST_REQUIRE(back.errors.size() == 2u);
    BOOST_TEST(back.errors[1].pointer == "/b/0");
    BOOST_TEST(back.errors[1].message == "second");
}

BOOST_AUTO_TEST_CASE(a_foreign_answer_becomes_internal_with_its_status) {
    for (const auto* text :
         {"<html>Bad Gateway</html>", "", "[]", "7", R"({"code":"from_the_future"})", R"({"code":3})"}) {
        const auto p = from_problem_json(text, 502);
        BOOST_TEST((p.code == code::internal));
        BOOST_TEST(p.detail.find("502") != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(a_body_with_odd_members_is_read_as_far_as_it_goes) {
    const auto p = from_problem_json(R"({"code":"not_found","detail":7,"errors":"none"})", 404);
    BOOST_TEST((p.code == code::not_found));
    BOOST_TEST(p.detail == explain(code::not_found).title);
    BOOST_TEST(p.errors.empty());
}

BOOST_AUTO_TEST_CASE(the_value_of_an_error_throws_its_sentence) {
    const expected<int> failed = problem{code::not_found, "there is nothing"};
    BOOST_CHECK_EXCEPTION(failed.value(), std::runtime_error,
                          [](const auto& e) { return std::string(e.what()) == "not_found: there is nothing"; });
}

BOOST_AUTO_TEST_SUITE_END()
