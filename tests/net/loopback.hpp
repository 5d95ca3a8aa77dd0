#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

/// A raw TCP client for tests: it sends exactly the bytes it is given. Every wait ends after ten seconds with an
/// exception, so that a test fails instead of hanging.
namespace troupe::net::test {

struct reply {
    int status = 0;
    std::map<std::string, std::string> headers; ///< Lower-case names.
    std::string body;

    [[nodiscard]] std::string header(const std::string& name) const;
    /// The `code` of a problem; empty when the body is none.
    [[nodiscard]] std::string code() const;
};

class raw_client {
public:
    explicit raw_client(std::uint16_t port, int receive_buffer_bytes = 0);
    ~raw_client();
    raw_client(const raw_client&) = delete;
    raw_client& operator=(const raw_client&) = delete;

    void send(std::string_view bytes);
    /// Says that nothing more comes, and still reads.
    void end_sending();
    /// The next answer, by its Content-Length. `has_body` is false for answers to HEAD.
    reply read_reply(bool has_body = true);
    /// Everything up to and with that text.
    std::string read_until(std::string_view text);
    std::string read_bytes(std::size_t count);
    /// Everything until the server closes.
    std::string read_to_end();

    /// A request with Host and, when there is a body, its length.
    static std::string request(std::string_view method, std::string_view target, std::string_view body = {},
                               std::string_view more_headers = {});

private:
    bool fill();
    int fd_ = -1;
    std::string buffer_;
};

/// WebSocket on top, by hand: only what the tests need.
class raw_websocket {
public:
    raw_websocket(std::uint16_t port, std::string_view target, std::string_view more_headers = {},
                  int receive_buffer_bytes = 0);
    /// The answer to the upgrade.
    const reply& accepted() const { return accepted_; }
    void send_text(std::string_view text);
    void send_frame(unsigned opcode, std::string_view payload);
    struct frame {
        unsigned opcode = 0;
        std::string payload;
        [[nodiscard]] int close_code() const;
    };
    /// The next frame that is no ping; pings are answered.
    frame read();
    std::string read_text();

private:
    raw_client client_;
    reply accepted_;
};

} // namespace troupe::net::test
