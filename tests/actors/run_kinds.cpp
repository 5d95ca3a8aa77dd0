#include "actors/kinds/kind.hpp"
#include "actors/run/result_schema.hpp"
#include "actors/run/run_context.hpp"
#include "actors/run/run_finish.hpp"
#include "actors/tool/tool.hpp"
#include "schemas/agent_messages.hpp"
#include "tests/actors/run_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

const auto each = boost::test_tools::per_element();

struct no_arguments {};
BOOST_DESCRIBE_STRUCT(no_arguments, (), ())

/// A kind with all that one can have, and its tool.
struct inspectors {
    std::shared_ptr<void> tools;
    std::shared_ptr<void> kinds;

    inspectors() {
        auto tool = make_tool<no_arguments>("inspect_all", "Inspects.",
                                            [](const no_arguments&, const tool_environment&) { return tool_result{}; });
        tool.writes = tool.needs_project = true;
        tools = *add_tools({std::move(tool)});
        kinds = *add_kinds({{.name = "inspector",
                             .description = "Inspects.",
                             .instructions = "You inspect.",
                             .tools = {"inspect_all"},
                             .parameters_schema = R"({"type":"object","properties":{"depth":{"type":"integer"}},)"
                                                  R"("required":["depth"],"additionalProperties":false})",
                             .result_schema = R"({"type":"object","properties":{"found":{"type":"integer"}},)"
                                              R"("required":["found"],"additionalProperties":false})",
                             .verified_by = {"inspect_all"},
                             .rehearsal = "name: inspector"}});
    }
};

create_run inspection() {
    auto c = wish();
    c.kind = "inspector";
    c.parameters = json::raw{R"({"depth":3})"};
    return c;
}

asked_call done_call(std::string output, bool success = true) {
    return {"id5", "finish",
            R"({"result":"Done.","success":)" + std::string(success ? "true" : "false") +
                (output.empty() ? "" : R"(,"output":)" + output) + "}"};
}
asked_call inspect_call() { return {"id6", "inspect_all", "{}"}; }
asked_call write_call() { return {"id7", "write_file", R"({"path":"a.txt","content":"x"})"}; }

record_tool_result verifying(const run& r, bool verified) {
    auto x = result(r, 1);
    x.details.text = verified ? R"({"verified":true})" : R"({"verified":false})";
    return x;
}

/// What the model is told by the last event that tells it something.
std::string told(const run& r) { return r.state().messages.back().content; }

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::string system_message(const run& r) { return request_of(r.state()).messages.front().content; }

std::vector<std::string> places(const problem& p) {
    std::vector<std::string> out;
    for (const auto& e : p.errors) {
        out.push_back(e.pointer);
    }
    return out;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(run_kinds, inspectors)

BOOST_AUTO_TEST_CASE(model_is_told_the_kinds_instructions_then_the_own_ones_then_the_parameters_as_data) {
    auto c = inspection();
    c.instructions = "Be brief.";
    const auto r = started(c);
    const auto text = system_message(r);
    BOOST_TEST(text.starts_with("You inspect.\n\nBe brief.\n\n"), text);
    BOOST_TEST(contains(text, "data"));
    BOOST_TEST(text.ends_with("\n{\"depth\":3}"), text);
    const auto plain = started();
    const auto brief = started(inspection());
    BOOST_TEST(estimate_input_tokens(r.state().progress) > estimate_input_tokens(brief.state().progress));
    BOOST_TEST(!contains(system_message(plain), "parameters"));
    BOOST_TEST(system_message(plain).starts_with("You work on a goal"));
    const auto shown = document(r);
    BOOST_TEST(shown.kind.value_or("") == "inspector");
    BOOST_TEST(shown.parameters->text == R"({"depth":3})");
}

BOOST_AUTO_TEST_CASE(tools_of_a_kind_are_offered_to_its_runs_and_to_those_that_name_them) {
    const auto has = [](const create_run& c) {
        const auto r = started(c);
        return std::ranges::count(tools_of(r.state().progress), "inspect_all") == 1;
    };
    BOOST_TEST(has(inspection()));
    BOOST_TEST(!has(wish()));
    auto named = wish();
    named.tools = {{"inspect_all", tool_policy::ask}};
    BOOST_TEST(has(named));
    named.tools = {{"inspect_all", tool_policy::deny}};
    BOOST_TEST(!has(named));
    auto r = started();
    r.accepted(reply(r, {inspect_call()}));
    BOOST_TEST(contains(told(r), "There is no tool 'inspect_all'"), told(r));
}

BOOST_AUTO_TEST_CASE(parameters_that_the_kind_does_not_take_fail_a_run_that_nobody_had_checked) {
    auto c = inspection();
    c.parameters = json::raw{R"({"depth":"deep"})"};
    BOOST_TEST(std::ranges::count(places(check_wish(c).error()), "/parameters/depth") == 1);
    run r;
    r.accepted(c);
    BOOST_TEST(names_of(r.accepted(begin())) == texts{"run_failed"}, each);
    BOOST_TEST((document(r).status == run_status::failed));
    BOOST_TEST(contains(*document(r).error, "/parameters/depth"), *document(r).error);
    c.parameters.reset(); // `depth` is required
    BOOST_TEST(!check_wish(c));
    c.kind = "unheard_of";
    BOOST_TEST(check_wish(c).has_value());
    c.parameters = json::raw{"[1]"};
    BOOST_TEST(places(check_wish(c).error()) == texts{"/parameters"}, each);
    c.parameters = json::raw{"\"" + std::string(parameters_bytes_max, 'x') + "\""};
    BOOST_TEST(!check_wish(c));
}

BOOST_AUTO_TEST_CASE(output_is_checked_and_a_misfit_is_for_the_model_to_mend) {
    auto r = started(inspection());
    const auto declared = request_of(r.state()).tools;
    const auto finish = std::ranges::find(declared, "finish", &net::tool_declaration::name);
    BOOST_TEST(contains(finish->parameters, R"("output":{"type":"object","properties":{"found")"));
    BOOST_TEST(json::document::parse(finish->parameters).has_value());

    r.accepted(reply(r, {done_call(R"({"found":"none"})")}));
    BOOST_TEST(contains(told(r), "/found"), told(r));
    r.accepted(reply(r, {done_call("")}));
    BOOST_TEST(contains(told(r), "output is missing"), told(r));
    const auto events = r.accepted(reply(r, {done_call(R"({"found":2})")}));
    BOOST_TEST(the<run_finished>(events).output->text == R"({"found":2})");
    BOOST_TEST((document(r).status == run_status::succeeded));
    BOOST_TEST(document(r).output->text == R"({"found":2})");
    BOOST_TEST(*document(r).result == "Done.");
}

BOOST_AUTO_TEST_CASE(wishes_schema_goes_before_the_kinds) {
    auto c = inspection();
    c.result_schema = json::raw{R"({"type":"object","required":["why"]})"};
    auto r = started(c);
    r.accepted(reply(r, {done_call(R"({"found":2})")}));
    BOOST_TEST(contains(told(r), "why"), told(r));
    r.accepted(reply(r, {done_call(R"({"why":1})")}));
    BOOST_TEST((document(r).status == run_status::succeeded));
}

BOOST_AUTO_TEST_CASE(without_a_schema_any_object_is_taken_or_none) {
    auto r = started();
    r.accepted(reply(r, {done_call("[1]")}));
    BOOST_TEST(contains(told(r), "has to be a JSON object"), told(r));
    r.accepted(reply(r, {done_call(R"({"a":1})")}));
    BOOST_TEST(document(r).output->text == R"({"a":1})");
    auto none = started();
    none.accepted(reply(none, {finish_call()}));
    BOOST_TEST(!document(none).output);
}

BOOST_AUTO_TEST_CASE(failure_needs_no_output_and_keeps_the_one_it_has) {
    auto r = started(inspection());
    r.accepted(reply(r, {done_call(R"({"partly":1})", false)}));
    BOOST_TEST((document(r).status == run_status::failed));
    BOOST_TEST(document(r).output->text == R"({"partly":1})");
}

BOOST_AUTO_TEST_CASE(answer_in_words_is_no_end_where_an_output_is_wanted) {
    auto r = started(inspection());
    for (std::uint32_t i = 0; i < continuations_max; ++i) {
        BOOST_TEST(names_of(r.accepted(reply(r, {}, "I am done."))) ==
                       (texts{"model_call_finished", "continuation_asked", "model_call_started"}),
                   each);
        BOOST_TEST(contains(told(r), "finish"));
    }
    const auto events = r.accepted(reply(r, {}, "Still done."));
    BOOST_TEST(the<run_failed>(events).code == "model_reply_invalid");

    auto mended = started(inspection());
    mended.accepted(reply(mended, {}, "I am done."));
    mended.accepted(reply(mended, {done_call(R"({"found":0})")}));
    BOOST_TEST((document(mended).status == run_status::succeeded));
}

BOOST_AUTO_TEST_CASE(change_has_to_be_verified_before_a_success) {
    auto r = started(inspection());
    const auto finish = done_call(R"({"found":0})");
    r.accepted(reply(r, {write_call()}));
    r.accepted(result(r, 1));
    r.accepted(reply(r, {finish}));
    BOOST_TEST(contains(told(r), "inspect_all"), told(r));
    r.accepted(reply(r, {inspect_call()}));
    r.accepted(verifying(r, false));
    r.accepted(reply(r, {finish}));
    BOOST_TEST(contains(told(r), "inspect_all"), told(r));
    r.accepted(reply(r, {inspect_call()}));
    r.accepted(verifying(r, true));
    r.accepted(reply(r, {write_call()}));
    r.accepted(result(r, 1));
    r.accepted(reply(r, {finish}));
    BOOST_TEST(contains(told(r), "inspect_all"), "what was verified was changed since");
    r.accepted(reply(r, {inspect_call()}));
    r.accepted(verifying(r, true));
    r.accepted(reply(r, {read_call()}));
    r.accepted(result(r, 1)); // changes nothing
    r.accepted(reply(r, {finish}));
    BOOST_TEST((document(r).status == run_status::succeeded));
}

BOOST_AUTO_TEST_CASE(only_the_kinds_tools_verify_and_a_failure_needs_no_verification) {
    auto r = started(inspection());
    r.accepted(reply(r, {shell_call()}));
    r.accepted(verifying(r, true)); // of a tool that is none of `verified_by`
    r.accepted(reply(r, {done_call(R"({"found":0})")}));
    BOOST_TEST((document(r).status == run_status::running));
    r.accepted(reply(r, {done_call("", false)}));
    BOOST_TEST((document(r).status == run_status::failed));

    auto words = started(inspection());
    words.accepted(reply(words, {write_call()}));
    words.accepted(result(words, 1));
    for (std::uint32_t i = 0; i < continuations_max; ++i) {
        words.accepted(reply(words, {}, "It works."));
        BOOST_TEST(contains(told(words), "inspect_all"));
    }
    const auto events = words.accepted(reply(words, {}, "It does."));
    BOOST_TEST(the<run_failed>(events).code == "goal_not_reached");
}

BOOST_AUTO_TEST_CASE(call_that_may_have_happened_counts_as_a_change) {
    auto c = inspection();
    c.on_unknown = unknown_policy::skip;
    auto r = started(c);
    r.accepted(reply(r, {shell_call()}));
    r.accepted(unknown_result(r, 1));
    BOOST_TEST(r.state().progress.unverified);
    auto denied = inspection();
    denied.tools = {{"run_command", tool_policy::deny}};
    auto d = started(denied);
    d.accepted(reply(d, {shell_call()}));
    BOOST_TEST(!d.state().progress.unverified);
}

BOOST_AUTO_TEST_CASE(agent_hears_the_output) {
    auto c = inspection();
    c.agent_id = agent_id;
    c.task_id = task_id;
    auto r = started(c);
    r.accepted(reply(r, {done_call(R"({"found":7})")}));
    BOOST_TEST(r.sent<run_ended>("run_ended/1").second.output->text == R"({"found":7})");
}

BOOST_AUTO_TEST_CASE(own_kinds_come_and_go) {
    BOOST_TEST(find_kind("inspector"));
    BOOST_TEST(find_kind("custom"));
    const auto refused = [](custom_kind k) { return !add_kinds({std::move(k)}); };
    BOOST_TEST(refused({.name = "inspector", .description = "again"}));
    BOOST_TEST(refused({.name = "custom", .description = "taken"}));
    BOOST_TEST(refused({.name = "No Name", .description = "bad"}));
    BOOST_TEST(refused({.name = "odd", .description = "bad", .result_schema = "{"}));
    kinds.reset();
    BOOST_TEST(!find_kind("inspector"));
    BOOST_TEST(check_parameters("inspector", R"({"any":1})").has_value());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(result_schemas)

BOOST_AUTO_TEST_CASE(references_are_put_in_place) {
    const auto schema = usable_result_schema(
        R"({"$defs":{"item":{"type":"object","properties":{"$ref":{"type":"string"},"pattern":{"type":"string"}}}},)"
        R"("type":"object","properties":{"items":{"type":"array","items":{"$ref":"#/$defs/item"}}}})");
    BOOST_REQUIRE_MESSAGE(schema, schema.error().detail);
    BOOST_TEST(*schema == R"({"type":"object","properties":{"items":{"type":"array","items":{"type":"object",)"
                          R"("properties":{"$ref":{"type":"string"},"pattern":{"type":"string"}}}}}})");
}

BOOST_AUTO_TEST_CASE(what_would_not_end_or_is_none_is_refused) {
    const auto refused = [](std::string_view schema) {
        const auto read = usable_result_schema(schema);
        return !read && read.error().errors.at(0).pointer == "/result_schema";
    };
    BOOST_TEST(refused("7"));
    BOOST_TEST(refused(R"({"type":"string"})"));
    BOOST_TEST(refused(R"({"type":"object","properties":7})"));
    BOOST_TEST(refused(R"({"$ref":"#"})"));
    BOOST_TEST(refused(R"({"type":"object","allOf":[{"$ref":"#"}]})"));
    BOOST_TEST(refused(R"({"type":"object","properties":{"a":{"$ref":"#"},"b":{"$ref":"#"}}})"));
    BOOST_TEST(refused(R"({"type":"object","properties":{"a":{"$ref":"other.json"}}})"));
    BOOST_TEST(refused(R"({"type":"object","properties":{"a":{"$ref":"#/nowhere"}}})"));
    BOOST_TEST(refused(R"({"type":"object","properties":{"a":{"type":"string","pattern":"(a+)+$"}}})"));
    BOOST_TEST(refused(R"({"type":"object","patternProperties":{"(a+)+$":{}}})"));
    BOOST_TEST(refused(R"({"type":"object","title":")" + std::string(result_schema_bytes_max, 'x') + R"("})"));
}

BOOST_AUTO_TEST_SUITE_END()
