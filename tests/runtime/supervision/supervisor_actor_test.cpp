#include "runtime/supervision/supervisor_actor.hpp"

#include "runtime/supervision/dead_letters.hpp"
#include "runtime/supervision/tree.hpp"
#include "schemas/base/json.hpp"
#include "tests/runtime/deterministic.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/all.hpp>

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::runtime;

namespace {

using fail_atom = caf::atom_constant<caf::atom("fail")>;
using finish_atom = caf::atom_constant<caf::atom("finish")>;
using odd_atom = caf::atom_constant<caf::atom("odd")>;

/// Children that note their starts and ends, and do as they are told.
struct fixture : test::deterministic {
    std::vector<std::string> log;
    std::map<std::string, caf::actor> actors;
    std::map<std::string, int> starts_refused;
    supervision_tree tree{[] { return timestamp{1000}; }};
    dead_letters letters;
    std::string escalation;

    child_factory factory(std::string id) {
        return [this, id = std::move(id)](const child_context& context) {
            if (starts_refused[id] > 0) {
                --starts_refused[id];
                throw std::runtime_error("no such device");
            }
            log.push_back("+" + id);
            auto made =
                context.system.spawn([this, id, path = context.path](caf::event_based_actor* self) -> caf::behavior {
                    report_failures(*self, path, &letters);
                    self->attach_functor([this, id] { log.push_back("-" + id); });
                    return {[](fail_atom) { throw std::runtime_error("boom"); }, [self](finish_atom) { self->quit(); }};
                });
            actors[id] = made;
            return made;
        };
    }

    supervised_child child(const std::string& id, restart_policy restart = restart_policy::permanent) {
        return {{.id = id, .restart = restart}, factory(id)};
    }

    /// Does not end when asked.
    supervised_child stubborn(const std::string& id) {
        return {{.id = id, .shutdown_ms = 50}, [this, id](const child_context& context) {
                    log.push_back("+" + id);
                    return context.system.spawn([this, id](caf::event_based_actor* self) -> caf::behavior {
                        self->attach_functor([this, id] { log.push_back("-" + id); });
                        self->set_exit_handler([](caf::exit_msg&) {});
                        return {[](fail_atom) {}};
                    });
                }};
    }

    static supervisor_spec spec(restart_strategy strategy) {
        return {.strategy = strategy, .restarts_max = 2, .window_ms = 10'000, .wait = {.first_ms = 100, .jitter = 0}};
    }

    caf::actor supervisor(restart_strategy strategy, std::vector<supervised_child> children) {
        auto made = spawn_supervisor(
            system, spec(strategy), std::move(children),
            {.path = "/n1", .tree = &tree, .random = {}, .on_escalation = [this](const std::string& r) {
                 escalation = r;
             }});
        run();
        return made.value();
    }

    void tell(const std::string& id, auto what) {
        caf::anon_send(actors.at(id), what);
        run();
    }

    std::string logged() {
        std::string out;
        for (const auto& line : std::exchange(log, {})) {
            out += out.empty() ? line : " " + line;
        }
        return out;
    }

    [[nodiscard]] std::string shown(std::string_view path, std::string_view pointer) const {
        const auto text = tree.to_json(path);
        const auto parsed = json::document::parse(text.value_or("null"));
        const auto found = parsed->root().pointer(pointer);
        return found ? found->dump() : "-";
    }

    void shut_down(const caf::actor& supervisor) {
        caf::anon_send_exit(supervisor, caf::exit_reason::user_shutdown);
        run();
    }
};

constexpr auto one = restart_strategy::one_for_one;

} // namespace

BOOST_FIXTURE_TEST_SUITE(supervisor_actors, fixture)

BOOST_AUTO_TEST_CASE(a_child_that_throws_is_restarted_and_its_cause_is_shown) {
    const auto s = supervisor(one, {child("a"), child("b")});
    BOOST_TEST(logged() == "+a +b");
    tell("a", fail_atom::value);
    BOOST_TEST(logged() == "-a");
    BOOST_TEST(shown("/n1/a", "/status") == "\"restarting\"");
    BOOST_TEST(shown("/n1/a", "/last_failure") == "\"boom\"");
    advance(99);
    BOOST_TEST(logged() == "");
    advance(1);
    BOOST_TEST(logged() == "+a");
    BOOST_TEST(shown("/n1/a", "/status") == "\"running\"");
    BOOST_TEST(shown("/n1/a", "/restarts") == "1");
    BOOST_TEST(shown("/n1/b", "/restarts") == "0");
    shut_down(s);
    BOOST_TEST(logged() == "-b -a");
    BOOST_TEST(tree.size() == 0);
}

BOOST_AUTO_TEST_CASE(one_for_all_restarts_all_in_order) {
    const auto s = supervisor(restart_strategy::one_for_all, {child("a"), child("b"), child("c")});
    logged();
    tell("b", fail_atom::value);
    BOOST_TEST(logged() == "-b -c -a");
    advance(100);
    BOOST_TEST(logged() == "+a +b +c");
    shut_down(s);
}

BOOST_AUTO_TEST_CASE(rest_for_one_restarts_the_later) {
    const auto s = supervisor(restart_strategy::rest_for_one, {child("a"), child("b"), child("c")});
    logged();
    tell("b", fail_atom::value);
    advance(100);
    BOOST_TEST(logged() == "-b -c +b +c");
    shut_down(s);
}

BOOST_AUTO_TEST_CASE(a_normal_end_is_the_end_of_a_transient_child) {
    const auto s = supervisor(one, {child("a", restart_policy::transient), child("b", restart_policy::temporary)});
    logged();
    tell("a", finish_atom::value);
    tell("b", fail_atom::value);
    advance(1000);
    BOOST_TEST(logged() == "-a -b");
    BOOST_TEST(shown("/n1/a", "/status") == "\"stopped\"");
    BOOST_TEST(shown("/n1", "/children_count") == "1");
    shut_down(s);
}

BOOST_AUTO_TEST_CASE(a_start_that_throws_is_tried_again) {
    starts_refused["a"] = 1;
    const auto s = supervisor(one, {child("a")});
    BOOST_TEST(logged() == "");
    BOOST_TEST(shown("/n1/a", "/last_failure") == "\"no such device\"");
    advance(100);
    BOOST_TEST(logged() == "+a");
    shut_down(s);
}

BOOST_AUTO_TEST_CASE(too_many_failures_end_the_supervisor_and_all_below) {
    const auto s = supervisor(one, {child("a"), child("b")});
    for (int i = 0; i < 2; ++i) {
        tell("a", fail_atom::value);
        advance(1000);
    }
    logged();
    tell("a", fail_atom::value);
    BOOST_TEST(logged() == "-a -b");
    BOOST_TEST(escalation == "3 failures within 10 s, the last of a: boom");
    BOOST_TEST(tree.size() == 0);
}

BOOST_AUTO_TEST_CASE(an_escalation_restarts_the_subtree) {
    const auto s =
        supervisor(one, {supervisor_child({.id = "inner"}, spec(one), {child("a"), child("b")}, &tree), child("c")});
    BOOST_TEST(logged() == "+c +a +b");
    BOOST_TEST(shown("/n1/inner", "/kind") == "\"supervisor\"");
    BOOST_TEST(shown("/n1/inner/b", "/status") == "\"running\"");
    for (int i = 0; i < 2; ++i) {
        tell("a", fail_atom::value);
        advance(1000);
    }
    logged();
    tell("a", fail_atom::value);
    BOOST_TEST(logged() == "-a -b");
    BOOST_TEST(shown("/n1/inner", "/status") == "\"restarting\"");
    BOOST_TEST(shown("/n1/inner", "/last_failure") == "\"3 failures within 10 s, the last of a: boom\"");
    advance(100);
    BOOST_TEST(logged() == "+a +b");
    BOOST_TEST(escalation == "");
    shut_down(s);
    BOOST_TEST(logged() == "-c -b -a");
}

BOOST_AUTO_TEST_CASE(one_that_does_not_end_is_killed_after_its_deadline) {
    const auto s = supervisor(one, {child("a"), stubborn("b")});
    logged();
    shut_down(s);
    advance(49);
    BOOST_TEST(logged() == "");
    advance(1);
    BOOST_TEST(logged() == "-b -a");
}

BOOST_AUTO_TEST_CASE(a_supervisor_below_gets_the_time_that_its_children_may_take) {
    const auto slow = [this](const std::string& id) {
        auto made = stubborn(id);
        made.spec.shutdown_ms = 2000;
        return made;
    };
    const auto s = supervisor(one, {supervisor_child({.id = "inner", .shutdown_ms = 100}, spec(one),
                                                     {slow("a"), slow("b"), slow("c")}, &tree)});
    logged();
    shut_down(s);
    advance(1999);
    BOOST_TEST(logged() == "");
    advance(1);
    BOOST_TEST(logged() == "-c"); // one after the other, each with its own time
    advance(2000);
    BOOST_TEST(logged() == "-b");
    advance(2000);
    BOOST_TEST(logged() == "-a");
}

BOOST_AUTO_TEST_CASE(children_die_with_a_supervisor_that_is_killed) {
    const auto s = supervisor(one, {child("a"), child("b")});
    logged();
    kill(s);
    run();
    const auto ends = logged();
    BOOST_TEST((ends == "-a -b" || ends == "-b -a"), ends);
}

BOOST_AUTO_TEST_CASE(orders_change_a_running_supervisor) {
    const auto s = supervisor(one, {child("a")});
    std::vector<std::string> answers;
    const auto note = [&](expected<void> r) { answers.emplace_back(r ? "ok" : explain(r.error().code).name); };
    add_child(s, child("b"), note);
    add_child(s, child("b"), note);
    run();
    restart_child(s, "a", note);
    run();
    BOOST_TEST(logged() == "+a +b -a +a");
    remove_child(s, "b", note);
    remove_child(s, "z", note);
    run();
    BOOST_TEST(logged() == "-b");
    BOOST_TEST(shown("/n1", "/children_count") == "1");
    BOOST_TEST((answers == std::vector<std::string>{"ok", "already_exists", "ok", "ok", "not_found"}));
    shut_down(s);
}

BOOST_AUTO_TEST_CASE(invalid_specifications_are_refused) {
    BOOST_TEST((spawn_supervisor(system, {}, {child("a"), child("a")}).error().code == code::invalid_request));
    BOOST_TEST((spawn_supervisor(system, {}, {{{.id = "a"}, {}}}).error().code == code::invalid_request));
}

BOOST_AUTO_TEST_CASE(messages_without_a_handler_become_dead_letters) {
    const auto s = supervisor(one, {child("a")});
    tell("a", odd_atom::value);
    BOOST_REQUIRE(letters.list().size() == 1);
    BOOST_TEST(letters.list()[0].to == "/n1/a");
    BOOST_TEST(letters.list()[0].type == "@atom");
    BOOST_TEST(logged() == "+a"); // and the actor lives on
    shut_down(s);
}

BOOST_AUTO_TEST_CASE(the_end_of_another_that_nobody_waits_for_becomes_a_dead_letter) {
    const auto s = supervisor(one, {child("a"), child("b", restart_policy::temporary)});
    auto& watcher = *caf::actor_cast<caf::local_actor*>(actors.at("a"));
    watcher.monitor(actors.at("b"));
    tell("b", finish_atom::value);
    BOOST_REQUIRE(letters.list().size() == 1);
    BOOST_TEST(letters.list()[0].to == "/n1/a");
    BOOST_TEST(letters.list()[0].type == "down");
    logged();
    shut_down(s);
    BOOST_TEST(logged() == "-a");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(supervisors_on_threads)

BOOST_AUTO_TEST_CASE(end_supervisor_waits_for_the_children) {
    caf::actor_system_config config;
    caf::actor_system system(config);
    supervision_tree tree;
    const child_factory idle = [](const child_context& context) {
        return context.system.spawn([](caf::event_based_actor*) -> caf::behavior { return {[](fail_atom) {}}; });
    };
    const auto s =
        spawn_supervisor(system, {}, {{{.id = "a"}, idle}, {{.id = "b"}, idle}}, {.path = "/n1", .tree = &tree});
    BOOST_REQUIRE(s.has_value());
    BOOST_TEST(end_supervisor(system, *s, 60'000));
}

BOOST_AUTO_TEST_SUITE_END()
