#include "runtime/node.hpp"

#include "runtime/supervision/tree.hpp"
#include "schemas/base/limits.hpp"
#include "storage/blobs.hpp"
#include "storage/views.hpp"
#include "tests/runtime/counter.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace troupe;
using namespace troupe::test;

namespace {

/// Long: only a test that fails waits this long.
constexpr std::chrono::seconds patience{20};
constexpr std::int64_t stop_ms = 20'000;

/// Opens once, for all who wait.
class gate {
public:
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        opened_.notify_all();
    }
    bool wait() {
        std::unique_lock lock(mutex_);
        return opened_.wait_for(lock, patience, [this] { return open_; });
    }

private:
    std::mutex mutex_;
    std::condition_variable opened_;
    bool open_ = false;
};

/// A node with counters.
class node_fixture {
public:
    explicit node_fixture(const std::filesystem::path& directory, runtime::performer_of<counter_model> performer = {},
                          const std::function<void(runtime::config&)>& change = {}) {
        runtime::config settings;
        settings.data = directory.string();
        settings.shards = 8;
        settings.storage_free_bytes_min = 0;
        settings.storage_cache_bytes = 8 << 20;
        if (change) {
            change(settings);
        }
        auto opened = runtime::node::open(settings);
        BOOST_REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().detail));
        node = std::move(*opened);
        runtime::kind_registry kinds;
        kinds.emplace("counter", runtime::make_kind<counter_model>(std::move(performer)));
        const auto started = node->start(std::move(kinds));
        BOOST_REQUIRE_MESSAGE(started.has_value(), (started ? "" : started.error().detail));
    }

    static entity_address address(const uuid& id) { return {system_organization, "counter", id}; }

    template <class Command>
    static runtime::command make(const uuid& id, const Command& c, std::string command_id = {}) {
        runtime::command out;
        out.to = address(id);
        out.type = wire_name<Command>::value;
        out.payload = to_json(c);
        out.id = std::move(command_id);
        out.principal = "test";
        return out;
    }

    std::future<runtime::reply> begin(runtime::command c) {
        auto promise = std::make_shared<std::promise<runtime::reply>>();
        auto future = promise->get_future();
        node->parts().submit(std::move(c), [promise](runtime::reply r) { promise->set_value(std::move(r)); });
        return future;
    }

    runtime::reply ask(runtime::command c) {
        auto answer = begin(std::move(c));
        if (answer.wait_for(patience) != std::future_status::ready) {
            return problem{code::internal, "the test waited in vain for an answer"};
        }
        return answer.get();
    }

    /// Asks, and demands that it is accepted.
    void accept(runtime::command c) {
        const auto answer = ask(std::move(c));
        BOOST_REQUIRE_MESSAGE(answer.has_value(), (answer ? "" : answer.error().detail));
    }

    counter_state document(const uuid& id) {
        auto d = storage::read_document(*node->parts().store, address(id));
        BOOST_REQUIRE(d.has_value() && d->has_value());
        return from_json<counter_state>((*d)->json, strictness::stored).value();
    }

    /// Waits until an event of that type of the entity is committed, from the start of its history on.
    bool wait_for_event(const uuid& id, const std::string& type) {
        auto seen = std::make_shared<gate>();
        const auto s = node->parts().live->subscribe({system_organization, {"counters/" + to_string(id)}, "start"},
                                                     [seen, type](const runtime::live_event& e) {
                                                         if (e.kind == type) {
                                                             seen->open();
                                                         }
                                                     });
        return seen->wait();
    }

    std::unique_ptr<runtime::node> node;
};

void wait_for_stop(const runtime::effect_context& ctx) {
    gate stopped;
    const std::stop_callback wake(ctx.stop(), [&] { stopped.open(); });
    stopped.wait();
}

} // namespace

BOOST_AUTO_TEST_SUITE(nodes)

BOOST_AUTO_TEST_CASE(commands_of_many_threads_are_all_applied_and_seen_after_a_restart) {
    temporary_directory directory;
    std::vector<uuid> ids(20);
    for (auto& id : ids) {
        id = make_uuid();
    }
    constexpr int threads = 4;
    constexpr int each = 100;
    {
        node_fixture host(directory.path);
        std::atomic<int> refused{0};
        std::vector<std::thread> clients;
        for (int t = 0; t < threads; ++t) {
            clients.emplace_back([&] {
                std::vector<std::future<runtime::reply>> answers;
                for (int i = 0; i < each; ++i) {
                    answers.push_back(host.begin(host.make(ids[i % ids.size()], add{1})));
                }
                for (auto& answer : answers) {
                    if (answer.wait_for(patience) != std::future_status::ready || !answer.get()) {
                        ++refused;
                    }
                }
            });
        }
        for (auto& c : clients) {
            c.join();
        }
        BOOST_TEST(refused == 0);
        BOOST_TEST(host.node->statistics().commands_accepted == static_cast<std::uint64_t>(threads * each));
        BOOST_TEST(host.node->statistics().commands_outstanding == 0u);
        BOOST_TEST(host.node->statistics().commits <= static_cast<std::uint64_t>(threads * each));
        host.node->stop(stop_ms);
    }
    node_fixture host(directory.path);
    for (const auto& id : ids) {
        BOOST_TEST(host.document(id).total == threads * each / static_cast<int>(ids.size()));
        const auto next = host.ask(host.make(id, add{1}));
        BOOST_REQUIRE_MESSAGE(next.has_value(), (next ? "" : next.error().detail));
        BOOST_TEST(next->version == host.document(id).events);
    }
    const auto page = host.node->events(system_organization, "start", 10'000);
    BOOST_REQUIRE(page.has_value());
    BOOST_TEST(page->envelopes.size() == static_cast<std::size_t>(threads * each) + ids.size());
}

BOOST_AUTO_TEST_CASE(a_repeated_command_is_answered_from_the_journal_after_a_restart) {
    temporary_directory directory;
    const auto id = make_uuid();
    {
        node_fixture host(directory.path);
        host.accept(host.make(id, add{5}, "k"));
    }
    node_fixture host(directory.path);
    const auto again = host.ask(host.make(id, add{5}, "k"));
    BOOST_REQUIRE(again.has_value());
    BOOST_TEST(again->repeated);
    BOOST_TEST(host.document(id).total == 5);
    BOOST_TEST(host.node->statistics().commands_repeated == 1u);
}

BOOST_AUTO_TEST_CASE(over_the_bound_a_command_is_refused_at_once_and_the_credit_comes_back) {
    temporary_directory directory;
    node_fixture host(directory.path, {}, [](runtime::config& c) { c.limits_outstanding_commands = 1; });
    gate committed;
    gate go_on;
    auto blocker =
        host.node->parts().live->subscribe({system_organization, {"*"}, {}}, [&](const runtime::live_event& e) {
            if (!e.id.empty()) { // between commit and answer
                committed.open();
                go_on.wait();
            }
        });
    BOOST_REQUIRE(blocker.has_value());
    auto first = host.begin(host.make(make_uuid(), add{1}));
    BOOST_REQUIRE(committed.wait());
    auto second = host.begin(host.make(make_uuid(), add{1}));
    BOOST_REQUIRE((second.wait_for(patience) == std::future_status::ready));
    const auto refused = second.get();
    BOOST_REQUIRE(refused.has_error());
    BOOST_TEST((refused.error().code == code::overloaded));
    BOOST_TEST(refused.error().retry_after_s.value_or(0) >= 1u);
    go_on.open();
    BOOST_TEST(first.get().has_value());
    host.accept(host.make(make_uuid(), add{1}));
}

BOOST_AUTO_TEST_CASE(a_command_over_the_bound_of_bytes_is_refused) {
    temporary_directory directory;
    node_fixture host(directory.path, {}, [](runtime::config& c) { c.limits_outstanding_bytes = 2000; });
    const auto id = make_uuid();
    host.accept(host.make(id, add{1}));
    const auto refused = host.ask(host.make(id, work{std::string(3000, 'x')}));
    BOOST_REQUIRE(refused.has_error());
    BOOST_TEST((refused.error().code == code::overloaded));
    BOOST_TEST(host.document(id).events == 1u);
}

BOOST_AUTO_TEST_CASE(an_organization_that_floods_the_node_does_not_hold_up_another) {
    temporary_directory directory;
    node_fixture host(directory.path, {}, [](runtime::config& c) {
        c.limits_commands_in_work = 8;
        c.limits_outstanding_commands = 256;
        c.limits_wait_ms = 20'000;
    });
    const auto big = make_uuid();
    const auto small = make_uuid();
    std::vector<uuid> ids;
    for (int i = 0; i < 32; ++i) {
        ids.push_back(make_uuid());
    }
    std::atomic<std::uint64_t> flood_done{0};
    std::atomic<std::uint64_t> flood_refused{0};
    std::atomic<std::int64_t> asking{0};
    std::atomic<bool> over{false};
    std::thread flood([&] {
        for (std::size_t i = 0; !over; ++i) {
            if (asking > 400) { // more than the node takes
                std::this_thread::yield();
                continue;
            }
            auto c = host.make(ids[i % ids.size()], add{1});
            c.to.organization = big;
            ++asking;
            host.node->parts().submit(std::move(c), [&](const runtime::reply& r) {
                --asking;
                ++(r ? flood_done : flood_refused);
            });
        }
    });
    while (flood_done < 1000) {
        std::this_thread::yield();
    }
    std::vector<std::uint64_t> overtaken_by; // how many of the flood were answered before each of the small one
    for (int i = 0; i < 51; ++i) {
        auto c = host.make(ids[0], add{1});
        c.to.organization = small;
        auto answered = std::make_shared<std::promise<std::pair<bool, std::uint64_t>>>();
        auto answer = answered->get_future();
        const auto before = flood_done.load();
        host.node->parts().submit(std::move(c), [answered, before, &flood_done](const runtime::reply& r) {
            answered->set_value({r.has_value(), flood_done - before});
        });
        const bool came = answer.wait_for(patience) == std::future_status::ready;
        BOOST_TEST(came);
        if (!came) {
            break;
        }
        const auto [accepted, overtaken] = answer.get();
        BOOST_TEST(accepted); // never refused
        overtaken_by.push_back(overtaken);
    }
    over = true;
    flood.join();
    while (asking > 0) {
        std::this_thread::yield();
    }
    std::ranges::sort(overtaken_by);
    BOOST_TEST(overtaken_by[overtaken_by.size() / 2] <= 64u); // in one queue it would be 250
    BOOST_TEST(flood_refused > 0u);
    BOOST_TEST(host.node->statistics().commands_outstanding == 0u);
    BOOST_TEST(host.node->statistics().commands_overloaded >= flood_refused);
}

BOOST_AUTO_TEST_CASE(stop_commits_what_was_taken_and_refuses_what_comes_later) {
    temporary_directory directory;
    std::vector<uuid> ids;
    std::vector<std::pair<std::size_t, std::future<runtime::reply>>> answers;
    std::vector<std::int64_t> accepted;
    {
        node_fixture host(directory.path);
        for (std::size_t i = 0; i < 16; ++i) {
            ids.push_back(make_uuid());
            host.accept(host.make(ids.back(), add{1}));
        }
        accepted.assign(ids.size(), 1);
        for (std::size_t i = 0; i < 800; ++i) {
            answers.emplace_back(i % ids.size(), host.begin(host.make(ids[i % ids.size()], add{1})));
        }
        const auto begun = monotonic_ms();
        host.node->stop(stop_ms);
        BOOST_TEST(monotonic_ms() - begun < stop_ms / 2); // it ended because all was done
        BOOST_TEST(host.node->statistics().entities_active == 0u);
        const auto late = host.ask(host.make(ids[0], add{1}));
        BOOST_REQUIRE(late.has_error());
        BOOST_TEST((late.error().code == code::unavailable));
        for (auto& [entity, answer] : answers) {
            BOOST_REQUIRE((answer.wait_for(patience) == std::future_status::ready));
            const auto r = answer.get();
            BOOST_TEST((r || r.error().code == code::unavailable));
            accepted[entity] += r ? 1 : 0;
        }
    }
    node_fixture host(directory.path);
    for (std::size_t i = 0; i < ids.size(); ++i) {
        BOOST_TEST(host.document(ids[i]).total == accepted[i]);
    }
}

BOOST_AUTO_TEST_CASE(stop_without_a_command_ends_and_may_be_repeated) {
    temporary_directory directory;
    node_fixture host(directory.path);
    host.node->stop(stop_ms);
    host.node->stop(stop_ms);
}

BOOST_AUTO_TEST_CASE(an_effect_is_performed_and_its_outcome_is_committed) {
    temporary_directory directory;
    node_fixture host(
        directory.path, [](const runtime::perform_effect& e, const counter_state& s, runtime::effect_context& ctx) {
            ctx.publish("counters/" + to_string(ctx.self().id), "token", "\"half\"");
            const auto told = ctx.tell_self({"add", to_json(add{2}), {}});
            BOOST_ASSERT(told.has_value());
            return std::vector<runtime::self_command>{{"work_done", to_json(work_done{e.key + ":" + *s.wanted}), {}}};
        });
    const auto id = make_uuid();
    host.accept(host.make(id, work{"thing"}));
    BOOST_REQUIRE(host.wait_for_event(id, "work_over"));
    BOOST_TEST(host.document(id).result == "work/thing:thing");
    BOOST_TEST(host.document(id).total == 2);
    BOOST_TEST(
        storage::read_owed(*host.node->parts().store, host.node->parts().store->shard_of(host.address(id))).empty());
}

BOOST_AUTO_TEST_CASE(an_effect_that_throws_is_tried_again) {
    temporary_directory directory;
    std::atomic<int> attempts{0};
    node_fixture host(directory.path,
                      [&](const runtime::perform_effect&, const counter_state&, runtime::effect_context&) {
                          if (++attempts < 3) {
                              throw std::runtime_error("not yet");
                          }
                          return std::vector<runtime::self_command>{{"work_done", to_json(work_done{"third"}), {}}};
                      });
    const auto id = make_uuid();
    host.accept(host.make(id, work{"thing"}));
    BOOST_REQUIRE(host.wait_for_event(id, "work_over"));
    BOOST_TEST(host.document(id).result == "third");
    BOOST_TEST(attempts == 3);
}

BOOST_AUTO_TEST_CASE(a_part_stands_under_the_node_unless_its_first_start_fails) {
    temporary_directory directory;
    node_fixture host(directory.path);
    const auto in_tree = [&](const std::string& id) {
        return host.node->parts().tree->to_json("/nodes/n1/" + id, 0).value_or("");
    };
    const auto part = [](const std::string& id, expected<std::shared_ptr<void>> what) {
        return runtime::supervised_part{id, "part", [what](const runtime::part_failed&) { return what; }};
    };
    const auto refused = host.node->supervise(part("bad", problem{code::address_in_use, "somebody has its place"}));
    BOOST_REQUIRE(refused.has_error());
    BOOST_TEST(refused.error().detail == "somebody has its place");
    while (!in_tree("bad").empty()) { // its actor ends
        std::this_thread::yield();
    }
    BOOST_TEST(host.node->supervise(part("good", std::shared_ptr<void>(std::make_shared<int>(1)))).has_value());
    BOOST_TEST(in_tree("good").find(R"("kind":"part","status":"running")") != std::string::npos);
    const auto twice = host.node->supervise(part("good", std::shared_ptr<void>(std::make_shared<int>(2))));
    BOOST_REQUIRE(twice.has_error());
    BOOST_TEST((twice.error().code == code::already_exists));
    BOOST_TEST(in_tree("good").find("running") != std::string::npos); // nobody took its place
}

BOOST_AUTO_TEST_CASE(an_effect_whose_outcome_is_poison_is_not_performed_again) {
    temporary_directory directory;
    const auto id = make_uuid();
    std::atomic<int> performed{0};
    const auto performer = [&](const runtime::perform_effect&, const counter_state&, runtime::effect_context&) {
        ++performed;
        return std::vector<runtime::self_command>{{"work_done", to_json(work_done{"crash"}), {}}};
    };
    {
        node_fixture host(directory.path, performer);
        host.accept(host.make(id, work{"x"}));
        BOOST_REQUIRE(host.wait_for_event(id, "$poisoned"));
        host.accept(host.make(id, add{1}));
        const auto& store = *host.node->parts().store;
        BOOST_TEST(storage::read_owed(store, store.shard_of(host.address(id))).empty());
    }
    // Each incarnation that the outcome killed looks at the outcome before it does anything again.
    const auto before = performed.load();
    BOOST_TEST(before == 1);
    node_fixture host(directory.path, performer);
    host.accept(host.make(id, add{1}));
    BOOST_TEST(performed == before);
    BOOST_TEST(host.document(id).total == 2);
}

BOOST_AUTO_TEST_CASE(an_effect_that_is_owed_no_more_is_cancelled) {
    temporary_directory directory;
    gate begun;
    gate cancelled;
    node_fixture host(directory.path,
                      [&](const runtime::perform_effect&, const counter_state&, runtime::effect_context& ctx) {
                          begun.open();
                          wait_for_stop(ctx);
                          cancelled.open();
                          return std::vector<runtime::self_command>{{"work_done", to_json(work_done{"too late"}), {}}};
                      });
    const auto id = make_uuid();
    host.accept(host.make(id, work{"thing"}));
    BOOST_REQUIRE(begun.wait());
    host.accept(host.make(id, work_done{"by another"}));
    BOOST_TEST(cancelled.wait());
    host.accept(host.make(id, add{1}));
    BOOST_TEST(host.document(id).result == "by another");
}

BOOST_AUTO_TEST_CASE(a_stop_in_the_middle_of_an_effect_ends_it_and_the_next_start_runs_it_again) {
    temporary_directory directory;
    const auto id = make_uuid();
    std::atomic<int> attempts{0};
    {
        gate begun;
        node_fixture host(directory.path,
                          [&](const runtime::perform_effect&, const counter_state&, runtime::effect_context& ctx) {
                              ++attempts;
                              begun.open();
                              wait_for_stop(ctx);
                              return std::vector<runtime::self_command>{};
                          });
        host.accept(host.make(id, work{"thing"}));
        BOOST_REQUIRE(begun.wait());
        const auto before = monotonic_ms();
        host.node->stop(stop_ms);
        host.node.reset();
        BOOST_TEST(monotonic_ms() - before < stop_ms / 2);
    }
    BOOST_TEST(attempts == 1);
    node_fixture host(directory.path,
                      [&](const runtime::perform_effect&, const counter_state&, runtime::effect_context&) {
                          ++attempts;
                          return std::vector<runtime::self_command>{{"work_done", to_json(work_done{"again"}), {}}};
                      });
    BOOST_REQUIRE(host.wait_for_event(id, "work_over")); // nobody asked: what is owed wakes its entity
    BOOST_TEST(host.document(id).result == "again");
    BOOST_TEST(attempts == 2);
}

BOOST_AUTO_TEST_CASE(a_command_between_entities_is_delivered_and_a_timer_fires) {
    temporary_directory directory;
    node_fixture host(directory.path);
    const auto from = make_uuid();
    const auto to = make_uuid();
    host.accept(host.make(from, tell{to, 9}));
    BOOST_REQUIRE(host.wait_for_event(from, "telling_over"));
    BOOST_TEST(host.document(to).total == 9);
    host.accept(host.make(to, add_later{4, 1}));
    BOOST_REQUIRE(host.wait_for_event(to, "timer_cleared"));
    host.accept(host.make(to, add{1}));
    BOOST_TEST(host.document(to).total == 14);
}

BOOST_AUTO_TEST_CASE(a_second_node_on_the_same_directory_is_refused) {
    temporary_directory directory;
    node_fixture host(directory.path);
    runtime::config settings;
    settings.data = directory.path.string();
    const auto second = runtime::node::open(settings);
    BOOST_REQUIRE(second.has_error());
    BOOST_TEST((second.error().code == code::data_dir_in_use));
}

BOOST_AUTO_TEST_SUITE_END()
