#include "net/mcp/session.hpp"

#include "net/mcp/http_headers.hpp"

#include <algorithm>
#include <utility>

namespace troupe::net::mcp {

namespace {

constexpr std::string_view meta_client = "io.modelcontextprotocol/clientInfo";
constexpr std::string_view meta_capabilities = "io.modelcontextprotocol/clientCapabilities";
constexpr std::string_view meta_log_level = "io.modelcontextprotocol/logLevel";

/// The object's members that `keep` wants.
template <class Keep>
void copy_members(json::object_writer& into, const json::value& from, Keep keep) {
    from.each_member([&](std::string_view name, json::value member) {
        if (keep(name))
            into.raw_field(name, member.dump());
    });
}

bool is_own_meta(std::string_view name) {
    return name == "progressToken" || name == meta_version || name == meta_client || name == meta_capabilities ||
           name == meta_log_level;
}

} // namespace

client_session::client_session(session_settings settings) : settings_(std::move(settings)) {
    json::object_writer info(client_info_);
    info.field("name", settings_.client_name).field("version", settings_.client_version).end();
}

void client_session::open(std::int64_t now_ms) {
    if (state_ != state::idle)
        return;
    if (!settings_.probe)
        return initialize(now_ms);
    probe(now_ms);
}

void client_session::probe(std::int64_t now_ms) {
    state_ = state::probing;
    ++probes_;
    handshake_id_ = ++last_wire_id_;
    handshake_deadline_ms_ = deadline(now_ms, settings_.probe_time_out_ms);
    send_or_drop(rpc_request{handshake_id_, "server/discover", {R"({"_meta":{)" + modern_meta() + "}}"}});
}

void client_session::initialize(std::int64_t now_ms) {
    state_ = state::initializing;
    era_ = era::legacy;
    handshake_id_ = ++last_wire_id_;
    handshake_deadline_ms_ = deadline(now_ms, settings_.open_time_out_ms);
    std::string params;
    json::object_writer out(params);
    out.field("protocolVersion", std::string(legacy_versions[0]));
    out.raw_field("capabilities", settings_.capabilities.text).raw_field("clientInfo", client_info_).end();
    send_or_drop(rpc_request{handshake_id_, "initialize", {params}});
}

void client_session::become_open(era spoken, std::string version, const json::value& said) {
    state_ = state::open;
    era_ = spoken;
    handshake_id_ = 0;
    handshake_deadline_ms_ = never;
    opened what;
    what.spoken = spoken;
    what.version = std::move(version);
    what.capabilities.text = "{}";
    auto server = said.find("serverInfo");
    if (const auto meta = said.find("_meta"); meta && !server)
        server = meta->find("io.modelcontextprotocol/serverInfo");
    if (server) {
        what.server_name = server->text_or("name");
        what.server_title = server->text_or("title");
        what.server_version = server->text_or("version");
    }
    if (const auto capabilities = said.find("capabilities"))
        what.capabilities.text = capabilities->dump();
    what.instructions = said.text_or("instructions");
    const auto bytes = what.capabilities.text.size() + what.instructions.size();
    tell(std::move(what), bytes);
}

// ---- Calls.

expected<call_id> client_session::call(std::string_view method, const json::raw& params, std::int64_t now_ms,
                                       call_options options) {
    return begin(method, params, now_ms, options, false);
}

expected<call_id> client_session::ping(std::int64_t now_ms, std::int64_t time_out_ms) {
    return begin(era_ == era::legacy ? "ping" : "server/discover", {}, now_ms, {.time_out_ms = time_out_ms}, true);
}

expected<call_id> client_session::begin(std::string_view method, const json::raw& params, std::int64_t now_ms,
                                        call_options options, bool is_ping) {
    if (state_ != state::open)
        return problem{code::unavailable, "the connection to the MCP server is not open"};
    if (calls_.size() + untaken_ends_ >= settings_.calls_max)
        return problem{code::overloaded,
                       std::to_string(settings_.calls_max) + " calls to the MCP server are under way"};
    if (held_bytes() + params.text.size() > settings_.held_bytes_max)
        return problem{code::overloaded, "the calls to the MCP server hold too many bytes"};
    if (!params.is_null()) {
        const auto parsed = json::document::parse(params.text);
        if (!parsed)
            return parsed.error();
        if (parsed->root().type() != json::kind::object)
            return problem{code::invalid_request, "the parameters of an MCP request are an object"};
    }
    const call_id id = ++last_call_;
    auto& call = calls_[id];
    call.method = method;
    call.params = params;
    call.options = options;
    call.is_ping = is_ping;
    if (auto sent = send_call(id, call, now_ms); !sent) {
        calls_.erase(id);
        return sent.error();
    }
    return id;
}

expected<void> client_session::send_call(call_id id, running_call& call, std::int64_t now_ms) {
    const auto wire_id = ++last_wire_id_;
    if (auto sent = send(rpc_request{wire_id, call.method, wire_params(call, id)}); !sent)
        return sent;
    call.wire_id = wire_id;
    call.deadline_ms = deadline(still_since_ms_.value_or(now_ms), call.options.time_out_ms);
    call.answers.clear();
    call.request_state.reset();
    on_wire_[wire_id] = id;
    return {};
}

json::raw client_session::wire_params(const running_call& call, call_id id) const {
    const std::string meta = meta_members(call, id);
    const bool answers = !call.answers.empty() || call.request_state;
    if (meta.empty() && !answers)
        return call.params;
    std::string text;
    json::object_writer out(text);
    std::string all_meta;
    json::object_writer meta_out(all_meta);
    if (const auto parsed = json::document::parse(call.params.text)) { // null: without members
        copy_members(out, parsed->root(), [&](std::string_view name) {
            return name != "_meta" && !(answers && (name == "inputResponses" || name == "requestState"));
        });
        if (const auto own = parsed->root().find("_meta"))
            copy_members(meta_out, *own, [](std::string_view name) { return !is_own_meta(name); });
    }
    if (!call.answers.empty()) {
        std::string responses;
        json::object_writer each(responses);
        for (const auto& [key, answer] : call.answers)
            each.raw_field(key, answer.text);
        each.end();
        out.raw_field("inputResponses", responses);
    }
    if (call.request_state)
        out.field("requestState", *call.request_state);
    if (!meta.empty()) {
        all_meta += all_meta.size() > 1 ? "," : "";
        all_meta += meta;
    }
    meta_out.end();
    out.raw_field("_meta", all_meta).end();
    return {text};
}

std::string client_session::meta_members(const running_call& call, call_id id) const {
    std::string members;
    if (era_ == era::modern)
        members = modern_meta();
    if (call.options.progress)
        members += (members.empty() ? "" : ",") + (R"("progressToken":)" + std::to_string(id));
    return members;
}

std::string client_session::modern_meta() const {
    std::string object;
    json::object_writer out(object);
    out.field(meta_version, modern_version).raw_field(meta_client, client_info_);
    out.raw_field(meta_capabilities, settings_.capabilities.text);
    if (!settings_.log_level.empty())
        out.field(meta_log_level, settings_.log_level);
    return object.substr(1); // members only
}

expected<void> client_session::notify(std::string_view method, const json::raw& params) {
    if (state_ != state::open)
        return problem{code::unavailable, "the connection to the MCP server is not open"};
    return send(rpc_notification{std::string(method), params});
}

bool client_session::cancel(call_id call) {
    if (!calls_.contains(call))
        return false;
    stop_call(call, {code::cancelled, "the call was cancelled"});
    return true;
}

expected<void> client_session::answer(question_id question, const expected<json::raw>& with, std::int64_t now_ms) {
    const auto found = questions_.find(question);
    if (found == questions_.end())
        return problem{code::not_found, "the MCP server wants no answer to that (any more)"};
    const auto asked_about = found->second;
    if (!asked_about.call) {
        auto sent = with ? send(rpc_result{asked_about.wire_id, *with})
                         : send(rpc_failure{asked_about.wire_id, {rpc_internal_error, with.error().detail}});
        if (!sent)
            return sent;
        questions_.erase(found);
        resume_time(now_ms);
        return {};
    }
    const auto id = *asked_about.call;
    auto& call = calls_.at(id);
    if (with && held_bytes() + with->text.size() > settings_.held_bytes_max)
        return problem{code::overloaded, "the calls to the MCP server hold too many bytes"};
    questions_.erase(found);
    if (!with) { // the modern era has no word for this
        finish(id, with.error());
        return {};
    }
    call.answers[asked_about.key] = *with;
    if (--call.open_questions == 0) {
        if (auto sent = send_call(id, call, now_ms); !sent)
            finish(id, sent.error());
    }
    return {};
}

void client_session::finish(call_id id, expected<json::raw> result, std::optional<rpc_error> said) {
    const auto found = calls_.find(id);
    on_wire_.erase(found->second.wire_id);
    if (found->second.is_ping && said)
        result = json::raw{"{}"}; // a server that refuses is alive
    calls_.erase(found);
    drop_questions_of(id);
    auto bytes = (result ? result->text.size() : 0) + (said ? said->message.size() + said->data.text.size() : 0);
    if (bytes + event_bytes_ > settings_.held_bytes_max) {
        result = problem{code::overloaded, "results of the MCP server are not taken fast enough; this one was dropped"};
        said.reset();
        bytes = 0;
        ++counts_.dropped;
    }
    ++untaken_ends_;
    tell(finished{id, std::move(result), std::move(said)}, bytes);
}

void client_session::stop_call(call_id id, const problem& why) {
    if (const auto wire_id = calls_.at(id).wire_id; wire_id != 0) {
        std::string params;
        json::object_writer out(params);
        out.field("requestId", wire_id).field("reason", why.detail).end();
        send_or_drop(rpc_notification{"notifications/cancelled", {params}});
    }
    finish(id, why);
}

// ---- Time.

std::int64_t client_session::deadline(std::int64_t now_ms, std::int64_t time_out_ms) const {
    return time_out_ms <= 0 || time_out_ms > never - now_ms ? never : now_ms + time_out_ms;
}

void client_session::passed(std::int64_t now_ms) {
    if (handshake_deadline_ms_ <= now_ms) {
        if (state_ == state::probing)
            return initialize(now_ms);
        return fail({code::deadline_exceeded, "the MCP server did not answer initialize in time"});
    }
    if (still_since_ms_)
        return;
    std::vector<call_id> late;
    for (const auto& [id, call] : calls_) {
        if (call.deadline_ms <= now_ms)
            late.push_back(id);
    }
    for (const auto id : late)
        stop_call(id, {code::deadline_exceeded, "the MCP server did not answer in time"});
}

std::int64_t client_session::wake_ms() const {
    auto wake = handshake_deadline_ms_;
    if (!still_since_ms_) {
        for (const auto& [id, call] : calls_)
            wake = std::min(wake, call.deadline_ms);
    }
    return wake;
}

void client_session::resume_time(std::int64_t now_ms) {
    if (!still_since_ms_ || !questions_.empty())
        return;
    const auto stood_ms = now_ms - *still_since_ms_;
    still_since_ms_.reset();
    for (auto& [id, call] : calls_) {
        if (call.deadline_ms != never)
            call.deadline_ms = deadline(call.deadline_ms, stood_ms);
    }
}

// ---- Ends, and what is told and sent.

void client_session::closed(const problem& why) {
    if (state_ != state::over)
        fail(why);
}

void client_session::fail(const problem& why) {
    state_ = state::over;
    handshake_deadline_ms_ = never;
    still_since_ms_.reset();
    questions_.clear();
    messages_.clear();
    message_bytes_ = 0;
    while (!calls_.empty())
        finish(calls_.begin()->first, why);
    tell(failed{why}, 0);
}

expected<void> client_session::send(const rpc_message& message) {
    auto text = write(message);
    if (messages_.size() >= messages_max || message_bytes_ + text.size() > settings_.held_bytes_max)
        return problem{code::overloaded, "the MCP server does not read as fast as it is written to"};
    message_bytes_ += text.size();
    messages_.push_back(std::move(text));
    return {};
}

void client_session::send_or_drop(const rpc_message& message) {
    if (!send(message))
        ++counts_.dropped;
}

void client_session::tell(event what, std::size_t bytes) {
    event_bytes_ += bytes;
    events_.push_back(std::move(what));
}

void client_session::tell_or_drop(event what, std::size_t bytes) {
    if (has_room_to_tell(bytes))
        tell(std::move(what), bytes);
    else
        ++counts_.dropped;
}

bool client_session::has_room_to_tell(std::size_t bytes) const {
    return events_.size() < settings_.events_max && event_bytes_ + bytes <= settings_.held_bytes_max;
}

std::size_t client_session::held_bytes() const {
    std::size_t bytes = 0;
    for (const auto& [id, call] : calls_) {
        bytes += call.params.text.size() + (call.request_state ? call.request_state->size() : 0);
        for (const auto& [key, answer] : call.answers)
            bytes += key.size() + answer.text.size();
    }
    return bytes;
}

std::vector<std::string> client_session::take_messages() {
    message_bytes_ = 0;
    return std::exchange(messages_, {});
}

std::vector<event> client_session::take_events() {
    event_bytes_ = 0;
    untaken_ends_ = 0;
    std::ranges::fill(list_change_told_, false);
    return std::exchange(events_, {});
}

} // namespace troupe::net::mcp
