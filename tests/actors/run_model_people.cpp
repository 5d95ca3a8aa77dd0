#include "actors/agent/agent_model.hpp"
#include "actors/run/run_model.hpp"
#include "actors/run/run_replay.hpp"
#include "schemas/agent_messages.hpp"
#include "schemas/approval_messages.hpp"
#include "tests/actors/run_fixture.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

create_run asking(approval_terms terms = {}) {
    auto c = wish();
    c.tools = {{"run_command", tool_policy::ask}};
    c.approvals = terms;
    return c;
}

resolve_approval remembered(const run& r, decision d, remember_scope scope, std::string rule) {
    auto out = resolved(r, 1, d);
    out.remember = scope;
    out.rule = std::move(rule);
    return out;
}

resolve_approval expired(const run& r, decision d, std::string said) {
    auto out = resolved(r, 1, d, std::move(said));
    out.decided_by = expired_by;
    return out;
}

std::string told(const run& r) { return r.state().messages.back().content; }

} // namespace

BOOST_AUTO_TEST_SUITE(run_model_people)

BOOST_AUTO_TEST_CASE(approval_has_the_terms_of_the_run) {
    auto r = started(asking({60'000, expiry_action::approve}));
    const auto events = r.accepted(reply(r, {shell_call()}));
    BOOST_TEST((the<approval_requested>(events).expires_at == r.now + 60'000));
    const auto asked = r.sent<open_approval>("open_approval/1").second;
    BOOST_TEST((asked.expires_at == r.now + 60'000));
    BOOST_TEST((asked.on_expiry == expiry_action::approve));
    BOOST_TEST((document(r).waiting.at(0).until == r.now + 60'000));

    auto patient = started(asking());
    patient.accepted(reply(patient, {shell_call()}));
    BOOST_TEST(!patient.sent<open_approval>("open_approval/1").second.expires_at);
}

BOOST_AUTO_TEST_CASE(run_goes_on_when_nobody_decided_or_ends_where_its_terms_say_so) {
    auto r = started(asking({60'000, expiry_action::deny}));
    r.accepted(reply(r, {shell_call()}));
    const auto events = r.accepted(expired(r, decision::deny, "Nobody decided."));
    BOOST_TEST(the<tool_call_denied>(events).content == "Nobody decided.");
    BOOST_TEST((document(r).status == run_status::running));

    auto strict = started(asking({60'000, expiry_action::fail}));
    strict.accepted(reply(strict, {shell_call()}));
    BOOST_TEST(the<run_failed>(strict.accepted(expired(strict, decision::deny, ""))).code == "approval_expired");
    BOOST_TEST((document(strict).status == run_status::failed));

    auto decided = started(asking({60'000, expiry_action::fail}));
    decided.accepted(reply(decided, {shell_call()}));
    decided.accepted(resolved(decided, 1, decision::deny)); // by a person: no end
    BOOST_TEST((document(decided).status == run_status::running));
}

BOOST_AUTO_TEST_CASE(what_was_approved_for_good_is_asked_no_more_and_the_step_says_why) {
    auto r = started(asking());
    r.accepted(reply(r, {shell_call("make test")}));
    r.accepted(remembered(r, decision::approve, remember_scope::run, "run_command(make *)"));
    BOOST_TEST(r.owed().back() != "remember_rule/2");
    r.accepted(result(r, 1));
    const auto events = r.accepted(reply(r, {shell_call("make all")}));
    BOOST_TEST(the<tool_call_started>(events).rule == "run_command(make *)");
    bool shown = false;
    for (const auto& item : r.items()) {
        shown = shown || item.document.find(R"x("rule":"run_command(make *)")x") != std::string::npos;
    }
    BOOST_TEST(shown);
    r.accepted(result(r, 1));
    const auto other = r.accepted(reply(r, {shell_call("rm -r .")}));
    BOOST_TEST((the<approval_requested>(other).reason == wait_reason::approval));
}

BOOST_AUTO_TEST_CASE(what_was_denied_for_good_is_denied_with_its_rule) {
    auto r = started(asking());
    r.accepted(reply(r, {shell_call("make install")}));
    r.accepted(remembered(r, decision::deny, remember_scope::run, "run_command(make install)"));
    r.accepted(reply(r, {shell_call("make install")}));
    BOOST_TEST(told(r).find("run_command(make install)") != std::string::npos, told(r));
}

BOOST_AUTO_TEST_CASE(agent_learns_what_is_to_be_remembered_for_it) {
    auto c = asking();
    c.agent_id = agent_id;
    auto r = started(c);
    r.accepted(reply(r, {shell_call()}));
    BOOST_TEST((r.sent<open_approval>("open_approval/1").second.agent_id == agent_id));
    r.accepted(remembered(r, decision::approve, remember_scope::agent, "run_command(make)"));
    const auto [to, message] = r.sent<remember_rule>("remember_rule/2");
    BOOST_TEST((to.id == agent_id));
    entity<agent_model> agent(agent_id);
    create_agent made;
    made.name = "scout";
    made.tools = {{"run_command", tool_policy::ask}};
    agent.accepted(made);
    agent.accepted(message);
    BOOST_TEST((agent.state().settings.tools.at("run_command(make)") == tool_policy::allow));
    BOOST_TEST(agent.accepted(message).empty());
    for (std::size_t i = agent.state().settings.tools.size(); i < agent_tools_max; ++i) {
        agent.accepted(remember_rule{"run_command(" + std::to_string(i) + ")", tool_policy::allow});
    }
    BOOST_TEST((agent.refused(remember_rule{"run_command(more)", tool_policy::allow}).code == code::conflict));
}

BOOST_AUTO_TEST_SUITE_END()
