#include "net/mcp/http_transport.hpp"

#include "net/client/http_client.hpp"
#include "net/http/text.hpp"
#include "net/mcp/http_headers.hpp"
#include "net/mcp/rpc.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <stop_token>
#include <thread>

namespace troupe::net::mcp {
namespace {

constexpr std::size_t waiting_bytes_max = 32U << 20U; ///< Of what came, and of what is to be sent. Of each.
constexpr int resumptions_max = 10;                   ///< Of one stream.
constexpr std::int64_t retry_first_ms = 1'000;
constexpr std::int64_t retry_ms_max = 30'000;
constexpr std::int64_t listen_again_ms = 500; ///< At least, whatever the server says.
constexpr std::size_t session_bytes_max = 1024;
constexpr int attempts_max = 4; ///< With other tokens.

/// One request whose answer comes on a thread of its own.
struct post {
    explicit post(rpc_id of) : id(std::move(of)) {}
    rpc_id id;
    std::stop_source stop;
    std::atomic<bool> is_done = false;
    std::jthread thread;
};

/// What one exchange is about.
struct exchange {
    const rpc_request* request = nullptr; ///< Null: nothing is to be answered.
    bool answered = false;
    std::string last_event;
    std::optional<std::int64_t> retry_ms;
};

class http_transport final : public transport {
public:
    http_transport(http_transport_settings settings, std::function<void()> on_change)
        : settings_(std::move(settings)), on_change_(std::move(on_change)) {
        sender_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
    }
    ~http_transport() override {
        sender_.request_stop();
        sender_.join();
        end_posts(true);
        if (listener_.joinable()) {
            listener_.request_stop();
            listener_.join();
        }
        end_session();
    }

    std::vector<std::string> take_lines() override {
        const std::scoped_lock lock(mutex_);
        bytes_ = 0;
        return std::exchange(lines_, {});
    }
    [[nodiscard]] std::optional<std::string> ended() const override {
        const std::scoped_lock lock(mutex_);
        return ended_;
    }
    void send(std::string_view line) override {
        const std::scoped_lock lock(mutex_);
        to_send_bytes_ += line.size();
        if (to_send_bytes_ > waiting_bytes_max) {
            ended_ = ended_.value_or("it does not take what it is sent");
            return;
        }
        to_send_.emplace_back(line);
        changed_.notify_all();
    }
    bool flush() override { return true; }

private:
    // On the sender's thread.
    void run(const std::stop_token& stop);
    void send_one(const std::string& text, const std::stop_token& stop);
    void cancel(const rpc_notification& told);
    void end_posts(bool all);
    void listen();
    void end_session();

    // On any thread.
    client_request request_for(const rpc_message* message, std::string text);
    void ask(const rpc_request& request, std::string text, const std::stop_token& stop);
    expected<client_response> once(const client_request& call, exchange& e, const std::stop_token& stop);
    expected<client_response> attempt(client_request call, exchange& e, const std::stop_token& stop);
    void take_head(const client_response& head);
    void take(std::string_view text, exchange& e);
    void refuse(const rpc_request& request, std::string why);
    void over(std::string why);
    bool pause(std::int64_t ms, const std::stop_token& stop);

    const http_transport_settings settings_;
    const std::function<void()> on_change_;
    mutable std::mutex mutex_; ///< Of all below, down to `changed_`.
    std::vector<std::string> lines_;
    std::size_t bytes_ = 0;
    std::deque<std::string> to_send_;
    std::size_t to_send_bytes_ = 0;
    std::optional<std::string> ended_;
    std::string session_;
    std::string version_; ///< Of the legacy era, once it is known.
    custom_headers custom_;
    std::condition_variable_any changed_;
    std::list<post> posts_; ///< Of the sender's thread.
    std::jthread listener_; ///< Likewise.
    std::jthread sender_;
};

// ---- the sender

void http_transport::run(const std::stop_token& stop) {
    for (;;) {
        std::string text;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, stop, [this] { return !to_send_.empty(); });
            if (stop.stop_requested()) {
                return;
            }
            text = std::move(to_send_.front());
            to_send_.pop_front();
            to_send_bytes_ -= text.size();
        }
        send_one(text, stop);
        end_posts(false);
    }
}

/// A request goes on a thread of its own. The rest keeps its order.
void http_transport::send_one(const std::string& text, const std::stop_token& stop) {
    const auto messages = read_messages(text);
    if (!messages || messages->size() != 1) {
        return; // cannot be: it was written here
    }
    const auto& message = messages->front();
    if (const auto* request = std::get_if<rpc_request>(&message)) {
        auto& mine = posts_.emplace_back(request->id);
        mine.thread = std::jthread([this, &mine, asked = *request, text] {
            ask(asked, text, mine.stop.get_token());
            mine.is_done = true;
        });
        return;
    }
    const auto* told = std::get_if<rpc_notification>(&message);
    const bool cancels = told != nullptr && told->method == "notifications/cancelled";
    if (!(cancels && is_modern_message(message))) { // there the end of the request says it
        auto call = request_for(&message, text);
        call.time_out_ms = settings_.short_time_out_ms;
        exchange e;
        (void)once(call, e, stop); // nothing is to be answered; a server that is away shows in the next call
    }
    if (cancels) {
        cancel(*told);
    }
    if (told != nullptr && told->method == "notifications/initialized") {
        listen();
    }
}

void http_transport::cancel(const rpc_notification& told) {
    const auto id = cancelled_id(told);
    for (auto& each : posts_) {
        if (id && each.id == *id) {
            each.stop.request_stop();
        }
    }
}

void http_transport::end_posts(bool all) {
    if (all) {
        for (auto& each : posts_) {
            each.stop.request_stop();
        }
    }
    posts_.remove_if([all](const post& each) { return all || each.is_done; });
}

/// What belongs to no request, where the server has a stream for it.
void http_transport::listen() {
    listener_ = std::jthread([this](const std::stop_token& stop) {
        exchange e;
        std::int64_t wait_ms = retry_first_ms;
        while (!stop.stop_requested()) {
            auto call = request_for(nullptr, {});
            call.headers.emplace_back("Accept", "text/event-stream");
            if (!e.last_event.empty()) {
                call.headers.emplace_back("Last-Event-ID", e.last_event);
            }
            const auto answer = once(call, e, stop);
            if (answer && answer->status / 100 == 4) {
                return; // it has none
            }
            wait_ms = e.retry_ms.value_or(answer ? retry_first_ms : std::min(wait_ms * 2, retry_ms_max));
            wait_ms = std::max(wait_ms, listen_again_ms);
            if (!pause(wait_ms, stop)) {
                return;
            }
        }
    });
}

void http_transport::end_session() {
    auto call = request_for(nullptr, {});
    if (session_.empty()) {
        return;
    }
    if (settings_.authorization) {
        if (const auto token = settings_.authorization(); token && *token) {
            call.headers.emplace_back("Authorization", **token);
        }
    }
    call.method = "DELETE";
    call.time_out_ms = settings_.short_time_out_ms;
    (void)fetch(call); // whether it is forgotten now or later is the server's business
}

// ---- one exchange

/// Without a message: a GET.
client_request http_transport::request_for(const rpc_message* message, std::string text) {
    client_request out;
    out.method = message ? "POST" : "GET";
    out.url = settings_.url;
    out.headers = settings_.headers;
    out.ca_file = settings_.ca_file;
    out.may_reach = settings_.may_reach;
    out.idle_time_out_ms = 0; // the session knows how long to wait
    out.time_out_ms = 0;
    out.reply_bytes_max = message_bytes_max;
    const std::scoped_lock lock(mutex_);
    if (message) {
        out.body = std::move(text);
        out.headers.emplace_back("Content-Type", "application/json");
        out.headers.emplace_back("Accept", "application/json, text/event-stream");
        add_message_headers(*message, custom_, out.headers);
    }
    if (!version_.empty() && !(message && is_modern_message(*message))) {
        out.headers.emplace_back("MCP-Protocol-Version", version_);
    }
    if (!session_.empty()) {
        out.headers.emplace_back("Mcp-Session-Id", session_);
    }
    return out;
}

/// The POST, and what goes on with its stream.
void http_transport::ask(const rpc_request& request, std::string text, const std::stop_token& stop) {
    exchange e{.request = &request, .last_event = {}, .retry_ms = {}};
    const rpc_message message = request;
    auto answer = once(request_for(&message, std::move(text)), e, stop);
    for (int i = 0; i < resumptions_max && !e.answered && !e.last_event.empty(); ++i) {
        if (!pause(e.retry_ms.value_or(retry_first_ms), stop)) {
            return;
        }
        auto call = request_for(nullptr, {});
        call.headers.emplace_back("Accept", "text/event-stream");
        call.headers.emplace_back("Last-Event-ID", e.last_event);
        answer = once(call, e, stop);
        if (answer && answer->status / 100 == 4) {
            break;
        }
    }
    if (e.answered || stop.stop_requested()) {
        return;
    }
    if (!answer) {
        refuse(request, answer.error().detail);
        if (answer.error().code == code::connection_failed) { // nobody is there, whatever is asked next
            over(answer.error().detail);
        }
    } else if (answer->status / 100 != 2) {
        refuse(request, fmt::format("the MCP server answers with status {}", answer->status));
    } else {
        refuse(request, "the MCP server's answer ended without a result");
    }
}

/// As often as an authorization changes something.
expected<client_response> http_transport::once(const client_request& call, exchange& e, const std::stop_token& stop) {
    for (int attempts = 1;; ++attempts) {
        auto with_token = call;
        auto token = settings_.authorization ? settings_.authorization()
                                             : expected<std::optional<std::string>>(std::optional<std::string>());
        if (!token) {
            return token.error();
        }
        if (*token) {
            with_token.headers.emplace_back("Authorization", **token);
        }
        auto answer = attempt(std::move(with_token), e, stop);
        const bool refused = answer && (answer->status == 401 || answer->status == 403);
        if (!refused || !settings_.challenged || e.answered || attempts == attempts_max) {
            return answer;
        }
        const auto asks = answer->headers.find("www-authenticate");
        if (auto better = settings_.challenged(
                answer->status, asks == answer->headers.end() ? std::string_view() : asks->second, *token);
            !better) {
            return better.error();
        }
    }
}

expected<client_response> http_transport::attempt(client_request call, exchange& e, const std::stop_token& stop) {
    bool is_stream = false;
    bool fits = true;
    std::string body;
    sse_parser events;
    call.on_head = [&](const client_response& head) -> expected<void> {
        const auto type = head.headers.find("content-type");
        is_stream = type != head.headers.end() && lower_case(type->second).starts_with("text/event-stream");
        take_head(head);
        return {};
    };
    auto answer = fetch_stream(call, stop, [&](std::string_view piece) {
        if (is_stream) {
            fits = events.feed(piece, [&](const sse_event& event) {
                e.last_event = event.id.empty() ? e.last_event : event.id;
                if (!event.data.empty()) {
                    take(event.data, e);
                }
            });
            e.retry_ms = events.retry_ms() ? events.retry_ms() : e.retry_ms;
            return fits && !(e.request && e.answered); // nothing more is to come there
        }
        fits = body.size() + piece.size() <= message_bytes_max;
        body += fits ? piece : std::string_view();
        return fits;
    });
    if (!fits) {
        over("it sent too large a message");
    } else if (answer && answer->status / 100 != 2) {
        const bool forgotten = answer->status == 404 || (answer->status == 400 && names_session(answer->body));
        const std::scoped_lock lock(mutex_);
        if (forgotten && !session_.empty() && call.method == "POST") {
            session_.clear();
            ended_ = ended_.value_or("it has forgotten the session");
        }
        body = e.request ? answer->body : std::string();
    }
    if (!body.empty() && read_messages(body)) { // the protocol's own word says more than a status
        take(body, e);
    }
    on_change_();
    return answer;
}

/// A session is named by the answer to `initialize`.
void http_transport::take_head(const client_response& head) {
    const auto id = head.headers.find("mcp-session-id");
    const std::scoped_lock lock(mutex_);
    if (id != head.headers.end() && session_.empty() && id->second.size() <= session_bytes_max &&
        is_header_value(id->second)) {
        session_ = id->second;
    }
}

void http_transport::take(std::string_view text, exchange& e) {
    const auto messages = read_messages(text);
    {
        const std::scoped_lock lock(mutex_);
        for (std::size_t i = 0; messages && e.request && i < messages->size(); ++i) {
            const auto* result = std::get_if<rpc_result>(&(*messages)[i]);
            const auto* failure = std::get_if<rpc_failure>(&(*messages)[i]);
            e.answered = e.answered || (result && result->id == e.request->id) ||
                         (failure && (!failure->id || *failure->id == e.request->id));
            if (result && e.request->method == "initialize") {
                version_ = agreed_version(result->result);
            }
            if (result && e.request->method == "tools/list") {
                custom_.learn(result->result);
            }
            if (failure && !failure->id) { // whose it is, the request tells
                lines_.push_back(write(rpc_failure{e.request->id, failure->error}));
                bytes_ += lines_.back().size();
                text = {};
            }
        }
        if (!text.empty()) {
            bytes_ += text.size();
            lines_.emplace_back(text);
        }
        if (bytes_ > waiting_bytes_max) {
            ended_ = ended_.value_or("it sent more than could be read");
        }
    }
    on_change_();
}

void http_transport::refuse(const rpc_request& request, std::string why) {
    {
        const std::scoped_lock lock(mutex_);
        lines_.push_back(write(rpc_failure{request.id, {rpc_internal_error, std::move(why)}}));
        bytes_ += lines_.back().size();
    }
    on_change_();
}

void http_transport::over(std::string why) {
    {
        const std::scoped_lock lock(mutex_);
        ended_ = ended_.value_or(std::move(why));
    }
    on_change_();
}

bool http_transport::pause(std::int64_t ms, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    std::condition_variable_any never;
    never.wait_for(lock, stop, std::chrono::milliseconds(std::clamp<std::int64_t>(ms, 0, retry_ms_max)),
                   [] { return false; });
    return !stop.stop_requested();
}

} // namespace

std::unique_ptr<transport> make_http_transport(http_transport_settings settings, std::function<void()> on_change) {
    return std::make_unique<http_transport>(std::move(settings), std::move(on_change));
}

} // namespace troupe::net::mcp
