#pragma once

#include "net/http/route.hpp"
#include "schemas/base/problem.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::net {

/// Where a method and a path lead.
struct routed {
    const route* target = nullptr; ///< Nothing: no such path (`allow` empty), or not with this method.
    std::map<std::string, std::string> params;
    std::string path;  ///< Without base path and query, as it was sent.
    std::string allow; ///< For 405 and OPTIONS: "GET, HEAD, OPTIONS".
};

/// The route table as a trie over path segments. Immutable after `make`, so safe from any thread.
/// Literal segments win over parameters, parameters over a trailing {path}.
class router {
public:
    /// Refuses with `config_invalid`: two routes with the same method and path, two with the same operation, a route
    /// without operation or without anything to run, and a route that writes and needs no permission.
    static expected<router> make(std::vector<route> routes);

    /// `path` is the raw path of the request, without query. Nothing as verb: only asks what is allowed.
    /// `malformed_http` when the path cannot be decoded.
    [[nodiscard]] expected<routed> find(std::optional<verb> v, std::string_view path) const;

    /// The decoded query of a request to `target`. `invalid_request` names every parameter that the route does not
    /// declare, that comes twice, or whose value breaks the declared schema (type, bounds, enum).
    [[nodiscard]] expected<std::map<std::string, std::string>> read_query(const route& target,
                                                                          std::string_view query) const;

    [[nodiscard]] std::span<const route> routes() const { return routes_; }

private:
    static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();
    static constexpr std::size_t verbs = 5;

    struct node {
        std::map<std::string, std::uint32_t, std::less<>> literals;
        std::uint32_t parameter = none;
        std::uint32_t rest = none; // a trailing {path}
        std::array<std::uint32_t, verbs> route_of{none, none, none, none, none};
    };
    struct query_rule {
        std::string name;
        std::string type;
        std::int64_t min = std::numeric_limits<std::int64_t>::min();
        std::int64_t max = std::numeric_limits<std::int64_t>::max();
        std::vector<std::string> values = {}; // enum
    };
    struct extras {
        std::vector<std::string> parameter_names;
        std::vector<query_rule> rules;
    };
    struct search;

    expected<void> add(std::uint32_t index);
    expected<query_rule> make_rule(const query_parameter& parameter, const route& of) const;
    std::uint32_t child(std::uint32_t at, std::string_view segment, bool last, extras& into);
    void walk(search& s, std::uint32_t at, std::size_t depth) const;
    bool look(std::uint32_t root, std::optional<verb> v, std::string_view path, routed& out, problem& bad) const;
    static std::string check(const query_rule& rule, std::string_view value);
    static bool takes_others(const std::vector<query_rule>& rules);

    std::vector<route> routes_;
    std::vector<extras> extras_; // beside routes_
    std::vector<node> nodes_ = std::vector<node>(2);
    static constexpr std::uint32_t based = 0;  // trie of the routes under the base path
    static constexpr std::uint32_t rooted = 1; // trie of the routes without one
};

} // namespace troupe::net
