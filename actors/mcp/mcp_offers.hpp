#pragma once

#include "actors/mcp/kept_list.hpp"
#include "actors/mcp/mcp_desk.hpp"
#include "net/mcp/messages.hpp"
#include "net/mcp/session.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::actors {

/// That servers are asked for: what they say below it is for those who write them.
inline constexpr std::string_view mcp_log_level = "info";

/// What a server offers, as long as one connection lasts: its lists, and which resources it is to tell of. A part of
/// the desk's keeper, in its thread; fills the desk's lists.
struct mcp_desk::offers {
    explicit offers(mcp_desk& of) : desk(of) {}

    void open(const net::mcp::opened& e, net::mcp::client_session& session, std::int64_t now_ms);
    void close();
    void look(net::mcp::client_session& session, std::int64_t now_ms);
    [[nodiscard]] std::int64_t due_ms() const;
    /// True: it was a call of its own.
    bool take(const net::mcp::finished& e, net::mcp::client_session& session, std::int64_t now_ms);
    void change(net::mcp::list_kind what);
    void updated(const std::string& uri) const;

private:
    template <class Act>
    void each_list(Act act);
    template <class T>
    void show(expected<std::vector<T>> found);
    template <class News>
    void publish(const News& news) const;
    void listen(net::mcp::client_session& session, std::int64_t now_ms);
    void follow_again(net::mcp::client_session& session, std::int64_t now_ms);
    [[nodiscard]] std::vector<net::mcp::tool> usable(std::vector<net::mcp::tool> found) const;

    mcp_desk& desk;
    kept_list<net::mcp::tool> tools;
    kept_list<net::mcp::resource> resources;
    kept_list<net::mcp::resource_template> templates;
    kept_list<net::mcp::prompt> prompts;
    std::map<net::mcp::call_id, std::string> follows; ///< By call: what is asked for anew.
    net::mcp::call_id listen_call = 0;                ///< 0: none.
    std::uint64_t listened_to = 0;
    std::int64_t listen_ms = 0; ///< When it is asked for again.
    bool listens = false;       ///< The server knows that request.
};

} // namespace troupe::actors
