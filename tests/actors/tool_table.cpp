#include "tests/actors/tool_fixture.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

BOOST_AUTO_TEST_SUITE(tool_table)

BOOST_AUTO_TEST_CASE(every_tool_has_a_schema_that_is_json_and_a_description) {
    BOOST_TEST(all_tools().size() == 56u);
    for (const auto& tool : all_tools()) {
        const auto schema = json::document::parse(tool.schema());
        BOOST_REQUIRE_MESSAGE(schema, tool.name);
        BOOST_TEST(schema->root().text_or("type") == "object", tool.name);
        BOOST_TEST(!tool.description.empty(), tool.name);
        BOOST_TEST(!tool.permission.empty(), tool.name);
        BOOST_TEST(find_tool(tool.name) == &tool);
    }
}

BOOST_AUTO_TEST_CASE(schema_names_what_is_required) {
    const auto schema = json::document::parse(find_tool("edit_file")->schema()).value().root().dump();
    BOOST_TEST(schema.find(R"("required":["path","old_text","new_text"])") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(declarations_carry_schemas_and_refuse_unknown_names) {
    const auto declared = declare_tools({"read_file", "finish"});
    BOOST_REQUIRE(declared);
    BOOST_TEST(declared->size() == 2u);
    BOOST_TEST(declared->front().name == "read_file");
    BOOST_TEST(declared->front().parameters == find_tool("read_file")->schema());
    const auto refused = declare_tools({"read_file", "teleport"});
    BOOST_REQUIRE(!refused);
    BOOST_TEST((refused.error().code == code::tool_unknown));
    BOOST_TEST(refused.error().detail.find("teleport") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(good_arguments_pass_and_bad_ones_are_named_with_their_places) {
    const auto* tool = find_tool("read_file");
    BOOST_TEST(!!tool->check(R"({"path":"a","start_line":3})"));
    const auto bad = tool->check(R"({"start_line":"three","colour":1})");
    BOOST_REQUIRE(!bad);
    BOOST_TEST((bad.error().code == code::tool_arguments_invalid));
    for (const char* pointer : {"/path: ", "/start_line: ", "/colour: "}) {
        BOOST_TEST(bad.error().detail.find(pointer) != std::string::npos, pointer);
    }
    BOOST_TEST(bad.error().errors.size() == 3u);
}

BOOST_AUTO_TEST_CASE(text_that_is_no_json_is_invalid_arguments) {
    for (const char* text : {"{", "[]", "\"x\"", "{}{}"}) {
        const auto bad = find_tool("finish")->check(text);
        BOOST_REQUIRE_MESSAGE(!bad, text);
        BOOST_TEST((bad.error().code == code::tool_arguments_invalid));
        BOOST_TEST(!bad.error().errors.empty());
    }
}

BOOST_AUTO_TEST_CASE(no_arguments_are_an_empty_object) {
    const tool_place p;
    BOOST_TEST(!p.perform("list_files", "").is_error);
    BOOST_TEST(p.perform("read_file", " ").is_error);
}

BOOST_AUTO_TEST_CASE(arguments_that_break_a_rule_change_nothing) {
    const tool_place p;
    const auto r = p.perform("write_file", R"({"path":"a","content":"x","mode":7})");
    BOOST_TEST(r.is_error);
    BOOST_TEST(r.content.find("/mode: unknown field") != std::string::npos);
    BOOST_TEST(details_of(r).root().text_or("code") == "tool_arguments_invalid");
    BOOST_TEST(!p.has("a"));
}

BOOST_AUTO_TEST_CASE(tools_that_are_not_there_or_belong_to_the_run_are_refused) {
    const tool_place p;
    const auto unknown = p.perform("teleport", "{}");
    BOOST_TEST(unknown.is_error);
    BOOST_TEST(unknown.content.find("read_file") != std::string::npos);
    BOOST_TEST(p.perform("finish", R"({"result":"x"})").is_error);
    BOOST_TEST(p.perform("ask_human", R"({"question":"x"})").is_error);
}

BOOST_AUTO_TEST_SUITE_END()
