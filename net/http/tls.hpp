#pragma once

#include "schemas/base/problem.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

/// TLS of the edge (and of the links between nodes), on OpenSSL and the bare socket: no buffers beside OpenSSL's own,
/// and none while a connection rests.
namespace troupe::net {

/// What one attempt did. With `wants`, nothing: it is made again when the socket can.
struct tls_step {
    enum class want : std::uint8_t { nothing, read, write };
    std::size_t bytes = 0;
    boost::system::error_code error = {};
    want wants = want::nothing;
};

/// The TLS of one connection. No function blocks; all are called on the connection's thread.
class tls_session {
public:
    /// `of` is an SSL* that knows whether it accepts or connects; this owns it.
    explicit tls_session(void* of) : ssl_(of) {}
    ~tls_session();
    tls_session(const tls_session&) = delete;
    tls_session& operator=(const tls_session&) = delete;

    tls_step shake_hands();
    /// As much as is there; an end that the peer announced is `eof`.
    tls_step read(boost::asio::mutable_buffer into);
    /// May take a part only. What it did not take has to be offered again as it was.
    tls_step write(boost::asio::const_buffer from);
    /// Says that nothing more comes, if that can be said at once.
    void say_goodbye();
    /// The SSL*, for those who ask whom they talk with.
    [[nodiscard]] void* native() const { return ssl_; }

private:
    tls_step outcome(int result);

    void* ssl_;
    bool broken_ = true; // before the handshake, and after an error
};

/// Certificate and key of the edge. Thread-safe.
class tls_identity {
public:
    /// Problems are `config_invalid` and name the file.
    static expected<std::unique_ptr<tls_identity>> load(std::string certificate_file, std::string key_file);
    ~tls_identity();

    /// For a connection whose socket does not block. Looks first, at most once a second, whether the files have
    /// changed. Null: no memory.
    std::unique_ptr<tls_session> begin(int socket);
    /// Reads the files again. A problem, which is logged as well: the old certificate stays.
    expected<void> reload();

private:
    struct impl;
    explicit tls_identity(std::unique_ptr<impl> i);
    std::unique_ptr<impl> impl_;
};

} // namespace troupe::net
