#include "runtime/entity/troubles.hpp"

#include "runtime/entity/rebuild.hpp"
#include "runtime/supervision/tree.hpp"
#include "storage/poison.hpp"
#include "tests/runtime/host_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <stdexcept>

using namespace troupe;
using namespace troupe::test;
using runtime::trouble_board;

namespace {

entity_address task(std::uint8_t number) {
    uuid id;
    id.bytes.back() = number;
    return {system_organization, "task", id};
}

/// A host that notes troubles.
struct troubled_host : host_fixture {
    explicit troubled_host(const std::filesystem::path& directory, runtime::performer_of<counter_model> performer = {})
        : host_fixture(directory, std::move(performer)) {
        services.troubles = &board;
        services.tree = &tree;
    }

    /// Crashes the entity until the command is set aside.
    void poison(const uuid& id, const std::string& command_id) {
        const auto answer = begin(make(id, crash{}, command_id));
        for (int i = 0; i < 20 && !answer->has_value(); ++i) {
            advance(6000);
        }
        BOOST_REQUIRE(answer->has_value() && answer->value().has_error());
        BOOST_TEST((answer->value().error().code == code::poison));
    }

    std::vector<std::string> listed(const uuid& organization = system_organization) {
        std::vector<std::string> out;
        std::string cursor;
        do {
            const auto page = storage::read_poison(*store, {organization, 2, cursor});
            BOOST_REQUIRE(page.has_value());
            for (const auto& p : page->items) {
                out.push_back(p.command_id);
            }
            cursor = page->next_cursor.value_or("");
        } while (!cursor.empty());
        return out;
    }

    trouble_board board;
    runtime::supervision_tree tree;
};

} // namespace

BOOST_AUTO_TEST_SUITE(troubles)

BOOST_AUTO_TEST_CASE(a_trouble_is_there_until_it_is_over) {
    trouble_board board;
    BOOST_TEST(board.of(task(1)).empty());
    board.crashed(task(1), {2, {1000}, {1050}, "add", "boom"});
    board.effect_failed(task(1), {"tool/1", 3, {1000}, {1400}, "no route"});
    board.effect_failed(task(1), {"tool/1", 4, {2000}, {2800}, "no route"});
    board.quarantined(task(2), {{1000}, "bad event"});
    BOOST_TEST(board.entities() == 2u);
    const auto found = board.of(task(1));
    BOOST_REQUIRE(found.crash.has_value());
    BOOST_TEST(found.crash->in_a_row == 2u);
    BOOST_REQUIRE(found.effects.size() == 1u);
    BOOST_TEST(found.effects[0].attempts == 4u);
    board.recovered(task(1));
    BOOST_TEST(!board.of(task(1)).crash.has_value());
    board.effect_ended(task(1), "tool/1");
    BOOST_TEST(board.entities() == 1u);
    board.left(task(2)); // its effects only: it still cannot be read
    BOOST_TEST(board.of(task(2)).quarantine.has_value());
    board.loaded(task(2));
    BOOST_TEST(board.entities() == 0u);
}

BOOST_AUTO_TEST_CASE(there_is_a_bound_and_what_is_beyond_is_counted) {
    trouble_board board(2);
    for (std::uint8_t i = 0; i < 5; ++i) {
        board.quarantined(task(i), {{1}, "x"});
    }
    BOOST_TEST(board.entities() == 2u);
    BOOST_TEST(board.left_out() == 3u);
    board.effect_failed(task(0), {"a", 1, {1}, {2}, std::string(10'000, 'x')});
    BOOST_TEST(board.of(task(0)).effects.at(0).cause.size() == 500u);
    for (int i = 0; i < 200; ++i) {
        board.effect_failed(task(1), {std::to_string(i), 1, {1}, {2}, "x"});
    }
    BOOST_TEST(board.of(task(1)).effects.size() == trouble_board::effects_max);
}

BOOST_AUTO_TEST_CASE(poison_is_listed_with_its_cause_newest_first_and_survives_a_restart) {
    temporary_directory directory;
    const auto first = make_uuid();
    const auto second = make_uuid();
    {
        troubled_host host(directory.path);
        host.ask(host.make(first, add{1}));
        host.poison(first, "bad-1");
        host.poison(second, "bad-2"); // of an entity that never had an event of its own
        host.poison(first, "bad-3");
        BOOST_TEST(host.listed() == (std::vector<std::string>{"bad-3", "bad-2", "bad-1"}),
                   boost::test_tools::per_element());
    }
    troubled_host host(directory.path);
    BOOST_TEST(host.listed() == (std::vector<std::string>{"bad-3", "bad-2", "bad-1"}),
               boost::test_tools::per_element());
    BOOST_TEST(host.listed(make_uuid()).empty()); // of another organization
    const auto own = storage::read_poison_of(*host.store, host.address(first), 10);
    BOOST_REQUIRE(own.has_value());
    BOOST_REQUIRE(own->size() == 2u);
    BOOST_TEST(own->front().command_id == "bad-3");
    BOOST_TEST(own->front().command == "crash");
    BOOST_TEST(own->front().cause.find("the model is broken") != std::string::npos);
    BOOST_TEST(own->front().principal == "test");
    const auto foreign = storage::read_poison(*host.store, {system_organization, 2, "AQIDBA"});
    BOOST_REQUIRE(foreign.has_error());
    BOOST_TEST((foreign.error().code == code::invalid_request));
}

BOOST_AUTO_TEST_CASE(the_list_of_poison_is_made_again_from_the_events) {
    temporary_directory directory;
    const auto id = make_uuid();
    {
        troubled_host host(directory.path);
        host.poison(id, "bad");
    }
    host_fixture host(directory.path);
    const auto views = [&](bool write) {
        return runtime::rebuild_views(*host.store, host.kinds, write, [](std::uint64_t) {}).value();
    };
    BOOST_TEST(views(false).equal());
    storage::view_rows lost;
    storage::each_view_row(*host.store, host.store->shard_of(host.address(id)), [&](std::string_view key, auto, bool) {
        if (key[2] == 'p') {
            lost.deletes.emplace_back(key);
        }
    });
    BOOST_REQUIRE(lost.deletes.size() == 1u);
    BOOST_REQUIRE(storage::write_view_rows(*host.store, lost).has_value());
    BOOST_TEST(storage::read_poison(*host.store, {system_organization, 10, {}})->items.empty());
    BOOST_TEST(views(true).missing == 1u);
    BOOST_TEST(storage::read_poison(*host.store, {system_organization, 10, {}})->items.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_crash_is_noted_with_its_own_cause_until_its_command_is_answered) {
    temporary_directory directory;
    troubled_host host(directory.path);
    const auto id = make_uuid();
    const auto bad = host.begin(host.make(id, crash{}, "bad"));
    host.run();
    const auto found = host.board.of(host.address(id));
    BOOST_REQUIRE(found.crash.has_value());
    BOOST_TEST(found.crash->command == "crash");
    BOOST_TEST((found.crash->next > found.crash->at));
    for (int i = 0; i < 20 && !bad->has_value(); ++i) {
        host.advance(6000);
    }
    host.ask(host.make(id, add{1}));
    BOOST_TEST(host.board.of(host.address(id)).empty());
}

BOOST_AUTO_TEST_CASE(what_an_entity_holds_is_shown_and_given_back) {
    temporary_directory directory;
    troubled_host host(directory.path);
    const auto id = make_uuid();
    const auto path = runtime::entity_path(host.services, host.store->shard_of(host.address(id)), host.address(id));
    const auto waiting = [&] {
        const auto shown = host.tree.to_json(path, 0);
        return json::document::parse(shown.value_or("{}"))->root().int_or("mailbox_depth", -1);
    };
    const auto bad = host.begin(host.make(id, crash{}));
    const auto behind = host.begin(host.make(id, add{1}));
    host.run();
    BOOST_TEST(waiting() >= 1); // the entity rests after its crash
    for (int i = 0; i < 20 && !behind->has_value(); ++i) {
        host.advance(6000);
    }
    BOOST_REQUIRE(behind->has_value());
    for (int i = 0; i < 20 && !bad->has_value(); ++i) {
        host.advance(6000);
    }
    BOOST_TEST(waiting() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
