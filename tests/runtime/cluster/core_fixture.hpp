#pragma once

#include "runtime/cluster/cluster_core.hpp"
#include "schemas/base/json.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

/// One node's part in a cluster, `n1` of three, which is fed by hand.
namespace core_fixture {

using namespace troupe;
using namespace troupe::runtime::cluster;

inline uuid id_of(std::uint8_t number) {
    uuid id;
    id.bytes[15] = number;
    return id;
}
inline const auto a = id_of(1);
inline const auto b = id_of(2);
inline const auto the_cluster = id_of(99);
inline constexpr std::uint64_t lease_id = 5;

inline cluster_settings settings() {
    cluster_settings s;
    s.self.cluster = the_cluster;
    s.self.name = "n1";
    s.self.replica = a;
    s.self.incarnation = id_of(50);
    s.self.shards = 2;
    s.self.hash = "xxh64";
    s.self.replication = 3;
    s.self.version = "1";
    s.address = "10.0.0.1";
    s.port = 7118;
    s.replace_after_ms = 1000;
    return s;
}

inline config_value config() { return {the_cluster, 2, "xxh64", 0, 3, a}; }

struct host {
    explicit host(cluster_settings s = settings()) : core(std::move(s)) {}

    template <class Action>
    [[nodiscard]] std::vector<Action> take() {
        std::vector<Action> found;
        std::erase_if(out, [&](cluster_action& action) {
            auto* one = std::get_if<Action>(&action);
            if (one != nullptr) {
                found.push_back(std::move(*one));
            }
            return one != nullptr;
        });
        return found;
    }
    /// The only one.
    template <class Action>
    [[nodiscard]] Action one() {
        auto found = take<Action>();
        BOOST_REQUIRE(found.size() == 1);
        return std::move(found.front());
    }
    void tick(std::int64_t now_ms) {
        core.tick(
            now_ms,
            [](std::uint32_t) {
                return log_view{false, false, 0, {}};
            },
            out);
    }
    /// What the node wants at the map it is shown.
    void show(std::vector<entry> map, std::uint64_t revision = 10) {
        core.on_map(map, revision, out);
        core.on_lease({lease_id, 5000}, out);
    }

    cluster_core core;
    cluster_core::actions out;
};

inline entry member(const std::string& name, const uuid& replica, std::uint64_t revision) {
    return {member_key(name), to_json(member_value{replica, "10.0.0.2", 7118, 1, false}), revision};
}
inline entry alive(const std::string& name, const uuid& replica, std::uint64_t revision) {
    return {alive_key(name), to_json(alive_value{replica, id_of(60), "1"}), revision};
}
inline entry config_entry(const config_value& c = config()) { return {std::string(config_key), to_json(c), 3}; }

/// `n1` has joined, and owns nothing.
inline host joined() {
    host h;
    h.show({config_entry()});
    const auto asked = h.one<commit_wanted>();
    std::vector<change> changes = asked.what.then;
    h.core.on_changes(changes, 11, h.out);
    h.core.on_committed(asked.id, transaction_result{true, 11, {}}, h.out);
    BOOST_REQUIRE(h.core.joined());
    h.out.clear();
    return h;
}

inline bool has(const transaction& what, std::string_view key, std::uint64_t revision) {
    return std::ranges::any_of(what.when, [&](const condition& c) { return c.key == key && c.revision == revision; });
}
inline bool writes(const transaction& what, std::string_view key, bool leased = false) {
    return std::ranges::any_of(what.then,
                               [&](const change& c) { return c.key == key && c.value && c.leased == leased; });
}

} // namespace core_fixture
