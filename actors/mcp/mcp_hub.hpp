#pragma once

#include "actors/mcp/mcp_calls.hpp"
#include "actors/mcp/mcp_desk.hpp"
#include "actors/mcp/mcp_pins.hpp"
#include "runtime/supervision/supervisor_actor.hpp"
#include "schemas/base/ids.hpp"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::actors {

/// A tool of a server, by the name that agents call it by.
struct mcp_tool {
    std::string id; ///< mcp_SERVER_TOOL, as a-z, 0-9 and _, at most 64.
    std::shared_ptr<mcp_desk> server;
    net::mcp::tool declared;
    bool changed = false; ///< It says something else of itself than when it was accepted: nobody calls it.
};

/// All servers of a node, and their tools in the table of tools (actors/tool). They are the default organization's:
/// what they see and do is the operator's. Thread-safe.
class mcp_hub {
public:
    mcp_hub(std::vector<runtime::mcp_server> servers, const mcp_parts& parts, const uuid& organization);
    ~mcp_hub();
    mcp_hub(const mcp_hub&) = delete;

    [[nodiscard]] const uuid& organization() const { return organization_; }
    using desks = std::map<std::string, std::shared_ptr<mcp_desk>, std::less<>>;
    /// As they are now.
    [[nodiscard]] desks servers() const;
    /// Names of those that the node's configuration has.
    [[nodiscard]] const std::vector<std::string>& configured() const { return configured_; }
    /// One more, in place of one of that name; its actor comes under `adopt`.
    void add(runtime::mcp_server settings);
    /// Ends it; its tools go.
    void remove(const std::string& name);
    /// And for good: what it offered is not remembered either.
    void forget(const std::string& name);
    /// How actors of servers that come later get their supervisor, and lose it. Set before the first comes.
    std::function<void(runtime::nudged_part)> adopt;
    std::function<void(std::string id)> release;
    [[nodiscard]] std::vector<mcp_tool> tools() const;
    /// A person has looked at what a tool says of itself now. `not_found`, and what keeps it from being noted.
    expected<mcp_tool> accept(std::string_view id);
    [[nodiscard]] std::vector<mcp_usage_document> usage() const;

    /// Calls a tool. Arguments are held against its schema before they leave, what is structured against that of its
    /// output. Blocks. `not_found`, `tool_arguments_invalid`, `tool_failed`, and what `mcp_desk::call` refuses with.
    expected<mcp_result_document> execute(std::string_view id, std::string_view arguments, const std::stop_token& stop,
                                          const mcp_call_sinks& sinks = {});
    /// The same under a name, by which it may be cancelled; its progress is published. `conflict`: the name is taken.
    expected<mcp_result_document> execute_named(const std::string& call, std::string_view id,
                                                std::string_view arguments);
    mcp_calls calls; ///< That have a name.

    /// The supervisor of the connections.
    [[nodiscard]] runtime::supervised_child child(runtime::supervision_tree* tree) const;

private:
    struct figures {
        std::uint64_t calls = 0;
        std::uint64_t errors = 0;
        std::uint64_t failures = 0;
        std::int64_t total_ms = 0;
        std::int64_t max_ms = 0;
        std::uint64_t bytes = 0;
    };
    /// What a server has in the table of tools.
    struct offer {
        std::vector<mcp_tool> tools;
        std::string kept; ///< As it is on disk.
        std::shared_ptr<void> in_table;
        std::size_t changes = 0;
    };

    void offer_tools(const std::shared_ptr<mcp_desk>& server, const std::vector<net::mcp::tool>& found);
    /// Whether it is as it was accepted; under the mutex.
    [[nodiscard]] bool is_changed(const mcp_tool& tool);
    void keep_pins();
    /// What it offered before the node was started; after it is in `servers_`.
    void offer_as_before(const std::shared_ptr<mcp_desk>& server);
    void keep_offers(const std::string& server, const kept_offers& now);
    [[nodiscard]] std::string free_id(std::string_view server, std::string_view tool,
                                      const std::vector<mcp_tool>& taken) const;

    std::shared_ptr<mcp_desk> make_desk(runtime::mcp_server settings);

    const uuid organization_;
    const mcp_parts parts_;
    std::vector<std::string> configured_;
    const std::function<void(std::string_view kind, std::string data)> publish_;
    mutable std::mutex mutex_;
    desks servers_;
    std::map<std::string, std::string> actors_; ///< Of servers that came later, by name: ids that never come again.
    std::uint64_t adopted_ = 0;
    mcp_pins pins_;
    std::map<std::string, offer> offers_;    ///< By server.
    std::map<std::string, figures> figures_; ///< By tool.
};

} // namespace troupe::actors
