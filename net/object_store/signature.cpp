#include "net/object_store/signature.hpp"

#include "schemas/base/cipher.hpp"
#include "schemas/base/ids.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace troupe::net {

namespace {

std::string hmac(std::string_view key, std::string_view data) {
    const auto digest = hmac_sha256(key, data);
    return {digest.begin(), digest.end()};
}

std::string hash(std::string_view text) {
    const auto digest = sha256(text);
    return to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

/// "20130524T000000Z" of "2013-05-24T00:00:00.000Z".
std::string basic_time(timestamp t) {
    auto out = to_string(t);
    out.resize(out.find('.'));
    std::erase_if(out, [](char c) { return c == '-' || c == ':'; });
    return out + "Z";
}

} // namespace

std::string s3_encode(std::string_view text, bool keep_slashes) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                           c == '.' || c == '_' || c == '~' || (keep_slashes && c == '/');
        if (plain) {
            out += c;
        } else {
            out += '%';
            out += digits[byte >> 4];
            out += digits[byte & 15];
        }
    }
    return out;
}

std::string s3_query(std::vector<std::pair<std::string, std::string>> query) {
    for (auto& [name, value] : query) {
        name = s3_encode(name, false);
        value = s3_encode(value, false);
    }
    std::ranges::sort(query);
    std::string out;
    for (const auto& [name, value] : query) {
        out += (out.empty() ? "" : "&") + name + "=" + value;
    }
    return out;
}

std::vector<std::pair<std::string, std::string>> sign(const s3_request& request, const s3_credentials& who,
                                                      std::string_view region, timestamp now) {
    const auto time = basic_time(now);
    const auto day = time.substr(0, 8);
    std::vector<std::pair<std::string, std::string>> headers{{"x-amz-content-sha256", request.payload_sha256},
                                                             {"x-amz-date", time}};
    if (!who.session_token.empty()) {
        headers.emplace_back("x-amz-security-token", who.session_token);
    }
    std::string listed = "host:" + request.host + "\n"; // in the order of their names
    std::string names = "host";
    for (const auto& [name, value] : headers) {
        listed += name + ":" + value + "\n";
        names += ";" + name;
    }
    const auto canonical = request.method + "\n" + request.path + "\n" + s3_query(request.query) + "\n" + listed +
                           "\n" + names + "\n" + request.payload_sha256;
    const auto scope = day + "/" + std::string(region) + "/s3/aws4_request";
    const auto to_sign = "AWS4-HMAC-SHA256\n" + time + "\n" + scope + "\n" + hash(canonical);
    const auto key = hmac(hmac(hmac(hmac("AWS4" + who.secret_key, day), region), "s3"), "aws4_request");
    headers.emplace_back("Authorization", "AWS4-HMAC-SHA256 Credential=" + who.access_key + "/" + scope +
                                              ",SignedHeaders=" + names + ",Signature=" + to_hex(hmac(key, to_sign)));
    return headers;
}

} // namespace troupe::net
