#include "net/mcp/server_endpoint.hpp"

#include "net/http/cors.hpp"
#include "net/http/text.hpp"
#include "net/mcp/server_conversation.hpp"
#include "schemas/base/cipher.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/network.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace troupe::net::mcp {

namespace {

/// What SDKs say for a session that is not there, and for a request that needs one.
constexpr std::int64_t rpc_no_session = -32001;
constexpr std::int64_t rpc_bad_request = -32000;

response refusal(int status, std::int64_t code, std::string why, std::optional<rpc_id> id = {}) {
    return {.status = status, .body = write(rpc_failure{std::move(id), {code, std::move(why), {}}})};
}

/// "text/event-stream" is in `application/json, text/event-stream`, in `text/*` and in `*/*`.
bool accepts(std::string_view accept, std::string_view type) {
    const auto group = std::string(type.substr(0, type.find('/'))) + "/*";
    return has_token(accept, type) || has_token(accept, group) || has_token(accept, "*/*");
}

/// The host of "http://localhost:3000", or of "localhost:3000".
std::string_view host_in(std::string_view text) {
    if (const auto scheme = text.find("://"); scheme != text.npos)
        text.remove_prefix(scheme + 3);
    return text.substr(0, text.find(':', text.starts_with('[') ? text.find(']') : 0));
}

bool is_this_machine(std::string_view host) {
    return equal_ignoring_case(host, "localhost") || host == "127.0.0.1" || host == "[::1]";
}

std::optional<rpc_error> check_params(const json::raw& schema, const json::raw& arguments, const request& r) {
    const auto declared = json::document::parse(schema.text);
    const auto given = json::document::parse(arguments.text);
    const auto properties = declared ? declared->root().find("properties") : std::nullopt;
    if (!properties || !given)
        return std::nullopt;
    std::optional<rpc_error> wrong;
    properties->each_member([&](std::string_view name, const json::value& property) {
        const auto repeated = property.text_or("x-mcp-header");
        if (repeated.empty())
            return;
        const auto header = r.header("mcp-param-" + lower_case(repeated));
        const auto argument = given->root().find(name);
        const auto said = header ? read_header_value(*header) : std::nullopt;
        const auto text = argument ? argument->as_string() : std::nullopt;
        const bool is_null = !argument || argument->type() == json::kind::null;
        const auto value = is_null ? std::nullopt : std::optional(text ? std::string(*text) : argument->dump());
        if (header.has_value() != value.has_value() || said != value)
            wrong = rpc_error{rpc_header_mismatch,
                              "The header Mcp-Param-" + repeated + " does not say what the argument \"" +
                                  std::string(name) + "\" says.",
                              {}};
    });
    return wrong;
}

body_type message_type() {
    return {.name = "mcp_message",
            .schema =
                [] {
                    return R"({"type":"object","description":"A message of JSON-RPC 2.0.","properties":{)"
                           R"("jsonrpc":{"const":"2.0"},"id":{"type":["string","integer"]},)"
                           R"("method":{"type":"string"},"params":{"type":"object"}},"required":["jsonrpc"]})";
                },
            .check = {},
            .bytes_max = message_bytes_max,
            .example = R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",)"
                       R"("capabilities":{},"clientInfo":{"name":"client","version":"1"}}})"};
}

} // namespace

struct server_endpoint::impl {
    using show_function = server_outlet::show_function;
    struct kept {
        std::shared_ptr<server_conversation> conversation;
        std::int64_t used_ms = 0;
    };

    server_offer offer;
    endpoint_settings settings;
    origin_policy origins;
    std::mutex mutex; // guards what follows
    std::map<std::string, kept, std::less<>> sessions;
    std::vector<std::weak_ptr<server_conversation>> listening; // of the modern era

    void post(request r, show_function show);
    void post_modern(const rpc_message& message, request r, show_function show);
    void post_legacy(const std::vector<rpc_message>& messages, request r, show_function show);
    void get(const request& r, show_function show);
    response remove(const request& r);

    [[nodiscard]] std::optional<response> refuse_page(const request& r) const;
    [[nodiscard]] std::optional<rpc_error> check_repeated(const rpc_request& message, const request& r) const;
    std::variant<std::shared_ptr<server_conversation>, response> session_of(const request& r);
    void open_session(const std::vector<rpc_message>& messages, std::shared_ptr<const request> from,
                      show_function show);
    void forget_idle(std::vector<std::shared_ptr<server_conversation>>& ended, const request& r);
};

/// A page of another origin may have made its name point to this machine.
std::optional<response> server_endpoint::impl::refuse_page(const request& r) const {
    const auto origin = r.header("origin");
    if (!origin || origins.allows(*origin))
        return std::nullopt;
    const auto host = r.header("host").value_or("");
    const auto from = parse_ip(r.address);
    const bool good = from && is_loopback(*from) ? is_this_machine(host_in(*origin)) && is_this_machine(host_in(host))
                                                 : is_same_origin(*origin, host, r.secure);
    if (good)
        return std::nullopt;
    return refusal(403, rpc_bad_request, "Pages of this origin may not use this server: name it in edge.cors.origins.");
}

void server_endpoint::impl::post(request r, show_function show) {
    const auto instead = [&](response it) {
        stream_spec spec;
        spec.instead = std::move(it);
        show(std::move(spec));
    };
    if (auto refused = refuse_page(r))
        return instead(std::move(*refused));
    const auto accept = r.header("accept").value_or("");
    if (!accepts(accept, "application/json") || !accepts(accept, "text/event-stream"))
        return instead(refusal(406, rpc_bad_request, "Accept has to take application/json and text/event-stream."));
    const auto messages = read_messages(r.body);
    if (!messages)
        return instead(refusal(400,
                               messages.error().code == code::malformed_json ? rpc_parse_error : rpc_invalid_request,
                               messages.error().detail));
    r.body.clear();
    if (messages->size() == 1 && is_modern(messages->front(), r.header("mcp-protocol-version")))
        return post_modern(messages->front(), std::move(r), std::move(show));
    post_legacy(*messages, std::move(r), std::move(show));
}

/// Arguments that headers have to repeat.
std::optional<rpc_error> server_endpoint::impl::check_repeated(const rpc_request& message, const request& r) const {
    if (message.method != "tools/call" || !offer.tool_schema)
        return std::nullopt;
    const auto params = json::document::parse(message.params.text);
    const auto schema = params ? offer.tool_schema(r, params->root().text_or("name")) : std::nullopt;
    const auto arguments = params ? params->root().find("arguments") : std::nullopt;
    return schema ? check_params(*schema, {arguments ? arguments->dump() : "{}"}, r) : std::nullopt;
}

void server_endpoint::impl::post_modern(const rpc_message& message, request r, show_function show) {
    const auto* asked = std::get_if<rpc_request>(&message);
    stream_spec now;
    if (asked == nullptr) { // nothing that is said without a question matters here
        now.instead = response{.status = 202};
        return show(std::move(now));
    }
    if (auto wrong = check_repeated(*asked, r)) {
        now.instead = response{.status = 400, .body = write(rpc_failure{asked->id, std::move(*wrong)})};
        return show(std::move(now));
    }
    const auto from = std::make_shared<const request>(std::move(r));
    const auto conversation = std::make_shared<server_conversation>(offer, era::modern, *from);
    if (asked->method == "subscriptions/listen") {
        const std::lock_guard lock(mutex);
        std::erase_if(listening, [](const auto& each) { return each.expired(); });
        listening.push_back(conversation);
    }
    const request_headers headers{from->header("mcp-protocol-version"), from->header("mcp-method"),
                                  from->header("mcp-name")};
    conversation->received({message}, from, std::move(show), {}, &headers);
}

void server_endpoint::impl::post_legacy(const std::vector<rpc_message>& messages, request r, show_function show) {
    const auto instead = [&](response it) {
        stream_spec spec;
        spec.instead = std::move(it);
        show(std::move(spec));
    };
    const auto* first = std::get_if<rpc_request>(&messages.front());
    const auto is_request = [](const rpc_message& m) { return std::holds_alternative<rpc_request>(m); };
    const auto from = std::make_shared<const request>(std::move(r));
    if (messages.size() == 1 && first && first->method == "initialize" && !from->header("mcp-session-id"))
        return open_session(messages, from, std::move(show));
    auto found = session_of(*from);
    if (auto* refused = std::get_if<response>(&found))
        return instead(std::move(*refused));
    const auto& conversation = std::get<std::shared_ptr<server_conversation>>(found);
    if (messages.size() > 1 && conversation->version() != "2025-03-26")
        return instead(refusal(400, rpc_invalid_request, "This revision has no batches."));
    if (std::none_of(messages.begin(), messages.end(), is_request)) {
        conversation->received(messages, from, nullptr, {}, nullptr);
        return instead({.status = 202});
    }
    conversation->received(messages, from, std::move(show), {}, nullptr);
}

void server_endpoint::impl::open_session(const std::vector<rpc_message>& messages, std::shared_ptr<const request> from,
                                         show_function show) {
    std::vector<std::shared_ptr<server_conversation>> ended;
    const auto conversation = std::make_shared<server_conversation>(offer, era::legacy, *from);
    const auto id = make_secret();
    {
        const std::lock_guard lock(mutex);
        forget_idle(ended, *from);
        sessions.emplace(id, kept{conversation, monotonic_ms()});
    }
    for (const auto& each : ended)
        each->end();
    conversation->received(messages, from, std::move(show), {{"Mcp-Session-Id", id}}, nullptr);
    if (conversation->is_initialized())
        return;
    const std::lock_guard lock(mutex);
    sessions.erase(id);
}

/// With the mutex held: those that nobody uses, and those that are too many with one more.
void server_endpoint::impl::forget_idle(std::vector<std::shared_ptr<server_conversation>>& ended, const request& r) {
    const auto now_ms = monotonic_ms();
    const auto forget = [&](auto at) {
        ended.push_back(std::move(at->second.conversation));
        return sessions.erase(at);
    };
    for (auto at = sessions.begin(); at != sessions.end();)
        at = now_ms - at->second.used_ms > settings.session_idle_ms && !at->second.conversation->is_at_work()
                 ? forget(at)
                 : std::next(at);
    const auto make_room = [&](std::size_t most, auto counts) {
        for (;;) {
            auto oldest = sessions.end();
            std::size_t count = 0;
            for (auto at = sessions.begin(); at != sessions.end(); ++at) {
                if (!counts(*at->second.conversation))
                    continue;
                ++count;
                if (oldest == sessions.end() || at->second.used_ms < oldest->second.used_ms)
                    oldest = at;
            }
            if (count < most)
                return;
            forget(oldest);
        }
    };
    make_room(settings.sessions_per_caller_max, [&](const auto& one) { return one.belongs_to(r); });
    make_room(settings.sessions_max, [](const auto&) { return true; });
}

std::variant<std::shared_ptr<server_conversation>, response> server_endpoint::impl::session_of(const request& r) {
    const auto version = r.header("mcp-protocol-version");
    if (version &&
        std::find(std::begin(served_versions), std::end(served_versions), *version) == std::end(served_versions))
        return refusal(400, rpc_bad_request, "This server does not speak revision " + std::string(*version) + ".");
    const auto id = r.header("mcp-session-id");
    if (!id)
        return refusal(400, rpc_bad_request,
                       "Mcp-Session-Id is missing: send initialize first, or a request of "
                       "revision " +
                           std::string(modern_version) + ".");
    const std::lock_guard lock(mutex);
    const auto found = sessions.find(*id);
    if (found == sessions.end() || !found->second.conversation->belongs_to(r))
        return refusal(404, rpc_no_session, "There is no such session: send initialize.");
    found->second.used_ms = monotonic_ms();
    return found->second.conversation;
}

void server_endpoint::impl::get(const request& r, show_function show) {
    stream_spec now;
    const auto instead = [&](response it) {
        now.instead = std::move(it);
        show(std::move(now));
    };
    if (auto refused = refuse_page(r))
        return instead(std::move(*refused));
    if (r.header("mcp-protocol-version") == modern_version) {
        auto none = refusal(405, rpc_bad_request, "This revision has POST only.");
        none.headers.emplace_back("Allow", "POST");
        return instead(std::move(none));
    }
    if (r.header("upgrade") || !accepts(r.header("accept").value_or(""), "text/event-stream"))
        return instead(refusal(406, rpc_bad_request, "Accept has to take text/event-stream."));
    auto found = session_of(r);
    if (auto* refused = std::get_if<response>(&found))
        return instead(std::move(*refused));
    std::get<std::shared_ptr<server_conversation>>(found)->open_stream(std::move(show));
}

response server_endpoint::impl::remove(const request& r) {
    if (auto refused = refuse_page(r))
        return std::move(*refused);
    auto found = session_of(r);
    if (auto* refused = std::get_if<response>(&found))
        return std::move(*refused);
    {
        const std::lock_guard lock(mutex);
        if (const auto at = sessions.find(*r.header("mcp-session-id")); at != sessions.end())
            sessions.erase(at);
    }
    std::get<std::shared_ptr<server_conversation>>(found)->end();
    return {.status = 204};
}

server_endpoint::server_endpoint(server_offer offer, endpoint_settings settings) : impl_(std::make_unique<impl>()) {
    for (const auto& [method, does] : offer.methods)
        offer.settings.methods.insert(method);
    if (offer.settings.state_key.empty())
        offer.settings.state_key = random_bytes(cipher_key_bytes);
    impl_->offer = std::move(offer);
    impl_->origins = origin_policy(settings.allowed_origins);
    impl_->settings = std::move(settings);
}

server_endpoint::~server_endpoint() = default;

std::vector<route> server_endpoint::routes() {
    const auto made = [this](verb v, std::string operation, std::string summary) {
        route out{.verb = v, .path = impl_->settings.path, .operation = std::move(operation)};
        out.summary = std::move(summary);
        out.tag = "mcp";
        out.permission = impl_->settings.permission;
        out.challenge = impl_->settings.challenge;
        out.open = out.permission.empty();
        out.rooted = true;
        return out;
    };
    auto post = made(verb::post, "post_mcp", "Speak the Model Context Protocol: one message of JSON-RPC.");
    post.description = "Streamable HTTP, in revisions 2026-07-28, 2025-11-25, 2025-06-18 and 2025-03-26: the answer is "
                       "JSON, or a stream of messages.";
    post.body = message_type();
    post.reply = message_type();
    post.reply_headers = {"Mcp-Session-Id"};
    post.stream = [this](request r, server_outlet::show_function show) { impl_->post(std::move(r), std::move(show)); };
    auto get = made(verb::get, "get_mcp", "What a session's server says unasked, as a stream.");
    post.streams = get.streams = [](const request&) { return true; }; // or what stands in for one
    get.stream = [this](const request& r, server_outlet::show_function show) { impl_->get(r, std::move(show)); };
    auto remove = made(verb::del, "delete_mcp", "End a session.");
    remove.success = 204;
    remove.run = [this](const request& r, const responder& respond) { respond(impl_->remove(r)); };
    return {std::move(post), std::move(get), std::move(remove)};
}

void server_endpoint::changed(list_kind what) {
    std::vector<std::shared_ptr<server_conversation>> all;
    {
        const std::lock_guard lock(impl_->mutex);
        for (const auto& [id, each] : impl_->sessions)
            all.push_back(each.conversation);
        for (const auto& each : impl_->listening)
            if (auto open = each.lock())
                all.push_back(std::move(open));
    }
    for (const auto& each : all)
        each->changed(what);
}

std::size_t server_endpoint::sessions() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->sessions.size();
}

} // namespace troupe::net::mcp
