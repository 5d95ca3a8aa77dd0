// A node inside a program of your own, without HTTP: an order whose parcel is sent even if the program dies.
//
//     ./embedded DIRECTORY MILLISECONDS    how long a parcel takes; kill -9 the program meanwhile, and start it again
#include "runtime/node.hpp"
#include "storage/views.hpp"

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>

using namespace troupe;

struct place_order {
    std::string item;
};
struct order_placed {
    std::string item;
};
struct note_sent {};
struct parcel_sent {};
struct order {
    std::string item;
    bool sent = false;
};
BOOST_DESCRIBE_STRUCT(place_order, (), (item))
BOOST_DESCRIBE_STRUCT(order_placed, (), (item))
BOOST_DESCRIBE_STRUCT(note_sent, (), ())
BOOST_DESCRIBE_STRUCT(parcel_sent, (), ())
BOOST_DESCRIBE_STRUCT(order, (), (item, sent))
TROUPE_NAMED(place_order)
TROUPE_NAMED(order_placed)
TROUPE_NAMED(note_sent)
TROUPE_NAMED(parcel_sent)

struct order_model {
    static constexpr std::string_view kind = "order";
    using state = order;
    using command = std::variant<place_order, note_sent>;
    using event = std::variant<order_placed, parcel_sent>;

    static expected<std::vector<event>> decide(const state& s, const command& c, const runtime::context&) {
        if (const auto* placed = std::get_if<place_order>(&c)) {
            return std::vector<event>{order_placed{placed->item}};
        }
        return s.sent ? std::vector<event>{} : std::vector<event>{parcel_sent{}};
    }
    static state apply(state s, const event& e, const runtime::event_context&) {
        if (const auto* placed = std::get_if<order_placed>(&e)) {
            return {placed->item, false};
        }
        s.sent = true;
        return s;
    }
    /// All that is owed now. The node sees to it: after each event, and again after a crash.
    static std::vector<runtime::effect> resume(const state& s) {
        if (s.item.empty() || s.sent) {
            return {};
        }
        return {runtime::perform_effect{.key = "parcel", .type = "send_parcel"}};
    }
    static runtime::entity_view view(const state& s, const runtime::view_context&) { return {to_json(s)}; }
};

/// A line at once: two threads say something.
void say(const std::string& line) { std::cout << line + "\n" << std::flush; }

int main(int argc, char** argv) {
    if (argc != 3) {
        std::cerr << "Usage: embedded DIRECTORY MILLISECONDS\n";
        return 2;
    }
    // Runs on a thread of its own; a repeat has the same key, so that whoever does the work can recognise it.
    const auto send_parcel = [takes = std::chrono::milliseconds(std::atoi(argv[2]))](
                                 const runtime::perform_effect&, const order& s, runtime::effect_context&) {
        say("sending " + s.item);
        std::this_thread::sleep_for(takes);
        return std::vector<runtime::self_command>{{.type = "note_sent"}};
    };
    runtime::config settings;
    settings.data = argv[1];
    auto node = runtime::node::open(settings);
    auto started =
        node ? (*node)->start({{"order", runtime::make_kind<order_model>(send_parcel)}}) : expected<void>(node.error());
    if (!started) {
        std::cerr << started.error().detail << "\n";
        return 1;
    }
    auto& parts = (*node)->parts();
    const entity_address address{parts.store->who().default_organization, "order",
                                 *parse_uuid("018f3c5e-0000-7000-8000-000000000001")};

    // The same command id each time: the order is placed once, however often this program is started.
    const auto placed = runtime::ask(
        parts, {.to = address, .type = "place_order", .payload = to_json(place_order{"books"}), .id = "order 1"});
    if (!placed) {
        std::cerr << placed.error().detail << "\n";
        return 1;
    }
    say((placed->repeated ? "placed before: " : "placed: ") + placed->document);
    for (;;) {
        const auto document = storage::read_document(*parts.store, address);
        if (document && *document && from_json<order>((*document)->json, strictness::stored)->sent) {
            say("sent: " + (*document)->json);
            return 0; // the node drains as it is destroyed
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}
