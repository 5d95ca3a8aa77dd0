// What each wire sends, for the same context.
#include "net/model/wire.hpp"
#include "net/model/write.hpp"
#include "schemas/base/json.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>

using namespace troupe;
using namespace troupe::net;

namespace {

const image picture{"image/png", "iVBORw0="};

/// Two calls, one of which returned a picture; a bad call; a question with a picture.
model_request conversation() {
    model_request r;
    r.model = "m";
    r.messages = {{.role = role::system, .content = "Be kind."},
                  {.role = role::user, .content = "Hi", .images = {picture}},
                  {.role = role::assistant,
                   .content = "I look.",
                   .tool_calls = {{"call:1", "read_file", R"({"path":"a"})"}, {"call:2", "see", "nonsense"}},
                   .reasoning = "hm"},
                  {.role = role::tool, .content = "text", .tool_call_id = "call:1", .tool_name = "read_file"},
                  {.role = role::tool,
                   .content = "no",
                   .tool_call_id = "call:2",
                   .tool_name = "see",
                   .is_error = true,
                   .images = {picture}},
                  {.role = role::user, .content = "Go on."}};
    r.tools = {{"read_file", "Reads.", ""}};
    r.output_tokens_max = 77;
    r.temperature = 0.5;
    return r;
}

void check(const std::string& seen, std::string_view wanted) {
    const auto a = json::document::parse(seen);
    const auto b = json::document::parse(wanted);
    BOOST_REQUIRE(a);
    BOOST_REQUIRE(b);
    BOOST_TEST(a->root().dump() == b->root().dump());
}

std::string member(const std::string& body, std::string_view pointer) {
    const auto parsed = json::document::parse(body);
    BOOST_REQUIRE(parsed);
    const auto found = parsed->root().pointer(pointer);
    return found ? found->dump() : std::string();
}

/// The parts of a message as `replay` gives them.
std::string replayed(const message& m, const char* type = "thinking") {
    std::string out;
    replay(
        m, {type}, [&](std::string_view item) { out += "[" + std::string(item) + "]"; },
        [&](std::string_view text) { out += "<" + std::string(text) + ">"; },
        [&](const tool_call& call) { out += "(" + call.name + ")"; });
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(model_requests)

BOOST_AUTO_TEST_CASE(chat_completions) {
    check(write_chat(conversation(), "http://localhost/v1"), R"({"model":"m","messages":[
        {"role":"system","content":"Be kind."},
        {"role":"user","content":[{"type":"text","text":"Hi"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0="}}]},
        {"role":"assistant","content":"I look.","tool_calls":[
            {"id":"call:1","type":"function","function":{"name":"read_file","arguments":"{\"path\":\"a\"}"}},
            {"id":"call:2","type":"function","function":{"name":"see","arguments":"nonsense"}}],"reasoning_content":"hm"},
        {"role":"tool","content":"text","tool_call_id":"call:1"},
        {"role":"tool","content":"no","tool_call_id":"call:2"},
        {"role":"user","content":[{"type":"text","text":"What the tools returned as pictures:"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0="}}]},
        {"role":"user","content":"Go on."}],
        "tools":[{"type":"function","function":{"name":"read_file","description":"Reads.","parameters":{"type":"object","properties":{}}}}],
        "max_tokens":77,"temperature":0.5,"stream":true,"stream_options":{"include_usage":true}})");
    BOOST_TEST(member(write_chat(conversation(), "https://api.openai.com/v1"), "/max_completion_tokens") == "77");
}

BOOST_AUTO_TEST_CASE(deepseek_gets_reasoning_with_every_call) {
    auto request = conversation();
    BOOST_TEST(member(write_deepseek(request, ""), "/messages/2/reasoning_content") == "\"hm\"");
    request.messages[2].reasoning.clear();
    BOOST_TEST(member(write_deepseek(request, ""), "/messages/2/reasoning_content") == "\"\"");
    BOOST_TEST(member(write_chat(request, ""), "/messages/2/reasoning_content").empty());
    request.messages.push_back({.role = role::assistant, .content = "Done.", .reasoning = "not this"});
    BOOST_TEST(member(write_deepseek(request, ""), "/messages/7/content") == "\"Done.\"");
    BOOST_TEST(member(write_deepseek(request, ""), "/messages/7/reasoning_content").empty());
}

BOOST_AUTO_TEST_CASE(responses) {
    auto request = conversation();
    request.messages[2].reasoning_state = R"([{"type":"reasoning","id":"rs","encrypted_content":"gA"},7,null,null])";
    check(write_responses(request, ""), R"({"model":"m","input":[
        {"role":"system","content":"Be kind."},
        {"role":"user","content":[{"type":"input_text","text":"Hi"},{"type":"input_image","image_url":"data:image/png;base64,iVBORw0="}]},
        {"type":"reasoning","id":"rs","encrypted_content":"gA"},
        {"role":"assistant","content":"I look."},
        {"type":"function_call","call_id":"call:1","name":"read_file","arguments":"{\"path\":\"a\"}"},
        {"type":"function_call","call_id":"call:2","name":"see","arguments":"nonsense"},
        {"type":"function_call_output","call_id":"call:1","output":"text"},
        {"type":"function_call_output","call_id":"call:2","output":[{"type":"input_text","text":"no"},{"type":"input_image","image_url":"data:image/png;base64,iVBORw0="}]},
        {"role":"user","content":[{"type":"input_text","text":"Go on."}]}],
        "tools":[{"type":"function","name":"read_file","description":"Reads.","parameters":{"type":"object","properties":{}},"strict":false}],
        "max_output_tokens":77,"store":false,"temperature":0.5,"stream":true})");
    request.reasoning = true;
    const auto asked = write_responses(request, "");
    BOOST_TEST(member(asked, "/include") == R"(["reasoning.encrypted_content"])");
    BOOST_TEST(member(asked, "/temperature").empty());
}

BOOST_AUTO_TEST_CASE(anthropic) {
    auto request = conversation();
    request.messages[2].reasoning_state =
        R"([{"type":"thinking","thinking":"hm","signature":"Eq"},{"type":"redacted_thinking","data":"Em"},7,null,null])";
    check(write_anthropic(request, ""), R"({"model":"m","max_tokens":77,"system":"Be kind.","messages":[
        {"role":"user","content":[{"type":"text","text":"Hi"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0="}}]},
        {"role":"assistant","content":[
            {"type":"thinking","thinking":"hm","signature":"Eq"},{"type":"redacted_thinking","data":"Em"},
            {"type":"text","text":"I look."},
            {"type":"tool_use","id":"call_1","name":"read_file","input":{"path":"a"}},
            {"type":"tool_use","id":"call_2","name":"see","input":{"arguments":"nonsense"}}]},
        {"role":"user","content":[
            {"type":"tool_result","tool_use_id":"call_1","content":[{"type":"text","text":"text"}]},
            {"type":"tool_result","tool_use_id":"call_2","content":[{"type":"text","text":"no"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0="}}],"is_error":true},
            {"type":"text","text":"Go on."}]}],
        "tools":[{"name":"read_file","description":"Reads.","input_schema":{"type":"object","properties":{}}}],
        "temperature":0.5,"stream":true})");
}

BOOST_AUTO_TEST_CASE(anthropic_thinks_within_the_output_and_at_its_own_temperature) {
    auto request = conversation();
    request.reasoning = true;
    request.output_tokens_max = 8192;
    const auto body = write_anthropic(request, "");
    BOOST_TEST(member(body, "/thinking") == R"({"type":"enabled","budget_tokens":4096})");
    BOOST_TEST(member(body, "/temperature").empty());
    request.output_tokens_max = 1024; // no room for the smallest budget
    BOOST_TEST(member(write_anthropic(request, ""), "/thinking").empty());
}

/// The provider refuses calls without the thinking before them, which another model's have not.
BOOST_AUTO_TEST_CASE(anthropic_does_not_think_in_a_turn_that_another_model_began) {
    auto request = conversation();
    request.reasoning = true;
    request.output_tokens_max = 8192;
    request.messages.pop_back(); // the turn goes on
    BOOST_TEST(member(write_anthropic(request, ""), "/thinking").empty());
    request.messages[2].reasoning_state = R"([{"type":"thinking","thinking":"hm","signature":"Eq"},null,null])";
    BOOST_TEST(!member(write_anthropic(request, ""), "/thinking").empty());
}

/// Blank texts are refused by the provider, and so are two turns of one role.
BOOST_AUTO_TEST_CASE(anthropic_gets_no_empty_blocks_and_no_empty_turns) {
    model_request request;
    request.messages = {{.role = role::user, .content = "Hi"},
                        {.role = role::assistant, .content = " \n"},
                        {.role = role::user, .content = ""},
                        {.role = role::assistant, .tool_calls = {{"a", "list", "{}"}}},
                        {.role = role::tool, .content = "", .tool_call_id = "a"}};
    BOOST_TEST(member(write_anthropic(request, ""), "/messages") ==
               R"([{"role":"user","content":[{"type":"text","text":"Hi"}]},)"
               R"({"role":"assistant","content":[{"type":"tool_use","id":"a","name":"list","input":{}}]},)"
               R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[]}]}])");
}

BOOST_AUTO_TEST_CASE(ollama) {
    auto request = conversation();
    check(write_ollama(request, ""), R"({"model":"m","messages":[
        {"role":"system","content":"Be kind."},
        {"role":"user","content":"Hi","images":["iVBORw0="]},
        {"role":"assistant","content":"I look.","tool_calls":[
            {"id":"call:1","function":{"name":"read_file","arguments":{"path":"a"}}},
            {"id":"call:2","function":{"name":"see","arguments":{"arguments":"nonsense"}}}],"thinking":"hm"},
        {"role":"tool","content":"text","tool_name":"read_file","tool_call_id":"call:1"},
        {"role":"tool","content":"no","images":["iVBORw0="],"tool_name":"see","tool_call_id":"call:2"},
        {"role":"user","content":"Go on."}],
        "tools":[{"type":"function","function":{"name":"read_file","description":"Reads.","parameters":{"type":"object","properties":{}}}}],
        "stream":true,"options":{"num_predict":77,"temperature":0.5}})");
    request.reasoning = true;
    request.context_tokens = 32768;
    BOOST_TEST(member(write_ollama(request, ""), "/think") == "true");
    BOOST_TEST(member(write_ollama(request, ""), "/options/num_ctx") == "32768");
}

BOOST_AUTO_TEST_CASE(reasoning_goes_back_where_it_stood) {
    reasoning_trail trail;
    trail.item(R"({"type":"thinking","n":1})");
    trail.text(3);
    trail.text(2);
    trail.call();
    trail.item(R"({"type":"thinking","n":2})");
    trail.call();
    BOOST_TEST(trail.json() == R"([{"type":"thinking","n":1},5,null,{"type":"thinking","n":2},null])");
    message m{.role = role::assistant,
              .content = "I see.",
              .tool_calls = {{"a", "one", "{}"}, {"b", "two", "{}"}, {"c", "three", "{}"}},
              .reasoning_state = trail.json()};
    BOOST_TEST(replayed(m) == R"([{"type":"thinking","n":1}]<I see>(one)[{"type":"thinking","n":2}](two)<.>(three))");
    BOOST_TEST(replayed(m, "reasoning") == "<I see>(one)(two)<.>(three)"); // another wire's
}

BOOST_AUTO_TEST_CASE(without_reasoning_there_is_nothing_to_give_back) {
    reasoning_trail trail;
    trail.text(3);
    trail.call();
    BOOST_TEST(trail.json().empty());
    message m{.role = role::assistant, .content = "I see.", .tool_calls = {{"a", "one", "{}"}}};
    for (const char* state : {"", "nonsense", "{}", "[99999999999,null,null,null]", "[-1,true,\"x\"]"}) {
        m.reasoning_state = state;
        BOOST_TEST(replayed(m) == "<I see.>(one)");
    }
}

BOOST_AUTO_TEST_SUITE_END()
