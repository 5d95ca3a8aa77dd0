#pragma once

#include "net/http/route.hpp"
#include "net/mcp/server_endpoint.hpp"
#include "net/mcp/server_session.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace troupe::net::mcp {

/// The answer to one request of HTTP: one JSON text when the first message is the last one, else a stream.
/// Thread-safe.
class server_outlet : public std::enable_shared_from_this<server_outlet> {
public:
    using show_function = std::function<void(expected<stream_spec>)>;
    using header_list = std::vector<std::pair<std::string, std::string>>;

    /// `closed` is called when a stream has ended.
    server_outlet(show_function show, header_list headers, std::function<void()> closed)
        : show_(std::move(show)), headers_(std::move(headers)), closed_(std::move(closed)) {}

    /// Nothing is sent before `pump`.
    void add(server_message message);
    /// It is a stream, whatever comes.
    void be_stream();
    /// Not under anybody's lock.
    void pump();

private:
    enum class phase : std::uint8_t { waiting, opening, open, done };
    void drain();

    std::mutex mutex_;
    phase phase_ = phase::waiting;
    bool is_stream_ = false;
    std::deque<server_message> pending_;
    stream_writer writer_;
    show_function show_;
    header_list headers_;
    std::function<void()> closed_;
};

/// A session with what it needs to be spoken over HTTP: outlets for its streams, and the calls at work. Thread-safe.
class server_conversation : public std::enable_shared_from_this<server_conversation> {
public:
    server_conversation(const server_offer& offer, era spoken, const request& opener);

    /// Takes what one request brought. `outlet` gets what belongs to it; null: nothing does.
    void received(const std::vector<rpc_message>& messages, std::shared_ptr<const request> from,
                  server_outlet::show_function show, server_outlet::header_list headers,
                  const request_headers* checked);
    /// A stream for what belongs to no request.
    void open_stream(server_outlet::show_function show);
    void changed(list_kind what);
    /// All that is at work is cancelled.
    void end();

    /// Whether this caller is who opened it.
    [[nodiscard]] bool belongs_to(const request& r) const;
    [[nodiscard]] era spoken() const { return spoken_; }
    [[nodiscard]] bool is_initialized();
    [[nodiscard]] std::string version();
    [[nodiscard]] bool is_at_work();

    /// Runs something on the session, then sends and does what came of it.
    void run(const std::function<void(server_session&)>& what);
    void take_time(server_call_id call);
    [[nodiscard]] bool ask_session(const std::function<bool(const server_session&)>& what);
    void answered(server_call_id call, server_answer with);

private:
    struct work {
        std::shared_ptr<const request> caller;
        stream_id stream = 0;
        std::weak_ptr<server_call> call;
    };
    void happened(const server_event& what);
    void begin(const called& what);
    void watch(const watch_changed& what);

    const server_offer& offer_;
    const era spoken_;
    const std::string owner_;
    const std::shared_ptr<const request> opener_;
    std::mutex mutex_; // guards what follows
    server_session session_;
    stream_id last_stream_ = 0;
    std::map<stream_id, std::shared_ptr<server_outlet>> outlets_;
    std::map<server_call_id, work> work_;
    std::map<std::string, std::shared_ptr<void>> watched_;
    std::shared_ptr<const request> from_; ///< Of the messages that are being taken.
    stream_id on_ = 0;
};

} // namespace troupe::net::mcp
