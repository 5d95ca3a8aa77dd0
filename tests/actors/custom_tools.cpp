#include "actors/run/run_context.hpp"
#include "tests/actors/run_fixture.hpp"
#include "tests/actors/tool_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <stdexcept>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

struct greet_arguments {
    std::string name;
    static constexpr field_rule rules[] = {{.name = "name", .required = true, .min = 1, .doc = "Whom to greet."}};
};
BOOST_DESCRIBE_STRUCT(greet_arguments, (), (name))

custom_tool greet(std::string name = "greet") {
    return make_tool<greet_arguments>(
        std::move(name), "Greets somebody.",
        [](const greet_arguments& a, const tool_environment&) { return tool_result{.content = "Hello " + a.name}; });
}

/// A tool that does `work` whatever it is asked.
custom_tool doing(std::function<tool_result()> work) {
    auto tool = greet();
    tool.perform = [work = std::move(work)](std::string_view, const tool_environment&) { return work(); };
    return tool;
}

std::string refused(std::vector<custom_tool> tools) {
    const auto added = add_tools(std::move(tools));
    BOOST_REQUIRE(!added);
    BOOST_TEST((added.error().code == code::config_invalid));
    return added.error().detail;
}

const std::string ada = R"({"name":"Ada"})";

} // namespace

BOOST_AUTO_TEST_SUITE(custom_tools)

BOOST_AUTO_TEST_CASE(added_tool_is_declared_and_performed_until_its_handle_ends) {
    const auto before = all_tools().size();
    auto added = add_tools({greet()});
    BOOST_REQUIRE(added);
    const auto declared = declare_tools({"greet"});
    BOOST_REQUIRE(declared);
    BOOST_TEST(declared->front().parameters.find("Whom to greet.") != std::string::npos);
    BOOST_TEST(perform_tool("greet", ada, {}).content == "Hello Ada");
    const auto bad = perform_tool("greet", "{}", {});
    BOOST_TEST(bad.is_error);
    BOOST_TEST(bad.content.find("/name") != std::string::npos);

    const auto* kept = find_tool("greet");
    added->reset();
    BOOST_TEST(find_tool("greet") == nullptr);
    BOOST_TEST(perform_tool("greet", ada, {}).is_error);
    BOOST_TEST(kept->name == "greet"); // who still looks at it sees it whole
    BOOST_TEST(all_tools().size() == before);
}

BOOST_AUTO_TEST_CASE(tools_that_cannot_be_added_are_refused_and_so_are_those_beside_them) {
    BOOST_TEST(refused({greet(), greet("read_file")}).find("there is one of that name") != std::string::npos);
    BOOST_TEST(refused({greet(), greet()}).find("there is one of that name") != std::string::npos);
    BOOST_TEST(refused({greet("Greet all")}).find("its name has to be") != std::string::npos);
    auto tool = greet();
    tool.safety = repeat_safety::recorded;
    BOOST_TEST(refused({tool}).find("its safety has to be") != std::string::npos);
    tool = greet();
    tool.writes = true;
    BOOST_TEST(refused({tool}).find("needs_project") != std::string::npos);
    tool = greet();
    tool.perform = nullptr;
    BOOST_TEST(refused({tool}).find("lacks") != std::string::npos);
    BOOST_TEST(find_tool("greet") == nullptr);

    const auto added = add_tools({greet()});
    BOOST_TEST(refused({greet()}).find("there is one of that name") != std::string::npos); // another node's
    BOOST_TEST(find_tool("greet") != nullptr);
}

BOOST_AUTO_TEST_CASE(repeat_of_what_may_have_happened_is_unknown_and_is_not_performed) {
    int performed = 0;
    auto tool = doing([&] {
        ++performed;
        return tool_result{};
    });
    tool_environment repeat;
    repeat.repeat = true;
    {
        const auto added = add_tools({tool});
        BOOST_TEST(perform_tool("greet", ada, repeat).unknown);
        BOOST_TEST(performed == 0);
        BOOST_TEST(!perform_tool("greet", ada, {}).unknown);
        BOOST_TEST(performed == 1);
    }
    tool.safety = repeat_safety::idempotent;
    const auto added = add_tools({tool});
    BOOST_TEST(!perform_tool("greet", ada, repeat).unknown);
    BOOST_TEST(performed == 2);
}

BOOST_AUTO_TEST_CASE(results_keep_the_bounds_of_the_house) {
    {
        const auto added = add_tools({doing([]() -> tool_result { throw std::runtime_error("no ink"); })});
        const auto thrown = perform_tool("greet", ada, {});
        BOOST_TEST(thrown.is_error);
        BOOST_TEST(thrown.unknown); // it may have happened before
        BOOST_TEST(thrown.content == "greet failed: no ink");
    }
    {
        const auto added = add_tools({doing([] { return tool_result{.content = std::string(1 << 20, 'x')}; })});
        BOOST_TEST(perform_tool("greet", ada, {}).content.size() < tool_content_bytes_max + 100);
    }
    const auto added = add_tools({doing([] { return tool_result{.content = "", .details = {"{"}}; })});
    BOOST_TEST(perform_tool("greet", ada, {}).content.find("no JSON") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(run_without_a_project_may_call_what_needs_none) {
    auto files = greet("stamp");
    files.needs_project = true;
    const auto added = add_tools({greet(), files});
    auto c = wish();
    c.project_id.reset();
    auto r = started(c);
    const auto offered = tools_of(r.state().progress);
    BOOST_TEST(std::ranges::count(offered, "greet") == 1);
    BOOST_TEST(std::ranges::count(offered, "stamp") == 0);
    const auto events = r.accepted(reply(r, {{"1", "greet", ada}, {"2", "stamp", ada}}));
    BOOST_TEST(the<tool_call_started>(events).tool == "greet");
    r.accepted(result(r, 1, "Hello Ada"));
    BOOST_TEST(r.state().messages.back().content.find("has no project") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(policies_name_an_added_tool_as_any_other) {
    const auto added = add_tools({greet()});
    auto c = wish();
    c.tools["greet"] = tool_policy::deny;
    BOOST_TEST(std::ranges::count(tools_of(started(c).state().progress), "greet") == 0);
    c.tools["greet"] = tool_policy::ask;
    auto r = started(c);
    BOOST_TEST(the<approval_requested>(r.accepted(reply(r, {{"1", "greet", ada}}))).tool == "greet");
}

BOOST_AUTO_TEST_SUITE_END()
