#include "actors/mcp/mcp_desk.hpp"

#include "net/mcp/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace troupe::actors {

namespace mcp = net::mcp;

namespace {

constexpr std::int64_t answer_grace_ms = 30'000;
constexpr std::int64_t cancelled_ms_max = 5'000; ///< For the actor to tell the server.
constexpr std::size_t lines_max = 500;
constexpr std::size_t calls_max = 256;
constexpr std::size_t followed_max = 1'000;

} // namespace

mcp_desk::mcp_desk(runtime::mcp_server settings, mcp_parts parts)
    : settings_(std::move(settings)), parts_(std::move(parts)) {
    shown_.id = settings_.name;
    shown_.transport = settings_.url.empty() ? "stdio" : "http";
    shown_.sandbox = settings_.url.empty() && settings_.sandbox;
}

void mcp_desk::wake() {
    if (wake_) {
        wake_();
    }
}

void mcp_desk::note(std::string line) {
    const std::scoped_lock lock(mutex_);
    lines_.push_back(std::move(line));
    if (lines_.size() > lines_max) {
        lines_.pop_front();
    }
}

bool mcp_desk::wait_for_answer(open_call& call, std::unique_lock<std::mutex>& lock, const std::stop_token& stop,
                               const mcp_call_sinks& sinks) {
    const auto time = std::chrono::milliseconds(std::int64_t{settings_.time_out_ms} + answer_grace_ms);
    auto until = std::chrono::steady_clock::now() + time;
    const auto is_news = [&] { return call.answer || call.progress || !call.questions.empty(); };
    while (!call.answer && !stop.stop_requested()) {
        if (!call.changed.wait_until(lock, stop, until, is_news)) {
            break;
        }
        if (const auto news = std::exchange(call.progress, std::nullopt)) {
            lock.unlock();
            sinks.on_progress(*news);
            lock.lock();
        } else if (!call.questions.empty()) {
            put_question(call, lock, sinks.on_question);
            until = std::chrono::steady_clock::now() + time;
        }
    }
    return call.answer || !stop.stop_requested();
}

void mcp_desk::put_question(open_call& call, std::unique_lock<std::mutex>& lock, const mcp_question_sink& ask) {
    const auto asked = std::move(call.questions.front());
    call.questions.pop_front();
    const auto name = std::pair(asked.session, asked.id);
    if (call.withdrawn.contains(name)) {
        return;
    }
    lock.unlock();
    auto with = ask(asked.params, [&] {
        const std::scoped_lock look(mutex_);
        return !call.answer && !call.withdrawn.contains(name);
    });
    lock.lock();
    if (!call.withdrawn.contains(name)) {
        answers_.push_back({asked.session, asked.id, std::move(with)});
        wake();
    }
}

expected<json::raw> mcp_desk::call(std::string_view method, const json::raw& params, const std::stop_token& stop,
                                   const mcp_call_sinks& sinks) {
    const auto call = std::make_shared<open_call>();
    call->method = method;
    call->params = params;
    call->with_progress = static_cast<bool>(sinks.on_progress);
    call->can_ask = static_cast<bool>(sinks.on_question);
    std::unique_lock lock(mutex_);
    if (calls_.size() >= calls_max) {
        return problem{code::overloaded,
                       fmt::format("{} calls of {} are at work already.", calls_.size(), settings_.name)};
    }
    const auto ticket = ++last_ticket_;
    calls_.emplace(ticket, call);
    to_send_.push_back(ticket);
    ++figures_->messages;
    wake();
    const bool stopped = !wait_for_answer(*call, lock, stop, sinks);
    if (stopped) {
        call->unwanted = true;
        wake();
        call->changed.wait_for(lock, std::chrono::milliseconds(cancelled_ms_max),
                               [&] { return call->answer.has_value(); });
    }
    calls_.erase(ticket);
    if (stopped) {
        return problem{code::cancelled, "The call was cancelled."};
    }
    return call->answer.value_or(
        problem{code::unavailable, fmt::format("The connection to {} is started anew.", settings_.name)});
}

mcp_server_document mcp_desk::document() const {
    const std::scoped_lock lock(mutex_);
    return shown_;
}

std::vector<std::string> mcp_desk::logs() const {
    const std::scoped_lock lock(mutex_);
    return {lines_.begin(), lines_.end()};
}

expected<std::vector<std::string>> mcp_desk::follow(const std::string& uri, const std::stop_token& stop) {
    bool ask = false;
    {
        const std::scoped_lock lock(mutex_);
        if (spoken_ && !can_follow_) {
            return problem{code::conflict,
                           fmt::format("The MCP server {} does not tell of changes of resources.", settings_.name)};
        }
        if (followed_.size() >= followed_max) {
            return problem{code::overloaded, fmt::format("{} resources of the MCP server {} are followed already.",
                                                         followed_max, settings_.name)};
        }
        ask = spoken_ != mcp::era::modern && !followed_.contains(uri);
    }
    if (ask) {
        if (const auto done = call("resources/subscribe", mcp::uri_params(uri), stop); !done) {
            return done.error();
        }
    }
    const std::scoped_lock lock(mutex_);
    followed_changes_ += followed_.insert(uri).second ? 1 : 0;
    wake();
    return std::vector<std::string>(followed_.begin(), followed_.end());
}

std::vector<std::string> mcp_desk::unfollow(const std::string& uri, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    const bool was = followed_.erase(uri) > 0;
    followed_changes_ += was ? 1 : 0;
    wake();
    std::vector<std::string> left(followed_.begin(), followed_.end());
    const bool tell = was && spoken_ == mcp::era::legacy && shown_.health.status != mcp_status::error;
    lock.unlock();
    if (tell) {
        (void)call("resources/unsubscribe", mcp::uri_params(uri), stop); // a server that tells on costs nothing
    }
    return left;
}

void mcp_desk::remember(const kept_offers& before) {
    const std::scoped_lock lock(mutex_);
    std::get<std::vector<mcp::tool>>(lists_) = before.tools;
    shown_.tools = before.tools.size();
    has_resources_ = before.has_resources;
}

void mcp_desk::start() {
    const std::scoped_lock lock(mutex_);
    wanted_ = true;
    wake();
}

void mcp_desk::stop() {
    const std::scoped_lock lock(mutex_);
    wanted_ = false;
    wake();
}

void mcp_desk::restart() {
    const std::scoped_lock lock(mutex_);
    wanted_ = true;
    ++wanted_starts_;
    wake();
}

} // namespace troupe::actors
