#include "bin/cli/args.hpp"

#include <boost/test/unit_test.hpp>

#include <array>

using namespace troupe;
using namespace troupe::cli;

namespace {

grammar start_grammar() {
    return {
        .flags = {{"model", "M", "", 'm'}, {"max-steps", "N", ""}, {"yes", "", "", 'y'}, {"ask", "TOOL", "", 0, true}},
        .operands = "GOAL",
        .operands_min = 1,
        .operands_max = any_number};
}

expected<arguments> parse(const std::vector<std::string>& words, const grammar& g = start_grammar()) {
    return parse_arguments(g, words);
}

} // namespace

BOOST_AUTO_TEST_SUITE(args)

BOOST_AUTO_TEST_CASE(flags_stand_in_every_written_form) {
    const auto a =
        parse({"--model", "rehearsal", "--max-steps=7", "-y", "--ask", "run_command", "--ask=write_file", "do", "it"})
            .value();
    BOOST_TEST(a.value("model").value() == "rehearsal");
    BOOST_TEST(a.number("max-steps", 1, 10).value().value() == 7U);
    BOOST_TEST(a.has("yes"));
    BOOST_TEST(a.values("ask").size() == 2U);
    BOOST_TEST(a.text_from(0) == "do it");
    BOOST_TEST(parse({"-mrehearsal", "x"}).value().value("model").value() == "rehearsal");
}

BOOST_AUTO_TEST_CASE(two_dashes_end_the_flags_and_one_is_an_operand) {
    const auto a = parse({"-", "--", "--model"}).value();
    BOOST_TEST(a.operands() == (std::vector<std::string>{"-", "--model"}), boost::test_tools::per_element());
    BOOST_TEST(!a.has("model"));
}

BOOST_AUTO_TEST_CASE(an_unknown_flag_suggests_the_nearest) {
    const auto a = parse({"--modle", "x", "goal"});
    BOOST_REQUIRE(!a);
    BOOST_TEST(a.error().detail == "Unknown flag --modle. Did you mean --model?");
    BOOST_TEST(parse({"--quite-something-else", "goal"}).error().detail == "Unknown flag --quite-something-else.");
    BOOST_TEST(parse({"-z", "goal"}).error().detail.starts_with("Unknown flag -z."));
}

BOOST_AUTO_TEST_CASE(mistakes_in_flags_are_named) {
    BOOST_TEST(parse({"goal", "--model"}).error().detail == "--model needs a value: --model M.");
    BOOST_TEST(parse({"--yes=1", "goal"}).error().detail == "--yes takes no value.");
    BOOST_TEST(parse({"--model", "a", "--model", "b", "goal"}).error().detail == "--model was given twice.");
    BOOST_TEST(parse({}).error().detail == "Something is missing: this command takes GOAL.");
    const grammar none{};
    BOOST_TEST(parse({"x"}, none).error().detail == "\"x\" is one too many: this command takes no operands.");
}

BOOST_AUTO_TEST_CASE(numbers_keep_to_their_bounds) {
    for (const auto* bad : {"0", "11", "x", "7x", "-1", "", "99999999999999999999999"}) {
        const auto a = parse({std::string("--max-steps=") + bad, "goal"}).value();
        BOOST_TEST(!a.number("max-steps", 1, 10).has_value(), bad);
    }
    BOOST_TEST(!parse({"goal"}).value().number("max-steps", 1, 10).value().has_value());
}

BOOST_AUTO_TEST_CASE(help_needs_no_operands) { BOOST_TEST(parse({"--help"}).value().has("help")); }

BOOST_AUTO_TEST_CASE(flags_before_the_command_take_their_values_along) {
    const std::vector<std::string> words = {"--json", "--url", "http://x", "run", "list"};
    BOOST_TEST(leading_flags(words) == 3U);
    BOOST_TEST(leading_flags(std::vector<std::string>{"run"}) == 0U);
    BOOST_TEST(leading_flags(std::vector<std::string>{"--url"}) == 1U);
}

BOOST_AUTO_TEST_CASE(nearest_finds_slips_and_beginnings_but_no_strangers) {
    constexpr std::array<std::string_view, 4> words = {"status", "events", "approval", "agent"};
    BOOST_TEST(nearest("statsu", words) == "status");
    BOOST_TEST(nearest("appr", words) == "approval");
    BOOST_TEST(nearest("agnet", words) == "agent");
    BOOST_TEST(nearest("deploy", words) == "");
}

BOOST_AUTO_TEST_SUITE_END()
