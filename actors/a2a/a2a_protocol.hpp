#pragma once

#include "net/mcp/rpc.hpp"
#include "schemas/agent.hpp"
#include "schemas/approval.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/problem.hpp"
#include "schemas/task.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The A2A protocol, version 1.0 over JSON-RPC (a2a-protocol.org): an agent's task as others see it. Pure.
namespace troupe::actors {

namespace rpc = net::mcp; // JSON-RPC itself

inline constexpr std::int64_t a2a_task_not_found = -32001;
inline constexpr std::int64_t a2a_task_not_cancelable = -32002;
inline constexpr std::int64_t a2a_push_not_supported = -32003;
inline constexpr std::int64_t a2a_unsupported_operation = -32004;
inline constexpr std::int64_t a2a_content_type_not_supported = -32005;
inline constexpr std::int64_t a2a_no_extended_card = -32007;
inline constexpr std::int64_t a2a_version_not_supported = -32009;

enum class a2a_state : std::uint8_t { submitted, working, completed, failed, canceled, input_required, rejected };

/// Nothing more comes of it.
bool is_terminal(a2a_state s);

/// A task of the board as A2A shows it. Its context is the task itself: what follows on it names it.
struct a2a_task {
    std::string id;
    a2a_state state = a2a_state::submitted;
    std::string note; ///< Of the agent: what it asks, or why it failed.
    std::optional<std::string> result;
    std::optional<json::raw> output;
    timestamp at;
    std::string run = {};      ///< That works on it.
    std::string question = {}; ///< The channel of what it asks a person; empty: it asks nothing.

    /// `{"id":…,"status":…,"artifacts":…}`
    [[nodiscard]] std::string json() const;
    /// What an event of the task's journal, or of an approval that its run waits for, changes, as members of a stream:
    /// `{"statusUpdate":…}`. Nothing: it shows no difference.
    std::vector<std::string> take(std::string_view kind, std::string_view data, timestamp when,
                                  std::string_view channel = {});
    /// Whether it waits for the caller.
    [[nodiscard]] bool asks() const { return state == a2a_state::input_required; }

private:
    bool take_question(std::string_view kind, std::string_view data, std::string_view channel);
};

a2a_task a2a_task_of(const task_document& t);
/// While its run asks that.
a2a_task a2a_task_of(const task_document& t, const std::optional<approval_document>& question);

/// What somebody sends to an agent.
struct a2a_message {
    std::string id;
    std::string task;     ///< Empty: a new one.
    std::string context;  ///< Empty: none.
    std::string text;     ///< All of its parts.
    bool at_once = false; ///< Answered before the task ends.
};

/// Of the parameters of SendMessage: what is wrong is named.
std::variant<a2a_message, rpc::rpc_error> read_a2a_message(std::string_view params);

/// The id that a request is about.
std::variant<std::string, rpc::rpc_error> read_a2a_id(std::string_view params);

/// A new task of such a text: the first line is its title.
create_task_body task_for(const a2a_message& m);

/// The card of an agent, which answers at `endpoint`.
std::string a2a_card(const agent_document& agent, const std::string& endpoint, std::string_view version);

} // namespace troupe::actors
