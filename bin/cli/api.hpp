#pragma once

#include "bin/cli/node.hpp"
#include "net/body.hpp"
#include "net/client/http_client.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The node's HTTP API as a client sees it. Each call blocks; errors carry the API's own problem.
namespace troupe::cli {

/// Before every path of the API.
inline constexpr std::string_view base_path = "/api/v1";

using query_list = std::vector<std::pair<std::string, std::string>>;

/// One segment of a path, or a query value, percent-encoded; `encode_path` keeps slashes.
std::string encode_segment(std::string_view text);
std::string encode_path(std::string_view path);
/// "/runs" and {{"status", "failed"}} as "/runs?status=failed". Empty values are left out.
std::string with_query(std::string_view path, const query_list& query);

/// What the program's exit code is for a problem: 1 failed, 2 usage, 3 no node, 4 not found, 5 refused.
int exit_code_of(const problem& p);

/// A page of a list, decoded.
template <class T>
struct page {
    std::vector<T> items;
    std::string json; ///< {"items": […], "next_cursor": …} as it is printed with --json.
    bool more = false;
};

/// One event of a stream, as its envelope says.
struct stream_event {
    std::string id; ///< Cursor; empty: live only.
    timestamp ts;
    std::string channel;
    std::string kind;
    std::string envelope; ///< The JSON text of the whole.
    json::value data;     ///< Valid during the call.
};

class api {
public:
    /// Gives a connection with a newer token, when the one of a login has expired or was refused.
    using renewal = std::function<expected<connection>(const connection& used)>;
    explicit api(connection where, renewal renew = {}) : where_(std::move(where)), renew_(std::move(renew)) {}

    /// `path` is under the base path: "/runs/018f…". The body of the answer, or the API's problem.
    expected<std::string> get(std::string_view path, std::string_view accept = "application/json");
    /// POST carries an Idempotency-Key, its own when none is given, and is sent again once when the connection broke.
    expected<std::string> post(std::string_view path, std::string_view body, std::string_view key = {});
    /// The body goes as the source gives it; the body of the answer.
    expected<std::string> put(std::string_view path, net::body_source body, std::string_view content_type);
    /// The same with POST, which is sent once.
    expected<std::string> upload(std::string_view path, net::body_source body, std::string_view content_type);
    /// The same with a JSON text.
    expected<std::string> put(std::string_view path, std::string_view json);
    expected<std::string> patch(std::string_view path, std::string_view json);
    /// Like `get`, but the body goes to `on_data` as it comes; false from it ends the call.
    expected<void> download(std::string_view path, const std::function<bool(std::string_view)>& on_data);
    expected<std::string> remove(std::string_view path);

    template <class T>
    expected<T> get_as(std::string_view path) {
        auto body = get(path);
        return body ? from_json<T>(*body, strictness::stored) : expected<T>(body.error());
    }

    /// Up to `count_max` items, over as many pages as that takes.
    template <class T>
    expected<page<T>> list(std::string_view path, query_list query, std::size_t count_max) {
        auto raw = list_raw(path, std::move(query), count_max);
        if (!raw) {
            return raw.error();
        }
        page<T> out{{}, std::move(raw->first), raw->second};
        auto parsed = json::document::parse(out.json);
        if (!parsed) {
            return parsed.error();
        }
        problem wrong;
        bool ok = true;
        parsed->root().find("items")->each_element([&](json::value item) {
            auto decoded = from_json<T>(item, strictness::stored);
            decoded ? out.items.push_back(std::move(*decoded)) : void((wrong = decoded.error(), ok = false));
        });
        return ok ? expected<page<T>>(std::move(out)) : expected<page<T>>(std::move(wrong));
    }
    /// The merged list as JSON, and whether there is more. `/events` calls its cursor "after".
    expected<std::pair<std::string, bool>> list_raw(std::string_view path, query_list query, std::size_t count_max,
                                                    std::string_view cursor_name = "cursor", std::string cursor = "");

    /// Follows a stream until `on_event` returns false, the node closes it or `stop` is asked for. Answers whether
    /// `on_event` ended it. `on_open` is called when the node has begun to send, before the first event.
    expected<bool> stream(std::string_view path, std::stop_token stop, const std::function<void()>& on_open,
                          const std::function<bool(const stream_event&)>& on_event);

    using fetcher = std::function<expected<net::client_response>(const net::client_request&)>;
    /// Sends with the credentials, renewed when that helps. A refusal is a problem here.
    expected<net::client_response> exchange(net::client_request request, const fetcher& fetch);

    /// A header of the last answer that was a refusal, by its lower-case name; empty: it had none.
    [[nodiscard]] std::string refusal_header(const std::string& name) const {
        const auto found = refusal_headers_.find(name);
        return found == refusal_headers_.end() ? std::string() : found->second;
    }

    [[nodiscard]] const connection& where() const { return where_; }
    void move_to(connection where) { where_ = std::move(where); }
    /// What follows is not about the organization that was chosen, which the caller may not belong to any more.
    void leave_organization() { where_.organization.clear(); }

private:
    expected<std::string> send(std::string_view method, std::string_view path, net::body_source body,
                               std::string_view content_type);
    expected<std::string> send(std::string_view method, std::string_view path, std::string_view body,
                               std::string_view content_type, std::string_view accept, std::string_view key = {});
    [[nodiscard]] bool renewable() const { return renew_ && where_.source == key_source::login; }
    expected<void> renew();
    connection where_;
    renewal renew_;
    std::map<std::string, std::string> refusal_headers_;
};

} // namespace troupe::cli
