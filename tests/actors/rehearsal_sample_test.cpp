#include "actors/provider/rehearsal.hpp"
#include "schemas/base/json.hpp"
#include "tests/actors/tool_fixture.hpp"
#include "tests/source_folder.hpp"

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <string>

using namespace troupe;
using namespace troupe::actors;
using net::role;
namespace fs = std::filesystem;

namespace {

struct sample : actors::test::tool_place {
    sample() {
        const auto folder = troupe::test::source_folder() / "tests/fixtures/sample";
        fs::copy(folder, project, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    }

    /// Follows the embedded script with the real tools: the arguments of its `finish`, as JSON.
    std::string follow() {
        constexpr int steps_max = 12;
        auto model = make_rehearsal_model(default_rehearsal_script(), "default").value();
        net::model_request request;
        request.messages = {{.role = role::user, .content = "Make the tests pass."}};
        request.tools = declare_tools({"list_files", "read_file", "edit_file", "run_command", "finish"}).value();
        for (int step = 0; step < steps_max; ++step) {
            const auto reply = model->complete(request, {}, {}).value();
            request.messages.push_back(
                {.role = role::assistant, .content = reply.content, .tool_calls = reply.tool_calls});
            for (const auto& call : reply.tool_calls) {
                BOOST_REQUIRE(find_tool(call.name)->check(call.arguments));
                if (call.name == "finish")
                    return call.arguments;
                where.key = fmt::format("sample-{}-{}", ++calls_, call.id); // a key that was used gives the old result
                auto result = perform(call.name, call.arguments);
                BOOST_TEST_MESSAGE(call.name << ' ' << call.arguments << '\n' << result.content);
                request.messages.push_back({.role = role::tool,
                                            .content = result.content,
                                            .tool_call_id = call.id,
                                            .tool_name = call.name,
                                            .is_error = result.is_error});
            }
        }
        return "it did not finish";
    }

private:
    int calls_ = 0;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(rehearsal_of_the_sample, sample)

BOOST_AUTO_TEST_CASE(it_mends_the_sample_with_the_real_tools_and_then_finds_nothing_to_do) {
    const std::string first = follow();
    BOOST_TEST(first.find("The tests pass: 9 of 9 checks passed (before: 7 of 9 checks passed).") != std::string::npos,
               first);
    const std::string second = follow();
    BOOST_TEST(second.find("Nothing was changed: the tests of ranges.cpp pass as they are (9 of 9 checks passed).") !=
                   std::string::npos,
               second);
}

BOOST_AUTO_TEST_CASE(it_does_not_claim_what_the_tools_did_not_do) {
    where.commands = nullptr;
    const std::string report = follow();
    BOOST_TEST(report.find(R"("success":false)") != std::string::npos, report);
    BOOST_TEST(report.find("run_command reported: run_command is not available here") != std::string::npos, report);
}

BOOST_AUTO_TEST_SUITE_END()
