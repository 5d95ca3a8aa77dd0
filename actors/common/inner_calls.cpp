#include "actors/common/inner_calls.hpp"

#include "net/http/failure.hpp"
#include "net/http/text.hpp"
#include "schemas/base/clock.hpp"

#include <fmt/format.h>

#include <cctype>
#include <exception>
#include <utility>

namespace troupe::actors {
namespace {

/// As the edge waits for a handler.
constexpr std::int64_t time_out_ms = 30'000;

/// "/projects/018f…/files/a/b.txt" of "/projects/{id}/files/{path}".
expected<std::string> path_of(const net::route& to, const std::map<std::string, std::string>& params) {
    std::string out;
    std::string_view rest = to.path;
    for (auto open = rest.find('{'); open != rest.npos; open = rest.find('{')) {
        const auto name = rest.substr(open + 1, rest.find('}') - open - 1);
        const auto given = params.find(std::string(name));
        if (given == params.end() || given->second.empty()) {
            return problem{
                code::invalid_request, fmt::format("{}: is missing", name), {{std::string(name), "is missing"}}};
        }
        out += rest.substr(0, open);
        out += net::percent_encode(given->second, name == "path" ? "/" : "");
        rest.remove_prefix(open + name.size() + 2);
    }
    return out + std::string(rest);
}

std::string query_of(const std::map<std::string, std::string>& values) {
    std::string out;
    for (const auto& [name, value] : values) {
        out += fmt::format("{}{}={}", out.empty() ? "" : "&", name, net::percent_encode(value));
    }
    return out;
}

/// For a route that takes its body in pieces.
expected<void> hand_over(const net::route& to, net::request& r) {
    auto sink = to.receive(r);
    if (!sink) {
        return sink.error();
    }
    if (auto taken = (*sink)->take(r.body); !taken) {
        return taken;
    }
    r.body.clear();
    r.received = std::move(*sink);
    return r.received->finish();
}

void run(const net::route& to, net::request handed, const net::responder& respond) {
    net::request stub;
    stub.id = handed.id;
    try {
        if (to.receive) {
            if (auto taken = hand_over(to, handed); !taken) {
                return respond(net::to_response(taken.error(), stub));
            }
        }
        to.run(std::move(handed), respond);
    } catch (const std::exception& e) {
        respond(net::to_response(net::defect("the handler of " + to.operation, e), stub));
    }
}

} // namespace

expected<std::unique_ptr<inner_calls>> inner_calls::make(std::vector<net::route> routes, authorize_function authorize,
                                                         std::function<void(const net::refused_request&)> refused) {
    auto router = net::router::make(std::move(routes));
    if (!router) {
        return router.error();
    }
    return std::make_unique<inner_calls>(std::move(*router), std::move(authorize), std::move(refused));
}

inner_calls::inner_calls(net::router router, authorize_function authorize,
                         std::function<void(const net::refused_request&)> refused)
    : router_(std::move(router)), authorize_(std::move(authorize)), refused_(std::move(refused)) {
    for (const auto& each : router_.routes()) {
        by_operation_.emplace(each.operation, &each);
    }
}

const net::route* inner_calls::find(std::string_view operation) const {
    const auto found = by_operation_.find(operation);
    return found == by_operation_.end() ? nullptr : found->second;
}

expected<void> inner_calls::may(const net::principal& who, std::string_view permission) const {
    return authorize_ ? authorize_(who, permission) : problem{code::forbidden, "This node grants no permissions yet."};
}

expected<net::request> inner_calls::prepare(const net::request& caller, const inner_request& what,
                                            const net::route& to) const {
    net::request out;
    const auto path = path_of(to, what.params);
    if (!path) {
        return path.error();
    }
    auto query = router_.read_query(to, query_of(what.query));
    if (!query) {
        return query.error();
    }
    out.verb = to.verb;
    out.path = *path;
    out.params = what.params;
    out.query = std::move(*query);
    out.body = what.body;
    if (const auto program = caller.header("user-agent")) {
        out.headers.emplace("user-agent", *program);
    }
    if (!what.key.empty()) {
        out.headers.emplace("idempotency-key", what.key);
    }
    out.who = caller.who;
    out.address = caller.address;
    out.secure = caller.secure;
    out.id = caller.id;
    out.trace = caller.trace;
    out.deadline_ms = monotonic_ms() + time_out_ms;
    if (to.body && out.body.size() > to.body->bytes_max) {
        return problem{code::payload_too_large, fmt::format("At most {} bytes are taken.", to.body->bytes_max)};
    }
    if (to.body && to.body->check) {
        if (auto valid = to.body->check(out.body.empty() ? "{}" : out.body); !valid) {
            return valid.error();
        }
    }
    return out;
}

void inner_calls::ask(const net::request& caller, const inner_request& what, net::responder respond) {
    const auto* to = find(what.operation);
    if (to == nullptr || !to->run) {
        return respond(net::to_response({code::not_found, "There is no such operation."}, caller));
    }
    const auto allowed = to->permission.empty() ? expected<void>() : may(caller.who, to->permission);
    if (!allowed) {
        const auto answer = net::to_response(allowed.error(), caller);
        if (refused_) {
            refused_({.to = to,
                      .method = net::name_of(to->verb),
                      .path = to->path,
                      .id = caller.id,
                      .status = answer.status,
                      .why = answer.refusal,
                      .caller = caller.who,
                      .client = caller.client()});
        }
        return respond(answer);
    }
    auto made = prepare(caller, what, *to);
    if (!made) {
        return respond(net::to_response(made.error(), caller));
    }
    if (to->receive || (to->blocks && to->blocks())) {
        return workers_.post([to, handed = std::move(*made), respond = std::move(respond)]() mutable {
            run(*to, std::move(handed), respond);
        });
    }
    run(*to, std::move(*made), respond);
}

} // namespace troupe::actors
