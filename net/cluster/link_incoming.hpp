#pragma once

#include "net/cluster/link_hub.hpp"
#include "net/cluster/link_stream.hpp"
#include "runtime/cluster/link_session.hpp"

#include <memory>
#include <string>

namespace troupe::net {

/// A connection that was accepted: the handshake is on the journal's thread, what follows on that of its lane.
class link_incoming final : public link_stream {
public:
    /// `from` is the address that it came from, for the log.
    link_incoming(link_hub& hub, link_loop& loop, tcp_socket socket, std::string from);

    void start();

    /// Who dialled, once it said so; a node that was refused too.
    [[nodiscard]] const runtime::cluster::link_hello* hello() const;
    /// The name of the node, or the address.
    [[nodiscard]] std::string who() const;
    /// It got through the handshake.
    [[nodiscard]] bool was_open() const { return counters_ != nullptr; }
    /// Of the certificate, for this name; without TLS there is none to check.
    [[nodiscard]] expected<void> check_name(const std::string& name);

protected:
    runtime::cluster::link_end& session() override { return session_; }
    void look(std::int64_t now_us) override { session_.on_time(now_us); }
    void take(std::string_view bytes) override;
    void on_end() override;
    void on_gone() override;

private:
    std::shared_ptr<link_incoming> self_as() { return std::static_pointer_cast<link_incoming>(self()); }
    void on_first_byte();

    link_hub& hub_;
    const std::string from_;
    runtime::cluster::link_receiver session_;
    std::shared_ptr<link_counters> counters_;
};

} // namespace troupe::net
