// What the client says to a server's session.
#include "net/mcp/server_session.hpp"

#include "schemas/base/cipher.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

namespace troupe::net::mcp {

namespace {

constexpr std::string_view meta_capabilities = "io.modelcontextprotocol/clientCapabilities";
constexpr std::string_view meta_log_level = "io.modelcontextprotocol/logLevel";

std::optional<json::value> object_in(const std::optional<json::value>& from, std::string_view name) {
    const auto found = from ? from->find(name) : std::nullopt;
    return found && found->type() == json::kind::object ? found : std::nullopt;
}

std::optional<std::string_view> text_in(const std::optional<json::value>& from, std::string_view name) {
    const auto found = from ? from->find(name) : std::nullopt;
    return found ? found->as_string() : std::nullopt;
}

rpc_error invalid(std::string what) { return {rpc_invalid_params, "Invalid params: " + std::move(what), {}}; }

rpc_error unknown_method(std::string_view method) {
    return {rpc_method_not_found, "Method not found: " + std::string(method), {}};
}

/// What the methods need to be done at all; more is the owner's business.
std::optional<rpc_error> check_form(std::string_view method, const json::value& params) {
    if (const auto member = named_member(method); !member.empty() && params.text_or(member).empty())
        return invalid("\"" + std::string(member) + "\" has to be a text");
    const auto arguments = params.find("arguments");
    if (arguments && arguments->type() != json::kind::object)
        return invalid("\"arguments\" has to be an object");
    const auto cursor = params.find("cursor");
    if (cursor && !cursor->as_string())
        return invalid("\"cursor\" has to be a text");
    if (method == "completion/complete" && (!object_in(params, "ref") || !object_in(params, "argument")))
        return invalid("\"ref\" and \"argument\" have to be objects");
    return std::nullopt;
}

std::optional<rpc_error> check_headers(const rpc_request& message, const json::value& params,
                                       const std::optional<std::string_view>& version, const request_headers& headers) {
    const auto mismatch = [](std::string_view header) {
        return rpc_error{
            rpc_header_mismatch, "The header " + std::string(header) + " does not say what the body says.", {}};
    };
    if (headers.version != version)
        return mismatch("MCP-Protocol-Version");
    if (headers.method != message.method)
        return mismatch("Mcp-Method");
    if (const auto member = named_member(message.method); !member.empty()) {
        const auto said = headers.name ? read_header_value(*headers.name) : std::nullopt;
        if (!said || *said != text_in(params, member))
            return mismatch("Mcp-Name");
    }
    return std::nullopt;
}

} // namespace

bool is_modern(const rpc_message& message, std::optional<std::string_view> version_header) {
    if (is_modern_message(message))
        return true;
    const auto* request = std::get_if<rpc_request>(&message);
    const bool opens = request != nullptr && request->method == "initialize";
    return version_header == modern_version && !opens;
}

void server_session::received(const std::vector<rpc_message>& messages, stream_id on, std::int64_t now_ms,
                              const request_headers* headers) {
    for (const auto& message : messages)
        if (std::holds_alternative<rpc_request>(message))
            ++unanswered_[on];
    for (const auto& message : messages) {
        if (const auto* request = std::get_if<rpc_request>(&message))
            take(*request, on, now_ms, headers);
        else if (const auto* notification = std::get_if<rpc_notification>(&message))
            take(*notification);
        else if (const auto* result = std::get_if<rpc_result>(&message))
            take_answer(result->id, result->result);
        else if (const auto& failure = std::get<rpc_failure>(message); failure.id)
            take_answer(*failure.id, problem{code::tool_failed, failure.error.message});
    }
}

void server_session::take(const rpc_request& message, stream_id on, std::int64_t now_ms,
                          const request_headers* headers) {
    era_ == era::modern ? take_modern(message, on, now_ms, headers) : take_legacy(message, on);
}

void server_session::refuse(const rpc_id& id, stream_id on, rpc_error why, int status) {
    send_end(on, rpc_failure{id, std::move(why)}, era_ == era::modern ? status : 0);
}

bool server_session::offers(std::string_view method) const { return settings_.methods.contains(method); }

std::string server_session::capabilities() const {
    std::string out;
    json::object_writer all(out);
    const std::string_view change = settings_.lists_change ? R"("listChanged":true)" : "";
    const auto object = [](std::string_view members) { return "{" + std::string(members) + "}"; };
    if (offers("tools/list"))
        all.raw_field("tools", object(change));
    if (offers("prompts/list"))
        all.raw_field("prompts", object(change));
    if (offers("resources/list")) {
        std::string members(change);
        if (settings_.resources_change)
            members.append(members.empty() ? "" : ",").append(R"("subscribe":true)");
        all.raw_field("resources", object(members));
    }
    if (offers("completion/complete"))
        all.raw_field("completions", "{}");
    all.raw_field("logging", "{}");
    all.end();
    return out;
}

// ---- The modern era.

void server_session::take_modern(const rpc_request& message, stream_id on, std::int64_t now_ms,
                                 const request_headers* headers) {
    const auto parsed = json::document::parse(message.params.is_null() ? "{}" : message.params.text);
    const auto no = [&](rpc_error why, int status) { refuse(message.id, on, std::move(why), status); };
    if (!parsed)
        return no(invalid(parsed.error().detail), 400);
    const auto params = parsed->root();
    const auto meta = object_in(params, "_meta");
    const auto version = text_in(meta, meta_version);
    const auto client = object_in(meta, meta_capabilities);
    if (!version || !client)
        return no(invalid("_meta has to say " + std::string(meta_version) + " and " + std::string(meta_capabilities)),
                  400);
    if (headers)
        if (auto mismatch = check_headers(message, params, version, *headers))
            return no(std::move(*mismatch), 400);
    if (*version != modern_version)
        return no(
            {rpc_unsupported_version,
             "This server does not speak " + std::string(*version) + ".",
             {R"({"supported":[)" + json::quoted(modern_version) + R"(],"requested":)" + json::quoted(*version) + "}"}},
            400);
    if (message.method == "subscriptions/listen")
        return listen(message, params, on);
    running_call call{message.id, on, message.method, {params.dump()}, {client->dump()}};
    if (message.method == "server/discover") {
        std::string result = R"({"supportedVersions":[)" + json::quoted(modern_version) + R"(],"capabilities":)" +
                             capabilities() + R"(,"ttlMs":)" + std::to_string(settings_.list_ttl_ms) +
                             R"(,"cacheScope":"private")";
        if (!settings_.instructions.empty())
            result += R"(,"instructions":)" + json::quoted(settings_.instructions);
        return send_end(on, rpc_result{message.id, {complete(call, {result + "}"})}});
    }
    if (!offers(message.method))
        return no(unknown_method(message.method), 404);
    if (auto wrong = check_form(message.method, params))
        return no(std::move(*wrong), 400);
    if (const auto token = meta->find("progressToken"))
        call.progress_token = token->dump();
    if (const auto level = text_in(meta, meta_log_level); level && is_log_level(*level))
        call.log_level = *level;
    if (auto wrong = read_continuation(call, params, now_ms))
        return no(std::move(*wrong), 400);
    begin(std::move(call));
}

/// The answers to what the call asked before.
std::optional<rpc_error> server_session::read_continuation(running_call& call, const json::value& params,
                                                           std::int64_t now_ms) const {
    if (const auto sealed = params.find("requestState")) {
        const auto text = sealed->as_string();
        const auto opened = text ? unseal(call, *text, now_ms) : std::nullopt;
        if (!opened)
            return invalid("requestState is not what this server gave for this call, or too old");
        const auto space = opened->find(' ');
        std::from_chars(opened->data(), opened->data() + space, call.rounds);
        call.state = opened->substr(space + 1);
    }
    const auto responses = params.find("inputResponses");
    if (!responses)
        return std::nullopt;
    if (responses->type() != json::kind::object || responses->size() > settings_.inputs_max)
        return invalid("inputResponses has to be an object, with at most " + std::to_string(settings_.inputs_max) +
                       " members");
    std::optional<rpc_error> wrong;
    responses->each_member([&](std::string_view key, const json::value& value) {
        if (value.type() != json::kind::object)
            wrong = invalid("an answer in inputResponses has to be an object");
        else
            call.answers.emplace(key, json::raw{value.dump()});
    });
    return wrong;
}

/// "ROUNDS STATE"
std::optional<std::string> server_session::unseal(const running_call& call, std::string_view sealed,
                                                  std::int64_t now_ms) const {
    const auto bytes = from_base64(sealed);
    auto plain = bytes ? troupe::unseal(settings_.state_key, *bytes, bound_to(call)) : std::nullopt;
    if (!plain)
        return std::nullopt;
    const auto space = plain->find(' ');
    std::int64_t made_ms = 0;
    std::from_chars(plain->data(), plain->data() + space, made_ms);
    return now_ms - made_ms > settings_.state_ttl_ms ? std::nullopt : std::optional(plain->substr(space + 1));
}

void server_session::listen(const rpc_request& message, const json::value& params, stream_id on) {
    const auto filter = object_in(params, "notifications");
    if (!filter)
        return refuse(message.id, on, invalid("\"notifications\" has to be an object"), 400);
    if (listeners_.size() >= settings_.listeners_max)
        return refuse(message.id, on, {rpc_internal_error, "There are too many subscriptions.", {}}, 0);
    listener made{message.id, on};
    std::string honoured;
    json::object_writer out(honoured);
    const auto list = [&](list_kind what, std::string_view name, std::string_view method) {
        const auto flag = filter->find(name);
        if (!settings_.lists_change || !offers(method) || !flag || flag->as_bool() != true)
            return;
        made.lists[static_cast<std::size_t>(what)] = true;
        out.field(name, true);
    };
    list(list_kind::tools, "toolsListChanged", "tools/list");
    list(list_kind::prompts, "promptsListChanged", "prompts/list");
    list(list_kind::resources, "resourcesListChanged", "resources/list");
    if (const auto uris = filter->find("resourceSubscriptions"); uris && settings_.resources_change) {
        std::string array;
        uris->each_element([&](const json::value& each) {
            const auto uri = each.as_string();
            if (!uri || made.uris.size() >= settings_.watched_max || !made.uris.insert(std::string(*uri)).second)
                return;
            array.append(array.empty() ? "" : ",").append(json::quoted(*uri));
        });
        if (!made.uris.empty())
            out.raw_field("resourceSubscriptions", "[" + array + "]");
    }
    out.end();
    tell_listener(made, "notifications/subscriptions/acknowledged", R"(,"notifications":)" + honoured);
    if (honoured == "{}")
        return send_end(on, rpc_result{message.id, {complete({message.id, on, message.method}, {"{}"})}});
    for (const auto& uri : made.uris)
        watch(uri);
    listeners_.push_back(std::move(made));
}

// ---- The legacy era.

void server_session::take_legacy(const rpc_request& message, stream_id on) {
    const auto done = [&] { send_end(on, rpc_result{message.id, {"{}"}}); };
    if (message.method == "ping")
        return done();
    if (message.method == "initialize")
        return initialize(message, on);
    if (!initialized_)
        return refuse(message.id, on, {rpc_invalid_request, "Send initialize first.", {}}, 0);
    if (message.method == "resources/subscribe" || message.method == "resources/unsubscribe")
        return subscribe(message, on, message.method == "resources/subscribe");
    const auto parsed = json::document::parse(message.params.is_null() ? "{}" : message.params.text);
    if (!parsed)
        return refuse(message.id, on, invalid(parsed.error().detail), 0);
    const auto params = parsed->root();
    if (message.method == "logging/setLevel") {
        const auto level = params.text_or("level");
        if (!is_log_level(level))
            return refuse(message.id, on, invalid("there is no such level"), 0);
        log_level_ = level;
        return done();
    }
    if (!offers(message.method))
        return refuse(message.id, on, unknown_method(message.method), 0);
    if (auto wrong = check_form(message.method, params))
        return refuse(message.id, on, std::move(*wrong), 0);
    running_call call{message.id, on, message.method, {params.dump()}, client_capabilities_};
    if (const auto meta = object_in(params, "_meta"))
        if (const auto token = meta->find("progressToken"))
            call.progress_token = token->dump();
    begin(std::move(call));
}

void server_session::initialize(const rpc_request& message, stream_id on) {
    const auto parsed = json::document::parse(message.params.is_null() ? "{}" : message.params.text);
    if (!parsed || initialized_ || parsed->root().text_or("protocolVersion").empty())
        return refuse(message.id, on,
                      initialized_ ? rpc_error{rpc_invalid_request, "This session is open already.", {}}
                                   : invalid("\"protocolVersion\" has to be a text"),
                      0);
    const auto wanted = parsed->root().text_or("protocolVersion");
    const auto known = std::find(std::begin(served_versions), std::end(served_versions), wanted);
    version_ = known == std::end(served_versions) ? served_versions[0] : *known;
    if (const auto client = object_in(parsed->root(), "capabilities"))
        client_capabilities_.text = client->dump();
    initialized_ = true;
    std::string result;
    json::object_writer out(result);
    out.field("protocolVersion", version_).raw_field("capabilities", capabilities());
    out.raw_field("serverInfo", server_info());
    if (!settings_.instructions.empty())
        out.field("instructions", settings_.instructions);
    out.end();
    send_end(on, rpc_result{message.id, {std::move(result)}});
}

void server_session::subscribe(const rpc_request& message, stream_id on, bool wanted) {
    const auto parsed = json::document::parse(message.params.is_null() ? "{}" : message.params.text);
    const auto uri = parsed ? parsed->root().text_or("uri") : std::string();
    if (!settings_.resources_change)
        return refuse(message.id, on, unknown_method(message.method), 0);
    if (uri.empty() || (wanted && subscribed_.size() >= settings_.watched_max))
        return refuse(message.id, on, invalid(uri.empty() ? "\"uri\" has to be a text" : "too many subscriptions"), 0);
    if (wanted && subscribed_.insert(uri).second)
        watch(uri);
    else if (!wanted && subscribed_.erase(uri) > 0)
        unwatch(uri);
    send_end(on, rpc_result{message.id, {"{}"}});
}

// ---- Both.

void server_session::begin(running_call call) {
    const bool again = std::any_of(calls_.begin(), calls_.end(), [&](const auto& c) { return c.second.id == call.id; });
    if (again)
        return refuse(call.id, call.stream, {rpc_invalid_request, "A request with this id is being served.", {}}, 400);
    if (calls_.size() >= settings_.calls_max || held_bytes_ + call.params.text.size() > settings_.held_bytes_max)
        return refuse(call.id, call.stream, {rpc_internal_error, "Too many requests are being served.", {}}, 0);
    held_bytes_ += call.params.text.size();
    const auto id = ++last_call_;
    events_.push_back(called{id, call.method, call.params, std::move(call.answers), std::move(call.state)});
    call.answers.clear();
    calls_.emplace(id, std::move(call));
}

void server_session::take(const rpc_notification& message) {
    if (message.method != "notifications/cancelled")
        return;
    const auto parsed = json::document::parse(message.params.is_null() ? "{}" : message.params.text);
    const auto given = parsed ? parsed->root().find("requestId") : std::nullopt;
    if (!given)
        return;
    const auto found = std::find_if(calls_.begin(), calls_.end(), [&](const auto& c) {
        const auto* number = std::get_if<std::int64_t>(&c.second.id);
        return number ? given->as_int() == *number : given->as_string() == std::get<std::string>(c.second.id);
    });
    if (found == calls_.end())
        return;
    events_.push_back(call_cancelled{found->first});
    if (const auto left = unanswered_.find(found->second.stream); left != unanswered_.end() && --left->second == 0) {
        messages_.push_back({left->first, {}, true});
        unanswered_.erase(left);
    }
    forget(found->first);
}

void server_session::take_answer(const rpc_id& id, const expected<json::raw>& result) {
    const auto* number = std::get_if<std::int64_t>(&id);
    const auto question = number ? questions_.find(*number) : questions_.end();
    if (question == questions_.end())
        return; // to what was not asked, or is not wanted any more
    const auto asker = question->second.call;
    auto& call = calls_.at(asker);
    const bool good = result && result->text.starts_with('{');
    if (!good)
        return fail(asker, call,
                    {rpc_internal_error,
                     "The client did not answer what it was asked: " +
                         (result ? std::string("no object came") : result.error().detail),
                     {}});
    call.answers.emplace(question->second.key, *result);
    questions_.erase(question);
    if (--call.open_questions > 0)
        return;
    events_.push_back(called{asker, call.method, call.params, std::move(call.answers), call.state});
    call.answers.clear();
}

void server_session::opened(stream_id stream) { standing_.push_back(stream); }

void server_session::closed(stream_id stream) {
    std::erase(standing_, stream);
    unanswered_.erase(stream);
    for (const auto& one : listeners_)
        if (one.stream == stream)
            for (const auto& uri : one.uris)
                unwatch(uri);
    std::erase_if(listeners_, [&](const listener& one) { return one.stream == stream; });
    // In the legacy era who loses the connection may still wish the work to be done: it cancels in words. But what it
    // was asked it cannot answer any more.
    std::vector<server_call_id> ended;
    for (const auto& [id, call] : calls_)
        if (call.stream == stream && (era_ == era::modern || call.open_questions > 0))
            ended.push_back(id);
    for (const auto id : ended) {
        events_.push_back(call_cancelled{id});
        forget(id);
    }
}

void server_session::watch(const std::string& uri) {
    if (watched_[uri]++ == 0)
        events_.push_back(watch_changed{uri, true});
}

void server_session::unwatch(const std::string& uri) {
    const auto found = watched_.find(uri);
    if (found == watched_.end() || --found->second > 0)
        return;
    watched_.erase(found);
    events_.push_back(watch_changed{uri, false});
}

} // namespace troupe::net::mcp
