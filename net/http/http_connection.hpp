#pragma once

#include "net/http/edge.hpp"
#include "net/http/growing_body.hpp"
#include "net/http/trace.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/verb.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::net {

/// One HTTP/1.1 connection: reads a request, has it answered, reads the next. What was read beyond a request stays in
/// the buffer, so pipelined requests are answered in order.
class http_connection : public connection {
public:
    http_connection(std::shared_ptr<edge> e, io_thread& io, tcp_socket socket);
    ~http_connection() override { give_back(); }

    void start();
    /// Answers 503 without reading anything: there are too many connections.
    void refuse();

    void tick(std::int64_t now_ms) override;
    void drain() override;
    void abort() override;

private:
    enum class phase : std::uint8_t { header, body, storing, handling, held_back, writing, lingering, closed };
    using parser = boost::beast::http::request_parser<growing_body>;

    std::shared_ptr<http_connection> self();
    void enter(phase p, std::int64_t time_out_ms);

    // reading
    void read();
    void on_read(std::size_t bytes);
    void on_peer_end();
    void advance();
    bool read_header();
    std::size_t header_part_bytes();
    [[nodiscard]] std::string_view unread_text() const;
    bool read_body();
    bool take_credit();
    void give_back();
    void on_header();
    void fail(const problem& p, int status = 0);
    void fail(boost::system::error_code error);

    // judging what the header says; a response means refused (or answered) without the handler
    std::optional<response> judge();
    std::optional<response> judge_framing(std::string_view& path, std::string_view& query) const;
    std::optional<response> judge_path(std::string_view path, std::string_view query);
    std::optional<response> judge_socket(std::string_view path, std::string_view query);
    std::optional<response> judge_caller(const std::string* permission);
    std::optional<response> judge_body();
    std::optional<response> open_sink();
    void take_ids();
    static std::string_view method_name(boost::beast::http::verb v);
    void take_headers();

    // bodies in pieces
    void hand_over();
    void on_handed_over(std::uint64_t number, const expected<void>& taken, bool last);
    void send_piece();
    void on_piece(expected<std::string> piece);

    // answering
    void dispatch();
    void run_handler();
    void run_stream();
    void answer(std::uint64_t number, response r);
    bool hold_back(response& r);
    void answer_stream(std::uint64_t number, expected<stream_spec> spec);
    void write(response r);
    void on_written();
    void upgrade();
    [[nodiscard]] std::string head_of(const response& r, bool without_length) const;
    void report(int status) const;
    void linger();
    void close();

    io_thread& io_;
    tcp_socket socket_;
    boost::beast::flat_buffer buffer_;
    std::optional<parser> parser_; // nothing between two requests
    phase phase_ = phase::header;
    std::int64_t deadline_ms_ = 0;
    std::size_t header_bytes_ = 0;   // that the parser has
    std::size_t searched_bytes_ = 0; // of the buffer, for the end of the header's next part
    std::size_t lingered_bytes_ = 0;

    // the request at hand
    std::uint64_t number_ = 0; // tells a late answer from the one that is awaited
    request request_;
    trace_context trace_;
    std::string_view method_; // for those who count
    const route* route_ = nullptr;
    std::shared_ptr<body_sink> sink_; // of a body that goes there instead of into the request
    std::optional<response> early_;   // decided before the handler, or held back
    std::size_t credit_ = 0;          // of the budget for bodies
    bool wants_credit_ = false;       // the body is not read before there is some
    bool is_head_ = false;
    bool is_socket_ = false;
    bool wants_stream_ = false;
    bool close_after_ = false;
    bool reading_ = false;        // a read is under way
    bool unread_ = false;         // the client may still be sending what nobody will read
    std::int64_t allowed_ms_ = 0; // for the handler
    std::int64_t began_us_ = 0;

    // the answer on its way
    std::string head_;
    std::string body_;
    std::shared_ptr<body_source> source_;
    std::uint64_t source_left_ = 0;
};

} // namespace troupe::net
