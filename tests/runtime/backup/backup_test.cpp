#include "runtime/backup/backup_desk.hpp"
#include "runtime/backup/restore.hpp"
#include "runtime/node.hpp"
#include "schemas/base/durable_file.hpp"
#include "storage/backup.hpp"
#include "storage/views.hpp"
#include "tests/runtime/counter.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace troupe;
using namespace troupe::test;

namespace {

namespace fs = std::filesystem;

/// Long: only a test that fails waits this long.
constexpr std::chrono::seconds patience{20};
constexpr std::int64_t later_ms = 3'600'000; ///< A timer that no test waits for.

runtime::kind_registry counters() {
    runtime::kind_registry kinds;
    kinds.emplace("counter", runtime::make_kind<counter_model>({}));
    return kinds;
}

std::unique_ptr<runtime::node> start_node(const fs::path& directory) {
    runtime::config settings;
    settings.data = directory.string();
    settings.shards = 8;
    settings.storage_free_bytes_min = 0;
    settings.storage_cache_bytes = 8 << 20;
    auto opened = runtime::node::open(settings);
    BOOST_REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().detail));
    BOOST_REQUIRE((*opened)->start(counters()).has_value());
    return std::move(*opened);
}

/// Waits for the answer that `ask` gets.
template <class T>
expected<T> wait(const std::function<void(std::function<void(expected<T>)>)>& ask) {
    auto promise = std::make_shared<std::promise<expected<T>>>();
    auto future = promise->get_future();
    ask([promise](expected<T> r) { promise->set_value(std::move(r)); });
    if (future.wait_for(patience) != std::future_status::ready) {
        return problem{code::internal, "the test waited in vain"};
    }
    return future.get();
}

template <class Command>
void accept(runtime::node& n, const uuid& id, const Command& c) {
    runtime::command sent;
    sent.to = {system_organization, "counter", id};
    sent.type = wire_name<Command>::value;
    sent.payload = to_json(c);
    sent.principal = "test";
    const auto answer =
        wait<runtime::reply::value_type>([&](auto done) { n.parts().submit(std::move(sent), std::move(done)); });
    BOOST_REQUIRE_MESSAGE(answer.has_value(), (answer ? "" : answer.error().detail));
}

expected<backup_detail> make_backup(runtime::node& n, const std::string& key = {}) {
    return wait<backup_detail>([&](auto done) { n.parts().backups->create(key, std::move(done)); });
}

std::optional<std::int64_t> total(const storage::store& s, const uuid& id) {
    const auto found = storage::read_document(s, {system_organization, "counter", id});
    BOOST_REQUIRE(found.has_value());
    return *found ? std::optional(from_json<counter_state>((*found)->json, strictness::stored).value().total)
                  : std::nullopt;
}

expected<runtime::restore_result> restore(const backup_detail& from, const fs::path& target,
                                          std::optional<timestamp> until = {}) {
    return runtime::restore_backup({from.directory, target, until, 0}, counters(), [](std::string_view) {});
}

/// A moment with nothing in its millisecond.
timestamp moment() {
    const auto pause = [](timestamp since) {
        while (system_now() <= since) {
            std::this_thread::yield();
        }
        return system_now();
    };
    const auto between = pause(system_now());
    pause(between);
    return between;
}

std::size_t timers(const storage::store& s) {
    std::size_t count = 0;
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        std::optional<timestamp> next;
        count += storage::read_timers(s, shard, system_now() + 2 * later_ms, 100, next).size();
    }
    return count;
}

} // namespace

BOOST_AUTO_TEST_SUITE(node_backups)

BOOST_AUTO_TEST_CASE(desk_makes_lists_and_deletes) {
    const temporary_directory d;
    const auto node = start_node(d.path / "data");
    auto& desk = *node->parts().backups;
    accept(*node, make_uuid(), add{1});
    const auto made = make_backup(*node, "k");
    BOOST_REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error().detail));
    BOOST_TEST(fs::path(made->directory).parent_path() == d.path / "data" / "backups");
    BOOST_TEST(make_backup(*node, "k")->id == made->id);
    const auto list = [&] { return wait<std::vector<backup_entry>>([&](auto done) { desk.list(std::move(done)); }); };
    const auto find = [&] { return wait<backup_detail>([&](auto done) { desk.find(made->id, std::move(done)); }); };
    const auto remove = [&] { return wait<void>([&](auto done) { desk.remove(made->id, std::move(done)); }); };
    BOOST_TEST(list()->size() == 1U);
    BOOST_TEST(find()->records == made->records);
    BOOST_TEST(remove().has_value());
    BOOST_TEST((remove().error().code == code::not_found));
    BOOST_TEST((find().error().code == code::not_found));
    BOOST_TEST(list()->empty());
}

BOOST_AUTO_TEST_CASE(desk_answers_everybody_once_and_refuses_too_many) {
    const temporary_directory d;
    const auto node = start_node(d.path / "data");
    std::vector<std::future<expected<backup_detail>>> answers;
    for (int i = 0; i < 200; ++i) {
        auto promise = std::make_shared<std::promise<expected<backup_detail>>>();
        answers.push_back(promise->get_future());
        node->parts().backups->create("same", [promise](auto r) { promise->set_value(std::move(r)); });
    }
    std::size_t refused = 0;
    std::size_t made = 0;
    for (auto& answer : answers) {
        BOOST_REQUIRE((answer.wait_for(patience) == std::future_status::ready));
        const auto result = answer.get();
        result ? ++made : ++refused;
        BOOST_TEST((result || result.error().code == code::overloaded));
    }
    BOOST_TEST(made > 0U);
    BOOST_TEST(refused > 0U);
    BOOST_TEST(make_backup(*node, "later").has_value()); // the bound is of those that wait
}

BOOST_AUTO_TEST_CASE(restored_views_and_timers_are_as_of_the_moment) {
    const temporary_directory d;
    const auto early = make_uuid();
    const auto late = make_uuid();
    const auto waiting = make_uuid();
    timestamp then;
    expected<backup_detail> made = problem{};
    {
        const auto node = start_node(d.path / "data");
        accept(*node, early, add{1});
        accept(*node, waiting, add_later{5, later_ms});
        then = moment();
        accept(*node, early, add{10});
        accept(*node, early, add_later{5, later_ms});
        accept(*node, late, add{3});
        made = make_backup(*node);
        BOOST_REQUIRE(made.has_value());
        node->stop(5000);
    }
    const auto whole = restore(*made, d.path / "whole");
    BOOST_REQUIRE_MESSAGE(whole.has_value(), (whole ? "" : whole.error().detail));
    const auto past = restore(*made, d.path / "past", then);
    BOOST_REQUIRE_MESSAGE(past.has_value(), (past ? "" : past.error().detail));
    BOOST_TEST(past->records + past->records_cut == made->records);
    BOOST_TEST(past->quarantined.empty());

    const auto now_node = start_node(d.path / "whole");
    BOOST_TEST((total(*now_node->parts().store, early) == 11));
    BOOST_TEST((total(*now_node->parts().store, late) == 3));
    BOOST_TEST(timers(*now_node->parts().store) == 2U);
    const auto past_node = start_node(d.path / "past");
    BOOST_TEST((total(*past_node->parts().store, early) == 1));
    BOOST_TEST(!total(*past_node->parts().store, late).has_value());
    BOOST_TEST(timers(*past_node->parts().store) == 1U);
    accept(*past_node, early, add{100});
    BOOST_TEST((total(*past_node->parts().store, early) == 101));
    BOOST_TEST((past_node->parts().store->who().cluster == now_node->parts().store->who().cluster));
    BOOST_TEST((past_node->parts().store->who().replica != now_node->parts().store->who().replica));
}

BOOST_AUTO_TEST_CASE(a_moment_that_the_backup_does_not_know_is_refused) {
    const temporary_directory d;
    const auto node = start_node(d.path / "data");
    const auto before = moment();
    accept(*node, make_uuid(), add{1});
    const auto made = make_backup(*node);
    BOOST_REQUIRE(made.has_value());
    for (const auto& until : {before, made->created_at + 1000, made->created_at + 3'600'000}) {
        const auto refused = restore(*made, d.path / "new", until);
        BOOST_REQUIRE(refused.has_error());
        BOOST_TEST((refused.error().code == code::invalid_request), refused.error().detail);
    }
    BOOST_TEST(restore(*made, d.path / "new", made->created_at).has_value()); // what was refused left nothing behind
}

BOOST_AUTO_TEST_CASE(restore_needs_an_empty_folder_and_goes_on_after_a_kill) {
    const temporary_directory d;
    expected<backup_detail> made = problem{};
    const auto id = make_uuid();
    {
        const auto node = start_node(d.path / "data");
        accept(*node, id, add{1});
        made = make_backup(*node);
        BOOST_REQUIRE(made.has_value());
    }
    const auto target = d.path / "target";
    fs::create_directories(target);
    BOOST_REQUIRE(replace_file(target / "mine", "kept").has_value());
    BOOST_TEST((restore(*made, target).error().code == code::conflict));
    BOOST_TEST(read_whole_file(target / "mine", 100).value() == "kept");
    fs::remove(target / "mine");
    // What a kill in the middle leaves.
    fs::create_directories(target / ".restoring" / "db");
    BOOST_REQUIRE(replace_file(target / ".restoring" / "db" / "CURRENT", "half").has_value());
    fs::create_directories(target / "db");
    runtime::config settings;
    settings.data = target.string();
    const auto opened = runtime::node::open(settings);
    BOOST_REQUIRE(opened.has_error());
    BOOST_TEST((opened.error().code == code::data_dir_unusable));
    BOOST_TEST(opened.error().detail.find("restore it again") != std::string::npos);
    BOOST_REQUIRE(restore(*made, target).has_value());
    BOOST_TEST(!fs::exists(target / ".restoring"));
    BOOST_TEST((total(*start_node(target)->parts().store, id) == 1));
    BOOST_TEST((restore(*made, target).error().code == code::conflict));

    runtime::restore_options greedy{made->directory, d.path / "other", {}, std::uint64_t{1} << 60};
    const auto full = runtime::restore_backup(greedy, counters(), [](std::string_view) {});
    BOOST_TEST((full.error().code == code::storage_full));
}

BOOST_AUTO_TEST_SUITE_END()
