#pragma once

#include <string>
#include <string_view>
#include <vector>

/// Which web pages may use the API from a browser. Pure.
namespace troupe::net {

/// The origins of `edge.cors.origins`.
class origin_policy {
public:
    origin_policy() = default;
    /// "https://console.example, http://localhost:3000", or "*": any, but without cookies. Empty: none.
    explicit origin_policy(std::string_view list);

    [[nodiscard]] bool allows(std::string_view origin) const;
    /// The lines for an answer to a request of `origin` (empty: it has none).
    void append_lines(std::string& out, std::string_view origin) const;
    /// What the answer to a preflight has beside them. `methods`: "GET, HEAD, OPTIONS".
    void append_preflight(std::string& out, std::string_view methods) const;

private:
    bool any_ = false;
    std::vector<std::string> origins_;
};

/// Whether a page of `origin` comes from `host`, which is this node. A page that did not come over TLS is not the same
/// when the node is asked over TLS.
bool is_same_origin(std::string_view origin, std::string_view host, bool secure);

} // namespace troupe::net
