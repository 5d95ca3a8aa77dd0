#include "schemas/agent.hpp"
#include "schemas/approval.hpp"
#include "schemas/effect_settled.hpp"
#include "schemas/project.hpp"
#include "schemas/run.hpp"
#include "schemas/task.hpp"

#include <boost/test/unit_test.hpp>

#include <tuple>

using namespace troupe;

using bodies_and_documents =
    std::tuple<budget, agent_settings, agent_document, agent_kind_document, approval_terms, delegate_approval_body,
               decide_approval_body, approval_document, effect_settled, create_project_body, update_project_body,
               create_file_body, project_document, file_document, create_run_body, cancel_run_body, waiting_for,
               run_document, step_document, token_data, output_data, create_task_body, update_task_body,
               assign_task_body, move_task_body, add_message_body, task_document, message_document>;

namespace {

template <class T>
bool has_member(std::string_view name) {
    bool found = false;
    boost::mp11::mp_for_each<detail::members_of<T>>([&](auto d) { found = found || name == d.name; });
    return found;
}

} // namespace

BOOST_AUTO_TEST_SUITE(documents)

BOOST_AUTO_TEST_CASE_TEMPLATE(a_default_one_reads_back_as_it_was, T, bodies_and_documents) {
    const auto text = to_json(T{});
    const auto back = from_json<T>(text, strictness::stored);
    BOOST_REQUIRE_MESSAGE(back.has_value(), text);
    BOOST_TEST(to_json(*back) == text);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(its_schema_is_json_and_closed, T, bodies_and_documents) {
    const auto schema = json::document::parse(json_schema<T>());
    BOOST_REQUIRE_MESSAGE(schema.has_value(), json_schema<T>());
    BOOST_TEST(schema->root().text_or("type") == "object");
    BOOST_TEST(schema->root().find("additionalProperties").has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(each_rule_names_a_member, T, bodies_and_documents) {
    if constexpr (detail::ruled<T>) {
        for (const auto& rule : T::rules) {
            BOOST_TEST(has_member<T>(rule.name), rule.name);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_body_without_what_it_needs_is_refused) {
    const auto body = from_json<create_task_body>(R"({"description":"x"})", strictness::input);
    BOOST_REQUIRE(!body.has_value());
    BOOST_TEST(body.error().errors.at(0).pointer == "/title");
}

BOOST_AUTO_TEST_SUITE_END()
