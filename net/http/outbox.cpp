#include "net/http/outbox.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace troupe::net {

namespace {

/// What one system call takes.
constexpr std::size_t pieces_max = 64;
/// An idle connection keeps room for no more.
constexpr std::size_t room_max = 16;

} // namespace

tls_step outbox::write_to(edge_socket& socket) {
    tls_step out;
    while (!texts_.empty()) {
        std::array<boost::asio::const_buffer, pieces_max> pieces;
        const auto count = std::min(pieces_max, texts_.size() - first_);
        for (std::size_t i = 0; i < count; ++i) {
            const auto& bytes = texts_[first_ + i]->bytes;
            const auto from = i == 0 ? offset_ : 0;
            pieces[i] = boost::asio::const_buffer(bytes.data() + from, bytes.size() - from);
        }
        out = socket.write_now(std::span(pieces.data(), count));
        if (out.error || out.bytes == 0)
            return out;
        written(out.bytes);
    }
    return out;
}

void outbox::written(std::size_t bytes) {
    while (bytes > 0) {
        const auto left = texts_[first_]->bytes.size() - offset_;
        if (bytes < left) {
            offset_ += bytes;
            return;
        }
        bytes -= left;
        offset_ = 0;
        texts_[first_++].reset();
    }
    if (first_ == texts_.size())
        clear();
}

void outbox::clear() {
    first_ = offset_ = 0;
    texts_.clear();
    if (texts_.capacity() > room_max)
        texts_ = {};
}

} // namespace troupe::net
