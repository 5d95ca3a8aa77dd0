#pragma once

#include "net/mcp/rpc.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The client's side of the Model Context Protocol, in the two ways it is spoken, without I/O and clock.
namespace troupe::net::mcp {

/// Modern: each request says revision and capabilities itself (2026-07-28). Legacy: `initialize` opens a session.
enum class era : std::uint8_t { modern, legacy };

inline constexpr std::string_view modern_version = "2026-07-28";
/// What is taken from a server that answers `initialize`; the first is asked for.
inline constexpr std::string_view legacy_versions[] = {"2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"};

struct session_settings {
    std::string client_name = "troupe";
    std::string client_version = "0";
    /// What the server may ask: an object with `sampling`, `elicitation`, `roots`. It is refused what is not in it.
    json::raw capabilities = {"{}"};
    std::string log_level = {}; ///< Of what a modern server logs beside its answers; empty: nothing.
    bool probe = true;          ///< False: the server is known to be legacy.
    std::int64_t probe_time_out_ms = 5'000;
    std::int64_t open_time_out_ms = 30'000; ///< Of `initialize`.
    std::size_t calls_max = 256;            ///< Calls that run, or whose end was not taken yet.
    std::size_t questions_max = 16;         ///< Of the server, that were not answered yet.
    std::size_t rounds_max = 16;            ///< How often one call may ask for more.
    std::size_t events_max = 1024;          ///< Not taken yet; beyond, progress and the like is dropped.
    std::size_t held_bytes_max = 32 << 20;  ///< Of events; of messages to send; of parameters of calls. Of each.
};

using call_id = std::uint64_t;     ///< Never 0, never used again.
using question_id = std::uint64_t; ///< Likewise.

enum class list_kind : std::uint8_t { tools, resources, prompts };
enum class question_kind : std::uint8_t { sampling, elicitation, roots };

// ---- What happened.

struct opened {
    era spoken = era::modern;
    std::string version;
    std::string server_name;
    std::string server_title;
    std::string server_version;
    json::raw capabilities;
    std::string instructions;
};
/// The one end of a call. `tool_arguments_invalid`, `not_found` and `tool_failed`: the server said so, see `said`.
struct finished {
    call_id call = 0;
    expected<json::raw> result;
    std::optional<rpc_error> said = {};
};
struct progressed {
    call_id call = 0;
    double progress = 0;
    std::optional<double> total;
    std::string message;
};
struct list_changed {
    list_kind what = list_kind::tools;
};
struct resource_updated {
    std::string uri;
};
struct logged {
    std::string level;
    std::string logger;
    json::raw data;
};
/// The server asks; say `answer`, once. The time of calls stands still until then: of all in the legacy era, where
/// nothing says which one asks; else of that call.
struct asked {
    question_id question = 0;
    question_kind what = question_kind::sampling;
    std::optional<call_id> call; ///< Whose question it is, where that is known.
    json::raw params;
};
/// No answer is wanted any more.
struct withdrawn {
    question_id question = 0;
};
/// The session is of no more use, and all calls are finished.
struct failed {
    problem why;
};
using event =
    std::variant<opened, finished, progressed, list_changed, resource_updated, logged, asked, withdrawn, failed>;

/// What was left out of account since the start.
struct session_counts {
    std::uint64_t unknown_answers = 0; ///< To what was not asked, or was answered before.
    std::uint64_t unreadable = 0;      ///< No JSON-RPC: mostly servers that log to their standard output.
    std::uint64_t too_early = 0;       ///< Notifications before the session was open.
    std::uint64_t unknown_methods = 0;
    std::uint64_t dropped = 0; ///< Over a bound.
};

struct call_options {
    std::int64_t time_out_ms = 60'000; ///< 0: none.
    bool progress = false;             ///< Whether the server is asked to tell.
};

/// One connection to a server. All times are of one monotonic clock. Not thread-safe. Whatever comes from the server,
/// memory stays bounded, and each call ends exactly once.
class client_session {
public:
    explicit client_session(session_settings settings);

    /// Begins to negotiate; then `opened` or `failed` comes. First `server/discover`; when that fails or takes too
    /// long, `initialize`.
    void open(std::int64_t now_ms);
    /// The method's result comes as `finished`. `params` is an object or null. `unavailable` before `opened` and after
    /// the end, `overloaded` over a bound.
    expected<call_id> call(std::string_view method, const json::raw& params, std::int64_t now_ms,
                           call_options options = {});
    /// A call that only shows whether the server answers; its result means nothing.
    expected<call_id> ping(std::int64_t now_ms, std::int64_t time_out_ms);
    /// For methods that want no answer (`notifications/roots/list_changed`).
    expected<void> notify(std::string_view method, const json::raw& params);
    /// The call is finished as `cancelled`, and the server is told. False: there is no such call.
    bool cancel(call_id call);
    /// `not_found`: there is no such question, or not any more.
    expected<void> answer(question_id question, const expected<json::raw>& with, std::int64_t now_ms);

    /// One message came, whole.
    void received(std::string_view text, std::int64_t now_ms);
    /// To be called at `wake_ms`, or at any other time.
    void passed(std::int64_t now_ms);
    [[nodiscard]] std::int64_t wake_ms() const;
    /// The transport ended: all calls finish with `why`, and `failed` says it.
    void closed(const problem& why);

    /// To be sent, in this order, each as one line.
    std::vector<std::string> take_messages();
    std::vector<event> take_events();

    [[nodiscard]] bool is_open() const { return state_ == state::open; }
    [[nodiscard]] bool is_over() const { return state_ == state::over; }
    /// A server that ends now may not know the probe: a new session with `probe` = false is worth an attempt.
    [[nodiscard]] bool is_probing() const { return state_ == state::probing; }
    [[nodiscard]] const session_counts& counts() const { return counts_; }

    static constexpr std::size_t messages_max = 4096;    ///< To be sent, that were not taken yet.
    static constexpr std::uint64_t unreadable_max = 100; ///< One after the other; then the session fails.

private:
    enum class state : std::uint8_t { idle, probing, initializing, open, over };
    static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

    struct running_call {
        std::string method;
        json::raw params;
        call_options options;
        std::int64_t wire_id = 0; ///< 0: it waits for answers.
        std::int64_t deadline_ms = never;
        std::size_t rounds = 0;
        std::size_t open_questions = 0;
        std::map<std::string, json::raw> answers; ///< By the server's names for its questions.
        std::optional<std::string> request_state;
        bool is_ping = false;
    };
    struct open_question {
        std::optional<call_id> call;
        std::string key; ///< The server's name for it, in the modern era.
        rpc_id wire_id;  ///< In the legacy one.
    };

    // session.cpp: opening, calls, time, what is told and sent
    void probe(std::int64_t now_ms);
    void initialize(std::int64_t now_ms);
    void become_open(era spoken, std::string version, const json::value& said);
    expected<call_id> begin(std::string_view method, const json::raw& params, std::int64_t now_ms, call_options options,
                            bool is_ping);
    expected<void> send_call(call_id id, running_call& call, std::int64_t now_ms);
    [[nodiscard]] json::raw wire_params(const running_call& call, call_id id) const;
    [[nodiscard]] std::string meta_members(const running_call& call, call_id id) const;
    [[nodiscard]] std::string modern_meta() const;
    [[nodiscard]] std::int64_t deadline(std::int64_t now_ms, std::int64_t time_out_ms) const;
    void finish(call_id id, expected<json::raw> result, std::optional<rpc_error> said = {});
    void stop_call(call_id id, const problem& why);
    void fail(const problem& why);
    expected<void> send(const rpc_message& message);
    void send_or_drop(const rpc_message& message);
    void tell(event what, std::size_t bytes);
    void tell_or_drop(event what, std::size_t bytes);
    [[nodiscard]] bool has_room_to_tell(std::size_t bytes) const;
    [[nodiscard]] std::size_t held_bytes() const; ///< Of the calls.

    // session_reading.cpp: what the server says
    void take(const rpc_result& message, std::int64_t now_ms);
    void take(const rpc_failure& message, std::int64_t now_ms);
    void take(const rpc_request& message, std::int64_t now_ms);
    void take(const rpc_notification& message, std::int64_t now_ms);
    void probe_answered(const json::raw& result, std::int64_t now_ms);
    void initialize_answered(const json::raw& result);
    void call_answered(call_id id, const json::raw& result, std::int64_t now_ms);
    expected<void> take_more_wanted(call_id id, const json::value& result, std::int64_t now_ms);
    expected<void> ask_for(call_id id, const json::value& requests);
    void note_progress(const json::value& params, std::size_t bytes);
    void note_list_changed(list_kind what);
    void withdraw(const json::value& params, std::int64_t now_ms);
    [[nodiscard]] std::optional<call_id> call_of(const rpc_id& wire_id) const;
    [[nodiscard]] std::optional<question_kind> may_ask(std::string_view method) const;
    void drop_questions_of(call_id id);
    void resume_time(std::int64_t now_ms);

    session_settings settings_;
    std::string client_info_;
    state state_ = state::idle;
    int probes_ = 0;
    era era_ = era::modern;
    std::int64_t last_wire_id_ = 0;
    std::int64_t handshake_id_ = 0;
    std::int64_t handshake_deadline_ms_ = never;
    call_id last_call_ = 0;
    question_id last_question_ = 0;
    std::map<call_id, running_call> calls_;
    std::map<std::int64_t, call_id> on_wire_;
    std::map<question_id, open_question> questions_;
    std::optional<std::int64_t> still_since_ms_; ///< Legacy: since when questions hold the time of calls.
    std::vector<std::string> messages_;
    std::vector<event> events_;
    std::size_t message_bytes_ = 0;
    std::size_t event_bytes_ = 0;
    std::size_t untaken_ends_ = 0;
    bool list_change_told_[3] = {}; ///< By `list_kind`: it waits among the events.
    std::uint64_t unreadable_in_a_row_ = 0;
    session_counts counts_;
};

} // namespace troupe::net::mcp
