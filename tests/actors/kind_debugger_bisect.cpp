#include <boost/test/unit_test.hpp>

#include "tests/actors/kind_fixture.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

/// A project with eight commits; from the fifth on `value` is wrong.
struct broken_history : tool_place {
    broken_history() {
        shell("git init -q . && git config user.email a@b.c && git config user.name t");
        for (int i = 1; i <= 8; ++i) {
            shell(fmt::format("echo {} > value && echo {} > step && git add -A && git commit -qm 'step {}'",
                              i < 5 ? "good" : "bad", i, i));
        }
    }
    void shell(const std::string& line) const {
        const auto all = "cd '" + project.string() + "' && { " + line + "; } >/dev/null 2>&1";
        BOOST_REQUIRE_MESSAGE(std::system(all.c_str()) == 0, line);
    }
    [[nodiscard]] tool_result bisect(const std::string& arguments) {
        where.key = fmt::format("bisect/{}", ++calls);
        return perform("git_bisect", arguments);
    }
    int calls = 0;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(git_bisect_tool, broken_history)

BOOST_AUTO_TEST_CASE(it_finds_the_commit_that_broke_it_and_leaves_the_project_alone) {
    const auto found = bisect(R"({"good":"HEAD~7","command":"grep -q good value"})");
    BOOST_TEST(!found.is_error, found.content);
    BOOST_TEST(found.content.starts_with("first bad commit: "), found.content);
    BOOST_TEST(contains(found.content, "step 5"), found.content);
    BOOST_TEST(details_of(found).root().text_or("first_bad").size() == 40u);
    shell("test $(cat step) = 8 && test -z \"$(git status --porcelain)\" && ! git bisect log");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_searched_says_why) {
    const auto none = bisect(R"({"good":"v9","command":"true"})");
    BOOST_TEST(none.is_error);
    BOOST_TEST(contains(none.content, "there is no revision v9"), none.content);
    BOOST_TEST(bisect(R"({"good":"--help","command":"true"})").is_error);
    std::filesystem::remove_all(project / ".git");
    const auto managed = bisect(R"({"good":"HEAD~7","command":"true"})");
    BOOST_TEST(contains(managed.content, "has no git history"), managed.content);
}

BOOST_AUTO_TEST_SUITE_END()
