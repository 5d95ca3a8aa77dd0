#include "actors/mcp/mcp_registries.hpp"

#include "actors/common/capabilities.hpp"
#include "net/http/text.hpp"
#include "schemas/base/durable_file.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/log.hpp"
#include "schemas/name_messages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <utility>

namespace troupe::actors {

namespace mcp = net::mcp;

namespace {

constexpr std::int64_t fresh_ms = 5LL * 60 * 1000;
constexpr std::int64_t answer_ms = 20'000;

/// An answer on disk.
struct kept {
    timestamp at;
    std::string body;
};
BOOST_DESCRIBE_STRUCT(kept, (), (at, body))

bool has_word(const mcp_available_document& server, const std::string& word) {
    const auto wanted = fold_name(word);
    const auto in = [&](const std::string& text) { return fold_name(text).find(wanted) != std::string::npos; };
    return wanted.empty() || in(server.name) || in(server.title) || in(server.description);
}

problem no_such_server(const std::string& name, const std::string& version) {
    return {code::not_found, fmt::format("No registry has the MCP server \"{}\"{}. See GET /mcp/servers/available.",
                                         name, version.empty() ? "" : " in version " + version)};
}

} // namespace

mcp_registries::mcp_registries(std::string_view urls, std::filesystem::path catalogue, std::filesystem::path cache,
                               fetcher fetch)
    : urls_(capabilities_in(urls)),
      catalogue_(std::move(catalogue)),
      cache_(std::move(cache)),
      fetch_(fetch ? std::move(fetch) : [](const net::client_request& r) { return net::fetch(r); }) {
    for (auto& url : urls_) {
        while (url.ends_with('/')) {
            url.pop_back();
        }
    }
}

expected<std::vector<mcp_available_document>> mcp_registries::catalogue() const {
    if (catalogue_.empty()) {
        return std::vector<mcp_available_document>{};
    }
    const auto text = read_whole_file(catalogue_, mcp::registry_bytes_max);
    return text ? mcp::read_catalogue(*text) : text.error();
}

expected<std::pair<std::string, std::optional<timestamp>>> mcp_registries::get(const std::string& url) const {
    using answer = std::pair<std::string, std::optional<timestamp>>;
    const auto file = cache_ / (to_string(derive_uuid({"registry", url})) + ".json");
    const auto text = read_whole_file(file, 2 * mcp::registry_bytes_max);
    const auto before = text ? from_json<kept>(*text, strictness::stored) : expected<kept>(text.error());
    const auto now = system_now();
    if (before && now - before->at < fresh_ms) {
        return answer{before->body, std::nullopt};
    }
    net::client_request r;
    r.url = url;
    r.headers = {{"Accept", "application/json"}, {"User-Agent", "troupe"}};
    r.time_out_ms = answer_ms;
    r.reply_bytes_max = mcp::registry_bytes_max;
    auto got = fetch_(r);
    if (got && got->status == 404) {
        return problem{code::not_found, "not there"};
    }
    if (got && got->status == 200) {
        std::error_code ignored;
        std::filesystem::create_directories(cache_, ignored);
        if (auto written = replace_file(file, to_json(kept{now, got->body})); !written) {
            log_for("mcp").warn("what a registry said cannot be kept: {}", written.error().detail);
        }
        return answer{std::move(got->body), std::nullopt};
    }
    if (before) {
        return answer{before->body, before->at};
    }
    return problem{code::unavailable, got ? fmt::format("{} answered with {}.", url, got->status)
                                          : fmt::format("{} does not answer: {}", url, got.error().detail)};
}

expected<mcp_registries::page> mcp_registries::search(const std::string& word, std::size_t limit,
                                                      const std::string& cursor) const {
    page out;
    std::size_t at = 0; // of the registries
    std::string inner;
    if (cursor.empty()) {
        const auto own = catalogue();
        if (!own) {
            return own.error();
        }
        std::ranges::copy_if(*own, std::back_inserter(out.servers), [&](const auto& s) { return has_word(s, word); });
    } else {
        const auto dot = cursor.find('.');
        const auto [end, error] = std::from_chars(cursor.data(), cursor.data() + std::min(dot, cursor.size()), at);
        if (dot == cursor.npos || error != std::errc() || end != cursor.data() + dot || at >= urls_.size()) {
            return problem{
                code::invalid_request, "cursor: this is none of this list", {{"cursor", "is none of this list"}}};
        }
        inner = cursor.substr(dot + 1);
    }
    if (at >= urls_.size()) {
        return out;
    }
    const auto got = get(fmt::format("{}/v0.1/servers?limit={}&version=latest{}{}", urls_[at], limit,
                                     word.empty() ? "" : "&search=" + net::percent_encode(word),
                                     inner.empty() ? "" : "&cursor=" + net::percent_encode(inner)));
    auto read = got ? mcp::read_registry_page(got->first, urls_[at]) : expected<mcp::registry_page>(got.error());
    if (!read && !out.servers.empty()) { // the operator's own are there all the same
        log_for("mcp").warn("{}", read.error().detail);
        return out;
    }
    if (!read) {
        return read.error();
    }
    for (auto& server : read->servers) {
        server.as_of = got->second;
        out.servers.push_back(std::move(server));
    }
    if (!read->next_cursor.empty()) {
        out.next_cursor = fmt::format("{}.{}", at, read->next_cursor);
    } else if (at + 1 < urls_.size()) {
        out.next_cursor = fmt::format("{}.", at + 1);
    }
    return out;
}

expected<mcp_available_document> mcp_registries::find(const std::string& name, const std::string& version) const {
    const auto own = catalogue();
    if (!own) {
        return own.error();
    }
    for (const auto& server : *own) {
        if (server.name == name && (version.empty() || server.version == version)) {
            return server;
        }
    }
    std::optional<problem> silent;
    for (const auto& url : urls_) {
        const auto got = get(fmt::format("{}/v0.1/servers/{}/versions/{}", url, net::percent_encode(name),
                                         version.empty() ? "latest" : net::percent_encode(version)));
        if (got) {
            return mcp::read_registry_server(got->first, url);
        }
        if (got.error().code != code::not_found) {
            silent = got.error();
        }
    }
    return silent ? *silent : no_such_server(name, version);
}

} // namespace troupe::actors
