#pragma once

#include "net/http/route.hpp"
#include "net/mcp/server_session.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The server's side of the Model Context Protocol over Streamable HTTP, as routes of the edge.
namespace troupe::net::mcp {

class server_conversation;

/// A call of a client, in the hands of who does it. Thread-safe. One that is dropped without an answer fails.
class server_call {
public:
    server_call(std::shared_ptr<server_conversation> of, called what, std::shared_ptr<const request> caller);
    ~server_call();
    server_call(const server_call&) = delete;
    server_call& operator=(const server_call&) = delete;

    [[nodiscard]] const std::string& method() const { return what_.method; }
    /// An object of the form that the method asks for.
    [[nodiscard]] const json::raw& params() const { return what_.params; }
    /// What the client answered to `inputs_wanted`, and the state that came with it.
    [[nodiscard]] const std::map<std::string, json::raw>& answers() const { return what_.answers; }
    [[nodiscard]] const std::string& state() const { return what_.state; }
    /// The request of HTTP, without its body.
    [[nodiscard]] const request& caller() const { return *caller_; }

    [[nodiscard]] era spoken() const;
    [[nodiscard]] bool can_ask(question_kind kind) const;
    [[nodiscard]] bool wants_progress() const;
    void progress(double progress, std::optional<double> total = {}, std::string_view message = {});
    void log(std::string_view level, std::string_view logger, const json::raw& data);
    /// It takes longer than the edge waits for one answer: from here on there is a stream.
    void take_time();
    /// Called once, when no answer is wanted any more; at once when that is so already. Must not block.
    void on_cancelled(std::function<void()> then);
    /// The first one counts.
    void answer(server_answer with);

private:
    friend class server_conversation;
    void cancel();

    std::shared_ptr<server_conversation> of_;
    called what_;
    std::shared_ptr<const request> caller_;
    std::mutex mutex_; // guards what follows
    bool answered_ = false;
    bool cancelled_ = false;
    std::function<void()> then_;
};

/// Must not block: the call may be answered later.
using server_method = std::function<void(std::shared_ptr<server_call>)>;

/// What a server has to offer. Functions are called from any thread.
struct server_offer {
    server_session_settings settings = {}; ///< Its `methods` are filled in from those below.
    std::map<std::string, server_method> methods = {};
    /// The schema of a tool's arguments, for those that headers have to repeat (`x-mcp-header`).
    std::function<std::optional<json::raw>(const request& caller, std::string_view tool)> tool_schema = {};
    /// Calls `updated` whenever the resource changes, until what it returns is dropped. Null: there is no such thing.
    std::function<std::shared_ptr<void>(const request& caller, const std::string& uri, std::function<void()> updated)>
        watch = {};
};

struct endpoint_settings {
    std::string path = "/mcp";
    std::string permission = {};      ///< Empty: open to everyone.
    std::string allowed_origins = {}; ///< Of pages of other origins that may use it: as `edge.cors.origins`.
    std::function<std::string(const request&)> challenge = {}; ///< See `route::challenge`.
    std::size_t sessions_max = 1024;                           ///< Of the legacy era.
    std::size_t sessions_per_caller_max = 64;                  ///< Beyond, the one that rested longest goes.
    std::int64_t session_idle_ms = 1'800'000;
};

/// Thread-safe. Outlives the server that has its routes.
class server_endpoint {
public:
    server_endpoint(server_offer offer, endpoint_settings settings);
    ~server_endpoint();

    /// POST, GET and DELETE.
    [[nodiscard]] std::vector<route> routes();
    /// Tells all who want to know.
    void changed(list_kind what);
    [[nodiscard]] std::size_t sessions() const;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace troupe::net::mcp
