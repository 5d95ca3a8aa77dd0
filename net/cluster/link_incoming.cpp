#include "net/cluster/link_incoming.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/socket_base.hpp>

#include <utility>

namespace troupe::net {

namespace asio = boost::asio;
using boost::system::error_code;
using namespace runtime::cluster;

namespace {

/// What a client of TLS says first.
constexpr char tls_handshake = 0x16;

} // namespace

link_incoming::link_incoming(link_hub& hub, link_loop& loop, tcp_socket socket, std::string from)
    : link_stream(loop),
      hub_(hub),
      from_(std::move(from)),
      session_(
          hub.settings.timings, hub.settings.windows, hub.mine,
          [this](const link_hello& hello) { return hub_.judge(*this, hello); }, link_now_us()) {
    socket_.emplace(std::move(socket));
}

void link_incoming::start() {
    loop_->add(self());
    prepare();
    if (!hub_.identity)
        return begin();
    socket_->wait_for(tls_step::want::read, [s = self_as()](const error_code& error) {
        if (!s->has_ended())
            error ? s->lost(error) : s->on_first_byte();
    });
}

/// A node that has no TLS is told so in its own way.
void link_incoming::on_first_byte() {
    char first = 0;
    error_code error;
    socket_->plain().receive(asio::buffer(&first, 1), asio::socket_base::message_peek, error);
    if (error)
        return lost(error);
    if (first != tls_handshake) {
        if (first == link_magic.front()) {
            const std::lock_guard lock(mutex_);
            session_.refuse({code::forbidden, hub_.mine.name + " wants TLS: set cluster.tls on both."});
        }
        return fail({code::forbidden, "it has no TLS, and this node has: set cluster.tls on both"});
    }
    auto tls = hub_.identity->begin(socket_->plain().native_handle(), link_identity::side::accepts);
    if (!tls)
        return fail({code::internal, "there is no memory for TLS"});
    socket_->secure(std::move(tls));
    shake_hands([s = self_as()] { s->begin(); });
}

const link_hello* link_incoming::hello() const { return session_.hello() ? &*session_.hello() : nullptr; }

std::string link_incoming::who() const {
    return hello() != nullptr && is_node_name(hello()->card.name) ? hello()->card.name : from_;
}

expected<void> link_incoming::check_name(const std::string& name) {
    return socket_->is_secure() ? check_certificate(socket_->session(), name) : expected<void>{};
}

/// Only this thread knows of the session, so that the listener is called without the mutex.
void link_incoming::take(std::string_view bytes) {
    session_.on_bytes(bytes, [this](std::string_view frame) {
        ++counters_->received_frames;
        counters_->received_bytes += frame.size();
        hub_.frame_came(session_.hello()->card.replica, session_.hello()->on, frame);
    });
    if (counters_ || !session_.is_open())
        return;
    counters_ = hub_.incoming_opened(self_as());
    if (auto& loop = hub_.loop_of(session_.hello()->on); &loop != loop_)
        move_to(loop);
}

void link_incoming::on_gone() { hub_.incoming_gone(*this); }

void link_incoming::on_end() { hub_.incoming_ended(self_as(), session_.why()); }

} // namespace troupe::net
