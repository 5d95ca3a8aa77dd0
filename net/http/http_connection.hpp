#pragma once

#include "net/http/access_log.hpp"
#include "net/http/edge.hpp"
#include "net/http/edge_socket.hpp"
#include "net/http/growing_body.hpp"
#include "net/http/trace.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/verb.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace troupe::net {

/// One HTTP/1.1 connection: reads a request, has it answered, reads the next. What was read beyond a request stays in
/// the buffer, so pipelined requests are answered in order.
class http_connection : public connection {
public:
    http_connection(std::shared_ptr<edge> e, io_thread& io, edge_socket socket, entrance way = entrance::plain,
                    std::string address = {});
    ~http_connection() override { give_back(); }

    void start();
    /// Answers with that without reading anything, beyond the handshake of TLS.
    void refuse(problem why, int status);

    void tick(std::int64_t now_ms) override;
    void drain() override;
    void abort() override;

private:
    enum class phase : std::uint8_t {
        handshake,
        header,
        catching_up,
        body,
        storing,
        handling,
        held_back,
        writing,
        lingering,
        closed
    };
    using parser = boost::beast::http::request_parser<growing_body>;
    /// Bounds what stands behind the sizes of chunks.
    struct chunk_watch {
        std::size_t left = 0;
        void operator()(std::uint64_t, boost::beast::string_view extensions, boost::system::error_code& error);
    };

    std::shared_ptr<http_connection> self();
    static std::int64_t now_us();
    void enter(phase p, std::int64_t time_out_ms);

    // the beginning
    void begin();
    void await_hello();
    void on_hello();
    void shake_hands();

    // reading
    void read();
    void on_read(std::size_t bytes);
    void on_peer_end();
    void advance();
    bool read_header();
    bool refuse_target();
    std::size_t header_part_bytes();
    [[nodiscard]] std::string_view unread_text() const;
    bool read_body();
    bool take_credit();
    void give_back();
    void on_header();
    void on_caught_up(const expected<void>& what);
    void on_judged(std::optional<response> refusal);
    void fail(const problem& p, int status = 0);
    void fail(boost::system::error_code error);

    // judging what the header says; a response means refused (or answered) without the handler
    std::optional<response> judge();
    std::optional<response> judge_framing(std::string_view& path, std::string_view& query);
    [[nodiscard]] response refused_message(std::string why, int status = 0) const;
    [[nodiscard]] response redirected(std::string_view host, std::string_view target) const;
    std::optional<response> judge_headers();
    response answer_options(std::string allow);
    std::optional<response> judge_path(std::string_view path, std::string_view query);
    std::optional<response> judge_socket(std::string_view path, std::string_view query);
    [[nodiscard]] bool is_foreign_page() const;
    std::optional<response> judge_caller(const std::string* permission);
    std::optional<response> judge_stranger(const problem& why);
    std::optional<response> judge_rate();
    std::optional<response> within(const rate_verdict& found);
    std::optional<response> judge_body();
    std::optional<response> open_sink();
    void take_ids();
    static std::string_view method_name(boost::beast::http::verb v);
    void take_headers();
    void take_client();

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
    void report(int status, std::uint64_t bytes);
    void report_refusal(const response& r);
    void report_failure(const response& r);
    void linger();
    void close();

    io_thread& io_;
    edge_socket socket_;
    entrance way_;
    std::string address_;      // of the peer
    bool from_proxy_ = false;  // which is trusted
    bool misdirected_ = false; // plain HTTP where TLS is spoken
    std::optional<std::pair<problem, int>> refusal_;
    boost::beast::flat_buffer buffer_;
    std::optional<parser> parser_; // nothing between two requests
    phase phase_ = phase::header;
    std::int64_t deadline_ms_ = 0;
    std::size_t header_bytes_ = 0;   // that the parser has
    std::size_t searched_bytes_ = 0; // of the buffer, for the end of the header's next part
    std::size_t lingered_bytes_ = 0;
    chunk_watch chunks_;

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
    bool is_old_ = false; // HTTP/1.0
    bool takes_gzip_ = false;
    bool knows_gzip_ = false;     // its validators were those of a compressed answer
    std::string_view repeated_;   // a header that may come only once
    std::string more_lines_;      // CORS and HSTS of the answer
    access_entry entry_;          // filled in when accesses are logged
    std::string program_;         // what the request said that it comes from: the request itself goes to its handler
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
