#include "actors/application/application.hpp"
#include "schemas/run_messages.hpp"

#include "net/http/handlers.hpp"
#include "runtime/supervision/tree.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/unique_fd.hpp"
#include "storage/views.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <thread>

using namespace troupe;
using namespace troupe::actors;

namespace troupe::actors::test {

struct raise {};
BOOST_DESCRIBE_STRUCT(raise, (), ())
struct raised {};
BOOST_DESCRIBE_STRUCT(raised, (), ())
struct tally {
    std::int64_t value = 0;
};
BOOST_DESCRIBE_STRUCT(tally, (), (value))

} // namespace troupe::actors::test

TROUPE_NAMED(troupe::actors::test::raise)
TROUPE_NAMED(troupe::actors::test::raised)

namespace {

using actors::test::tally;

struct tally_model {
    static constexpr std::string_view kind = "tally";
    using state = tally;
    using command = std::variant<actors::test::raise>;
    using event = std::variant<actors::test::raised>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&) {
        return std::vector<event>{actors::test::raised{}};
    }
    static state apply(state s, const event&, const runtime::event_context&) { return {s.value + 1}; }
    static std::vector<runtime::effect> resume(const state&) { return {}; }
    static runtime::entity_view view(const state& s, const runtime::view_context&) { return {to_json(s)}; }
};

struct echo_model final : net::model {
    std::string describe() const override { return "echo"; }
    expected<net::model_reply> complete(const net::model_request&, std::stop_token,
                                        const std::function<void(std::string_view)>&) override {
        return problem{code::model_unavailable, "It is only a name here."};
    }
};

struct no_arguments {};
BOOST_DESCRIBE_STRUCT(no_arguments, (), ())

custom_tool tool(std::string name) {
    return make_tool<no_arguments>(std::move(name), "Does nothing.",
                                   [](const no_arguments&, const tool_environment&) { return tool_result{}; });
}

net::route reading(std::string path, std::string operation) {
    return {.path = std::move(path),
            .operation = std::move(operation),
            .permission = "tally:read",
            .run = [](const net::request&, const net::responder& respond) { respond({}); }};
}

/// A start in a data directory of its own; twice in the same one if asked.
struct place {
    troupe::test::temporary_directory directory;

    expected<std::unique_ptr<application>> start(extensions own, const std::string& model = "") const {
        runtime::config settings;
        settings.data = directory.path / "data";
        settings.listen = "127.0.0.1:0";
        settings.shards = 4;
        settings.storage_free_bytes_min = 0;
        settings.storage_cache_bytes = 8 << 20;
        settings.edge_threads = 1;
        settings.model_default = model;
        return application::start(settings, "", std::move(own));
    }
    std::string refused(extensions own) const {
        const auto started = start(std::move(own));
        BOOST_REQUIRE(!started);
        BOOST_TEST((started.error().code == code::config_invalid));
        return started.error().detail;
    }
};

sockaddr_in local(std::uint16_t port) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_port = htons(port);
    out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return out;
}

bool connects(std::uint16_t port) {
    const unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto to = local(port);
    return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
}

/// As if the kernel had taken the socket away: every further accept fails.
void break_listener(std::uint16_t port) {
    for (int fd = 3; fd < 1024; ++fd) {
        int listens = 0;
        socklen_t size = sizeof listens;
        sockaddr_in at{};
        socklen_t at_size = sizeof at;
        if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens != 0 &&
            ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &at_size) == 0 && ntohs(at.sin_port) == port) {
            BOOST_REQUIRE(::shutdown(fd, SHUT_RDWR) == 0);
            return;
        }
    }
    BOOST_FAIL("nobody listens on port " << port);
}

extensions all_of_ours() {
    return {.kinds = {runtime::make_kind<tally_model>()},
            .routes =
                [](const runtime::services& s) {
                    return std::vector<net::route>{{.path = "/tallies/{id}",
                                                    .operation = "get_tally",
                                                    .permission = "tally:read",
                                                    .run = net::read_entity(s, "tally")}};
                },
            .tools = {tool("nothing")},
            .models = {{"echo", std::make_shared<echo_model>()}}};
}

} // namespace

BOOST_AUTO_TEST_SUITE(application_extensions)

BOOST_AUTO_TEST_CASE(node_hosts_what_a_program_adds_and_may_be_started_again) {
    const place here;
    const auto id = make_uuid();
    for (std::uint64_t version = 1; version <= 2; ++version) {
        auto node = here.start(all_of_ours(), "echo");
        BOOST_REQUIRE_MESSAGE(node.has_value(), (node ? "" : node.error().detail));
        const auto& parts = (*node)->parts();
        const entity_address ours{parts.store->who().default_organization, "tally", id};
        const auto answer = runtime::ask(parts, {.to = ours, .type = "raise"});
        BOOST_REQUIRE_MESSAGE(answer.has_value(), (answer ? "" : answer.error().detail));
        BOOST_TEST(answer->version == version);
        BOOST_TEST(storage::read_document(*parts.store, ours).value().value().version == version);
        BOOST_TEST((*node)->model() == "echo");
        BOOST_TEST((*node)->sandbox().find("not available") != std::string::npos); // there is no runner
        BOOST_TEST(find_tool("nothing") != nullptr);
        node->reset();
        BOOST_TEST(find_tool("nothing") == nullptr);
    }
}

BOOST_AUTO_TEST_CASE(kind_of_a_program_has_a_script_where_there_is_no_model) {
    const place here;
    auto node = here.start(
        {.agent_kinds = {{.name = "counter",
                          .description = "Counts.",
                          .rehearsal =
                              "rules: [{call: [{tool: finish, arguments: {result: Counted., output: {count: 3}}}]}]"}}},
        "rehearsal");
    BOOST_REQUIRE_MESSAGE(node.has_value(), (node ? "" : node.error().detail));
    const auto& parts = (*node)->parts();
    const entity_address run{parts.store->who().default_organization, "run", make_uuid()};
    create_run wish;
    wish.goal = "Count";
    wish.kind = "counter";
    const auto made = runtime::ask(parts, {.to = run, .type = "create_run", .payload = to_json(wish)});
    BOOST_REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error().detail));
    const auto shown = [&] {
        return *from_json<run_document>(storage::read_document(*parts.store, run).value().value().json,
                                        strictness::stored);
    };
    const auto end = monotonic_ms() + 30'000;
    while (monotonic_ms() < end && !shown().finished_at) {
        std::this_thread::yield();
    }
    BOOST_TEST(shown().model == "rehearsal:kind/counter");
    BOOST_TEST(shown().output.value_or(json::raw{}).text == R"({"count":3})");
    node->reset();
    BOOST_TEST(find_kind("counter") == nullptr);
    BOOST_TEST(here.refused({.agent_kinds = {{.name = "custom", .description = "Taken."}}}).find("'custom'") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_edge_whose_listener_breaks_is_started_anew_on_its_address) {
    const place here;
    const auto node = here.start({});
    BOOST_REQUIRE_MESSAGE(node.has_value(), (node ? "" : node.error().detail));
    const auto url = (*node)->url();
    const auto port = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
    BOOST_TEST(connects(port));
    const auto edge = [&] { return (*node)->parts().tree->to_json("/nodes/n1/edge", 1).value(); };
    BOOST_TEST(edge().find(R"("status":"running","restarts":0)") != std::string::npos, edge());
    break_listener(port);
    const auto end = monotonic_ms() + 30'000;
    const auto again = [&] { return edge().find(R"("status":"running","restarts":1)") != std::string::npos; };
    while (monotonic_ms() < end && !(again() && connects(port) && (*node)->url() == url)) {
        std::this_thread::yield();
    }
    BOOST_TEST(again(), edge());
    BOOST_TEST(edge().find("the listener is broken") != std::string::npos, edge());
    BOOST_TEST(connects(port));
    BOOST_TEST((*node)->url() == url);
}

BOOST_AUTO_TEST_CASE(what_is_taken_is_refused_and_nothing_is_left_of_the_start) {
    const place here;
    const auto with_route = [](net::route r) {
        return extensions{.routes = [r](const runtime::services&) { return std::vector<net::route>{r}; },
                          .tools = {tool("nothing")}};
    };
    auto taken = runtime::make_kind<tally_model>();
    taken.name = "task";
    BOOST_TEST(here.refused({.kinds = {taken}}).find("the kind 'task'") != std::string::npos);
    taken.name = "Tally 1";
    BOOST_TEST(here.refused({.kinds = {taken}}).find("the kind 'Tally 1'") != std::string::npos);
    BOOST_TEST(here.refused(with_route(reading("/tasks/{name}", "mine"))).find("/tasks/{name}") != std::string::npos);
    BOOST_TEST(here.refused(with_route(reading("/tallies", "get_task"))).find("get_task") != std::string::npos);
    BOOST_TEST(here.refused({.tools = {tool("finish")}}).find("'finish'") != std::string::npos);
    BOOST_TEST(here.refused({.models = {{"openai/mine", std::make_shared<echo_model>()}}}).find("openai/mine") !=
               std::string::npos);
    BOOST_TEST(here.refused({.models = {{"echo", nullptr}}}).find("null") != std::string::npos);
    BOOST_TEST(find_tool("nothing") == nullptr);
    BOOST_TEST(here.start(all_of_ours()).has_value()); // neither the directory nor a name is still held
}

BOOST_AUTO_TEST_SUITE_END()
