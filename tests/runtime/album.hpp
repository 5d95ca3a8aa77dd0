#pragma once

#include "runtime/entity/kind.hpp"
#include "schemas/base/described.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace troupe::test {

struct keep {
    std::string blob;
};
BOOST_DESCRIBE_STRUCT(keep, (), (blob))
struct drop {
    std::string blob;
};
BOOST_DESCRIBE_STRUCT(drop, (), (blob))
struct kept {
    std::string blob;
};
BOOST_DESCRIBE_STRUCT(kept, (), (blob))
struct dropped {
    std::string blob;
};
BOOST_DESCRIBE_STRUCT(dropped, (), (blob))
struct album_state {
    std::vector<std::string> blobs; ///< One may stand there twice.
};
BOOST_DESCRIBE_STRUCT(album_state, (), (blobs))

/// A model that names blobs.
struct album_model {
    static constexpr std::string_view kind = "album";
    using state = album_state;
    using command = std::variant<keep, drop>;
    using event = std::variant<kept, dropped>;

    static expected<std::vector<event>> decide(const state&, const command& c, const runtime::context&) {
        if (const auto* wanted = std::get_if<keep>(&c)) {
            return std::vector<event>{kept{wanted->blob}};
        }
        return std::vector<event>{dropped{std::get<drop>(c).blob}};
    }
    static state apply(state s, const event& e, const runtime::event_context&) {
        if (const auto* one = std::get_if<kept>(&e)) {
            s.blobs.push_back(one->blob);
        } else if (const auto at = std::ranges::find(s.blobs, std::get<dropped>(e).blob); at != s.blobs.end()) {
            s.blobs.erase(at);
        }
        return s;
    }
    static std::vector<runtime::effect> resume(const state&) { return {}; }
    static runtime::entity_view view(const state& s, const runtime::view_context&) { return {to_json(s)}; }
    static std::vector<std::string_view> blobs(const state& s) { return {s.blobs.begin(), s.blobs.end()}; }
};

} // namespace troupe::test

TROUPE_NAMED(troupe::test::keep)
TROUPE_NAMED(troupe::test::drop)
TROUPE_NAMED(troupe::test::kept)
TROUPE_NAMED(troupe::test::dropped)
