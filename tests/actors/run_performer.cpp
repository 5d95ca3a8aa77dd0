#include "actors/run/run_performer.hpp"

#include "actors/project/project_workspaces.hpp"
#include "storage/log_reader.hpp"
#include "tests/actors/mini_node.hpp"
#include "tests/runtime/process_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;
using runtime::test::eventually;
using runtime::test::workplace;

namespace {

struct quiet_context final : runtime::effect_context {
    explicit quiet_context(entity_address a) : address(std::move(a)) {}
    [[nodiscard]] const entity_address& self() const override { return address; }
    [[nodiscard]] std::stop_token stop() const override { return stopper.get_token(); }
    void publish(std::string_view, std::string_view, std::string) override {}
    runtime::reply ask(runtime::command) override { return problem{code::unavailable, "Nobody is here."}; }
    runtime::reply tell_self(runtime::self_command) override { return problem{code::unavailable, "Nobody is here."}; }

    entity_address address;
    std::stop_source stopper;
};

/// One folder, whose turns and saves are counted.
struct one_folder final : working_folders {
    explicit one_folder(std::filesystem::path p) : path(std::move(p)) {}
    expected<prepared> prepare(const entity_address&, bool, runtime::effect_context&) override {
        return prepared{path, 1};
    }
    expected<saved> save(const entity_address&, const std::string&, runtime::effect_context&) override {
        saves_in_turn += turn.expired() ? 0 : 1;
        return saved{};
    }
    std::shared_ptr<void> take_turn(const entity_address&, std::stop_token stop) override {
        const std::shared_ptr<void> taken = stop.stop_requested() ? nullptr : std::make_shared<int>();
        turn = taken;
        return taken;
    }
    [[nodiscard]] expected<std::string> changed_elsewhere(const entity_address&, const std::string&, const std::string&,
                                                          timestamp) const override {
        return std::string();
    }
    expected<void> remove_of(const uuid&) override { return {}; }
    [[nodiscard]] expected<std::vector<project_change>> changes_by(const entity_address&,
                                                                   const std::string&) const override {
        return std::vector<project_change>{};
    }

    std::filesystem::path path;
    std::weak_ptr<void> turn;
    int saves_in_turn = 0;
};

/// A performer with real files, and a run of one started call.
struct stage {
    workplace place;
    mini_node node;
    one_folder folders{place.project};
    std::unique_ptr<runtime::sandbox> commands = place.open();
    quiet_context ctx{{node.organization, "run", make_uuid()}};
    run_services services;
    runtime::performer_of<run_model> perform;
    run_state run;

    stage(std::string tool, std::string arguments) {
        services.store = node.services.store;
        services.folders = &folders;
        services.commands = commands.get();
        perform = make_run_performer(services);
        auto& p = run.progress;
        p.id = ctx.address.id;
        p.request.project_id = make_uuid();
        p.status = run_status::running;
        p.step = 1;
        auto& call = p.calls.emplace_back();
        call.tool = std::move(tool);
        call.arguments = std::move(arguments);
        call.phase = call_phase::started;
        call.attempt = 1;
    }
    [[nodiscard]] timestamp last_time() const {
        return storage::last_time(*node.services.store, node.services.store->shard_of(ctx.address));
    }
    [[nodiscard]] std::string key() const { return to_string(ctx.address.id) + "/1/1/1"; }

    std::vector<runtime::self_command> call_tool() {
        return perform({"tool/1/1/1", std::string(run_effects::call_tool), to_json(call_reference{1, 1, 1})}, run, ctx);
    }
    record_tool_result result() {
        const auto told = call_tool();
        BOOST_REQUIRE(told.size() == 1);
        return *from_json<record_tool_result>(told[0].payload, strictness::stored);
    }
    std::vector<runtime::self_command> clean_up() {
        return perform({"clean_up", std::string(run_effects::clean_up), "{}"}, run, ctx);
    }
};

const std::string edit = R"({"path":"a.txt","old_text":"old","new_text":"new"})";

} // namespace

BOOST_AUTO_TEST_SUITE(run_performers)

BOOST_AUTO_TEST_CASE(writing_tool_saves_within_its_turn) {
    stage s("write_file", R"({"path":"a.txt","content":"text"})");
    BOOST_TEST(!s.result().is_error);
    BOOST_TEST(s.folders.saves_in_turn == 1);
    BOOST_TEST(s.folders.turn.expired());
}

BOOST_AUTO_TEST_CASE(writing_tool_that_gets_no_turn_does_nothing) {
    stage s("write_file", R"({"path":"a.txt","content":"text"})");
    s.ctx.stopper.request_stop();
    BOOST_TEST(s.call_tool().empty());
    BOOST_TEST(!s.place.has("a.txt"));
}

BOOST_AUTO_TEST_CASE(edit_of_an_earlier_process_may_be_there_already) {
    stage s("edit_file", edit);
    s.place.write("a.txt", "new");
    s.run.progress.calls[0].intent_at = s.last_time();
    BOOST_TEST(!s.result().is_error);
}

BOOST_AUTO_TEST_CASE(command_that_another_node_had_to_perform_is_unknown_and_not_run) {
    stage s("run_command", R"({"command":"echo done > done.txt"})");
    s.run.progress.calls[0].intent_at = s.last_time() + 1;
    s.run.progress.calls[0].intent_node = make_uuid();
    const auto told = s.result();
    BOOST_TEST(told.unknown);
    BOOST_TEST(!s.place.has("done.txt"));
    s.run.progress.calls[0].intent_node = s.node.services.store->who().replica;
    BOOST_TEST(!s.result().unknown);
    BOOST_TEST(s.place.has("done.txt"));
}

BOOST_AUTO_TEST_CASE(command_that_another_node_has_ended_is_told_and_not_run) {
    stage s("run_command", R"({"command":"echo done > done.txt"})");
    auto& call = s.run.progress.calls[0];
    call.intent_node = make_uuid();
    expected<runtime::command_result> there = problem{code::unavailable, "it does not answer"};
    s.services.end_elsewhere = [&](const uuid& replica, const std::string& key) {
        BOOST_TEST((replica == call.intent_node));
        BOOST_TEST(key == s.key());
        return there;
    };
    s.perform = make_run_performer(s.services);
    BOOST_TEST(s.call_tool().empty()); // asked again later
    runtime::command_result half;
    half.out = "half of it\n";
    there = half;
    const auto told = s.result();
    BOOST_TEST(!told.unknown);
    BOOST_TEST(told.is_error);
    BOOST_TEST(told.content.find("half of it") != std::string::npos, told.content);
    there = problem{code::unknown_outcome, "the node is gone"};
    BOOST_TEST(s.result().unknown);
    BOOST_TEST(!s.place.has("done.txt"));
}

BOOST_AUTO_TEST_CASE(edit_that_another_node_may_have_made_may_be_there_already) {
    stage s("edit_file", edit);
    s.place.write("a.txt", "new");
    s.run.progress.calls[0].intent_at = s.last_time() + 1;
    s.run.progress.calls[0].intent_node = make_uuid();
    BOOST_TEST(!s.result().is_error);
}

BOOST_AUTO_TEST_CASE(edit_that_nobody_made_is_an_error_and_its_repeat_is_known) {
    stage s("edit_file", edit);
    s.place.write("a.txt", "new");
    s.run.progress.calls[0].started_at = timestamp{0}; // asked for long ago, approved now
    s.run.progress.calls[0].intent_at = s.last_time() + 1;
    BOOST_TEST(s.result().is_error);
    BOOST_TEST(!s.result().is_error);
}

BOOST_AUTO_TEST_CASE(clean_up_ends_a_command_that_outlived_its_node_and_forgets_it) {
    const std::string line = "touch begun; until [ -e go ]; do sleep 0.01; done; echo done >> count";
    stage s("run_command", R"({"command":"true"})");
    const auto dying = ::fork();
    if (dying == 0) {
        (void)s.place.open()->run(s.key(), s.place.shell(line), {}, {});
        ::_exit(0);
    }
    BOOST_REQUIRE(eventually([&] { return s.place.has("begun"); }));
    ::kill(dying, SIGKILL);
    ::waitpid(dying, nullptr, 0);
    const auto runner = s.place.runner_of(s.key());
    BOOST_REQUIRE(::kill(runner, 0) == 0);

    s.run.progress.status = run_status::cancelled;
    const auto told = s.clean_up();
    BOOST_REQUIRE(told.size() == 1);
    BOOST_TEST(told[0].type == wire_name<record_clean_up>::value);
    BOOST_TEST(!s.place.has("count"));
    BOOST_TEST(!std::filesystem::exists(s.place.folder_of(s.key())));
    BOOST_TEST(s.folders.saves_in_turn == 1);
    BOOST_TEST(s.clean_up().size() == 1u); // repeated after a crash: nothing is left to do
}

BOOST_AUTO_TEST_CASE(project_has_one_turn_at_a_time) {
    const workplace w;
    const mini_node node;
    project_workspaces all(*node.services.store, w.state);
    const entity_address one{node.organization, "project", make_uuid()},
        other{node.organization, "project", make_uuid()};
    std::stop_source stopped;
    stopped.request_stop();
    auto turn = all.take_turn(one, {});
    BOOST_TEST(turn.get() != nullptr);
    BOOST_TEST(all.take_turn(one, stopped.get_token()).get() == nullptr);
    BOOST_TEST(all.take_turn(other, stopped.get_token()).get() != nullptr);
    turn.reset();
    BOOST_TEST(all.take_turn(one, stopped.get_token()).get() != nullptr);
}

BOOST_AUTO_TEST_SUITE_END()
