#include "net/http/tls.hpp"

#include "net/http/tls_context.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/log.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <utility>

namespace troupe::net {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;

/// One attempt writes up to this much, so that a connection cannot keep its thread.
constexpr std::size_t write_bytes = 128 << 10;
/// The files are looked at so often at most.
constexpr std::int64_t look_every_ms = 1'000;
/// A certificate that expires is logged again so often.
constexpr std::int64_t warn_every_ms = 24LL * 3600 * 1000;
constexpr std::string_view group = "edge.tls";

spdlog::logger& log() {
    static auto& logger = log_for("edge");
    return logger;
}

SSL* ssl_of(void* p) { return static_cast<SSL*>(p); }

/// ALPN: HTTP/1.1 is all that this port speaks.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                    unsigned offered_size, void*) {
    static constexpr std::string_view only = "\x08http/1.1";
    unsigned char* chosen = nullptr;
    if (SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(only.data()),
                              static_cast<unsigned>(only.size()), offered, offered_size) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

expected<tls_context_ptr> load_context(const std::string& certificate_file, const std::string& key_file) {
    auto out = load_tls_context(TLS_server_method(), group, certificate_file, key_file);
    if (out)
        SSL_CTX_set_alpn_select_cb(out->get(), choose_protocol, nullptr);
    return out;
}

} // namespace

// ---- a session

tls_session::~tls_session() { SSL_free(ssl_of(ssl_)); }

tls_step tls_session::outcome(int result) {
    switch (SSL_get_error(ssl_of(ssl_), result)) {
    case SSL_ERROR_WANT_READ:
        return {.wants = tls_step::want::read};
    case SSL_ERROR_WANT_WRITE:
        return {.wants = tls_step::want::write};
    case SSL_ERROR_ZERO_RETURN:
        return {.error = asio::error::eof};
    case SSL_ERROR_SSL:
        broken_ = true;
        return {.error = error_code(static_cast<int>(ERR_get_error()), asio::error::get_ssl_category())};
    default:
        broken_ = true;
        return {.error = errno != 0 ? error_code(errno, boost::system::system_category())
                                    : error_code(asio::error::connection_reset)};
    }
}

tls_step tls_session::shake_hands() {
    ERR_clear_error();
    errno = 0;
    const int result = SSL_do_handshake(ssl_of(ssl_));
    broken_ = result != 1;
    return result == 1 ? tls_step{} : outcome(result);
}

tls_step tls_session::read(asio::mutable_buffer into) {
    ERR_clear_error();
    errno = 0;
    tls_step out;
    while (out.bytes < into.size()) {
        std::size_t got = 0;
        const int result =
            SSL_read_ex(ssl_of(ssl_), static_cast<char*>(into.data()) + out.bytes, into.size() - out.bytes, &got);
        if (result != 1)
            return out.bytes > 0 ? out : outcome(result); // what ended it shows again in the next attempt
        out.bytes += got;
    }
    return out;
}

tls_step tls_session::write(asio::const_buffer from) {
    ERR_clear_error();
    errno = 0;
    tls_step out;
    while (out.bytes < std::min(from.size(), write_bytes)) {
        std::size_t put = 0;
        const int result = SSL_write_ex(ssl_of(ssl_), static_cast<const char*>(from.data()) + out.bytes,
                                        from.size() - out.bytes, &put);
        if (result != 1)
            return out.bytes > 0 ? out : outcome(result);
        out.bytes += put;
    }
    return out;
}

void tls_session::say_goodbye() {
    if (broken_)
        return;
    ERR_clear_error();
    SSL_shutdown(ssl_of(ssl_)); // the answer is not waited for
    ERR_clear_error();
}

// ---- the identity

struct tls_identity::impl {
    std::string certificate_file;
    std::string key_file;
    std::atomic<std::int64_t> looked_at_ms = 0;
    std::mutex mutex; // of all below
    std::int64_t warned_at_ms = 0;
    tls_context_ptr context;
    std::array<file_stamp, 2> stamps;

    [[nodiscard]] std::array<file_stamp, 2> stamps_now() const {
        return {stamp_of(certificate_file), stamp_of(key_file)};
    }

    /// With the mutex held.
    expected<void> load() {
        stamps = stamps_now(); // before they are read: what changes meanwhile shows the next time
        auto fresh = load_context(certificate_file, key_file);
        if (!fresh)
            return fresh.error();
        context = std::move(*fresh);
        warn_of_dates(log(), context.get(), group, certificate_file);
        warned_at_ms = monotonic_ms();
        return {};
    }

    /// With the mutex held. A file that is bad is tried again when it has changed.
    expected<void> reload() {
        auto loaded = load();
        if (loaded)
            log().info("edge.tls.certificate_file: {} is in use from now on", certificate_file);
        else
            log().error("{} The certificate that was in use stays.", loaded.error().detail);
        return loaded;
    }

    void look() {
        const auto now_ms = monotonic_ms();
        auto last_ms = looked_at_ms.load();
        if (now_ms - last_ms < look_every_ms || !looked_at_ms.compare_exchange_strong(last_ms, now_ms))
            return;
        const std::lock_guard lock(mutex);
        if (stamps != stamps_now())
            (void)reload(); // it has said what is wrong
        if (now_ms - warned_at_ms < warn_every_ms)
            return;
        warn_of_dates(log(), context.get(), group, certificate_file);
        warned_at_ms = now_ms;
    }
};

tls_identity::tls_identity(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
tls_identity::~tls_identity() = default;

expected<std::unique_ptr<tls_identity>> tls_identity::load(std::string certificate_file, std::string key_file) {
    auto i = std::make_unique<impl>();
    i->certificate_file = std::move(certificate_file);
    i->key_file = std::move(key_file);
    i->looked_at_ms = monotonic_ms();
    if (auto loaded = i->load(); !loaded)
        return loaded.error();
    return std::unique_ptr<tls_identity>(new tls_identity(std::move(i)));
}

expected<void> tls_identity::reload() {
    const std::lock_guard lock(impl_->mutex);
    return impl_->reload();
}

std::unique_ptr<tls_session> tls_identity::begin(int socket) {
    impl_->look();
    tls_context_ptr context;
    {
        const std::lock_guard lock(impl_->mutex);
        context = impl_->context;
    }
    SSL* ssl = SSL_new(context.get()); // holds the context on its own
    if (ssl == nullptr)
        return nullptr;
    SSL_set_accept_state(ssl);
    auto out = std::make_unique<tls_session>(ssl);
    if (SSL_set_fd(ssl, socket) != 1)
        return nullptr;
    return out;
}

} // namespace troupe::net
