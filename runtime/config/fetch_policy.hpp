#pragma once

#include "schemas/base/network.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::runtime {

/// What agents may fetch, as `tools.fetch.allow` lists it. Addresses are what counts in the end: names lead where their
/// owners want.
class fetch_policy {
public:
    /// By commas: "public", hosts ("wiki.example.org", "*.example.org"), addresses and networks. `config_invalid`.
    static expected<fetch_policy> parse(std::string_view text);

    [[nodiscard]] bool is_off() const { return !public_ && hosts_.empty() && networks_.empty(); }
    /// Whether a host may be looked up at all: looking up a name tells it to whoever serves it.
    [[nodiscard]] bool may_look_up(std::string_view host) const;
    /// Whether `host`, which led to this address, may be connected to there.
    [[nodiscard]] bool may_connect(std::string_view host, const ip_bytes& address) const;

private:
    [[nodiscard]] bool names(std::string_view host) const;

    bool public_ = false;
    std::vector<std::string> hosts_; ///< "a.example.org", or ".example.org" for all below it.
    network_list networks_;
};

/// What is wrong with a text of the configuration, or nothing; see `property::check`.
std::optional<std::string> check_fetch(std::string_view text);

} // namespace troupe::runtime
