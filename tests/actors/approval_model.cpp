#include "actors/approval/approval_model.hpp"

#include "schemas/run_messages.hpp"
#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

using approval = entity<approval_model>;
const uuid run = id_of(50);

open_approval opened(wait_reason reason = wait_reason::approval) {
    return {run, "00003.001", reason, "May it?", "run_command", {R"({"command":"make"})"}};
}

decide_approval decided(decision d, std::string answer = "", std::optional<json::raw> arguments = {}) {
    return {{d, std::move(answer), std::move(arguments)}};
}

} // namespace

BOOST_AUTO_TEST_SUITE(approval_model_suite)

BOOST_AUTO_TEST_CASE(opened_approval_waits_and_owes_nothing) {
    approval a;
    a.accepted(opened());
    const auto d = a.document<approval_document>();
    BOOST_TEST((d.status == approval_status::pending));
    BOOST_TEST(d.tool == "run_command");
    BOOST_TEST(!d.decided_by);
    BOOST_TEST(a.owed().empty());
    BOOST_TEST(a.filters() == (texts{"", "status=pending", "run_id=" + to_string(run)}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(opening_again_changes_nothing_and_for_another_step_is_refused) {
    approval a;
    a.accepted(opened());
    BOOST_TEST(a.accepted(opened()).empty());
    a.accepted(decided(decision::approve));
    BOOST_TEST(a.accepted(opened()).empty());
    auto other = opened();
    other.step_key = "00004.001";
    BOOST_TEST((a.refused(other).code == code::already_exists));
}

BOOST_AUTO_TEST_CASE(nobody_can_decide_a_back_off) {
    approval a;
    BOOST_TEST((a.refused(opened(wait_reason::back_off)).code == code::invalid_request));
}

BOOST_AUTO_TEST_CASE(decision_is_owed_to_the_run_until_the_run_has_it) {
    approval a;
    a.accepted(opened());
    a.principal = "key/person";
    a.accepted(decided(decision::approve, "", json::raw{R"({"command":"make test"})"}));
    BOOST_TEST(a.owed() == texts{"resolve_approval/1"}, boost::test_tools::per_element());
    const auto [to, message] = a.sent<resolve_approval>("resolve_approval/1");
    BOOST_TEST((to == entity_address{organization, "run", run}));
    BOOST_TEST((message.approval_id == id_of(1)));
    BOOST_TEST(message.step_key == "00003.001");
    BOOST_TEST(message.decided_by == "key/person");
    BOOST_TEST(message.arguments.value().text == R"({"command":"make test"})");
    const debt_settled settled{{"resolve_approval/1", true, "", "", {}}};
    a.accepted(settled);
    BOOST_TEST(a.owed().empty());
    BOOST_TEST(a.accepted(settled).empty());
    BOOST_TEST(a.document<approval_document>().arguments.text == R"({"command":"make test"})");
}

BOOST_AUTO_TEST_CASE(it_is_decided_once) {
    approval a;
    a.accepted(opened());
    a.accepted(decided(decision::deny, "too risky"));
    BOOST_TEST(a.accepted(decided(decision::deny, "too risky")).empty());
    const auto p = a.refused(decided(decision::approve));
    BOOST_TEST((p.code == code::conflict));
    BOOST_TEST(p.detail.find("deny") != std::string::npos);
    BOOST_TEST((a.document<approval_document>().status == approval_status::denied));
}

BOOST_AUTO_TEST_CASE(decision_that_does_not_fit_is_refused_with_what_fits) {
    using enum decision;
    const std::vector<std::pair<wait_reason, std::vector<decision>>> table = {
        {wait_reason::approval, {approve, deny}},
        {wait_reason::question, {decision::answer, deny}},
        {wait_reason::unknown_step, {retry, skip}}};
    for (const auto& [reason, fits] : table) {
        for (const auto d : {approve, deny, decision::answer, retry, skip}) {
            approval a;
            a.accepted(opened(reason));
            if (std::ranges::count(fits, d) == 1) {
                a.accepted(decided(d, "text"));
                continue;
            }
            const auto p = a.refused(decided(d, "text"));
            BOOST_TEST((p.code == code::invalid_request));
            BOOST_TEST(p.detail.find(detail::enum_name(fits.front())) != std::string::npos);
            BOOST_TEST(p.errors.at(0).pointer == "/decision");
        }
    }
}

BOOST_AUTO_TEST_CASE(answer_that_does_not_fill_in_a_form_leaves_the_question_open) {
    auto form = opened(wait_reason::question);
    form.arguments = {R"({"requestedSchema":{"type":"object","properties":{"port":{"type":"integer"}}}})"};
    approval a;
    a.accepted(form);
    const auto p = a.refused(decided(decision::answer, R"({"port":"80"})"));
    BOOST_TEST((p.code == code::invalid_request));
    BOOST_TEST(p.errors.at(0).pointer == "/answer/port");
    a.accepted(decided(decision::answer, "80"));
    approval other;
    other.accepted(form);
    other.accepted(decided(decision::deny)); // to say nothing needs no form
    BOOST_TEST((other.document<approval_document>().status == approval_status::denied));
}

BOOST_AUTO_TEST_CASE(arguments_that_the_tool_does_not_take_leave_the_approval_open) {
    approval a;
    a.accepted(opened());
    const auto refused = a.refused(decided(decision::approve, "", json::raw{R"({"command":5})"}));
    BOOST_TEST((refused.code == code::invalid_request));
    BOOST_TEST(refused.errors.at(0).pointer == "/arguments/command");
    BOOST_TEST((a.document<approval_document>().status == approval_status::pending));
    a.accepted(decided(decision::approve, "", json::raw{R"({"command":"make test"})"}));
}

BOOST_AUTO_TEST_CASE(question_needs_an_answer_and_only_approve_takes_arguments) {
    approval question;
    question.accepted(opened(wait_reason::question));
    BOOST_TEST((question.refused(decided(decision::answer)).code == code::invalid_request));
    question.accepted(decided(decision::answer, "42"));
    BOOST_TEST(question.document<approval_document>().answer.value() == "42");
    approval call;
    call.accepted(opened());
    BOOST_TEST((call.refused(decided(decision::deny, "", json::raw{"{}"})).code == code::invalid_request));
}

BOOST_AUTO_TEST_CASE(withdrawn_approval_cannot_be_decided) {
    approval a;
    a.accepted(opened());
    a.accepted(withdraw_approval{"cancelled"});
    BOOST_TEST(a.accepted(withdraw_approval{"cancelled"}).empty());
    BOOST_TEST((a.refused(decided(decision::approve)).code == code::conflict));
    BOOST_TEST(a.owed().empty());
}

BOOST_AUTO_TEST_CASE(withdrawal_after_the_decision_changes_nothing) {
    approval a;
    a.accepted(opened());
    a.accepted(decided(decision::approve));
    BOOST_TEST(a.accepted(withdraw_approval{"over"}).empty());
    BOOST_TEST((a.document<approval_document>().status == approval_status::approved));
}

BOOST_AUTO_TEST_CASE(what_was_never_opened_is_not_there) {
    approval a;
    BOOST_TEST((a.refused(decided(decision::approve)).code == code::not_found));
    BOOST_TEST(a.accepted(withdraw_approval{"over"}).empty());
    BOOST_TEST(!a.view().exists);
}

namespace {

timestamp expiry_of(const approval& a) {
    for (const auto& effect : approval_model::resume(a.state())) {
        const auto* timer = std::get_if<runtime::timer_effect>(&effect);
        if (timer && timer->key == "expiry") {
            return timer->due;
        }
    }
    return {};
}

open_approval expiring(wait_reason reason = wait_reason::approval, expiry_action action = expiry_action::deny) {
    auto out = opened(reason);
    out.expires_at = timestamp{1'800'000'060'000};
    out.on_expiry = action;
    return out;
}

decide_approval remembered(remember_scope scope, std::string pattern = "", decision d = decision::approve) {
    auto out = decided(d);
    out.remember = scope;
    out.pattern = std::move(pattern);
    return out;
}

std::string place_of(const problem& p) { return p.errors.empty() ? "" : p.errors.front().pointer; }

} // namespace

BOOST_AUTO_TEST_CASE(what_nobody_decides_in_time_is_decided_as_its_terms_say) {
    const auto end_of = [](const open_approval& request) {
        approval a;
        a.accepted(request);
        BOOST_TEST((expiry_of(a) == *request.expires_at));
        a.accepted(expire_approval{});
        BOOST_TEST((a.document<approval_document>().status == approval_status::expired));
        BOOST_TEST((expiry_of(a) == timestamp{}));
        const auto told = a.sent<resolve_approval>("resolve_approval/1").second;
        BOOST_TEST(told.decided_by == expired_by);
        BOOST_TEST(a.accepted(expire_approval{}).empty());
        return told.decision;
    };
    BOOST_TEST((end_of(expiring()) == decision::deny));
    BOOST_TEST((end_of(expiring(wait_reason::approval, expiry_action::approve)) == decision::approve));
    BOOST_TEST((end_of(expiring(wait_reason::approval, expiry_action::fail)) == decision::deny));
    BOOST_TEST((end_of(expiring(wait_reason::question, expiry_action::approve)) == decision::deny));
    BOOST_TEST((end_of(expiring(wait_reason::unknown_step, expiry_action::approve)) == decision::skip));
}

BOOST_AUTO_TEST_CASE(late_decision_is_told_so_and_a_decision_in_time_ends_the_timer) {
    approval late;
    late.accepted(expiring());
    late.accepted(expire_approval{});
    const auto refused = late.refused(decided(decision::approve));
    BOOST_TEST((refused.code == code::conflict));
    BOOST_TEST(refused.detail.find("too late") != std::string::npos, refused.detail);
    BOOST_TEST((late.refused(delegate_approval{{id_of(9)}}).code == code::conflict));

    approval in_time;
    in_time.accepted(expiring());
    in_time.accepted(decided(decision::approve));
    BOOST_TEST((expiry_of(in_time) == timestamp{}));
    BOOST_TEST(in_time.accepted(expire_approval{}).empty());

    approval patient;
    patient.accepted(opened());
    BOOST_TEST((expiry_of(patient) == timestamp{}));
    BOOST_TEST(patient.accepted(expire_approval{}).empty());
}

BOOST_AUTO_TEST_CASE(decision_is_remembered_as_a_rule_of_its_tool) {
    approval exact;
    exact.accepted(opened());
    exact.accepted(remembered(remember_scope::run));
    BOOST_TEST(*exact.document<approval_document>().rule == "run_command(make)");
    const auto told = exact.sent<resolve_approval>("resolve_approval/1").second;
    BOOST_TEST(told.rule == "run_command(make)");
    BOOST_TEST((told.remember == remember_scope::run));
    BOOST_TEST(exact.accepted(remembered(remember_scope::run)).empty());
    BOOST_TEST((exact.refused(remembered(remember_scope::agent)).code == code::conflict));

    approval wider;
    auto of_agent = opened();
    of_agent.agent_id = id_of(7);
    wider.accepted(of_agent);
    wider.accepted(remembered(remember_scope::agent, "make *"));
    BOOST_TEST(*wider.document<approval_document>().rule == "run_command(make *)");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_remembered_is_refused_with_its_place) {
    approval a;
    a.accepted(opened());
    BOOST_TEST(place_of(a.refused(remembered(remember_scope::agent))) == "/remember");       // the run has none
    BOOST_TEST(place_of(a.refused(remembered(remember_scope::run, "git *"))) == "/pattern"); // it is `make`
    auto pattern_alone = decided(decision::approve);
    pattern_alone.pattern = "make";
    BOOST_TEST(place_of(a.refused(pattern_alone)) == "/pattern");
    approval question;
    question.accepted(opened(wait_reason::question));
    auto answer = decided(decision::answer, "Blue.");
    answer.remember = remember_scope::run;
    BOOST_TEST(place_of(question.refused(answer)) == "/remember");
    approval starred;
    auto request = opened();
    request.arguments.text = R"({"command":"rm *"})";
    starred.accepted(request);
    BOOST_TEST(place_of(starred.refused(remembered(remember_scope::run))) == "/pattern"); // it would be any rm
}

BOOST_AUTO_TEST_CASE(delegated_approval_names_who_is_to_decide) {
    approval a;
    a.accepted(opened());
    a.accepted(delegate_approval{{id_of(9)}});
    BOOST_TEST((a.document<approval_document>().assigned_to == id_of(9)));
    BOOST_TEST(a.filters().back() == "assigned_to=" + to_string(id_of(9)));
    BOOST_TEST(a.accepted(delegate_approval{{id_of(9)}}).empty());
    a.accepted(delegate_approval{{id_of(8)}});
    BOOST_TEST((a.document<approval_document>().assigned_to == id_of(8)));
    a.accepted(decided(decision::approve));
    BOOST_TEST((a.refused(delegate_approval{{id_of(9)}}).code == code::conflict));
}

BOOST_AUTO_TEST_SUITE_END()
