#pragma once

#include "net/client/http_client.hpp"
#include "net/mcp/registry.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::actors {

/// Where servers are found: the operator's own catalogue, then registries in their order. What registries said is kept
/// on disk, and shown with its time while one does not answer. All block; thread-safe.
class mcp_registries {
public:
    using fetcher = std::function<expected<net::client_response>(const net::client_request&)>;

    /// `urls`: base URLs, with commas between. `catalogue`: a file, read each time; empty: none. `fetch`: for tests.
    mcp_registries(std::string_view urls, std::filesystem::path catalogue, std::filesystem::path cache,
                   fetcher fetch = {});

    struct page {
        std::vector<mcp_available_document> servers;
        std::string next_cursor; ///< Empty: there are no more.
    };
    /// Servers whose name, title or description has the word; an empty one: all. The first page has those of the
    /// catalogue, too. `invalid_request`: the cursor; `unavailable`: a registry does not answer, and never did.
    expected<page> search(const std::string& word, std::size_t limit, const std::string& cursor) const;

    /// One, with that version; empty: the newest. `not_found`.
    expected<mcp_available_document> find(const std::string& name, const std::string& version) const;

private:
    expected<std::vector<mcp_available_document>> catalogue() const;
    /// The body, and when it is of before: since when.
    expected<std::pair<std::string, std::optional<timestamp>>> get(const std::string& url) const;

    std::vector<std::string> urls_;
    std::filesystem::path catalogue_;
    std::filesystem::path cache_;
    fetcher fetch_;
};

} // namespace troupe::actors
