#pragma once

#include "net/http/route.hpp"
#include "net/http/router.hpp"
#include "net/http/server.hpp"
#include "net/http/worker_threads.hpp"
#include "schemas/base/problem.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::actors {

/// What one operation of the HTTP API is asked, without HTTP.
struct inner_request {
    std::string operation;
    std::map<std::string, std::string> params = {}; ///< Of the path.
    std::map<std::string, std::string> query = {};
    std::string body = {};
    std::string key = {}; ///< `Idempotency-Key`; empty: none.
};

/// Calls operations of the HTTP API from inside the node, for callers that came another way: by the same declarations,
/// with the same permissions, checks and audit. Thread-safe.
class inner_calls {
public:
    using authorize_function = std::function<expected<void>(const net::principal&, std::string_view permission)>;

    /// `refused`: hears of each that the caller may not do. May be nothing. Problems: those of the router.
    static expected<std::unique_ptr<inner_calls>> make(std::vector<net::route> routes, authorize_function authorize,
                                                       std::function<void(const net::refused_request&)> refused);
    inner_calls(net::router router, authorize_function authorize,
                std::function<void(const net::refused_request&)> refused);

    /// In the name of who sent `caller`; its body and headers say nothing here. A problem comes as its response.
    void ask(const net::request& caller, const inner_request& what, net::responder respond);
    /// Null: there is no such operation.
    [[nodiscard]] const net::route* find(std::string_view operation) const;
    [[nodiscard]] expected<void> may(const net::principal& who, std::string_view permission) const;
    /// Runs what may block.
    void post(std::function<void()> job) { workers_.post(std::move(job)); }

private:
    [[nodiscard]] expected<net::request> prepare(const net::request& caller, const inner_request& what,
                                                 const net::route& to) const;

    net::router router_;
    std::map<std::string, const net::route*, std::less<>> by_operation_;
    authorize_function authorize_;
    std::function<void(const net::refused_request&)> refused_;
    net::worker_threads workers_{2}; // last: its jobs use the rest
};

} // namespace troupe::actors
