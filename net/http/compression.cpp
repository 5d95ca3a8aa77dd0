#include "net/http/compression.hpp"

#include "net/http/text.hpp"
#include "schemas/base/limits.hpp"

#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <cstddef>

namespace troupe::net {

namespace {

/// Less is one packet anyway.
constexpr std::size_t bytes_min = 1 * limits::kib;
/// More would take the io thread from others for more than about two milliseconds.
constexpr std::size_t bytes_max = 256 * limits::kib;
constexpr int level = 3;
constexpr int gzip_window_bits = 15 + 16; // with gzip's header
constexpr int memory_level = 8;
constexpr std::string_view suffix = "-gzip\"";

bool is_text(std::string_view content_type) {
    const auto type = lower_case(trim(content_type.substr(0, content_type.find(';'))));
    return type.starts_with("text/") || type == "application/json" || type.ends_with("+json") ||
           type == "application/javascript" || type == "image/svg+xml" || type == "application/yaml";
}

/// Thousandths; a weight that cannot be read counts as none given.
int weight_of(std::string_view parameters) {
    while (!parameters.empty()) {
        const auto end = parameters.find(';');
        const auto pair = trim(parameters.substr(0, end));
        parameters = end == parameters.npos ? std::string_view() : parameters.substr(end + 1);
        if (!pair.starts_with("q=") && !pair.starts_with("Q="))
            continue;
        double q = 1;
        const auto digits = pair.substr(2);
        const auto [at, error] = std::from_chars(digits.data(), digits.data() + digits.size(), q);
        return error == std::errc() && q >= 0 && q <= 1 ? static_cast<int>(q * 1000) : 1000;
    }
    return 1000;
}

/// One for each thread: making one costs more than compressing little.
struct deflater {
    z_stream stream{};
    bool good = deflateInit2(&stream, level, Z_DEFLATED, gzip_window_bits, memory_level, Z_DEFAULT_STRATEGY) == Z_OK;
    deflater() = default;
    deflater(const deflater&) = delete;
    deflater& operator=(const deflater&) = delete;
    ~deflater() { deflateEnd(&stream); }
};

std::optional<std::string> gzip(std::string_view text) {
    thread_local deflater d;
    if (!d.good || deflateReset(&d.stream) != Z_OK)
        return std::nullopt;
    std::string out;
    out.resize(text.size());                                                     // what is not smaller is of no use
    d.stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data())); // it only reads
    d.stream.avail_in = static_cast<uInt>(text.size());
    d.stream.next_out = reinterpret_cast<Bytef*>(out.data());
    d.stream.avail_out = static_cast<uInt>(out.size());
    if (deflate(&d.stream, Z_FINISH) != Z_STREAM_END)
        return std::nullopt;
    out.resize(out.size() - d.stream.avail_out);
    return out;
}

} // namespace

bool accepts_gzip(std::string_view accept_encoding) {
    int gzip_weight = -1;
    int any = -1;
    int plain = -1;
    while (!accept_encoding.empty()) {
        const auto comma = accept_encoding.find(',');
        const auto item = trim(accept_encoding.substr(0, comma));
        accept_encoding = comma == accept_encoding.npos ? std::string_view() : accept_encoding.substr(comma + 1);
        const auto end = item.find(';');
        const auto name = trim(item.substr(0, end));
        const auto weight = weight_of(end == item.npos ? std::string_view() : item.substr(end + 1));
        if (equal_ignoring_case(name, "gzip") || equal_ignoring_case(name, "x-gzip"))
            gzip_weight = weight;
        else if (equal_ignoring_case(name, "identity"))
            plain = weight;
        else if (name == "*")
            any = weight;
    }
    const int wanted = gzip_weight >= 0 ? gzip_weight : any;
    return wanted > 0 && wanted >= plain;
}

bool is_compressible(const response& r) {
    return !r.source && r.status >= 200 && r.status != 204 && r.status != 206 && r.status != 304 &&
           r.body.size() >= bytes_min && r.body.size() <= bytes_max && is_text(r.content_type) &&
           std::ranges::none_of(r.headers, [](const auto& h) {
               return equal_ignoring_case(h.first, "content-encoding") || equal_ignoring_case(h.first, "content-range");
           });
}

void compress(response& r) {
    auto small = gzip(r.body);
    if (!small)
        return;
    r.body = std::move(*small);
    r.headers.emplace_back("Content-Encoding", "gzip");
    tag_as_compressed(r);
}

void tag_as_compressed(response& r) {
    for (auto& [name, value] : r.headers) {
        if (equal_ignoring_case(name, "etag") && value.ends_with('"'))
            value.replace(value.size() - 1, 1, suffix);
    }
}

std::optional<std::string> without_gzip_suffixes(std::string_view etags) {
    auto at = etags.find(suffix);
    if (at == etags.npos)
        return std::nullopt;
    std::string out(etags);
    for (; (at = out.find(suffix)) != out.npos;)
        out.erase(at, suffix.size() - 1);
    return out;
}

} // namespace troupe::net
