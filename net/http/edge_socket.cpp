#include "net/http/edge_socket.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace troupe::net {

namespace {

constexpr std::size_t pieces_max = 64;
constexpr std::size_t tls_record_bytes = 16 * 1024;

} // namespace

tls_step edge_socket::write_now(std::span<const boost::asio::const_buffer> pieces) {
    if (!socket_.is_open())
        return {.error = boost::asio::error::bad_descriptor};
    if (tls_)
        return write_record(pieces);
    std::array<iovec, pieces_max> parts{};
    const auto count = std::min(pieces.size(), pieces_max);
    for (std::size_t i = 0; i < count; ++i)
        parts[i] = {const_cast<void*>(pieces[i].data()), pieces[i].size()}; // which is only read
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    ssize_t sent = 0;
    do {
        sent = ::sendmsg(socket_.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return {.bytes = static_cast<std::size_t>(sent)};
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return {.wants = tls_step::want::write};
    return {.error = error_code(errno, boost::system::system_category())};
}

tls_step edge_socket::read_now(boost::asio::mutable_buffer into) {
    if (!socket_.is_open())
        return {.error = boost::asio::error::bad_descriptor};
    if (tls_)
        return tls_->read(into);
    ssize_t got = 0;
    do {
        got = ::recv(socket_.native_handle(), into.data(), into.size(), MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got > 0)
        return {.bytes = static_cast<std::size_t>(got)};
    if (got == 0)
        return {.error = boost::asio::error::eof};
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return {.wants = tls_step::want::read};
    return {.error = error_code(errno, boost::system::system_category())};
}

/// Small pieces share a record. What was not taken is offered again as it was: its pieces are the same then.
tls_step edge_socket::write_record(std::span<const boost::asio::const_buffer> pieces) {
    if (pieces.size() == 1 || pieces.front().size() >= tls_record_bytes)
        return tls_->write(pieces.front());
    thread_local std::array<char, tls_record_bytes> record;
    std::size_t filled = 0;
    for (const auto& piece : pieces) {
        const auto part = std::min(piece.size(), record.size() - filled);
        std::memcpy(record.data() + filled, piece.data(), part);
        filled += part;
        if (filled == record.size())
            break;
    }
    return tls_->write(boost::asio::buffer(record.data(), filled));
}

} // namespace troupe::net
