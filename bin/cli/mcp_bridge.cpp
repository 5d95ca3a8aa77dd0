#include "bin/cli/mcp_bridge.hpp"

#include "net/mcp/server_session.hpp"
#include "schemas/base/cipher.hpp"
#include "schemas/base/json.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>
#include <variant>

namespace troupe::cli {
namespace {

using net::mcp::rpc_message;
using net::mcp::rpc_notification;
using net::mcp::rpc_request;

constexpr std::string_view both_types = "application/json, text/event-stream";
/// Between two attempts at the stream of a session.
constexpr auto again_after = std::chrono::seconds(1);

std::string json_of(const net::mcp::rpc_id& id) {
    if (const auto* number = std::get_if<std::int64_t>(&id)) {
        return std::to_string(*number);
    }
    return json::quoted(std::get<std::string>(id));
}

/// Headers take visible ASCII only; the rest goes in base64.
std::string header_value(const std::string& text) {
    const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
    if (plain && !text.starts_with("=?")) {
        return text;
    }
    auto coded = to_base64url(text);
    std::replace(coded.begin(), coded.end(), '-', '+');
    std::replace(coded.begin(), coded.end(), '_', '/');
    coded.append((4 - coded.size() % 4) % 4, '=');
    return "=?base64?" + coded + "?=";
}

/// What the modern era wants to see in the headers.
std::vector<std::pair<std::string, std::string>> modern_headers(const rpc_request& request) {
    std::vector<std::pair<std::string, std::string>> out{{"Mcp-Method", header_value(request.method)}};
    const auto params = json::document::parse(request.params.text);
    const auto meta = params ? params->root().find("_meta") : std::nullopt;
    if (meta) {
        out.emplace_back("MCP-Protocol-Version",
                         header_value(meta->text_or("io.modelcontextprotocol/protocolVersion")));
    }
    const auto name = params ? params->root().text_or(request.method == "resources/read" ? "uri" : "name") : "";
    if (!name.empty()) {
        out.emplace_back("Mcp-Name", header_value(name));
    }
    return out;
}

bool is_message(std::string_view text) {
    const auto parsed = json::document::parse(text);
    return parsed && parsed->root().text_or("jsonrpc") == "2.0";
}

std::string one_line(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
    return text;
}

} // namespace

mcp_bridge::mcp_bridge(api node, std::function<void(std::string_view)> print)
    : print_(std::move(print)), node_(std::move(node)) {}

mcp_bridge::~mcp_bridge() { finish(); }

void mcp_bridge::say(std::string_view line) {
    const std::lock_guard lock(printing_);
    print_(line);
}

void mcp_bridge::say_failure(const outgoing& what, std::string_view why) {
    if (what.id.empty()) {
        return;
    }
    say(R"({"jsonrpc":"2.0","id":)" + what.id + R"(,"error":{"code":-32603,"message":)" + json::quoted(why) + "}}");
}

void mcp_bridge::take(const std::string& line) {
    reap();
    const auto messages = net::mcp::read_messages(line);
    if (!messages) {
        const auto code =
            messages.error().code == code::malformed_json ? net::mcp::rpc_parse_error : net::mcp::rpc_invalid_request;
        return say(write(net::mcp::rpc_failure{std::nullopt, {code, messages.error().detail, {}}}));
    }
    auto what = read(line, messages->front());
    if (!what) {
        return;
    }
    const auto* request = std::get_if<rpc_request>(&messages->front());
    if (what->is_legacy && request != nullptr && request->method == "initialize") {
        return open_session(*what);
    }
    if (what->id.empty()) { // in its order
        return carry(*what, {});
    }
    begin(std::move(*what));
}

/// Nothing: it is done here.
std::optional<mcp_bridge::outgoing> mcp_bridge::read(const std::string& line, const rpc_message& message) {
    outgoing out{line};
    if (const auto* notification = std::get_if<rpc_notification>(&message)) {
        const auto params = json::document::parse(notification->params.text);
        const auto id = params ? params->root().find("requestId") : std::nullopt;
        if (notification->method == "notifications/cancelled" && id) {
            const std::lock_guard lock(mutex_);
            if (const auto found = running_.find(id->dump()); found != running_.end()) {
                threads_.at(found->second).request_stop(); // over HTTP the modern era cancels by hanging up
                return std::nullopt;
            }
        }
    }
    const auto* request = std::get_if<rpc_request>(&message);
    if (request != nullptr) {
        out.id = json_of(request->id);
        out.stands = request->method == "subscriptions/listen";
    }
    out.is_legacy = !net::mcp::is_modern(message, std::nullopt);
    if (!out.is_legacy && request == nullptr) {
        return std::nullopt; // it would mean nothing there
    }
    if (!out.is_legacy) {
        out.headers = modern_headers(*request);
    }
    return out;
}

net::client_request mcp_bridge::request_for(const outgoing& what) {
    net::client_request out;
    out.method = "POST";
    out.body = what.text;
    out.headers = what.headers;
    out.headers.emplace_back("Accept", both_types);
    out.headers.emplace_back("Content-Type", "application/json");
    out.time_out_ms = 0; // a call may take as long as it takes; the node sends comments meanwhile
    const std::lock_guard lock(mutex_);
    if (what.is_legacy && !session_.empty()) {
        out.headers.emplace_back("Mcp-Session-Id", session_);
        out.headers.emplace_back("MCP-Protocol-Version", version_);
    }
    return out;
}

/// Each call with a copy of the node, so that calls do not wait for each other.
expected<net::client_response> mcp_bridge::exchange(net::client_request request, const api::fetcher& fetch) {
    std::unique_lock lock(renewing_);
    auto mine = node_;
    lock.unlock();
    request.url = mine.where().url + "/mcp";
    auto answer = mine.exchange(std::move(request), fetch);
    lock.lock();
    if (mine.where().renew_at > node_.where().renew_at) {
        node_.move_to(mine.where());
    }
    return answer;
}

void mcp_bridge::begin(outgoing what) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return what.stands || under_way_ < requests_max; });
    under_way_ += what.stands ? 0 : 1;
    const auto number = ++last_;
    if (!what.is_legacy) {
        running_.insert_or_assign(what.id, number);
    }
    threads_.emplace(number, std::jthread([this, number, what = std::move(what)](const std::stop_token& stop) {
                         carry(what, stop);
                         const std::lock_guard own(mutex_);
                         ended_.push_back(number);
                         under_way_ -= what.stands ? 0 : 1;
                         if (const auto found = running_.find(what.id);
                             found != running_.end() && found->second == number) {
                             running_.erase(found);
                         }
                         changed_.notify_all();
                     }));
}

void mcp_bridge::reap() {
    std::vector<std::jthread> ended;
    const std::lock_guard lock(mutex_);
    for (const auto number : ended_) {
        auto found = threads_.extract(number);
        ended.push_back(std::move(found.mapped()));
    }
    ended_.clear();
}

/// The answer goes out as it comes. Answers its status; 0: the node could not be asked, and `why` says why.
int mcp_bridge::send(const outgoing& what, const std::stop_token& stop, bool tells, std::string& why) {
    auto request = request_for(what);
    bool is_stream = false;
    std::string body;
    std::string session;
    request.on_head = [&](const net::client_response& head) -> expected<void> {
        const auto type = head.headers.find("content-type");
        is_stream = type != head.headers.end() && type->second.starts_with("text/event-stream");
        const auto given = head.headers.find("mcp-session-id");
        session = given == head.headers.end() ? "" : given->second;
        return {};
    };
    net::sse_parser parser;
    const auto on_event = [&](const net::sse_event& e) {
        if (tells && !e.data.empty()) {
            say(one_line(e.data));
        }
    };
    net::client_response last;
    const auto answer = exchange(std::move(request), [&](const net::client_request& r) {
        auto got = net::fetch_stream(r, stop, [&](std::string_view piece) {
            if (is_stream) {
                return parser.feed(piece, on_event);
            }
            body += piece;
            return true;
        });
        last = got ? *got : net::client_response();
        return got;
    });
    if (last.status >= 400) {
        body = last.body;
        why = answer ? "" : answer.error().detail;
    } else if (!answer) {
        why = answer.error().detail;
        return 0;
    }
    const bool speaks = is_message(body);
    if (speaks && body.find("\"result\"") != body.npos && !session.empty()) {
        const auto parsed = json::document::parse(body);
        const auto version = parsed->root().pointer("/result/protocolVersion");
        const std::lock_guard lock(mutex_);
        session_ = session;
        version_ = version ? std::string(version->as_string().value_or("")) : "";
    }
    if (last.status == 404 && what.is_legacy) {
        return 404; // the session is not known any more
    }
    if (tells && speaks) {
        say(one_line(body));
    } else if (tells && last.status >= 400) {
        say_failure(what, why);
    }
    return last.status;
}

void mcp_bridge::carry(const outgoing& what, const std::stop_token& stop) {
    std::string why;
    auto status = send(what, stop, true, why);
    if (status == 404 && what.is_legacy) {
        status = open_again() ? send(what, stop, true, why) : 0;
        if (status == 404) {
            say_failure(what, "The session is not known to the node any more.");
        }
    }
    if (status == 0 && !stop.stop_requested()) {
        say_failure(what, why);
    }
}

void mcp_bridge::open_session(const outgoing& what) {
    std::string why;
    {
        const std::lock_guard lock(mutex_);
        session_.clear();
        opening_ = what;
    }
    if (send(what, {}, true, why) == 0) {
        return say_failure(what, why);
    }
    const std::lock_guard lock(mutex_);
    if (!session_.empty()) {
        listener_ = std::jthread([this](const std::stop_token& stop) { listen(stop); });
    }
}

/// A node that was started anew knows no sessions.
bool mcp_bridge::open_again() {
    outgoing first;
    {
        const std::lock_guard lock(mutex_);
        if (opening_.text.empty()) {
            return false;
        }
        session_.clear();
        first = opening_;
    }
    std::string why;
    if (send(first, {}, false, why) != 200) {
        return false;
    }
    const outgoing ready{.text = R"({"jsonrpc":"2.0","method":"notifications/initialized"})", .is_legacy = true};
    return send(ready, {}, false, why) == 202;
}

/// What belongs to no request, of a session.
void mcp_bridge::listen(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        auto request = request_for({.text = {}, .is_legacy = true});
        request.method = "GET";
        net::sse_parser parser;
        (void)exchange(std::move(request), [&](const net::client_request& r) {
            return net::fetch_stream(r, stop, [&](std::string_view piece) {
                return parser.feed(piece, [&](const net::sse_event& e) {
                    if (!e.data.empty()) {
                        say(one_line(e.data));
                    }
                });
            });
        });
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, again_after, [&] { return stop.stop_requested(); });
    }
}

void mcp_bridge::finish() {
    {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, std::chrono::milliseconds(last_words_ms), [&] { return under_way_ == 0; });
    }
    listener_.request_stop();
    changed_.notify_all();
    listener_ = {};
    auto end = request_for({.text = {}, .is_legacy = true});
    end.method = "DELETE";
    std::map<std::uint64_t, std::jthread> threads;
    bool has_session = false;
    {
        const std::lock_guard lock(mutex_);
        has_session = !std::exchange(session_, {}).empty();
        opening_ = {};
        threads.swap(threads_);
        ended_.clear();
    }
    threads.clear(); // hangs up, and waits
    if (has_session) {
        end.time_out_ms = last_words_ms;
        (void)exchange(std::move(end), [](const net::client_request& r) { return net::fetch(r); });
    }
}

} // namespace troupe::cli
