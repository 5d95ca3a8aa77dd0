#include "net/object_store/s3.hpp"

#include "net/client/http_client.hpp"
#include "net/object_store/signature.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/durable_file.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/sha256.hpp"

#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <stop_token>
#include <utility>

namespace troupe::net {

namespace {

namespace fs = std::filesystem;
using boost::property_tree::ptree;
using pairs = std::vector<std::pair<std::string, std::string>>;

constexpr std::string_view scheme = "s3://";
constexpr std::uint64_t object_bytes_max = 5ULL << 30; ///< Of one request, says S3.
constexpr std::size_t piece_bytes = 256 << 10;
constexpr std::size_t reply_bytes_max = 16 << 20;
constexpr std::size_t keys_max = 1'000'000;
constexpr std::int64_t transfer_time_out_ms = 3600LL * 1000;

std::string hash_of(std::string_view content) {
    sha256_stream hash;
    hash.add(content);
    return to_hex(hash.finish());
}

/// What a server says in its XML, as far as it can be read.
std::string text_in(const std::string& xml, const std::string& path) {
    try {
        std::istringstream in(xml);
        ptree tree;
        read_xml(in, tree);
        return tree.get<std::string>(path, "");
    } catch (const boost::property_tree::ptree_error&) {
        return {};
    }
}

class s3_store : public runtime::object_store {
public:
    s3_store(std::string bucket, std::string prefix, std::string endpoint, std::string region, s3_credentials who,
             std::string ca_file)
        : bucket_(std::move(bucket)),
          prefix_(std::move(prefix)),
          endpoint_(std::move(endpoint)),
          region_(std::move(region)),
          who_(std::move(who)),
          ca_file_(std::move(ca_file)) {}

    void cancel() override { stop_.request_stop(); }

    [[nodiscard]] std::string place() const override {
        auto out = std::string(scheme) + bucket_ + "/" + prefix_;
        if (out.ends_with('/')) {
            out.pop_back();
        }
        return out;
    }

    expected<void> put_file(std::string_view key, const fs::path& file, std::string_view sha256) override {
        std::error_code failed;
        const auto bytes = fs::file_size(file, failed);
        auto in = std::make_shared<std::ifstream>(file, std::ios::binary);
        if (failed || !*in) {
            return file_problem("read", file.native(), failed ? failed.value() : errno);
        }
        if (bytes > object_bytes_max) {
            return problem{code::payload_too_large,
                           file.string() + " has over 5 GiB, which S3 takes in parts only, and Troupe does not send "
                                           "parts yet; copy this backup with another tool"};
        }
        auto call = prepare("PUT", key, {}, sha256);
        if (bytes > 0) {
            call.source = body_source{bytes, [in, file]() -> expected<std::string> {
                                          std::string piece(piece_bytes, '\0');
                                          in->read(piece.data(), static_cast<std::streamsize>(piece.size()));
                                          piece.resize(static_cast<std::size_t>(in->gcount()));
                                          return in->bad()
                                                     ? expected<std::string>(file_problem("read", file.native(), errno))
                                                     : expected<std::string>(std::move(piece));
                                      }};
        }
        return without_content(ask(call));
    }

    expected<void> put(std::string_view key, std::string_view content) override {
        auto call = prepare("PUT", key, {}, hash_of(content));
        call.body = content;
        return without_content(ask(call));
    }

    expected<std::string> get(std::string_view key, std::size_t bytes_max) override {
        auto call = prepare("GET", key, {}, hash_of(""));
        call.reply_bytes_max = bytes_max;
        auto answer = ask(call);
        return answer ? expected<std::string>(std::move(answer->body)) : expected<std::string>(answer.error());
    }

    expected<void> get_file(std::string_view key, const fs::path& file) override {
        const int out = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (out < 0) {
            return file_problem("create", file.native(), errno);
        }
        expected<void> written;
        const auto call = prepare("GET", key, {}, hash_of(""));
        auto answer = judge(fetch_stream(call, stop_.get_token(), [&](std::string_view piece) {
            written = write_whole(out, piece, file.native());
            return written.has_value();
        }));
        ::close(out);
        return written ? without_content(answer) : written;
    }

    expected<std::vector<std::string>> list(std::string_view prefix) override {
        std::vector<std::string> out;
        for (std::string next; out.size() < keys_max;) {
            pairs query{{"list-type", "2"}, {"prefix", prefix_ + std::string(prefix)}};
            if (!next.empty()) {
                query.emplace_back("continuation-token", next);
            }
            auto page = ask(prepare("GET", {}, std::move(query), hash_of("")));
            auto more = page ? take_page(page->body, out) : expected<std::string>(page.error());
            if (!more) {
                return more.error();
            }
            if (more->empty()) {
                return out;
            }
            next = std::move(*more);
        }
        return problem{code::payload_too_large, place() + " has over a million objects below " + std::string(prefix)};
    }

    expected<void> remove(std::string_view key) override {
        auto done = ask(prepare("DELETE", key, {}, hash_of("")));
        return !done && done.error().code == code::not_found ? expected<void>() : without_content(done);
    }

private:
    /// Path style: any endpoint takes it, whatever its name resolves to. Without a key it is the bucket.
    client_request prepare(std::string method, std::string_view key, pairs query, std::string_view sha256) const {
        s3_request signing;
        signing.method = std::move(method);
        signing.host = endpoint_.substr(endpoint_.find("//") + 2);
        signing.path = "/" + s3_encode(bucket_, false);
        if (!key.empty()) {
            signing.path += "/" + s3_encode(prefix_ + std::string(key), true);
        }
        signing.query = std::move(query);
        signing.payload_sha256 = sha256;
        client_request out;
        out.method = signing.method;
        out.url = endpoint_ + signing.path + (signing.query.empty() ? "" : "?" + s3_query(signing.query));
        out.headers = sign(signing, who_, region_, timestamp{system_now()});
        out.ca_file = ca_file_;
        out.time_out_ms = transfer_time_out_ms;
        out.reply_bytes_max = reply_bytes_max;
        return out;
    }

    expected<client_response> ask(const client_request& call) const { return judge(fetch(call, stop_.get_token())); }

    expected<client_response> judge(expected<client_response> answer) const {
        if (!answer || (answer->status >= 200 && answer->status < 300)) {
            return answer;
        }
        const auto status = answer->status;
        const auto said = text_in(answer->body, "Error.Code");
        const auto what = place() + " answers " + std::to_string(status) + (said.empty() ? "" : " (" + said + ")");
        if (status == 404) {
            return problem{code::not_found, what + "; is the bucket there, and backup.s3.endpoint right?"};
        }
        if (status == 401 || status == 403) {
            return problem{code::forbidden, what + "; check the access key and its rights, backup.s3.region and the "
                                                   "clock of this machine"};
        }
        return problem{code::connection_failed, what + ": " + text_in(answer->body, "Error.Message")};
    }

    static expected<void> without_content(const expected<client_response>& answer) {
        return answer ? expected<void>() : expected<void>(answer.error());
    }

    /// Adds the keys of a page, without the prefix, and gives the token of the next; empty: there is none.
    expected<std::string> take_page(const std::string& xml, std::vector<std::string>& into) const {
        try {
            std::istringstream in(xml);
            ptree tree;
            read_xml(in, tree);
            for (const auto& [name, child] : tree.get_child("ListBucketResult")) {
                const auto key = name == "Contents" ? child.get<std::string>("Key") : std::string();
                if (!key.empty() && key.starts_with(prefix_)) {
                    into.push_back(key.substr(prefix_.size()));
                }
            }
            const bool more = tree.get<std::string>("ListBucketResult.IsTruncated", "false") == "true";
            return more ? tree.get<std::string>("ListBucketResult.NextContinuationToken") : std::string();
        } catch (const boost::property_tree::ptree_error& e) {
            return problem{code::connection_failed, place() + " answered with a list that cannot be read (" + e.what() +
                                                        "); is backup.s3.endpoint an S3 endpoint?"};
        }
    }

    std::string bucket_;
    std::string prefix_; ///< Empty, or ends with '/'.
    std::string endpoint_;
    std::string region_;
    s3_credentials who_;
    std::string ca_file_;
    std::stop_source stop_;
};

} // namespace

expected<std::unique_ptr<runtime::object_store>> make_s3_store(std::string_view place,
                                                               const runtime::config& settings) {
    if (const auto wrong = runtime::check_s3_place(place)) {
        return problem{code::config_invalid, *wrong};
    }
    if (settings.backup_s3_access_key.empty() || settings.backup_s3_secret_key.empty()) {
        return problem{code::config_invalid, "the credentials of " + std::string(place) +
                                                 " are missing: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                                                 "backup.s3.access_key and backup.s3.secret_key"};
    }
    place.remove_prefix(scheme.size());
    const auto slash = std::min(place.find('/'), place.size());
    auto prefix = std::string(place.substr(std::min(slash + 1, place.size())));
    if (!prefix.empty() && !prefix.ends_with('/')) {
        prefix += '/';
    }
    auto endpoint = settings.backup_s3_endpoint.empty() ? "https://s3." + settings.backup_s3_region + ".amazonaws.com"
                                                        : settings.backup_s3_endpoint;
    while (endpoint.ends_with('/')) {
        endpoint.pop_back();
    }
    return std::unique_ptr<runtime::object_store>(std::make_unique<s3_store>(
        std::string(place.substr(0, slash)), std::move(prefix), std::move(endpoint), settings.backup_s3_region,
        s3_credentials{settings.backup_s3_access_key, settings.backup_s3_secret_key, settings.backup_s3_session_token},
        settings.backup_s3_ca_file));
}

} // namespace troupe::net
