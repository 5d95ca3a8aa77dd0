#include "tests/net/loopback.hpp"

#include "schemas/base/json.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

namespace troupe::net::test {

namespace {
constexpr int patience_ms = 10'000;

[[noreturn]] void give_up(const std::string& what) { throw std::runtime_error(what); }
} // namespace

std::string reply::header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
}

std::string reply::code() const {
    const auto document = json::document::parse(body);
    return document ? document->root().text_or("code") : std::string();
}

raw_client::raw_client(std::uint16_t port, int receive_buffer_bytes)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer_bytes > 0)
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
        give_up("cannot connect to port " + std::to_string(port));
}

raw_client::~raw_client() { ::close(fd_); }

void raw_client::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0)
            return; // the server has closed: what it said is still to be read
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

void raw_client::end_sending() { ::shutdown(fd_, SHUT_WR); }

bool raw_client::fill() {
    pollfd waiting{fd_, POLLIN, 0};
    if (::poll(&waiting, 1, patience_ms) <= 0)
        give_up("nothing came; so far: " + buffer_.substr(0, 500));
    char piece[16384];
    const auto got = ::recv(fd_, piece, sizeof piece, 0);
    if (got <= 0)
        return false;
    buffer_.append(piece, static_cast<std::size_t>(got));
    return true;
}

std::string raw_client::read_until(std::string_view text) {
    for (;;) {
        if (const auto at = buffer_.find(text); at != std::string::npos) {
            std::string out = buffer_.substr(0, at + text.size());
            buffer_.erase(0, out.size());
            return out;
        }
        if (!fill())
            give_up("the server closed; so far: " + buffer_.substr(0, 500));
    }
}

std::string raw_client::read_bytes(std::size_t count) {
    while (buffer_.size() < count)
        if (!fill())
            give_up("the server closed; so far: " + buffer_.substr(0, 500));
    std::string out = buffer_.substr(0, count);
    buffer_.erase(0, count);
    return out;
}

std::string raw_client::read_to_end() {
    while (fill()) {
    }
    return std::exchange(buffer_, {});
}

reply raw_client::read_reply(bool has_body) {
    const std::string head = read_until("\r\n\r\n");
    reply out;
    out.status = std::stoi(head.substr(9, 3));
    for (auto at = head.find("\r\n") + 2; at + 2 < head.size();) {
        const auto end = head.find("\r\n", at);
        const auto colon = head.find(": ", at);
        std::string name = head.substr(at, colon - at);
        std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
        out.headers[name] = head.substr(colon + 2, end - colon - 2);
        at = end + 2;
    }
    if (const auto length = out.header("content-length"); has_body && !length.empty())
        out.body = read_bytes(std::stoul(length));
    return out;
}

std::string raw_client::request(std::string_view method, std::string_view target, std::string_view body,
                                std::string_view more_headers) {
    std::string out = std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: test\r\n";
    out += more_headers;
    if (!body.empty())
        out += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    return out + "\r\n" + std::string(body);
}

raw_websocket::raw_websocket(std::uint16_t port, std::string_view target, std::string_view more_headers,
                             int receive_buffer_bytes)
    : client_(port, receive_buffer_bytes) {
    client_.send(raw_client::request("GET", target, {},
                                     "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
                                         std::string(more_headers)));
    accepted_ = client_.read_reply();
}

void raw_websocket::send_text(std::string_view text) { send_frame(1, text); }

void raw_websocket::send_frame(unsigned opcode, std::string_view payload) {
    std::string out;
    out += static_cast<char>(0x80U | opcode);
    if (payload.size() < 126) {
        out += static_cast<char>(0x80U | payload.size());
    } else if (payload.size() < 65536) {
        out += static_cast<char>(0x80U | 126U);
        out += static_cast<char>(payload.size() >> 8);
        out += static_cast<char>(payload.size() & 0xff);
    } else {
        out += static_cast<char>(0x80U | 127U);
        for (int shift = 56; shift >= 0; shift -= 8)
            out += static_cast<char>((payload.size() >> shift) & 0xff);
    }
    const std::string_view mask = "mask";
    out += mask;
    for (std::size_t i = 0; i < payload.size(); ++i)
        out += static_cast<char>(payload[i] ^ mask[i % 4]);
    client_.send(out);
}

int raw_websocket::frame::close_code() const {
    return payload.size() < 2 ? 0
                              : static_cast<unsigned char>(payload[0]) * 256 + static_cast<unsigned char>(payload[1]);
}

raw_websocket::frame raw_websocket::read() {
    for (;;) {
        const auto head = client_.read_bytes(2);
        frame out{.opcode = static_cast<unsigned char>(head[0]) & 0x0fU, .payload = {}};
        std::size_t length = static_cast<unsigned char>(head[1]) & 0x7fU;
        if (length >= 126) {
            std::size_t wide = 0;
            for (const char c : client_.read_bytes(length == 126 ? 2 : 8))
                wide = wide * 256 + static_cast<unsigned char>(c);
            length = wide;
        }
        out.payload = client_.read_bytes(length);
        if (out.opcode != 9)
            return out;
        send_frame(10, out.payload);
    }
}

std::string raw_websocket::read_text() {
    auto next = read();
    if (next.opcode != 1)
        give_up("expected a text message, got opcode " + std::to_string(next.opcode) + " close " +
                std::to_string(next.close_code()));
    return std::move(next.payload);
}

} // namespace troupe::net::test
