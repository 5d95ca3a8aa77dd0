#include "net/client/http_client.hpp"
#include "schemas/base/duration.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/none.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace troupe::net {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using steady = std::chrono::steady_clock;

constexpr std::size_t header_bytes_max = 64 << 10;
constexpr std::size_t read_bytes = 64 << 10;
constexpr std::size_t write_bytes = 256 << 10;

/// Takes the body as it is parsed.
struct reply_sink {
    const std::function<bool(std::string_view)>* on_data = nullptr;
    std::size_t bytes_max = 0;
    std::string kept;
    bool too_large = false;
    bool ended_by_caller = false;
};

/// A Beast body that hands each piece to a `reply_sink`.
struct sink_body {
    using value_type = reply_sink;

    class reader {
    public:
        template <bool is_request, class Fields>
        reader(http::header<is_request, Fields>& header, value_type& sink)
            : status_([&header] { return header.result_int(); }), sink_(sink) {}

        void init(const boost::optional<std::uint64_t>&, error_code& failed) {
            failed = {};
            streams_ = sink_.on_data != nullptr && status_() / 100 == 2; // the header is complete now
        }
        void finish(error_code& failed) { failed = {}; }

        template <class Buffers>
        std::size_t put(const Buffers& buffers, error_code& failed) {
            failed = {};
            std::size_t taken = 0;
            for (auto at = asio::buffer_sequence_begin(buffers); at != asio::buffer_sequence_end(buffers); ++at) {
                const asio::const_buffer buffer = *at;
                take({static_cast<const char*>(buffer.data()), buffer.size()});
                taken += buffer.size();
            }
            return taken;
        }

    private:
        void take(std::string_view piece) {
            if (sink_.ended_by_caller || sink_.too_large || piece.empty())
                return;
            if (streams_)
                sink_.ended_by_caller = !(*sink_.on_data)(piece);
            else if (piece.size() > sink_.bytes_max - sink_.kept.size())
                sink_.too_large = true;
            else
                sink_.kept += piece;
        }

        std::function<unsigned()> status_;
        value_type& sink_;
        bool streams_ = false;
    };
};

using reply_parser = http::response_parser<sink_body>;

struct target {
    bool tls = false;
    std::string host; ///< Without brackets.
    std::uint16_t port = 0;
    std::string host_header;
    std::string path; ///< With the query.
    bool is_address = false;
};

problem bad_request(std::string detail) { return {code::invalid_request, std::move(detail)}; }

expected<target> parse_target(const std::string& text) {
    const auto url = boost::urls::parse_uri(text);
    if (!url || !url->has_authority() || url->host_address().empty() ||
        (url->scheme() != "http" && url->scheme() != "https"))
        return bad_request(
            fmt::format("'{}' is no HTTP address; write it as http://HOST[:PORT]/PATH or https://…", text));
    if (url->has_userinfo()) // the text is not repeated: it may hold a password
        return bad_request("The address holds a user name; send credentials in a header instead.");
    target out;
    out.tls = url->scheme() == "https";
    out.host = url->host_address();
    const std::string_view port(url->port().data(), url->port().size());
    out.port = out.tls ? 443 : 80;
    if (!port.empty() && std::from_chars(port.data(), port.data() + port.size(), out.port).ec != std::errc())
        out.port = 0;
    if (out.port == 0)
        return bad_request(fmt::format("The port in '{}' has to be between 1 and 65535.", text));
    out.host_header = std::string(url->encoded_host_and_port());
    out.path = std::string(url->encoded_path());
    if (out.path.empty())
        out.path = "/";
    if (url->has_query())
        out.path += "?" + std::string(url->encoded_query());
    out.is_address =
        url->host_type() == boost::urls::host_type::ipv4 || url->host_type() == boost::urls::host_type::ipv6;
    return out;
}

/// The first one of a PEM file; null: there is none.
std::shared_ptr<X509> read_certificate(const std::string& file) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> in(std::fopen(file.c_str(), "re"), &std::fclose);
    X509* read = in ? PEM_read_X509(in.get(), nullptr, nullptr, nullptr) : nullptr;
    ERR_clear_error();
    return {read, &X509_free};
}

bool is_token(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return std::isalnum(c) ||
               std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
    });
}

expected<std::string> write_head(const client_request& request, const target& to) {
    if (!is_token(request.method))
        return bad_request("The method of a request has to be one word.");
    std::string head =
        fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nUser-Agent: troupe/" TROUPE_VERSION "\r\n",
                    request.method, to.path, to.host_header);
    for (const auto& [name, value] : request.headers) {
        // A line break in a value would let it forge further headers. The value is not repeated: it may be a key.
        if (!is_token(name) || value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
            return bad_request(fmt::format("The header '{}' holds a character that HTTP does not allow.", name));
        head += fmt::format("{}: {}\r\n", name, value);
    }
    if (request.source && !request.source->bytes)
        head += "Transfer-Encoding: chunked\r\n";
    else if (request.source)
        head += fmt::format("Content-Length: {}\r\n", *request.source->bytes);
    else if (!request.body.empty() || (request.method != "GET" && request.method != "HEAD"))
        head += fmt::format("Content-Length: {}\r\n", request.body.size());
    return head += "\r\n";
}

/// One call: an io_context, one connection, closed at its end.
class call {
public:
    call(const client_request& request, target to, std::stop_token stop)
        : request_(request), to_(std::move(to)), stop_(std::move(stop)), begin_(steady::now()), tcp_(context_) {}

    expected<client_response> run(const std::function<bool(std::string_view)>* on_data) {
        // From any thread; closing makes whatever this call waits for return at once.
        const std::stop_callback on_stop(stop_, [this] { asio::post(context_, [this] { tcp_.close(); }); });
        auto head = write_head(request_, to_);
        if (!head)
            return head.error();
        if (auto opened = open(); !opened)
            return opened.error();
        error_code unsent = send(*head);
        if (!unsent && request_.source) {
            if (auto given = send_source(*request_.source, unsent); !given)
                return given.error();
        } else if (!unsent) {
            unsent = send(request_.body);
        }
        reply_sink sink;
        sink.on_data = on_data;
        sink.bytes_max = request_.reply_bytes_max;
        auto reply = receive(std::move(sink));
        // A server may answer and close before it read the whole body: its answer says more than the broken pipe.
        if (!reply && unsent && reply.error().code == code::connection_failed)
            return failed(unsent, "while sending the request");
        return reply;
    }

private:
    /// Starts one asynchronous operation and runs it to its end, within `limit_ms` and the call's own deadline.
    template <class Start>
    error_code wait(std::int64_t limit_ms, Start start) {
        if (stop_.stop_requested())
            return asio::error::operation_aborted;
        error_code result = asio::error::would_block;
        tcp_.expires_at(std::min(after(steady::now(), limit_ms), deadline()));
        start([&result](error_code ec, auto&&...) { result = ec; });
        context_.restart();
        // Until the operation ends: what stays behind is a pending stop.
        while (result == asio::error::would_block && context_.run_one() != 0) {
        }
        return result;
    }

    static steady::time_point after(steady::time_point begin, std::int64_t limit_ms) {
        return limit_ms > 0 ? begin + std::chrono::milliseconds(limit_ms) : steady::time_point::max();
    }
    [[nodiscard]] steady::time_point deadline() const { return after(begin_, request_.time_out_ms); }

    [[nodiscard]] problem failed(error_code ec, std::string_view when) const {
        const std::string where = fmt::format("{}:{}", to_.host, to_.port);
        if (stop_.stop_requested())
            return {code::cancelled, fmt::format("The call to {} was cancelled.", where)};
        if (ec == beast::error::timeout || ec == asio::error::timed_out) {
            if (steady::now() >= deadline())
                return {code::deadline_exceeded,
                        fmt::format("{} did not finish within {} ({}).", where, span_text(request_.time_out_ms), when)};
            return {code::connection_failed, fmt::format("{} was silent for too long {}.", where, when)};
        }
        return {code::connection_failed, fmt::format("{} failed {}: {}.", where, when, ec.message())};
    }

    expected<void> open() {
        if (request_.may_reach && !request_.may_reach(to_.host, std::nullopt))
            return forbidden("this host");
        auto endpoints = resolve();
        if (!endpoints)
            return endpoints.error();
        if (auto allowed = leave_out_forbidden(*endpoints); !allowed)
            return allowed;
        const error_code unconnected =
            wait(request_.connect_time_out_ms, [&](auto done) { tcp_.async_connect(*endpoints, std::move(done)); });
        if (unconnected)
            return failed(unconnected, "while connecting");
        error_code ignored; // an option that is refused costs milliseconds, nothing else
        tcp_.socket().set_option(tcp::no_delay(true), ignored);
        return to_.tls ? shake_hands() : expected<void>();
    }

    [[nodiscard]] problem forbidden(std::string_view what) const {
        return {code::forbidden, fmt::format("{}: it is not allowed to connect to {}.", to_.host, what)};
    }

    /// What is left is what is connected to: there is no second lookup that could give another address.
    expected<void> leave_out_forbidden(std::vector<tcp::endpoint>& endpoints) const {
        if (!request_.may_reach || endpoints.empty())
            return {};
        const auto first = endpoints.front().address().to_string();
        std::erase_if(endpoints, [&](const tcp::endpoint& one) {
            // Without the scope of a link-local address, which is no part of it.
            const auto text = one.address().to_string();
            const auto address = parse_ip(std::string_view(text).substr(0, text.find('%')));
            return !address || !request_.may_reach(to_.host, *address);
        });
        return endpoints.empty() ? expected<void>(forbidden("its address " + first)) : expected<void>();
    }

    /// "localhost" is this machine without a lookup (RFC 6761, 6.3): resolvers of small images do not know it.
    /// The resolver of the C library cannot be interrupted: a thread asks it, this one stops waiting when it has to.
    expected<std::vector<tcp::endpoint>> resolve() {
        if (to_.host == "localhost") {
            return std::vector<tcp::endpoint>{{asio::ip::address_v4::loopback(), to_.port},
                                              {asio::ip::address_v6::loopback(), to_.port}};
        }
        if (to_.is_address) {
            error_code bad;
            const auto address = asio::ip::make_address(to_.host, bad);
            if (bad)
                return failed(bad, "while reading its address");
            return std::vector<tcp::endpoint>{{address, to_.port}};
        }
        struct answer {
            std::mutex mutex;
            std::condition_variable_any came;
            bool ready = false;
            error_code ec;
            std::vector<tcp::endpoint> endpoints;
        };
        auto shared = std::make_shared<answer>();
        std::thread([shared, host = to_.host, port = std::to_string(to_.port)] {
            error_code ec;
            std::vector<tcp::endpoint> endpoints;
            try {
                asio::io_context context;
                for (const auto& one : tcp::resolver(context).resolve(host, port, ec))
                    endpoints.push_back(one.endpoint());
            } catch (const std::exception&) {
                ec = asio::error::no_memory;
            }
            const std::lock_guard lock(shared->mutex);
            shared->ec = ec;
            shared->endpoints = std::move(endpoints);
            shared->ready = true;
            shared->came.notify_all();
        }).detach();
        const auto until = std::min(after(steady::now(), request_.connect_time_out_ms), deadline());
        std::unique_lock lock(shared->mutex);
        if (!shared->came.wait_until(lock, stop_, until, [&] { return shared->ready; }))
            return failed(beast::error::timeout, "while looking up its name");
        if (shared->ec)
            return failed(shared->ec, "while looking up its name");
        return std::move(shared->endpoints);
    }

    expected<void> shake_hands() {
        namespace ssl = asio::ssl;
        error_code bad;
        tls_context_.emplace(ssl::context::tls_client);
        SSL_CTX_set_min_proto_version(tls_context_->native_handle(), TLS1_2_VERSION);
        if (request_.ca_file.empty())
            tls_context_->set_default_verify_paths(bad);
        else
            tls_context_->load_verify_file(request_.ca_file, bad);
        if (bad)
            return problem{code::connection_failed,
                           fmt::format("The certificates in {} cannot be read: {}.",
                                       request_.ca_file.empty() ? "the system's store" : request_.ca_file,
                                       bad.message())};
        tls_.emplace(tcp_, *tls_context_);
        tls_->set_verify_mode(ssl::verify_peer);
        if (request_.certificate_file.empty()) {
            tls_->set_verify_callback(ssl::host_name_verification(to_.host));
        } else {
            auto known = read_certificate(request_.certificate_file);
            if (!known)
                return problem{code::connection_failed, fmt::format("There is no certificate that can be read in {}.",
                                                                    request_.certificate_file)};
            tls_->set_verify_callback([known](bool, ssl::verify_context& shown) {
                auto* store = shown.native_handle();
                return X509_STORE_CTX_get_error_depth(store) > 0 ||
                       X509_cmp(X509_STORE_CTX_get_current_cert(store), known.get()) == 0;
            });
        }
        if (!to_.is_address)
            SSL_set_tlsext_host_name(tls_->native_handle(), to_.host.c_str());
        const error_code refused = wait(request_.connect_time_out_ms, [&](auto done) {
            tls_->async_handshake(ssl::stream_base::client, std::move(done));
        });
        if (refused)
            return failed(refused, "during the TLS handshake");
        return {};
    }

    error_code send(std::string_view text) {
        error_code ec;
        // Piece by piece, because the idle limit is for each of them.
        for (; !text.empty() && !ec; text.remove_prefix(std::min(text.size(), write_bytes))) {
            const asio::const_buffer piece = asio::buffer(text.substr(0, write_bytes));
            ec = wait(request_.idle_time_out_ms, [&](auto done) {
                if (tls_)
                    asio::async_write(*tls_, piece, std::move(done));
                else
                    asio::async_write(tcp_, piece, std::move(done));
            });
        }
        return ec;
    }

    /// A problem is the source's; the connection's error goes into `unsent`.
    expected<void> send_source(const body_source& source, error_code& unsent) {
        for (std::uint64_t sent = 0; !unsent && (!source.bytes || sent < *source.bytes);) {
            const auto piece = source.next();
            if (!piece)
                return piece.error();
            if (piece->empty() && source.bytes)
                return bad_request("The content to send is shorter than was said: did it change meanwhile?");
            if (piece->empty())
                break;
            if (source.bytes && piece->size() > *source.bytes - sent)
                return bad_request("The content to send is longer than was said: did it change meanwhile?");
            sent += piece->size();
            unsent = source.bytes ? send(*piece) : send(fmt::format("{:x}\r\n", piece->size()) + *piece + "\r\n");
        }
        if (!unsent && !source.bytes)
            unsent = send("0\r\n\r\n");
        return {};
    }

    /// Reads what is there into `unread_`; an end of the stream is `asio::error::eof`.
    error_code read() {
        const auto space = unread_.prepare(read_bytes);
        std::size_t count = 0;
        const error_code ec = wait(request_.idle_time_out_ms, [&](auto done) {
            auto counted = [&count, done](error_code read_ec, std::size_t bytes) {
                count = bytes;
                done(read_ec);
            };
            if (tls_)
                tls_->async_read_some(space, std::move(counted));
            else
                tcp_.async_read_some(space, std::move(counted));
        });
        unread_.commit(count);
        return count > 0 ? error_code() : ec;
    }

    expected<client_response> receive(reply_sink sink) {
        std::optional<reply_parser> parser;
        const auto begin_reply = [&] {
            parser.emplace(std::piecewise_construct, std::forward_as_tuple(sink));
            parser->header_limit(header_bytes_max);
            parser->body_limit(boost::none);            // the sink bounds what is kept
            parser->eager(request_.on_head == nullptr); // else the body waits until the head was seen
            parser->skip(request_.method == "HEAD");
        };
        begin_reply();
        bool head_seen = request_.on_head == nullptr;
        while (true) {
            error_code bad;
            while (unread_.size() > 0 && !parser->is_done() && !bad && (head_seen || !parser->is_header_done())) {
                const std::size_t taken = parser->put(unread_.data(), bad);
                unread_.consume(taken);
            }
            if (!head_seen && parser->is_header_done() && parser->get().result_int() / 100 != 1) {
                head_seen = true;
                if (auto wanted = request_.on_head(head_of(*parser)); !wanted)
                    return wanted.error();
                parser->eager(true);
                continue; // what came with the head is still unread
            }
            const reply_sink& taken = parser->get().body();
            if (taken.ended_by_caller)
                return response_of(*parser);
            if (taken.too_large)
                return problem{code::payload_too_large,
                               fmt::format("The answer of {} is over {} bytes.", to_.host, request_.reply_bytes_max)};
            if (bad && bad != http::error::need_more)
                return failed(bad, "while its answer was read");
            if (parser->is_done()) {
                if (parser->get().result_int() / 100 != 1)
                    return response_of(*parser);
                begin_reply(); // 100 Continue and the like: the answer itself follows
                continue;
            }
            const error_code ended = read();
            if (ended == asio::error::eof && parser->is_header_done()) {
                parser->put_eof(bad);
                if (!bad)
                    return response_of(*parser);
                return failed(bad, "before its answer was complete");
            }
            if (ended)
                return failed(ended,
                              parser->is_header_done() ? "before its answer was complete" : "before it answered");
        }
    }

    static client_response response_of(reply_parser& parser) {
        auto out = head_of(parser);
        out.body = std::move(parser.get().body().kept);
        return out;
    }

    static client_response head_of(reply_parser& parser) {
        client_response out;
        out.status = static_cast<int>(parser.get().result_int());
        for (const auto& field : parser.get()) {
            std::string name(field.name_string());
            std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
            auto [at, fresh] = out.headers.try_emplace(std::move(name), field.value());
            if (!fresh)
                at->second += ", " + std::string(field.value());
        }
        return out;
    }

    const client_request& request_;
    target to_;
    std::stop_token stop_;
    steady::time_point begin_;
    asio::io_context context_{1};
    beast::tcp_stream tcp_;
    std::optional<asio::ssl::context> tls_context_;
    std::optional<asio::ssl::stream<beast::tcp_stream&>> tls_;
    beast::flat_buffer unread_;
};

expected<client_response> perform(const client_request& request, std::stop_token stop,
                                  const std::function<bool(std::string_view)>* on_data) {
    try {
        auto to = parse_target(request.url);
        if (!to)
            return to.error();
        return call(request, std::move(*to), std::move(stop)).run(on_data);
    } catch (const std::exception& e) {
        return problem{code::internal, fmt::format("The HTTP client failed: {}.", e.what())};
    }
}

} // namespace

expected<client_response> fetch(const client_request& request, std::stop_token stop) {
    return perform(request, std::move(stop), nullptr);
}

expected<client_response> fetch_stream(const client_request& request, std::stop_token stop,
                                       const std::function<bool(std::string_view)>& on_data) {
    return perform(request, std::move(stop), &on_data);
}

} // namespace troupe::net
