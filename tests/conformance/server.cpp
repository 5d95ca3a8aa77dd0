// The server that the official conformance suite of the Model Context Protocol asks for: `conformance_server [PORT]`
// says its URL and serves until its standard input ends. What each tool does is written in the suite's scenarios.
#include "net/http/server.hpp"
#include "net/mcp/messages.hpp"
#include "net/mcp/server_endpoint.hpp"
#include "schemas/base/log.hpp"
#include "tests/net/fake_bus.hpp"

#include <chrono>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace troupe;
using namespace troupe::net;
using namespace troupe::net::mcp;
using call_ptr = std::shared_ptr<server_call>;

constexpr std::string_view png =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
constexpr std::string_view wav = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=";

std::string text_item(std::string_view text) { return R"({"type":"text","text":)" + json::quoted(text) + "}"; }

json::raw content(std::string_view items) { return {R"({"content":[)" + std::string(items) + "]}"}; }

json::raw text_result(std::string_view text) { return content(text_item(text)); }

std::string resource_item(std::string_view uri, std::string_view type, std::string_view text) {
    return R"({"type":"resource","resource":{"uri":)" + json::quoted(uri) + R"(,"mimeType":")" + std::string(type) +
           R"(","text":)" + json::quoted(text) + "}}";
}

const std::string image_item = R"({"type":"image","data":")" + std::string(png) + R"(","mimeType":"image/png"})";

/// The text at that JSON pointer; empty: there is none.
std::string text_at(const json::raw& in, std::string_view pointer) {
    const auto parsed = json::document::parse(in.text);
    const auto found = parsed ? parsed->root().pointer(pointer) : std::nullopt;
    const auto text = found ? found->as_string() : std::nullopt;
    return std::string(text.value_or(""));
}

/// After a while, somewhere else.
void later(std::function<void()> what) { std::thread(std::move(what)).detach(); }
void pause() { std::this_thread::sleep_for(std::chrono::milliseconds(50)); }

input_request elicitation(std::string_view message, std::string_view properties, std::string_view required = "") {
    return {question_kind::elicitation,
            {R"({"message":)" + json::quoted(message) + R"(,"requestedSchema":{"type":"object","properties":{)" +
             std::string(properties) + R"(},"required":[)" + std::string(required) + "]}}"}};
}
input_request sampling(std::string_view prompt, int tokens) {
    return {question_kind::sampling,
            {R"({"messages":[{"role":"user","content":)" + text_item(prompt) + R"(}],"maxTokens":)" +
             std::to_string(tokens) + "}"}};
}
const input_request roots{question_kind::roots, {"{}"}};

/// Asks until all is answered, then says what came out.
void ask(const call_ptr& call, inputs_wanted wanted, const std::function<json::raw(const call_ptr&)>& done) {
    for (const auto& [key, input] : wanted.inputs)
        if (!call->answers().contains(key))
            return call->answer(std::move(wanted));
    call->answer(done(call));
}

struct offered_tool {
    std::string name;
    std::string description;
    std::function<void(const call_ptr&)> run;
    std::string schema = R"({"type":"object","properties":{}})";
};

offered_tool fixed(std::string name, std::string description, json::raw result) {
    return {std::move(name), std::move(description), [result](const call_ptr& call) { call->answer(result); }};
}

/// One that asks the client, and says the action and the content of the answer.
offered_tool elicits(std::string name, std::string says, std::function<input_request(const call_ptr&)> what,
                     std::string schema = R"({"type":"object","properties":{}})") {
    const auto run = [says, what](const call_ptr& call) {
        ask(call, {.inputs = {{"answer", what(call)}}}, [&](const call_ptr& answered) {
            const auto& answer = answered->answers().at("answer");
            const auto parsed = json::document::parse(answer.text);
            const auto said = parsed->root().find("content");
            return text_result(says + "action=" + parsed->root().text_or("action") +
                               ", content=" + (said ? said->dump() : "{}"));
        });
    };
    return {std::move(name), "Asks the user.", run, std::move(schema)};
}

// The schemas are the suite's own.
constexpr std::string_view rich_schema =
    R"({"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","$defs":{"address":{"$anchor":)"
    R"("addressDef","type":"object","properties":{"street":{"type":"string"},"city":{"type":"string"}}}},"properties":{)"
    R"("name":{"type":"string"},"address":{"$ref":"#/$defs/address"},"contactMethod":{"type":"string","enum":["phone",)"
    R"("email"]},"phone":{"type":"string"},"email":{"type":"string"}},"allOf":[{"anyOf":[{"required":["phone"]},{)"
    R"("required":["email"]}]}],"if":{"properties":{"contactMethod":{"const":"phone"}},"required":["contactMethod"]},)"
    R"("then":{"required":["phone"]},"else":{"required":["email"]},"additionalProperties":false})";
constexpr std::string_view defaults =
    R"("name":{"type":"string","default":"John Doe"},"age":{"type":"integer","default":30},"score":{"type":"number",)"
    R"("default":95.5},"status":{"type":"string","enum":["active","inactive","pending"],"default":"active"},)"
    R"("verified":{"type":"boolean","default":true})";
constexpr std::string_view enums =
    R"("untitledSingle":{"type":"string","enum":["option1","option2","option3"]},"titledSingle":{"type":"string",)"
    R"("oneOf":[{"const":"value1","title":"First Option"},{"const":"value2","title":"Second Option"},{"const":"value3",)"
    R"("title":"Third Option"}]},"legacyEnum":{"type":"string","enum":["opt1","opt2","opt3"],"enumNames":["Option One",)"
    R"("Option Two","Option Three"]},"untitledMulti":{"type":"array","items":{"type":"string","enum":["option1",)"
    R"("option2","option3"]}},"titledMulti":{"type":"array","items":{"anyOf":[{"const":"value1","title":"First Choice"},)"
    R"({"const":"value2","title":"Second Choice"},{"const":"value3","title":"Third Choice"}]}})";
const std::string confirm = R"("ok":{"type":"boolean"})";
const std::string user_name = R"("name":{"type":"string"})";

void with_logging(const call_ptr& call) {
    later([call] {
        for (const std::string_view text :
             {"Tool execution started", "Tool processing data", "Tool execution completed"}) {
            call->log("info", "test", {json::quoted(text)});
            pause();
        }
        call->answer(text_result("Logged three times."));
    });
}

void with_progress(const call_ptr& call) {
    later([call] {
        for (const double at : {0.0, 50.0, 100.0}) {
            call->progress(at, 100);
            pause();
        }
        call->answer(text_result("Progress was told three times."));
    });
}

void reconnect(const call_ptr& call) {
    later([call] {
        call->take_time();
        pause();
        call->answer(text_result("The connection held."));
    });
}

void sample(const call_ptr& call) {
    ask(call, {.inputs = {{"answer", sampling(text_at(call->params(), "/arguments/prompt"), 100)}}},
        [](const call_ptr& answered) {
            return text_result("LLM response: " + text_at(answered->answers().at("answer"), "/content/text"));
        });
}

void multi_round(const call_ptr& call) {
    if (call->state().empty())
        return ask(call, {{{"step1", elicitation("Step 1: What is your name?", user_name, R"("name")")}}, "first"},
                   [&](const call_ptr&) { return text_result("never"); });
    if (call->state() == "first" && call->answers().contains("step1"))
        return call->answer(inputs_wanted{{{"step2", elicitation("Step 2: What is your favorite color?",
                                                                 R"("color":{"type":"string"})", R"("color")")}},
                                          text_at(call->answers().at("step1"), "/content/name")});
    ask(call, {{{"step2", elicitation("Which color?", R"("color":{"type":"string"})")}}, call->state()},
        [](const call_ptr& answered) {
            return text_result(answered->state() + " likes " +
                               text_at(answered->answers().at("step2"), "/content/color"));
        });
}

void as_able(const call_ptr& call) {
    inputs_wanted wanted;
    if (call->can_ask(question_kind::sampling))
        wanted.inputs.emplace("sample", sampling("Say something.", 50));
    if (call->can_ask(question_kind::elicitation))
        wanted.inputs.emplace("confirm", elicitation("Please confirm", confirm));
    if (wanted.inputs.empty())
        return call->answer(text_result("This client cannot be asked anything."));
    ask(call, std::move(wanted), [](const call_ptr&) { return text_result("Asked what can be asked."); });
}

/// Tools whose one question decides nothing but that they go on.
offered_tool asks(std::string name, inputs_wanted wanted, const std::function<std::string(const call_ptr&)>& says) {
    return {std::move(name), "Asks, and goes on with the answer.", [wanted, says](const call_ptr& call) {
                ask(call, wanted, [&](const call_ptr& answered) { return text_result(says(answered)); });
            }};
}

std::vector<offered_tool> make_tools(const std::function<void(list_kind)>& changed) {
    const auto state_ok = [](const call_ptr& call) { return call->state() == "state" ? "state-ok" : "state-lost"; };
    const auto greet = [](const call_ptr& call) {
        return "Hello, " + text_at(call->answers().at("user_name"), "/content/name") + "!";
    };
    const auto name_wanted = elicitation("What is your name?", user_name, R"("name")");
    const auto confirm_wanted = elicitation("Please confirm", confirm, R"("ok")");
    const auto change = [changed](list_kind what) {
        return [changed, what](const call_ptr& call) {
            changed(what);
            call->answer(text_result("Told."));
        };
    };
    const std::string prompt_schema =
        R"({"type":"object","properties":{"prompt":{"type":"string"}},"required":["prompt"]})";
    const std::string message_schema =
        R"({"type":"object","properties":{"message":{"type":"string"}},"required":["message"]})";
    const std::string region_schema = R"({"type":"object","properties":{"region":{"type":"string","x-mcp-header":)"
                                      R"("Region"}},"required":["region"]})";
    const auto account = [](const call_ptr& call) {
        return elicitation(text_at(call->params(), "/arguments/message"),
                           R"("username":{"type":"string","description":"User's response"},)"
                           R"("email":{"type":"string","description":"User's email address"})",
                           R"("username","email")");
    };
    return {
        fixed("test_simple_text", "Says something.", text_result("This is a simple text response for testing.")),
        fixed("test_image_content", "Shows a dot.", content(image_item)),
        fixed("test_audio_content", "Is silent.",
              content(R"({"type":"audio","data":")" + std::string(wav) + R"(","mimeType":"audio/wav"})")),
        fixed(
            "test_embedded_resource", "Shows a resource.",
            content(resource_item("test://embedded-resource", "text/plain", "This is an embedded resource content."))),
        fixed("test_multiple_content_types", "Shows some of each.",
              content(text_item("Multiple content types test:") + "," + image_item + "," +
                      resource_item("test://mixed-content-resource", "application/json",
                                    R"({"test":"data","value":123})"))),
        fixed("test_error_handling", "Always fails.",
              {R"({"isError":true,"content":[)" + text_item("This tool intentionally returns an error for testing") +
               "]}"}),
        {"test_tool_with_logging", "Logs three times.", with_logging},
        {"test_logging_tool", "Logs three times.", with_logging},
        {"test_tool_with_progress", "Tells its progress.", with_progress},
        {"test_reconnection", "Takes a while.", reconnect},
        {"test_sampling", "Asks the client's model.", sample, prompt_schema},
        {"test_missing_capability", "Asks the client's model.", sample},
        elicits("test_elicitation", "User response: ", account, message_schema),
        elicits("test_streaming_elicitation", "User response: ", account),
        elicits("test_elicitation_sep1034_defaults", "Elicitation completed: ",
                [](const call_ptr&) { return elicitation("Please fill this in", defaults); }),
        elicits("test_elicitation_sep1330_enums",
                "Elicitation completed: ", [](const call_ptr&) { return elicitation("Please choose", enums); }),
        {"json_schema_2020_12_tool", "Tool with JSON Schema 2020-12 features",
         [](const call_ptr& call) { call->answer(text_result("Taken.")); }, std::string(rich_schema)},
        {"test_custom_header", "Has an argument that a header repeats.",
         [](const call_ptr& call) { call->answer(text_result("In order.")); }, region_schema},
        {"test_trigger_tool_change", "Says that tools changed.", change(list_kind::tools)},
        {"test_trigger_prompt_change", "Says that prompts changed.", change(list_kind::prompts)},
        asks("test_input_required_result_elicitation", {{{"user_name", name_wanted}}}, greet),
        asks("test_input_required_result_sampling",
             {{{"capital_question", sampling("What is the capital of France?", 100)}}},
             [](const call_ptr& c) { return text_at(c->answers().at("capital_question"), "/content/text"); }),
        asks("test_input_required_result_list_roots", {{{"client_roots", roots}}},
             [](const call_ptr& c) { return text_at(c->answers().at("client_roots"), "/roots/0/uri"); }),
        asks("test_input_required_result_request_state", {{{"confirm", confirm_wanted}}, "state"}, state_ok),
        asks("test_input_required_result_tampered_state", {{{"confirm", confirm_wanted}}, "state"}, state_ok),
        asks("test_input_required_result_multiple_inputs",
             {{{"user_name", name_wanted}, {"greeting", sampling("Generate a greeting", 50)}, {"client_roots", roots}},
              "state"},
             greet),
        {"test_input_required_result_multi_round", "Asks twice.", multi_round},
        {"test_input_required_result_capabilities", "Asks what it can.", as_able},
    };
}

void call_tool(const std::vector<offered_tool>& tools, const call_ptr& call) {
    const auto name = text_at(call->params(), "/name");
    for (const auto& each : tools)
        if (each.name == name)
            return each.run(call);
    call->answer(rpc_error{rpc_invalid_params, "Unknown tool: " + name, {}});
}

std::string list_tools(const std::vector<offered_tool>& tools) {
    std::vector<tool> out;
    for (const auto& each : tools) {
        auto& made = out.emplace_back();
        made.name = each.name;
        made.description = each.description;
        made.inputSchema.text = each.schema;
    }
    return R"({"tools":)" + to_json(out) + "}";
}

// ---- Resources and prompts.

json::raw contents(std::string_view uri, std::string_view type, std::string_view how, std::string_view value) {
    return {R"({"contents":[{"uri":)" + json::quoted(uri) + R"(,"mimeType":")" + std::string(type) + R"(",")" +
            std::string(how) + "\":" + json::quoted(value) + "}]}"};
}

void read(const call_ptr& call) {
    const auto uri = text_at(call->params(), "/uri");
    constexpr std::string_view begin = "test://template/";
    constexpr std::string_view end = "/data";
    if (uri == "test://static-text")
        return call->answer(contents(uri, "text/plain", "text", "This is the content of the static text resource."));
    if (uri == "test://static-binary")
        return call->answer(contents(uri, "image/png", "blob", png));
    if (uri == "test://watched-resource")
        return call->answer(contents(uri, "text/plain", "text", "Watched."));
    if (uri.starts_with(begin) && uri.ends_with(end) && uri.size() > begin.size() + end.size()) {
        const auto id = uri.substr(begin.size(), uri.size() - begin.size() - end.size());
        return call->answer(contents(uri, "application/json", "text",
                                     R"({"id":)" + json::quoted(id) + R"(,"templateTest":true,"data":)" +
                                         json::quoted("Data for ID: " + id) + "}"));
    }
    call->answer(rpc_error{rpc_invalid_params, "Resource not found", {R"({"uri":)" + json::quoted(uri) + "}"}});
}

std::string message(std::string_view item) { return R"({"role":"user","content":)" + std::string(item) + "}"; }

json::raw messages_of(std::string_view list) { return {R"({"messages":[)" + std::string(list) + "]}"}; }

void get_prompt(const call_ptr& call) {
    const auto name = text_at(call->params(), "/name");
    const auto argument = [&](std::string_view of) { return text_at(call->params(), "/arguments/" + std::string(of)); };
    if (name == "test_simple_prompt")
        return call->answer(messages_of(message(text_item("This is a simple prompt for testing."))));
    if (name == "test_prompt_with_arguments")
        return call->answer(messages_of(message(
            text_item("Prompt with arguments: arg1='" + argument("arg1") + "', arg2='" + argument("arg2") + "'"))));
    if (name == "test_prompt_with_embedded_resource")
        return call->answer(messages_of(
            message(resource_item(argument("resourceUri"), "text/plain", "Embedded resource content for testing.")) +
            "," + message(text_item("Please process the embedded resource above."))));
    if (name == "test_prompt_with_image")
        return call->answer(
            messages_of(message(image_item) + "," + message(text_item("Please analyze the image above."))));
    if (name == "test_input_required_result_prompt")
        return ask(call,
                   {.inputs = {{"user_context", elicitation("What context should the prompt use?",
                                                            R"("context":{"type":"string"})", R"("context")")}}},
                   [](const call_ptr& answered) {
                       return messages_of(
                           message(text_item(text_at(answered->answers().at("user_context"), "/content/context"))));
                   });
    call->answer(rpc_error{rpc_invalid_params, "Unknown prompt: " + name, {}});
}

constexpr std::string_view resources =
    R"({"resources":[{"uri":"test://static-text","name":"static-text","description":"A text.","mimeType":"text/plain"},)"
    R"({"uri":"test://static-binary","name":"static-binary","description":"A picture.","mimeType":"image/png"},)"
    R"({"uri":"test://watched-resource","name":"watched","description":"May change.","mimeType":"text/plain"}]})";
constexpr std::string_view templates =
    R"({"resourceTemplates":[{"uriTemplate":"test://template/{id}/data","name":"data","description":"By id.",)"
    R"("mimeType":"application/json"}]})";
constexpr std::string_view prompts =
    R"({"prompts":[{"name":"test_simple_prompt","description":"Has no arguments."},)"
    R"({"name":"test_prompt_with_arguments","description":"Has two arguments.","arguments":[{"name":"arg1",)"
    R"("description":"First test argument","required":true},{"name":"arg2","description":"Second test argument",)"
    R"("required":true}]},)"
    R"({"name":"test_prompt_with_embedded_resource","description":"Shows a resource.","arguments":[{"name":)"
    R"("resourceUri","description":"URI of the resource to embed","required":true}]},)"
    R"({"name":"test_prompt_with_image","description":"Shows a picture."},)"
    R"({"name":"test_input_required_result_prompt","description":"Asks the user."}]})";

server_method says(std::string_view text) {
    return [text = std::string(text)](const call_ptr& call) { call->answer(json::raw{text}); };
}

std::unique_ptr<server_endpoint> make_endpoint() {
    auto made = std::make_shared<server_endpoint*>(nullptr);
    const auto tools = std::make_shared<const std::vector<offered_tool>>(
        make_tools([made](list_kind what) { (*made)->changed(what); }));
    server_offer offer;
    offer.settings = {.name = "troupe-conformance", .title = "Troupe", .version = TROUPE_VERSION};
    offer.settings.lists_change = offer.settings.resources_change = true;
    offer.methods = {{"tools/list", says(list_tools(*tools))},
                     {"tools/call", [tools](const call_ptr& call) { call_tool(*tools, call); }},
                     {"resources/list", says(resources)},
                     {"resources/templates/list", says(templates)},
                     {"resources/read", read},
                     {"prompts/list", says(prompts)},
                     {"prompts/get", get_prompt},
                     {"completion/complete", says(R"({"completion":{"values":["paris","park","party"],"total":3,)"
                                                  R"("hasMore":false}})")}};
    offer.tool_schema = [tools](const request&, std::string_view name) -> std::optional<json::raw> {
        for (const auto& each : *tools)
            if (each.name == name)
                return json::raw{each.schema};
        return std::nullopt;
    };
    auto out = std::make_unique<server_endpoint>(std::move(offer), endpoint_settings{});
    *made = out.get();
    return out;
}

} // namespace

int main(int count, char** arguments) {
    (void)set_log_levels("warn");
    const auto endpoint = make_endpoint();
    troupe::net::test::fake_bus bus;
    troupe::net::server_settings settings;
    settings.listen = "127.0.0.1:" + std::string(count > 1 ? arguments[1] : "0");
    server_hooks hooks;
    hooks.routes = endpoint->routes();
    hooks.bus = &bus;
    auto started = server::start(settings, std::move(hooks));
    if (!started) {
        std::cerr << started.error().detail << "\n";
        return 1;
    }
    std::cout << (*started)->url() << "/mcp" << std::endl;
    while (std::cin.get() != EOF) {
    }
    (*started)->stop(1000);
    return 0;
}
