// Shards as a whole on their way between nodes: from the log that lacks too much to the tables that are equal again.

#include "tests/runtime/cluster/small_nodes.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

keep_settings few_groups() {
    keep_settings out;
    out.logs.changes_bytes = 8; // of groups that change one byte each
    out.logs.tail_bytes = 0;
    out.replace_after_ms = 10'000;
    out.checkpoints.piece_bytes = 400;
    out.checkpoints.patience_ticks = 20;
    out.checkpoints.rest_ticks = 2;
    return out;
}

enum frame_kind : char { begin = 1, piece, end_of_all, taken, refused, installed };
bool is(const std::string& frame, frame_kind kind) { return frame.size() > 1 && frame[1] == kind; }

/// One node is away until the others have let go what it lacks.
struct one_away : three_nodes {
    one_away() : three_nodes(few_groups()) {
        place_all();
        a = entity();
        write(a);
        owner = shower_of(0);
        away = std::ranges::find_if(nodes, [&](auto& n) { return n.get() != owner; })->get();
        other = std::ranges::find_if(nodes, [&](auto& n) { return n.get() != owner && n.get() != away; })->get();
        away->vanish();
        for (int i = 0; i < 40; ++i) {
            write(a);
        }
    }
    void come_back() {
        away->start();
        all.net.plug_in(away->replica);
        settle();
    }
    [[nodiscard]] bool is_equal() const { return away->store->applied(0) == owner->store->applied(0); }
    void require_equal() {
        until("it has all there is", [&] { return is_equal(); });
        BOOST_TEST((log_of(*away->store, 0) == log_of(*owner->store, 0)));
        BOOST_TEST((rows_of(*away->store, 0) == rows_of(*owner->store, 0)));
    }
    entity_address a;
    small_node* owner = nullptr;
    small_node* away = nullptr;
    small_node* other = nullptr;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(clustered_checkpoints, one_away)

BOOST_AUTO_TEST_CASE(a_node_that_lacks_more_than_is_kept_gets_all_of_it_and_goes_on) {
    std::size_t told = 0;
    away->services.on_applied = [&](std::uint32_t shard) { told += shard == 0 ? 1 : 0; };
    come_back();
    require_equal();
    until("its feeds hear of it", [&] { return told > 0u; });
    write(a);
    require_equal();
}

BOOST_AUTO_TEST_CASE(a_node_with_an_empty_directory_gets_all_of_it) {
    nodes.push_back(std::make_unique<small_node>(3, all)); // in the place of the one that is away
    away = nodes.back().get();
    all.net.plug_in(away->replica);
    require_equal();
}

BOOST_AUTO_TEST_CASE(commands_go_on_while_it_is_sent_and_one_is_enough) {
    int begun = 0;
    all.net.bulk = [&](const uuid&, const uuid&, const std::string& frame) {
        begun += is(frame, begin) ? 1 : 0;
        return std::vector{frame};
    };
    come_back();
    for (int i = 0; i < 40; ++i) {
        step();
        write(a);
    }
    require_equal();
    BOOST_TEST(begun == 1);
}

BOOST_AUTO_TEST_CASE(one_of_which_nothing_arrives_begins_anew) {
    int begun = 0;
    all.net.bulk = [&](const uuid&, const uuid&, const std::string& frame) {
        begun += is(frame, begin) ? 1 : 0;
        return begun == 1 ? std::vector<std::string>() : std::vector{frame};
    };
    come_back();
    require_equal();
    BOOST_TEST(begun > 1);
}

BOOST_AUTO_TEST_CASE(what_is_lost_or_damaged_begins_anew_and_what_comes_twice_does_no_harm) {
    int begun = 0;
    const auto lost = [](const std::string&) { return std::vector<std::string>(); };
    const auto damaged = [](std::string frame) {
        frame.back() ^= 1;
        return std::vector{frame};
    };
    int mishaps = 0;
    all.net.bulk = [&](const uuid&, const uuid& to, const std::string& frame) -> std::vector<std::string> {
        if (to == away->replica && is(frame, begin)) {
            ++begun;
        }
        if (to != away->replica || !is(frame, begun < 4 ? piece : end_of_all) || begun > 4) {
            return {frame, frame}; // all of it comes twice
        }
        ++mishaps;
        return begun == 1 ? lost(frame) : begun == 2 ? damaged(frame) : begun == 3 ? lost(frame) : damaged(frame);
    };
    come_back();
    require_equal();
    BOOST_TEST(begun > 4);
    BOOST_TEST(mishaps >= 4);
}

BOOST_AUTO_TEST_CASE(an_answer_that_is_lost_does_not_hold_up_anything) {
    int answers = 0;
    all.net.bulk = [&](const uuid&, const uuid&, const std::string& frame) -> std::vector<std::string> {
        answers += is(frame, installed) ? 1 : 0;
        return is(frame, installed) ? std::vector<std::string>() : std::vector{frame};
    };
    come_back();
    require_equal();
    BOOST_TEST(answers > 0);
    write(a);
    require_equal();
}

BOOST_AUTO_TEST_CASE(a_receiver_that_is_killed_in_the_middle_opens_and_gets_it_again) {
    for (const auto kind : {begin, piece, end_of_all}) {
        bool reached = false;
        all.net.bulk = [&](const uuid&, const uuid& to, const std::string& frame) {
            reached = reached || (to == away->replica && is(frame, kind));
            return std::vector{frame};
        };
        come_back();
        until("a transfer is under way", [&] { return reached; });
        away->vanish();
        all.net.bulk = {};
        write(a);
    }
    come_back();
    require_equal();
}

BOOST_AUTO_TEST_CASE(a_receiver_that_is_killed_after_the_installation_has_all_of_it) {
    come_back();
    until("it has all there is", [&] { return is_equal(); });
    const auto before = rows_of(*away->store, 0);
    away->vanish();
    away->start();
    BOOST_TEST((rows_of(*away->store, 0) == before));
    all.net.plug_in(away->replica);
    write(a);
    require_equal();
}

BOOST_AUTO_TEST_CASE(when_the_owner_goes_the_next_one_sends_it) {
    bool reached = false;
    all.net.bulk = [&](const uuid&, const uuid& to, const std::string& frame) {
        reached = reached || (to == away->replica && is(frame, piece));
        return reached && !is(frame, piece) ? std::vector<std::string>() : std::vector{frame};
    };
    come_back();
    until("a transfer is under way", [&] { return reached; });
    BOOST_TEST(!is_equal());
    owner->vanish();
    bool next = false;
    all.net.bulk = [&](const uuid& from, const uuid& to, const std::string& frame) {
        next = next || (from == other->replica && to == away->replica && is(frame, begin));
        return std::vector{frame};
    };
    owner = other;
    require_equal();
    BOOST_TEST(next);
    until("the shard has an owner", [&] { return shower_of(0) != nullptr; });
    write(a);
    require_equal();
}

BOOST_AUTO_TEST_SUITE_END()
