#include "actors/memory/memory_model.hpp"

#include "actors/agent/agent_model.hpp"
#include "actors/agent/agent_routes.hpp"
#include "actors/memory/memory_routes.hpp"
#include "actors/name/name_model.hpp"
#include "actors/tool/memory_tools.hpp"
#include "tests/actors/given.hpp"
#include "tests/actors/mini_node.hpp"

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

BOOST_AUTO_TEST_SUITE(agent_memory)

BOOST_AUTO_TEST_CASE(notes_are_kept_replaced_and_removed) {
    entity<memory_model> memory;
    memory.accepted(put_note{"database", "needs to run"});
    memory.accepted(put_note{"build", "takes a while"});
    memory.accepted(put_note{"database", "runs by itself"});
    BOOST_TEST(memory.accepted(put_note{"database", "runs by itself"}).empty());
    auto shown = memory.document<memory_document>();
    BOOST_REQUIRE(shown.notes.size() == 2u);
    BOOST_TEST(shown.notes[1].text == "runs by itself");
    BOOST_TEST(shown.notes[1].updated_by == "key/tester");
    memory.accepted(remove_note{"build"});
    BOOST_TEST((memory.refused(remove_note{"build"}).code == code::not_found));
    BOOST_TEST(memory.document<memory_document>().notes.size() == 1u);
}

BOOST_AUTO_TEST_CASE(notes_have_bounds) {
    entity<memory_model> memory;
    for (const auto& key : {std::string(), std::string(note_key_bytes_max + 1, 'k'), std::string("a\nb")}) {
        BOOST_TEST(memory.refused(put_note{key, "x"}).errors.front().pointer == "/key");
    }
    BOOST_TEST(memory.refused(put_note{"k", ""}).errors.front().pointer == "/text");
    BOOST_TEST(memory.refused(put_note{"k", std::string(note_bytes_max + 1, 'x')}).errors.front().pointer == "/text");
    for (std::size_t i = 0; i < memory_notes_max; ++i) {
        memory.accepted(put_note{std::to_string(i), "x"});
    }
    BOOST_TEST((memory.refused(put_note{"one more", "x"}).code == code::conflict));
    memory.accepted(put_note{"7", "in its place"});
}

namespace {

/// An agent, and tools of a run of it.
struct remembering_node : mini_node {
    remembering_node() {
        host<agent_model>();
        host<name_model>();
        host<memory_model>();
        serve(agent_routes(services));
        serve(memory_routes(services));
        agent = parse_uuid(json::document::parse(call(net::verb::post, "/agents", R"({"name":"scout"})").body)
                               ->root()
                               .text_or("id"))
                    .value();
        where.run = {mini_node::organization, "run", id_of(9)};
        where.agent = agent;
        where.store = services.store;
        where.ask = [this](runtime::command c) { return decide(c); };
    }
    tool_result perform(std::string_view tool, std::string_view arguments, std::string key) {
        where.key = std::move(key);
        return perform_tool(tool, arguments, where);
    }
    uuid agent;
    tool_environment where;
};

} // namespace

BOOST_FIXTURE_TEST_CASE(an_agent_remembers_from_run_to_run, remembering_node) {
    BOOST_TEST(!perform("remember", R"({"key":"database","text":"The tests need Postgres."})", "run/1/1/1").is_error);
    BOOST_TEST(!perform("remember", R"({"key":"style","text":"Two blanks, never tabs."})", "run/1/2/1").is_error);
    where.run.id = id_of(10);
    const auto found = perform("recall_memory", R"({"query":"How do the TESTS find postgres?"})", "other/1/1/1");
    BOOST_TEST(found.content.find("The tests need Postgres.") != std::string::npos);
    BOOST_TEST(found.content.find("tabs") == std::string::npos);
    BOOST_TEST(perform("recall_memory", "{}", "other/1/2/1").content.find("tabs") != std::string::npos);
    BOOST_TEST(perform("recall_memory", R"({"query":"weather"})", "other/1/3/1").content ==
               "Nothing is remembered of that.\n");
    BOOST_TEST(!perform("remember", R"({"key":"style","text":""})", "other/1/4/1").is_error);
    BOOST_TEST(perform("recall_memory", "{}", "other/1/5/1").content.find("tabs") == std::string::npos);
    where.agent.reset();
    BOOST_TEST(perform("remember", R"({"key":"x","text":"y"})", "none/1/1/1").is_error);
}

BOOST_FIXTURE_TEST_CASE(people_read_and_mend_what_an_agent_remembers, remembering_node) {
    using net::verb;
    BOOST_TEST(call(verb::get, "/agents/scout/memory").body == R"({"notes":[]})");
    BOOST_TEST(call(verb::put, "/agents/scout/memory/database", R"({"text":"runs"})").status == 200);
    BOOST_TEST(perform("recall_memory", R"({"query":"database"})", "run/1/1/1").content.find("runs") !=
               std::string::npos);
    BOOST_TEST(call(verb::put, "/agents/scout/memory/x", R"({"text":""})").status == 422);
    BOOST_TEST(call(verb::del, "/agents/scout/memory/database").status == 204);
    BOOST_TEST(call(verb::del, "/agents/scout/memory/database").status == 404);
    BOOST_TEST(call(verb::get, "/agents/nobody/memory").status == 404);
}

BOOST_AUTO_TEST_SUITE_END()
