// An event-sourced entity of your own with its HTTP routes, hosted in a node: README.md says how to start it.
// An answer is on disk before it leaves the node: `kill -9` loses nothing, and an `Idempotency-Key` counts once.
#include "actors/application/serve.hpp"
#include "net/http/handlers.hpp"

using namespace troupe;

/// The command, which is the body of the route too: its rules are checked, and documented in /api/v1/openapi.json.
struct add {
    std::int64_t by = 0;
    static constexpr field_rule rules[] = {{.name = "by", .required = true, .min = 1, .max = 50, .doc = "How many."}};
};
BOOST_DESCRIBE_STRUCT(add, (), (by))

/// The event: what is in the journal for good.
struct added {
    std::int64_t by = 0;
};
BOOST_DESCRIBE_STRUCT(added, (), (by))

/// The sum of the events, and the document that is shown.
struct counter {
    std::int64_t value = 0;
};
BOOST_DESCRIBE_STRUCT(counter, (), (value))

TROUPE_NAMED(add)
TROUPE_NAMED(added)

struct counter_model {
    static constexpr std::string_view kind = "counter";
    using state = counter;
    using command = std::variant<add>;
    using event = std::variant<added>;

    static expected<std::vector<event>> decide(const state& s, const command& c, const runtime::context&) {
        const auto by = std::get<add>(c).by;
        if (s.value + by > 100) {
            return problem{code::conflict, "A counter ends at 100, and this one is at " + std::to_string(s.value)};
        }
        return std::vector<event>{added{by}};
    }
    static state apply(state s, const event& e, const runtime::event_context&) {
        s.value += std::get<added>(e).by;
        return s;
    }
    static std::vector<runtime::effect> resume(const state&) { return {}; } // it owes nothing to anybody
    static runtime::entity_view view(const state& s, const runtime::view_context&) { return {to_json(s)}; }
};

std::vector<net::route> routes(const runtime::services& s) {
    return {{.verb = net::verb::post,
             .path = "/counters/{id}/add",
             .operation = "add_to_counter",
             .permission = "counter:write",
             .body = net::body_of<add>("add"),
             .reply = net::reply_of<counter>("counter"),
             .errors = {code::conflict},
             .run = net::change_entity(s, "counter", net::body_as("add"))},
            {.path = "/counters/{id}",
             .operation = "get_counter",
             .permission = "counter:read",
             .reply = net::reply_of<counter>("counter"),
             .run = net::read_entity(s, "counter")}};
}

int main(int argc, char** argv) {
    return actors::serve({argv + 1, argv + argc}, TROUPE_RUNNER,
                         {.kinds = {runtime::make_kind<counter_model>()}, .routes = routes});
}
