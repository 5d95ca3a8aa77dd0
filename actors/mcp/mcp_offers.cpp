#include "actors/mcp/mcp_offers.hpp"

#include "net/mcp/http_headers.hpp"
#include "schemas/mcp_offers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>
#include <utility>

namespace troupe::actors {

namespace mcp = net::mcp;

namespace {

constexpr std::int64_t listen_again_ms = 5'000;
constexpr std::size_t uri_bytes_max = 8 << 10;

/// Whether the capabilities have it: `tools`, or a member of it that is true.
bool has(const expected<json::document>& capabilities, std::string_view what, std::string_view member = {}) {
    const auto found = capabilities ? capabilities->root().find(what) : std::nullopt;
    const auto is = found && !member.empty() ? found->find(member) : std::nullopt;
    return found && (member.empty() || (is && is->as_bool().value_or(false)));
}

template <class T>
std::string text_of(const std::vector<T>& all) {
    std::string out;
    for (const auto& one : all) {
        out += to_json(one);
    }
    return out;
}

} // namespace

template <class Act>
void mcp_desk::offers::each_list(Act act) {
    act(tools);
    act(resources);
    act(templates);
    act(prompts);
}

template <class News>
void mcp_desk::offers::publish(const News& news) const {
    if (desk.parts_.publish) {
        desk.parts_.publish(wire_name<News>::value, to_json(news));
    }
}

void mcp_desk::offers::open(const mcp::opened& e, mcp::client_session& session, std::int64_t now_ms) {
    const auto can = json::document::parse(e.capabilities.text);
    const bool modern = e.spoken == mcp::era::modern;
    const bool can_follow = has(can, "resources", "subscribe");
    tools.begin(has(can, "tools"));
    resources.begin(has(can, "resources"));
    templates.begin(has(can, "resources"));
    prompts.begin(has(can, "prompts"));
    listens = modern && (can_follow || has(can, "tools", "listChanged") || has(can, "resources", "listChanged") ||
                         has(can, "prompts", "listChanged"));
    listen_ms = now_ms;
    if (!modern && has(can, "logging")) { // in the modern era each request says it
        (void)session.call("logging/setLevel", mcp::level_params(mcp_log_level), now_ms);
    }
    if (!modern && can_follow) {
        follow_again(session, now_ms);
    }
    bool other = false;
    {
        const std::scoped_lock lock(desk.mutex_);
        desk.spoken_ = e.spoken;
        desk.can_follow_ = can_follow;
        other = std::exchange(desk.has_resources_, resources.is_offered()) != resources.is_offered();
    }
    if (other && desk.on_tools) {
        desk.on_tools(desk.list<mcp::tool>());
    }
}

void mcp_desk::offers::close() {
    each_list([](auto& list) { list.begin(false); });
    follows.clear();
    listen_call = 0;
    listens = false;
}

void mcp_desk::offers::look(mcp::client_session& session, std::int64_t now_ms) {
    each_list([&](auto& list) { list.look(session, now_ms); });
    if (listens) {
        listen(session, now_ms);
    }
}

std::int64_t mcp_desk::offers::due_ms() const {
    return std::min({listens && listen_call == 0 ? listen_ms : kept_list<mcp::tool>::never, tools.due_ms(),
                     resources.due_ms(), templates.due_ms(), prompts.due_ms()});
}

bool mcp_desk::offers::take(const mcp::finished& e, mcp::client_session& session, std::int64_t now_ms) {
    if (e.call == listen_call) {
        listen_call = 0;
        if (e.said) {
            listens = false; // until it is connected to anew
            desk.note("[troupe] it does not tell of changes: " + e.result.error().detail);
        }
        return true;
    }
    if (const auto followed = follows.extract(e.call)) {
        if (!e.result) {
            desk.note(
                fmt::format("[troupe] {} is not followed any more: {}", followed.mapped(), e.result.error().detail));
        }
        return true;
    }
    bool mine = false;
    each_list([&](auto& list) {
        if (!mine && list.is_of(e.call)) {
            mine = true;
            if (auto whole = list.take(e, session, now_ms)) {
                show(std::move(*whole));
            }
        }
    });
    return mine;
}

void mcp_desk::offers::change(mcp::list_kind what) {
    switch (what) {
    case mcp::list_kind::tools:
        return tools.change();
    case mcp::list_kind::prompts:
        return prompts.change();
    case mcp::list_kind::resources:
        resources.change();
        return templates.change();
    }
}

void mcp_desk::offers::updated(const std::string& uri) const {
    if (uri.size() <= uri_bytes_max) {
        publish(mcp_resource_updated{desk.settings_.name, uri});
    }
}

/// The modern era: one request says what the server is to tell of, and lasts.
void mcp_desk::offers::listen(mcp::client_session& session, std::int64_t now_ms) {
    std::vector<std::string> uris;
    std::uint64_t changes = 0;
    {
        const std::scoped_lock lock(desk.mutex_);
        changes = desk.followed_changes_;
        uris.assign(desk.followed_.begin(), desk.followed_.end());
    }
    const bool other = listen_call != 0 && changes != listened_to;
    if (!other && (listen_call != 0 || now_ms < listen_ms)) {
        return;
    }
    const auto asked = session.call("subscriptions/listen", mcp::listen_params(uris), now_ms, {.time_out_ms = 0});
    const auto before = std::exchange(listen_call, asked ? *asked : 0);
    if (before != 0) { // after the new one, so that nothing is missed between
        session.cancel(before);
    }
    listened_to = changes;
    listen_ms = now_ms + listen_again_ms;
}

/// The older era: each resource is asked for by itself, anew on each connection.
void mcp_desk::offers::follow_again(mcp::client_session& session, std::int64_t now_ms) {
    const std::scoped_lock lock(desk.mutex_);
    for (const auto& uri : desk.followed_) {
        if (const auto asked = session.call("resources/subscribe", mcp::uri_params(uri), now_ms)) {
            follows.emplace(*asked, uri);
        }
    }
}

/// Without those that ask for headers which cannot be sent: the protocol wants them left out.
std::vector<mcp::tool> mcp_desk::offers::usable(std::vector<mcp::tool> found) const {
    std::erase_if(found, [this](const mcp::tool& tool) {
        const bool bad = !mcp::has_good_headers(tool.inputSchema);
        if (bad) {
            desk.note("[troupe] left out, for its x-mcp-header: " + tool.name);
        }
        return bad;
    });
    return found;
}

template <class T>
void mcp_desk::offers::show(expected<std::vector<T>> found) {
    if (!found) {
        if (found.error().code != code::not_found) { // some have resources, and no word for templates
            desk.note(fmt::format("[troupe] its {} cannot be listed: {}", T::list_name, found.error().detail));
        }
        return;
    }
    constexpr bool of_tools = std::is_same_v<T, mcp::tool>;
    if constexpr (of_tools) {
        *found = usable(std::move(*found));
    }
    {
        const std::scoped_lock lock(desk.mutex_);
        auto& shown = std::get<std::vector<T>>(desk.lists_);
        if (text_of(*found) == text_of(shown)) {
            return;
        }
        shown = *found;
    }
    if constexpr (of_tools) {
        if (desk.on_tools) {
            desk.on_tools(*found);
        }
        const std::scoped_lock lock(desk.mutex_); // whoever reads of so many can call them
        desk.shown_.tools = found->size();
    }
    publish(mcp_list_changed{desk.settings_.name, std::string(T::list_name)});
}

} // namespace troupe::actors
