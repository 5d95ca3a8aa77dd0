#include "runtime/entity/rebuild.hpp"
#include "runtime/node.hpp"
#include "storage/blobs.hpp"
#include "storage/keys.hpp"
#include "storage/views.hpp"
#include "tests/runtime/album.hpp"
#include "tests/runtime/process_fixture.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace troupe::test {

/// The album before it named any blobs.
struct old_album_model {
    static constexpr std::string_view kind = "album";
    using state = album_state;
    using command = album_model::command;
    using event = album_model::event;
    static expected<std::vector<event>> decide(const state& s, const command& c, const runtime::context& ctx) {
        return album_model::decide(s, c, ctx);
    }
    static state apply(state s, const event& e, const runtime::event_context& ctx) {
        return album_model::apply(std::move(s), e, ctx);
    }
    static std::vector<runtime::effect> resume(const state&) { return {}; }
    static runtime::entity_view view(const state& s, const runtime::view_context& c) { return album_model::view(s, c); }
};

} // namespace troupe::test

using namespace troupe;
using namespace troupe::test;

namespace {

template <class Model>
runtime::kind_registry albums() {
    runtime::kind_registry kinds;
    kinds.emplace("album", runtime::make_kind<Model>());
    return kinds;
}

template <class Model = album_model>
std::unique_ptr<runtime::node> start(const temporary_directory& directory, std::int64_t collect_every_ms = 0) {
    runtime::config settings;
    settings.data = directory.path.string();
    settings.shards = 8;
    settings.storage_free_bytes_min = 0;
    settings.storage_cache_bytes = 8 << 20;
    settings.blobs_collect_every_ms = collect_every_ms;
    settings.blobs_grace_ms = 0;
    auto opened = runtime::node::open(settings);
    BOOST_REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().detail));
    BOOST_REQUIRE((*opened)->start(albums<Model>()).has_value());
    return std::move(*opened);
}

template <class Command>
runtime::reply ask(runtime::node& n, const uuid& id, const Command& c) {
    runtime::command out;
    out.to = {system_organization, "album", id};
    out.type = wire_name<Command>::value;
    out.payload = to_json(c);
    out.principal = "test";
    return runtime::ask(n.parts(), std::move(out));
}

std::string put(runtime::node& n, const std::string& content) {
    return storage::put_blob(*n.parts().store, system_organization, content).value();
}

/// All references, as "entity blob".
std::vector<std::string> references(const storage::store& s) {
    std::vector<std::string> out;
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        BOOST_REQUIRE(storage::each_reference(s, shard, [&](const entity_address& a, const storage::blob_hash& hash) {
                          out.push_back(to_string(a) + " " + to_hex(storage::as_bytes(hash)));
                          return true;
                      }).has_value());
    }
    std::ranges::sort(out);
    return out;
}

std::string line(const uuid& id, const std::string& blob) {
    return to_string(entity_address{system_organization, "album", id}) + " " + blob;
}

} // namespace

BOOST_AUTO_TEST_SUITE(blob_references)

BOOST_AUTO_TEST_CASE(references_follow_the_state_and_are_remade_from_the_journal) {
    temporary_directory directory;
    const auto id = make_uuid();
    std::vector<std::string> wanted;
    {
        const auto n = start(directory);
        const auto a = put(*n, "a");
        const auto b = put(*n, "b");
        BOOST_REQUIRE(ask(*n, id, keep{a}).has_value());
        BOOST_REQUIRE(ask(*n, id, keep{a}).has_value());
        BOOST_REQUIRE(ask(*n, id, keep{b}).has_value());
        BOOST_REQUIRE(ask(*n, id, keep{"no name of a blob"}).has_value());
        wanted = {line(id, a), line(id, b)};
        std::ranges::sort(wanted);
        BOOST_TEST(references(*n->parts().store) == wanted, boost::test_tools::per_element());
        BOOST_REQUIRE(ask(*n, id, drop{b}).has_value());
        BOOST_REQUIRE(ask(*n, id, drop{a}).has_value()); // it still stands there once
        wanted = {line(id, a)};
        BOOST_TEST(references(*n->parts().store) == wanted, boost::test_tools::per_element());
    }
    storage::store_options options;
    options.directory = directory.path;
    const auto store = std::move(storage::store::open(options).value());
    const auto nothing = [](std::uint64_t) {};
    BOOST_TEST(runtime::rebuild_views(*store, albums<album_model>(), false, nothing)->equal());
    storage::view_rows lost;
    storage::each_view_row(*store, store->shard_of({system_organization, "album", id}), [&](auto key, auto, bool) {
        if (key[2] == static_cast<char>(storage::keys::table::reference)) {
            lost.deletes.emplace_back(key);
        }
    });
    BOOST_REQUIRE(lost.deletes.size() == 1u);
    BOOST_REQUIRE(storage::write_view_rows(*store, lost).has_value());
    BOOST_TEST(runtime::rebuild_views(*store, albums<album_model>(), true, nothing)->missing == 1u);
    BOOST_TEST(references(*store) == wanted, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_content_that_is_not_there_cannot_be_named_and_the_entity_goes_on) {
    temporary_directory directory;
    const auto n = start(directory);
    const auto id = make_uuid();
    const auto refused = ask(*n, id, keep{std::string(64, 'a')});
    BOOST_REQUIRE(refused.has_error());
    BOOST_TEST((refused.error().code == code::not_found));
    BOOST_TEST(references(*n->parts().store).empty());
    const auto accepted = ask(*n, id, keep{put(*n, "a")});
    BOOST_REQUIRE(accepted.has_value());
    BOOST_TEST(accepted->version == 1u); // nothing of the refused one is left
}

BOOST_AUTO_TEST_CASE(references_of_a_model_that_begins_to_name_blobs_are_made_at_the_start) {
    temporary_directory directory;
    const auto id = make_uuid();
    std::string blob;
    {
        const auto old = start<old_album_model>(directory);
        blob = put(*old, "a");
        BOOST_REQUIRE(ask(*old, id, keep{blob}).has_value());
        BOOST_TEST(references(*old->parts().store).empty());
    }
    for (int i = 0; i < 2; ++i) {
        const auto n = start(directory);
        BOOST_TEST(references(*n->parts().store) == std::vector{line(id, blob)}, boost::test_tools::per_element());
    }
}

BOOST_AUTO_TEST_CASE(a_running_node_collects_what_nothing_names_and_nothing_else) {
    temporary_directory directory;
    std::string kept_blob;
    {
        const auto idle = start(directory); // does not collect
        kept_blob = put(*idle, "kept");
        BOOST_REQUIRE(ask(*idle, make_uuid(), keep{kept_blob}).has_value());
    }
    const auto n = start(directory, 20);
    const auto lost_blob = put(*n, "lost");
    const auto is_there = [&](const std::string& blob) {
        return storage::blob_size(*n->parts().store, system_organization, blob)->has_value();
    };
    BOOST_TEST(runtime::test::eventually([&] { return !is_there(lost_blob); }));
    BOOST_TEST(is_there(kept_blob));
}

BOOST_AUTO_TEST_SUITE_END()
