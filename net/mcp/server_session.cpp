#include "net/mcp/server_session.hpp"

#include "schemas/base/cipher.hpp"
#include "schemas/base/sha256.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace troupe::net::mcp {

namespace {

constexpr std::array<std::string_view, 8> levels = {"debug", "info",     "notice", "warning",
                                                    "error", "critical", "alert",  "emergency"};

std::size_t rank_of(std::string_view level) {
    return static_cast<std::size_t>(std::find(levels.begin(), levels.end(), level) - levels.begin());
}

std::string_view method_of(question_kind kind) {
    switch (kind) {
    case question_kind::sampling:
        return "sampling/createMessage";
    case question_kind::elicitation:
        return "elicitation/create";
    case question_kind::roots:
        return "roots/list";
    }
    return "";
}

std::string_view capability_of(question_kind kind) {
    switch (kind) {
    case question_kind::sampling:
        return "sampling";
    case question_kind::elicitation:
        return "elicitation";
    case question_kind::roots:
        return "roots";
    }
    return "";
}

bool has_member(const json::raw& object, std::string_view name) {
    const auto parsed = json::document::parse(object.text);
    const auto found = parsed ? parsed->root().find(name) : std::nullopt;
    return found && found->type() == json::kind::object;
}

bool is_list(std::string_view method) { return method.ends_with("/list"); }

std::string json_of(const rpc_id& id) {
    if (const auto* number = std::get_if<std::int64_t>(&id))
        return std::to_string(*number);
    return json::quoted(std::get<std::string>(id));
}

std::string_view list_method(list_kind what) {
    switch (what) {
    case list_kind::tools:
        return "notifications/tools/list_changed";
    case list_kind::resources:
        return "notifications/resources/list_changed";
    case list_kind::prompts:
        return "notifications/prompts/list_changed";
    }
    return "";
}

} // namespace

bool is_log_level(std::string_view level) { return rank_of(level) < levels.size(); }

server_session::server_session(const server_session_settings& settings, era spoken, std::string who)
    : settings_(settings), era_(spoken), who_(std::move(who)) {
    if (era_ == era::modern)
        version_ = modern_version;
}

bool server_session::answer(server_call_id id, server_answer with, std::int64_t now_ms) {
    const auto found = calls_.find(id);
    if (found == calls_.end() || found->second.open_questions > 0)
        return false;
    if (auto* wanted = std::get_if<inputs_wanted>(&with)) {
        ask(id, found->second, std::move(*wanted), now_ms);
        return true;
    }
    if (auto* why = std::get_if<rpc_error>(&with))
        fail(id, found->second, std::move(*why));
    else
        finish(id, found->second, std::get<json::raw>(with));
    return true;
}

void server_session::finish(server_call_id id, const running_call& call, const json::raw& result) {
    send_end(call.stream, rpc_result{call.id, {era_ == era::modern ? complete(call, result) : result.text}});
    forget(id);
}

/// With what each result of the modern era says of itself.
std::string server_session::complete(const running_call& call, const json::raw& result) const {
    std::string out = R"({"resultType":"complete",)";
    if (is_list(call.method) || call.method == "resources/read")
        out += R"("ttlMs":)" + std::to_string(is_list(call.method) ? settings_.list_ttl_ms : settings_.read_ttl_ms) +
               R"(,"cacheScope":"private",)";
    out += R"("_meta":{"io.modelcontextprotocol/serverInfo":)" + server_info() + "}";
    if (result.text.size() > 2)
        out += ',';
    return out + result.text.substr(1);
}

std::string server_session::server_info() const {
    std::string out;
    json::object_writer info(out);
    info.field("name", settings_.name);
    if (!settings_.title.empty())
        info.field("title", settings_.title);
    info.field("version", settings_.version).end();
    return out;
}

void server_session::fail(server_call_id id, const running_call& call, rpc_error why) {
    const int status = era_ == era::modern && why.code == rpc_missing_capability ? 400 : 0;
    send_end(call.stream, rpc_failure{call.id, std::move(why)}, status);
    forget(id);
}

void server_session::forget(server_call_id id) {
    const auto found = calls_.find(id);
    if (found == calls_.end())
        return;
    held_bytes_ -= found->second.params.text.size();
    calls_.erase(found);
    std::erase_if(questions_, [&](const auto& question) { return question.second.call == id; });
}

std::optional<rpc_error> server_session::missing_capability(const running_call& call,
                                                            const inputs_wanted& wanted) const {
    for (const auto& [key, input] : wanted.inputs) {
        const auto name = capability_of(input.kind);
        if (!has_member(call.capabilities, name))
            return rpc_error{era_ == era::modern ? rpc_missing_capability : rpc_invalid_request,
                             "this needs a client that can do " + std::string(name),
                             {R"({"requiredCapabilities":{)" + json::quoted(name) + ":{}}}"}};
    }
    return std::nullopt;
}

/// In the modern era the call ends with the questions, and comes again with the answers. In the legacy one the
/// questions are requests of their own.
void server_session::ask(server_call_id id, running_call& call, inputs_wanted wanted, std::int64_t now_ms) {
    if (auto missing = missing_capability(call, wanted))
        return fail(id, call, std::move(*missing));
    if (wanted.inputs.empty() || wanted.inputs.size() > settings_.inputs_max || ++call.rounds > settings_.rounds_max)
        return fail(id, call, {rpc_internal_error, "the server asks for too much, or for nothing", {}});
    if (era_ == era::modern) {
        std::string inputs;
        json::object_writer all(inputs);
        for (const auto& [key, input] : wanted.inputs)
            all.raw_field(key, R"({"method":)" + json::quoted(method_of(input.kind)) + R"(,"params":)" +
                                   input.params.text + "}");
        all.end();
        std::string result;
        json::object_writer out(result);
        out.field("resultType", "input_required").raw_field("inputRequests", inputs);
        out.field("requestState", seal(call, wanted.state, now_ms)).end();
        send_end(call.stream, rpc_result{call.id, {result}});
        return forget(id);
    }
    call.answers.clear();
    call.state = std::move(wanted.state);
    call.open_questions = wanted.inputs.size();
    for (auto& [key, input] : wanted.inputs) {
        questions_.emplace(++last_question_, open_question{id, key});
        send(call.stream, rpc_request{last_question_, std::string(method_of(input.kind)), std::move(input.params)});
    }
}

/// What a continuation has to agree in with the call that asked.
std::string server_session::bound_to(const running_call& call) const {
    const auto params = json::document::parse(call.params.text);
    std::string same;
    if (params)
        params->root().each_member([&](std::string_view name, const json::value& value) {
            if (name != "_meta" && name != "inputResponses" && name != "requestState")
                same.append(name).append("=").append(value.dump()).append("\n");
        });
    sha256_stream hash;
    hash.add(same);
    return who_ + "\n" + call.method + "\n" + hash.finish();
}

std::string server_session::seal(const running_call& call, std::string_view state, std::int64_t now_ms) const {
    return to_base64url(troupe::seal(
        settings_.state_key, std::to_string(now_ms) + " " + std::to_string(call.rounds) + " " + std::string(state),
        bound_to(call)));
}

void server_session::progress(server_call_id id, double progress, std::optional<double> total,
                              std::string_view message) {
    const auto found = calls_.find(id);
    if (found == calls_.end() || found->second.progress_token.empty())
        return;
    json::raw params{""};
    json::object_writer out(params.text);
    out.raw_field("progressToken", found->second.progress_token).field("progress", progress);
    if (total)
        out.field("total", *total);
    if (!message.empty())
        out.field("message", message);
    out.end();
    send(found->second.stream, rpc_notification{"notifications/progress", std::move(params)});
}

void server_session::log(server_call_id id, std::string_view level, std::string_view logger, const json::raw& data) {
    const auto found = calls_.find(id);
    if (found == calls_.end())
        return;
    const auto& least = era_ == era::modern ? found->second.log_level : log_level_;
    if (least.empty() || rank_of(level) < rank_of(least))
        return;
    json::raw params{""};
    json::object_writer out(params.text);
    out.field("level", level).field("logger", logger).raw_field("data", data.text).end();
    send(found->second.stream, rpc_notification{"notifications/message", std::move(params)});
}

bool server_session::can_ask(server_call_id id, question_kind kind) const {
    const auto found = calls_.find(id);
    return found != calls_.end() && has_member(found->second.capabilities, capability_of(kind));
}

bool server_session::wants_progress(server_call_id id) const {
    const auto found = calls_.find(id);
    return found != calls_.end() && !found->second.progress_token.empty();
}

void server_session::tell_listener(const listener& to, std::string_view method, std::string_view more) {
    json::raw params{R"({"_meta":{"io.modelcontextprotocol/subscriptionId":)" + json_of(to.id) + "}"};
    params.text.append(more).append("}");
    send(to.stream, rpc_notification{std::string(method), std::move(params)});
}

void server_session::changed(list_kind what) {
    for (const auto& one : listeners_)
        if (one.lists[static_cast<std::size_t>(what)])
            tell_listener(one, list_method(what), "");
    if (era_ == era::legacy && initialized_ && settings_.lists_change && !standing_.empty())
        send(standing_.back(), rpc_notification{std::string(list_method(what)), {}});
}

void server_session::updated(const std::string& uri) {
    const auto more = R"(,"uri":)" + json::quoted(uri);
    for (const auto& one : listeners_)
        if (one.uris.contains(uri))
            tell_listener(one, "notifications/resources/updated", more);
    if (subscribed_.contains(uri) && !standing_.empty())
        send(standing_.back(), rpc_notification{"notifications/resources/updated", {"{" + more.substr(1) + "}"}});
}

void server_session::send(stream_id to, const rpc_message& message) { messages_.push_back({to, write(message)}); }

void server_session::send_end(stream_id to, const rpc_message& message, int refused_status) {
    const auto left = unanswered_.find(to);
    const bool last = left == unanswered_.end() || --left->second == 0;
    if (last && left != unanswered_.end())
        unanswered_.erase(left);
    messages_.push_back({to, write(message), last, refused_status});
}

std::vector<server_message> server_session::take_messages() { return std::exchange(messages_, {}); }

std::vector<server_event> server_session::take_events() { return std::exchange(events_, {}); }

} // namespace troupe::net::mcp
