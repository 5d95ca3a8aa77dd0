#include "actors/a2a/a2a_protocol.hpp"

#include "actors/common/text.hpp"
#include "schemas/base/described.hpp"

#include <algorithm>
#include <array>

namespace troupe::actors {
namespace {

using rpc::rpc_error;

constexpr std::size_t title_bytes_max = 300;
constexpr std::size_t text_bytes_max = 100'000; ///< As a task's description.
constexpr std::size_t id_bytes_max = 200;
constexpr std::size_t parts_max = 100;

rpc_error wrong(std::string what) { return {rpc::rpc_invalid_params, std::move(what), {}}; }

std::string_view name_of(a2a_state s) {
    static constexpr std::array<std::string_view, 7> names{
        "TASK_STATE_SUBMITTED", "TASK_STATE_WORKING",        "TASK_STATE_COMPLETED", "TASK_STATE_FAILED",
        "TASK_STATE_CANCELED",  "TASK_STATE_INPUT_REQUIRED", "TASK_STATE_REJECTED"};
    return names.at(static_cast<std::size_t>(s));
}

a2a_state state_of(task_status status) {
    switch (status) {
    case task_status::in_progress:
        return a2a_state::working;
    case task_status::review:
    case task_status::done:
        return a2a_state::completed;
    case task_status::failed:
        return a2a_state::failed;
    case task_status::cancelled:
        return a2a_state::canceled;
    case task_status::inbox:
    case task_status::assigned:
    case task_status::blocked:
        break;
    }
    return a2a_state::submitted;
}

/// Its agent did not take it, or gave it back.
bool is_returned(const task_document& t) { return t.status == task_status::inbox && !t.agent_id && t.error; }

std::string text_part(std::string_view text) {
    return R"({"text":)" + json::quoted(text) + R"(,"mediaType":"text/plain"})";
}

std::string status_json(const a2a_task& t) {
    auto out = R"({"state":")" + std::string(name_of(t.state)) + R"(","timestamp":")" + to_string(t.at) + "\"";
    if (!t.note.empty()) {
        out += R"(,"message":{"messageId":)" + json::quoted(t.id + "/" + to_string(t.at)) + R"(,"taskId":)" +
               json::quoted(t.id) + R"(,"contextId":)" + json::quoted(t.id) + R"(,"role":"ROLE_AGENT","parts":[)" +
               text_part(t.note) + "]}";
    }
    return out + "}";
}

std::vector<std::string> artifacts_of(const a2a_task& t) {
    std::vector<std::string> out;
    if (t.result && !t.result->empty()) {
        out.push_back(R"({"artifactId":"result","name":"result","parts":[)" + text_part(*t.result) + "]}");
    }
    if (t.output) {
        out.push_back(R"({"artifactId":"output","name":"output","parts":[{"data":)" + t.output->text +
                      R"(,"mediaType":"application/json"}]})");
    }
    return out;
}

std::string ids_json(const a2a_task& t) {
    return R"("taskId":)" + json::quoted(t.id) + R"(,"contextId":)" + json::quoted(t.id);
}

/// A part as text: a text, or data. Files are not taken.
std::variant<std::string, rpc_error> text_of(const json::value& part) {
    if (const auto text = part.find("text"); text && text->as_string()) {
        return std::string(*text->as_string());
    }
    if (const auto data = part.find("data")) {
        return data->dump();
    }
    return rpc_error{a2a_content_type_not_supported, "Only parts with text or data are taken here.", {}};
}

} // namespace

bool is_terminal(a2a_state s) {
    return s == a2a_state::completed || s == a2a_state::failed || s == a2a_state::canceled || s == a2a_state::rejected;
}

std::string a2a_task::json() const {
    auto out = R"({"id":)" + json::quoted(id) + R"(,"contextId":)" + json::quoted(id) + R"(,"status":)" +
               status_json(*this) + R"(,"artifacts":[)";
    std::string all;
    for (const auto& one : artifacts_of(*this)) {
        all += (all.empty() ? "" : ",") + one;
    }
    return out + all + "]}";
}

bool a2a_task::take_question(std::string_view kind, std::string_view data, std::string_view channel) {
    if (kind == "approval_opened") {
        const auto parsed = json::document::parse(data);
        const auto request = parsed ? parsed->root().find("request") : std::nullopt;
        const bool mine = request && state == a2a_state::working && !run.empty() && request->text_or("run_id") == run &&
                          request->text_or("reason") == "question";
        if (mine) {
            question = channel;
            state = a2a_state::input_required;
            note = request->text_or("text");
        }
        return mine;
    }
    const bool over = !question.empty() && channel == question;
    if (over) {
        question.clear();
        note.clear();
        state = state == a2a_state::input_required ? a2a_state::working : state;
    }
    return over;
}

std::vector<std::string> a2a_task::take(std::string_view kind, std::string_view data, timestamp when,
                                        std::string_view channel) {
    const auto before = state;
    if (channel.starts_with("approvals/")) {
        if (!take_question(kind, data, channel) || state == before) {
            return {};
        }
        at = when;
        return {R"({"statusUpdate":{)" + ids_json(*this) + R"(,"status":)" + status_json(*this) + "}}"};
    }
    const auto parsed = json::document::parse(data);
    const auto text = [&](std::string_view name) { return parsed ? parsed->root().text_or(name) : std::string(); };
    const auto status_in = [&](std::string_view name) {
        const auto status = detail::enum_value<task_status>(text(name));
        return status ? state_of(*status) : state;
    };
    note.clear();
    if (kind == "task_assigned" || kind == "attempt_begun" || kind == "attempt_failed") {
        state = a2a_state::submitted;
    } else if (kind == "work_started") {
        state = a2a_state::working;
        run = text("run_id");
    } else if (kind == "work_finished") {
        state = status_in("status");
        note = text("error");
        const auto root = parsed ? std::optional(parsed->root()) : std::nullopt;
        const auto said = root ? root->find("result") : std::nullopt;
        const auto structured = root ? root->find("output") : std::nullopt;
        result = said && said->as_string() ? std::optional(std::string(*said->as_string())) : std::nullopt;
        output = structured && structured->type() != json::kind::null ? std::optional(json::raw{structured->dump()})
                                                                      : std::nullopt;
    } else if (kind == "task_moved") {
        state = status_in("to");
    } else if (kind == "task_returned") {
        state = a2a_state::rejected;
        note = text("error");
    } else if (kind == "task_deleted") {
        state = a2a_state::canceled;
    } else {
        return {};
    }
    at = when;
    if (state == before) {
        return {};
    }
    std::vector<std::string> out;
    if (state == a2a_state::completed) {
        for (const auto& one : artifacts_of(*this)) {
            out.push_back(R"({"artifactUpdate":{)" + ids_json(*this) + R"(,"artifact":)" + one +
                          R"(,"append":false,"lastChunk":true}})");
        }
    }
    out.push_back(R"({"statusUpdate":{)" + ids_json(*this) + R"(,"status":)" + status_json(*this) + "}}");
    return out;
}

a2a_task a2a_task_of(const task_document& t) {
    a2a_task out{to_string(t.id), state_of(t.status), {}, {}, {}, t.updated_at};
    out.run = t.run_id ? to_string(*t.run_id) : std::string();
    if (is_returned(t)) {
        out.state = a2a_state::rejected;
    }
    if (out.state == a2a_state::failed || out.state == a2a_state::rejected) {
        out.note = t.error.value_or("");
    }
    if (out.state == a2a_state::completed) {
        out.result = t.result;
        out.output = t.output;
    }
    return out;
}

a2a_task a2a_task_of(const task_document& t, const std::optional<approval_document>& question) {
    auto out = a2a_task_of(t);
    if (question && out.state == a2a_state::working) {
        out.state = a2a_state::input_required;
        out.note = question->text;
        out.question = "approvals/" + to_string(question->id);
    }
    return out;
}

std::variant<a2a_message, rpc_error> read_a2a_message(std::string_view params) {
    const auto parsed = json::document::parse(params);
    const auto message = parsed ? parsed->root().find("message") : std::nullopt;
    if (!message || message->type() != json::kind::object) {
        return wrong("/message is missing.");
    }
    a2a_message out{message->text_or("messageId"), message->text_or("taskId"), message->text_or("contextId"), {}};
    if (out.id.empty() || out.id.size() > id_bytes_max) {
        return wrong("/message/messageId has to have 1 to 200 bytes.");
    }
    if (message->text_or("role") != "ROLE_USER") {
        return wrong("/message/role has to be ROLE_USER.");
    }
    const auto parts = message->find("parts");
    if (!parts || parts->type() != json::kind::array || parts->size() == 0 || parts->size() > parts_max) {
        return wrong("/message/parts has to have 1 to 100 parts.");
    }
    for (std::size_t i = 0; i < parts->size(); ++i) {
        auto text = text_of(*parts->at(i));
        if (auto* refused = std::get_if<rpc_error>(&text)) {
            return *refused;
        }
        out.text += (out.text.empty() ? "" : "\n") + std::get<std::string>(text);
    }
    if (out.text.find_first_not_of(" \t\r\n") == std::string::npos || out.text.size() > text_bytes_max) {
        return wrong("The parts of /message have to have 1 to 100000 bytes of text.");
    }
    if (const auto how = parsed->root().find("configuration")) {
        const auto at_once = how->find("returnImmediately");
        out.at_once = at_once && at_once->as_bool().value_or(false);
        if (const auto push = how->find("taskPushNotificationConfig"); push && push->type() != json::kind::null) {
            return rpc_error{a2a_push_not_supported, "Nothing is pushed from here: stream, or ask again.", {}};
        }
    }
    return out;
}

std::variant<std::string, rpc_error> read_a2a_id(std::string_view params) {
    const auto parsed = json::document::parse(params);
    auto id = parsed ? parsed->root().text_or("id") : std::string();
    if (id.empty() || id.size() > id_bytes_max) {
        return wrong("/id is missing.");
    }
    return id;
}

create_task_body task_for(const a2a_message& m) {
    create_task_body out;
    const auto begin = m.text.find_first_not_of(" \t\r\n");
    const auto line = std::string_view(m.text).substr(begin, m.text.find('\n', begin) - begin);
    out.title = utf8_prefix(line, title_bytes_max);
    if (m.text.size() > out.title.size()) {
        out.description = m.text;
    }
    return out;
}

std::string a2a_card(const agent_document& agent, const std::string& endpoint, std::string_view version) {
    const auto& settings = agent.settings;
    const auto what = settings.role.empty() ? settings.name : settings.role;
    std::string skills;
    const auto add = [&](const std::string& id, const std::string& text) {
        skills += (skills.empty() ? "" : ",") + (R"({"id":)" + json::quoted(id)) + R"(,"name":)" + json::quoted(id) +
                  R"(,"description":)" + json::quoted(text) + R"(,"tags":[)" + json::quoted(id) + "]}";
    };
    for (const auto& one : settings.capabilities) {
        add(one, "Tasks that need " + one + ".");
    }
    if (settings.capabilities.empty()) {
        add(settings.kind, "Tasks for an agent of the kind " + settings.kind + ".");
    }
    return R"({"name":)" + json::quoted(settings.name) + R"(,"description":)" +
           json::quoted("An agent of Troupe: " + what + ".") + R"(,"supportedInterfaces":[{"url":)" +
           json::quoted(endpoint) + R"(,"protocolBinding":"JSONRPC","protocolVersion":"1.0"}],"version":)" +
           json::quoted(version) +
           R"(,"capabilities":{"streaming":true,"pushNotifications":false,"extendedAgentCard":false},)"
           R"("securitySchemes":{"key":{"httpAuthSecurityScheme":{"scheme":"Bearer"}}},)"
           R"("securityRequirements":[{"schemes":{"key":{"list":[]}}}],)"
           R"("defaultInputModes":["text/plain","application/json"],"defaultOutputModes":["text/plain","application/json"],)"
           R"("skills":[)" +
           skills + "]}";
}

} // namespace troupe::actors
