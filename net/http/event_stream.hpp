#pragma once

#include "net/http/edge.hpp"
#include "net/http/edge_socket.hpp"
#include "net/http/live_feed.hpp"
#include "net/http/outbox.hpp"

#include <array>
#include <functional>
#include <memory>
#include <string>

namespace troupe::net {

/// A connection that carries `text/event-stream` until one side ends it. Made by the HTTP connection, whose socket
/// it takes over.
class event_stream : public connection {
public:
    /// Subscribes. Nothing is sent before `start`. Problems are the bus's, or `unavailable` without one.
    static expected<std::shared_ptr<event_stream>> open(std::shared_ptr<edge> e, io_thread& io, request asked,
                                                        const stream_spec& spec);
    event_stream(std::shared_ptr<edge> e, io_thread& io);
    ~event_stream() override;

    /// `head` is the status line and header of the answer.
    void start(edge_socket socket, std::string head);

    void tick(std::int64_t now_ms) override;
    void drain() override;
    void abort() override;
    void woken() override { flush(); }

private:
    std::shared_ptr<event_stream> self();
    void flush();
    void read();
    void end_with(std::string last_event);
    void finish(std::string last_event);
    void tell_closed();

    io_thread& io_;
    request asked_; // what opened it, without a body
    edge_socket socket_;
    std::shared_ptr<live_feed> feed_;
    outbox out_;
    std::string broken_;
    std::function<void(stream_writer)> fed_; // to be handed the writer
    std::function<void()> closed_;
    bool own_ = false; // it has a form of its own
    bool started_ = false;
    bool waiting_ = false; // for the socket to take more
    bool ending_ = false;  // after what is in the outbox the connection ends
    std::int64_t write_deadline_ms_ = 0;
    std::int64_t heartbeat_at_ms_ = 0;
    std::array<char, 256> ignored_{};
};

} // namespace troupe::net
