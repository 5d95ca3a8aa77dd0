#include "net/http/text.hpp"
#include "net/mcp/session.hpp"

#include <algorithm>
#include <utility>

namespace troupe::net::mcp {

namespace {

constexpr int probes_max = 2;

/// It refuses the revision, and names it among those that it speaks.
bool wants_modern(const rpc_error& e) {
    const auto data = e.code == rpc_unsupported_version ? json::document::parse(e.data.text)
                                                        : expected<json::document>(problem{code::not_found, {}});
    const auto spoken =
        data && data->root().type() == json::kind::object ? data->root().find("supported") : std::nullopt;
    bool named = false;
    if (spoken && spoken->type() == json::kind::array)
        spoken->each_element([&](const json::value& v) { named = named || v.as_string() == modern_version; });
    return named;
}

struct question_method {
    std::string_view method;
    std::string_view capability; ///< Of the client.
    question_kind kind;
};
constexpr question_method question_methods[] = {
    {"sampling/createMessage", "sampling", question_kind::sampling},
    {"elicitation/create", "elicitation", question_kind::elicitation},
    {"roots/list", "roots", question_kind::roots},
};

/// What an error of the server means to the caller.
problem meaning_of(const rpc_error& error) {
    auto what = code::tool_failed;
    if (error.code == rpc_invalid_params)
        what = code::tool_arguments_invalid;
    else if (error.code == rpc_method_not_found || error.code == rpc_resource_not_found)
        what = code::not_found;
    constexpr std::size_t shown_max = 2000;
    return {what, "the MCP server answers error " + std::to_string(error.code) + ": " +
                      json::quoted(std::string_view(error.message).substr(0, shown_max))};
}

problem wrong_answer(std::string what) {
    return {code::tool_failed, "the MCP server's answer cannot be used: " + std::move(what)};
}

} // namespace

void client_session::received(std::string_view text, std::int64_t now_ms) {
    text = trim(text);
    if (state_ == state::idle || state_ == state::over || text.empty())
        return;
    const auto messages = read_messages(text);
    if (!messages) {
        if (messages.error().code == code::payload_too_large)
            return fail(messages.error());
        if (!is_utf8(text))
            return fail({code::malformed_json, "the MCP server sent what is not UTF-8"});
        ++counts_.unreadable;
        if (++unreadable_in_a_row_ >= unreadable_max)
            fail({messages.error().code, std::to_string(unreadable_max) + " lines of the MCP server, one after the " +
                                             "other, are no messages; the last one: " + messages.error().detail});
        return;
    }
    unreadable_in_a_row_ = 0;
    for (const auto& message : *messages) {
        if (state_ == state::over)
            return;
        std::visit([&](const auto& it) { take(it, now_ms); }, message);
    }
}

// ---- Answers.

std::optional<call_id> client_session::call_of(const rpc_id& wire_id) const {
    const auto* number = std::get_if<std::int64_t>(&wire_id);
    const auto found = number ? on_wire_.find(*number) : on_wire_.end();
    return found == on_wire_.end() ? std::nullopt : std::optional(found->second);
}

void client_session::take(const rpc_result& message, std::int64_t now_ms) {
    if (handshake_id_ != 0 && message.id == rpc_id(handshake_id_))
        return state_ == state::probing ? probe_answered(message.result, now_ms) : initialize_answered(message.result);
    if (const auto id = call_of(message.id))
        return call_answered(*id, message.result, now_ms);
    ++counts_.unknown_answers;
}

void client_session::take(const rpc_failure& message, std::int64_t now_ms) {
    const bool of_handshake = handshake_id_ != 0 && message.id && *message.id == rpc_id(handshake_id_);
    if (state_ == state::probing && (of_handshake || !message.id))
        return probes_ < probes_max && wants_modern(message.error) ? probe(now_ms) : initialize(now_ms);
    if (of_handshake)
        return fail({code::unavailable, "the MCP server refuses to begin: " + meaning_of(message.error).detail});
    if (const auto id = message.id ? call_of(*message.id) : std::nullopt)
        return finish(*id, meaning_of(message.error), message.error);
    ++counts_.unknown_answers;
}

void client_session::probe_answered(const json::raw& result, std::int64_t now_ms) {
    const auto parsed = json::document::parse(result.text);
    const auto versions = parsed ? parsed->root().find("supportedVersions") : std::nullopt;
    bool is_modern = false;
    if (versions)
        versions->each_element([&](json::value each) { is_modern = is_modern || each.as_string() == modern_version; });
    if (!is_modern)
        return initialize(now_ms);
    become_open(era::modern, std::string(modern_version), parsed->root());
}

void client_session::initialize_answered(const json::raw& result) {
    const auto parsed = json::document::parse(result.text);
    const auto version = parsed ? parsed->root().text_or("protocolVersion") : std::string();
    if (std::ranges::find(legacy_versions, version) == std::end(legacy_versions))
        return fail({code::unavailable, "the MCP server speaks a revision that is not known here: " +
                                            json::quoted(std::string_view(version).substr(0, 100))});
    send_or_drop(rpc_notification{"notifications/initialized"});
    become_open(era::legacy, version, parsed->root());
}

void client_session::call_answered(call_id id, const json::raw& result, std::int64_t now_ms) {
    if (era_ == era::legacy || calls_.at(id).is_ping)
        return finish(id, result);
    const auto parsed = json::document::parse(result.text);
    const auto kind = parsed ? parsed->root().find("resultType") : std::nullopt;
    if (!kind || kind->as_string() == "complete")
        return finish(id, result);
    if (kind->as_string() != "input_required")
        return finish(id, wrong_answer("its resultType is not known here"));
    if (auto taken = take_more_wanted(id, parsed->root(), now_ms); !taken)
        finish(id, taken.error());
}

// ---- What the server asks.

expected<void> client_session::take_more_wanted(call_id id, const json::value& result, std::int64_t now_ms) {
    auto& call = calls_.at(id);
    on_wire_.erase(std::exchange(call.wire_id, 0));
    call.deadline_ms = never;
    if (++call.rounds > settings_.rounds_max)
        return wrong_answer("it wants more input again and again");
    const auto given_state = result.find("requestState");
    const auto requests = result.find("inputRequests");
    const auto state_text = given_state ? given_state->as_string() : std::nullopt;
    if (given_state && !state_text)
        return wrong_answer("its requestState is no text");
    if (requests && requests->type() != json::kind::object)
        return wrong_answer("its inputRequests is no object");
    if (!given_state && (!requests || requests->size() == 0))
        return wrong_answer("it wants more input without saying which");
    if (state_text) {
        if (held_bytes() + state_text->size() > settings_.held_bytes_max)
            return problem{code::overloaded, "the calls to the MCP server hold too many bytes"};
        call.request_state = *state_text;
    }
    if (!requests || requests->size() == 0)
        return send_call(id, call, now_ms);
    return ask_for(id, *requests);
}

expected<void> client_session::ask_for(call_id id, const json::value& requests) {
    if (requests.size() + questions_.size() > settings_.questions_max)
        return problem{code::overloaded, "the MCP server asks too many questions at once"};
    std::optional<problem> wrong;
    requests.each_member([&](std::string_view key, json::value request) {
        const auto kind = may_ask(request.text_or("method"));
        const auto params = request.find("params");
        json::raw text{params ? params->dump() : "null"};
        const auto bytes = text.text.size();
        auto& call = calls_.at(id);
        if (wrong)
            return;
        if (!kind)
            wrong = wrong_answer("it asks for what was not offered");
        else if (call.answers.contains(std::string(key)))
            wrong = wrong_answer("it asks twice under one name");
        else if (!has_room_to_tell(bytes))
            wrong = problem{code::overloaded, "events of the MCP server are not taken fast enough"};
        if (wrong)
            return;
        call.answers[std::string(key)]; // so that a name given twice is seen
        ++call.open_questions;
        const auto question = ++last_question_;
        questions_[question] = {.call = id, .key = std::string(key), .wire_id = {}};
        tell(asked{question, *kind, id, std::move(text)}, bytes);
    });
    if (wrong)
        return std::move(*wrong);
    return {};
}

void client_session::take(const rpc_request& message, std::int64_t now_ms) {
    if (message.method == "ping")
        return send_or_drop(rpc_result{message.id, {"{}"}});
    const auto refuse = [&](std::int64_t code, std::string why) {
        send_or_drop(rpc_failure{message.id, {code, std::move(why)}});
    };
    const auto kind = may_ask(message.method);
    if (!kind || state_ != state::open || era_ != era::legacy) {
        ++counts_.unknown_methods;
        return refuse(rpc_method_not_found, "the client does not offer this");
    }
    const auto bytes = message.params.text.size();
    if (questions_.size() >= settings_.questions_max || !has_room_to_tell(bytes)) {
        ++counts_.dropped;
        return refuse(rpc_internal_error, "too many questions are open");
    }
    const auto question = ++last_question_;
    questions_[question] = {.call = {}, .key = {}, .wire_id = message.id};
    if (!still_since_ms_)
        still_since_ms_ = now_ms;
    tell(asked{question, *kind, {}, message.params}, bytes);
}

std::optional<question_kind> client_session::may_ask(std::string_view method) const {
    const auto* const found = std::ranges::find(question_methods, method, &question_method::method);
    if (found == std::end(question_methods))
        return std::nullopt;
    const auto offered = json::document::parse(settings_.capabilities.text);
    return offered && offered->root().find(found->capability) ? std::optional(found->kind) : std::nullopt;
}

void client_session::drop_questions_of(call_id id) {
    for (auto each = questions_.begin(); each != questions_.end();) {
        if (each->second.call != id) {
            ++each;
            continue;
        }
        tell(withdrawn{each->first}, 0);
        each = questions_.erase(each);
    }
}

// ---- Notifications.

void client_session::take(const rpc_notification& message, std::int64_t now_ms) {
    if (state_ != state::open) {
        ++counts_.too_early;
        return;
    }
    const auto parsed = json::document::parse(message.params.text);
    if (!parsed)
        return; // cannot be: it was parsed before
    const auto params = parsed->root();
    const auto bytes = message.params.text.size();
    if (message.method == "notifications/progress") {
        note_progress(params, bytes);
    } else if (message.method == "notifications/cancelled") {
        withdraw(params, now_ms);
    } else if (message.method == "notifications/message") {
        const auto data = params.find("data");
        tell_or_drop(logged{params.text_or("level"), params.text_or("logger"), {data ? data->dump() : "null"}}, bytes);
    } else if (message.method == "notifications/resources/updated") {
        tell_or_drop(resource_updated{params.text_or("uri")}, bytes);
    } else if (message.method == "notifications/tools/list_changed") {
        note_list_changed(list_kind::tools);
    } else if (message.method == "notifications/resources/list_changed") {
        note_list_changed(list_kind::resources);
    } else if (message.method == "notifications/prompts/list_changed") {
        note_list_changed(list_kind::prompts);
    } else if (message.method != "notifications/subscriptions/acknowledged") {
        ++counts_.unknown_methods;
    }
}

void client_session::note_progress(const json::value& params, std::size_t bytes) {
    const auto token = params.find("progressToken");
    const auto id = token ? token->as_uint() : std::nullopt;
    const auto call = id ? calls_.find(*id) : calls_.end();
    const auto progress = params.find("progress");
    const auto done = progress ? progress->as_double() : std::nullopt;
    if (call == calls_.end() || !call->second.options.progress || !done) {
        ++counts_.unknown_answers;
        return;
    }
    const auto total = params.find("total");
    tell_or_drop(progressed{call->first, *done, total ? total->as_double() : std::nullopt, params.text_or("message")},
                 bytes);
}

void client_session::note_list_changed(list_kind what) {
    if (!std::exchange(list_change_told_[static_cast<std::size_t>(what)], true))
        tell(list_changed{what}, 0);
}

void client_session::withdraw(const json::value& params, std::int64_t now_ms) {
    const auto given = params.find("requestId");
    std::optional<rpc_id> id;
    if (const auto number = given ? given->as_int() : std::nullopt)
        id = *number;
    else if (const auto text = given ? given->as_string() : std::nullopt)
        id = std::string(*text);
    const auto found = std::ranges::find_if(
        questions_, [&](const auto& each) { return id && !each.second.call && each.second.wire_id == *id; });
    if (found == questions_.end()) {
        ++counts_.unknown_answers;
        return;
    }
    tell(withdrawn{found->first}, 0);
    questions_.erase(found);
    resume_time(now_ms);
}

} // namespace troupe::net::mcp
