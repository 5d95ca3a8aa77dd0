#include "schemas/organization_rules.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;

namespace {

std::string mistake(std::string key, std::string value) {
    const auto read = parse_organization_rules({{std::move(key), {std::move(value)}}}, "/values");
    return read ? "" : read.error().errors.front().pointer + ": " + read.error().errors.front().message;
}

} // namespace

BOOST_AUTO_TEST_SUITE(organization_rules_of_settings)

BOOST_AUTO_TEST_CASE(rules_of_all_and_of_kinds_are_read) {
    const auto read =
        parse_organization_rules({{"tools.rules", {R"j({"execute":"ask","run_command(git *)":"allow"})j"}},
                                  {"tools.kind_rules", {R"({"tester":{"write":"deny"}})"}},
                                  {"mail.from", {"1"}}},
                                 "/values");
    BOOST_TEST((read->all == std::map<std::string, tool_policy>{{"execute", tool_policy::ask},
                                                                {"run_command(git *)", tool_policy::allow}}));
    BOOST_TEST((read->kinds.at("tester").at("write") == tool_policy::deny));
    BOOST_TEST(parse_organization_rules({}, "/values")->all.empty());
}

BOOST_AUTO_TEST_CASE(what_is_no_rule_is_named_with_its_place) {
    BOOST_TEST(mistake("tools.rules", "7").starts_with("/values/tools.rules: expected rules"));
    BOOST_TEST(mistake("tools.rules", R"({"execute":"perhaps"})").ends_with("'execute' is none"));
    BOOST_TEST(mistake("tools.kind_rules", R"({"tester":"deny"})").starts_with("/values/tools.kind_rules: tester: "));
    BOOST_TEST(mistake("tools.kind_rules", "[]").starts_with("/values/tools.kind_rules: expected rules by kind"));
}

BOOST_AUTO_TEST_SUITE_END()
