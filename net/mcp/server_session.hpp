#pragma once

#include "net/mcp/http_headers.hpp"
#include "net/mcp/rpc.hpp"
#include "net/mcp/session.hpp"
#include "schemas/base/json.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The server's side of the Model Context Protocol, in the two ways it is spoken, without I/O and clock.
namespace troupe::net::mcp {

/// What is offered to clients that open a session; the first to those that ask for another.
inline constexpr std::string_view served_versions[] = {"2025-11-25", "2025-06-18", "2025-03-26"};

struct server_session_settings {
    std::string name = "troupe";
    std::string title = {};
    std::string version = "0";
    std::string instructions = {};
    /// What is offered beside what the protocol itself asks for: "tools/list", "tools/call", "resources/read", …
    std::set<std::string, std::less<>> methods = {};
    bool lists_change = false;               ///< Clients are told when a list changes.
    bool resources_change = false;           ///< Clients may subscribe to resources.
    std::int64_t list_ttl_ms = 60'000;       ///< How long a modern client may keep a list,
    std::int64_t read_ttl_ms = 0;            ///< and a resource.
    std::string state_key = {};              ///< Seals `requestState`: random, the same wherever calls go on.
    std::int64_t state_ttl_ms = 3'600'000;   ///< How long an answer to a question is waited for.
    std::size_t calls_max = 64;              ///< Of one session at a time.
    std::size_t rounds_max = 16;             ///< How often one call may ask for more.
    std::size_t inputs_max = 32;             ///< Questions of one round.
    std::size_t watched_max = 256;           ///< Resources that one session subscribed.
    std::size_t listeners_max = 16;          ///< `subscriptions/listen` of one session.
    std::size_t held_bytes_max = 32U << 20U; ///< Parameters of calls.
};

using server_call_id = std::uint64_t; ///< Never 0, never used again.
using stream_id = std::uint64_t;      ///< Where answers go: the transport's name for one POST, or one GET. Never 0.

// ---- What the owner has to do.

/// Do this; say `answer`, once. It comes again with the client's answers when the answer was `inputs_wanted`.
struct called {
    server_call_id call = 0;
    std::string method;
    json::raw params;                         ///< An object, its form is checked.
    std::map<std::string, json::raw> answers; ///< By the names of the questions; objects.
    std::string state;                        ///< What `inputs_wanted` said.
};
/// No answer is wanted any more.
struct call_cancelled {
    server_call_id call = 0;
};
/// Tell `updated` of this resource, or not any more.
struct watch_changed {
    std::string uri;
    bool watched = false;
};
using server_event = std::variant<called, call_cancelled, watch_changed>;

/// To be sent.
struct server_message {
    stream_id to = 0;
    std::string text;
    bool last = false;      ///< Nothing more comes on this stream. Then the text may be empty.
    int refused_status = 0; ///< Over HTTP the whole answer has this status; 0: 200.
};

// ---- What the owner answers.

/// A question to the client, or to the person who sits there.
struct input_request {
    question_kind kind = question_kind::elicitation;
    json::raw params = {"{}"};
};
/// The call goes on when the client has answered these.
struct inputs_wanted {
    std::map<std::string, input_request> inputs;
    std::string state = {}; ///< Comes back with the answers, and nobody can have changed it.
};
/// A result is an object with the members that the method's result has.
using server_answer = std::variant<json::raw, inputs_wanted, rpc_error>;

/// What HTTP says beside a message of the modern era; it has to agree with it. Views.
struct request_headers {
    std::optional<std::string_view> version;
    std::optional<std::string_view> method;
    std::optional<std::string_view> name;
};

/// Whether a message is of the modern era: it says its revision itself, or the header does.
bool is_modern(const rpc_message& message, std::optional<std::string_view> version_header);
bool is_log_level(std::string_view level);

/// One conversation with a client: in the legacy era what `initialize` opened; in the modern one, where each request
/// stands for itself, that of one request. Not thread-safe. Each request is answered exactly once, on its stream,
/// unless the client cancels it.
class server_session {
public:
    /// `who`: whose answers continue a call that asked. `settings` outlive the session.
    server_session(const server_session_settings& settings, era spoken, std::string who);

    /// `headers`: of the modern era, when it is spoken over HTTP. `now_ms` is the time of day.
    void received(const std::vector<rpc_message>& messages, stream_id on, std::int64_t now_ms,
                  const request_headers* headers = nullptr);
    /// A stream for what belongs to no request, in the legacy era.
    void opened(stream_id stream);
    /// Nothing more can be sent there. In the modern era that cancels what it was for.
    void closed(stream_id stream);

    /// False: that call has ended.
    bool answer(server_call_id call, server_answer with, std::int64_t now_ms);
    void progress(server_call_id call, double progress, std::optional<double> total, std::string_view message);
    void log(server_call_id call, std::string_view level, std::string_view logger, const json::raw& data);
    [[nodiscard]] bool can_ask(server_call_id call, question_kind kind) const;
    [[nodiscard]] bool wants_progress(server_call_id call) const;
    [[nodiscard]] bool has(server_call_id call) const { return calls_.contains(call); }

    void changed(list_kind what);
    void updated(const std::string& uri);

    std::vector<server_message> take_messages();
    std::vector<server_event> take_events();

    [[nodiscard]] bool is_initialized() const { return initialized_; }
    [[nodiscard]] const std::string& version() const { return version_; }

private:
    struct running_call {
        rpc_id id;
        stream_id stream = 0;
        std::string method = {};
        json::raw params = {};
        json::raw capabilities = {}; ///< Of the client; an object.
        std::string progress_token = {};
        std::string log_level = {}; ///< Empty: nothing is to be logged.
        std::map<std::string, json::raw> answers = {};
        std::string state = {};
        std::size_t rounds = 0;
        std::size_t open_questions = 0;
    };
    struct open_question {
        server_call_id call = 0;
        std::string key;
    };
    struct listener {
        rpc_id id;
        stream_id stream = 0;
        bool lists[3] = {};
        std::set<std::string> uris = {};
    };

    // server_session.cpp: what the owner says
    void finish(server_call_id id, const running_call& call, const json::raw& result);
    void fail(server_call_id id, const running_call& call, rpc_error why);
    void ask(server_call_id id, running_call& call, inputs_wanted wanted, std::int64_t now_ms);
    [[nodiscard]] std::optional<rpc_error> missing_capability(const running_call& call,
                                                              const inputs_wanted& wanted) const;
    [[nodiscard]] std::string seal(const running_call& call, std::string_view state, std::int64_t now_ms) const;
    [[nodiscard]] std::string bound_to(const running_call& call) const;
    void forget(server_call_id id);
    void send(stream_id to, const rpc_message& message);
    void send_end(stream_id to, const rpc_message& message, int refused_status = 0);
    void tell_listener(const listener& to, std::string_view method, std::string_view more);
    [[nodiscard]] std::string server_info() const;
    [[nodiscard]] std::string complete(const running_call& call, const json::raw& result) const;

    // server_reading.cpp: what the client says
    void take(const rpc_request& message, stream_id on, std::int64_t now_ms, const request_headers* headers);
    void take(const rpc_notification& message);
    void take_answer(const rpc_id& id, const expected<json::raw>& result);
    void take_modern(const rpc_request& message, stream_id on, std::int64_t now_ms, const request_headers* headers);
    void take_legacy(const rpc_request& message, stream_id on);
    void initialize(const rpc_request& message, stream_id on);
    void listen(const rpc_request& message, const json::value& params, stream_id on);
    void subscribe(const rpc_request& message, stream_id on, bool wanted);
    void begin(running_call call);
    [[nodiscard]] std::optional<rpc_error> read_continuation(running_call& call, const json::value& params,
                                                             std::int64_t now_ms) const;
    [[nodiscard]] std::optional<std::string> unseal(const running_call& call, std::string_view sealed,
                                                    std::int64_t now_ms) const;
    void refuse(const rpc_id& id, stream_id on, rpc_error why, int status);
    [[nodiscard]] bool offers(std::string_view method) const;
    [[nodiscard]] std::string capabilities() const;
    void watch(const std::string& uri);
    void unwatch(const std::string& uri);

    const server_session_settings& settings_;
    era era_;
    std::string who_;
    bool initialized_ = false;
    std::string version_;
    json::raw client_capabilities_ = {"{}"};
    std::string log_level_ = "info";
    server_call_id last_call_ = 0;
    std::int64_t last_question_ = 0;
    std::map<server_call_id, running_call> calls_;
    std::map<std::int64_t, open_question> questions_;
    std::vector<listener> listeners_;
    std::map<std::string, std::size_t> watched_; ///< And by how many.
    std::set<std::string> subscribed_;           ///< In the legacy era.
    std::vector<stream_id> standing_;            ///< Streams of no request.
    std::map<stream_id, std::size_t> unanswered_;
    std::size_t held_bytes_ = 0;
    std::vector<server_message> messages_;
    std::vector<server_event> events_;
};

} // namespace troupe::net::mcp
