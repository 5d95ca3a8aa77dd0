// Blobs on all nodes of a cluster: what is put at one is durable at a majority, and read at all.

#include "tests/runtime/cluster/blob_nodes.hpp"

#include "storage/backup.hpp"
#include "storage/blob_collector.hpp"
#include "storage/keys.hpp"
#include "storage/sealing.hpp"
#include "storage/views.hpp"
#include "tests/storage/simulated_env.hpp"

#include <atomic>
#include <fstream>
#include <future>

using namespace troupe;
using namespace troupe::test;

namespace {

constexpr auto mib = storage::blob_piece_bytes;

std::string content(std::size_t bytes, char salt = 'a') {
    std::string out(bytes, '\0');
    for (std::size_t i = 0; i < bytes; ++i) {
        out[i] = static_cast<char>(salt + (i * 7 + i / 251) % 23);
    }
    return out;
}

bool is_kind(const std::string& frame, std::size_t kind) {
    return frame.at(0) == blob_channel && frame.at(1) == static_cast<char>(kind + 1);
}
constexpr std::size_t offers = 0, stores = 1, pieces = 6;

/// Every fourth frame or so.
cables::judge some_frames() {
    return
        [random = seeded_random(7)](const uuid&, const uuid&, const std::string&) mutable { return random.chance(25); };
}

/// Two of three nodes are up, and one of them loses its power right after a put.
void require_durable_at(blob_nodes& w, std::size_t which) {
    auto& n = *w.nodes[which];
    simulated_disk disk(7, n.directory.path.string());
    const std::atomic<std::int64_t> time{1'700'000'000'000};
    simulated_env env(disk, time);
    storage::identity who;
    who.replica = n.replica;
    who.shards = 4;
    std::ofstream(n.directory.path / "identity.json") << to_json(who);
    storage::store_options options;
    options.env = env.env();
    options.write_buffer_bytes = 2 << 20;
    w.restart(which, options);
    w.cut(2);
    const auto put = w.put(0, content(100'000));
    disk.cut(disk_end::power);
    w.cut(which);
    n.close();
    disk.restart();
    w.restart(which, options);
    BOOST_TEST((put && w.holds(which, *put)));
    n.close(); // before its disk
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(cluster_blobs, blob_nodes)

BOOST_AUTO_TEST_CASE(what_is_put_at_one_node_is_on_the_disks_of_all_and_read_there) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{5}, 2 * mib, 6 * mib + 3}) {
        const auto bytes = content(size);
        const auto name = put(0, bytes).value();
        settle();
        for (std::size_t i = 0; i < 3; ++i) {
            BOOST_TEST(holds(i, name));
            BOOST_TEST((get(i, name).value() == bytes));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_put_waits_for_a_majority_and_for_nobody_else) {
    cut(2);
    const auto before = now_ms;
    const auto two = put(0, "two of three");
    BOOST_TEST(two.has_value());
    BOOST_TEST(now_ms == before);
    cut(1);
    const auto alone = put(0, "one of three");
    BOOST_REQUIRE(!alone.has_value());
    BOOST_TEST((alone.error().code == code::unavailable));
    BOOST_TEST(now_ms - before >= blob_spreads::wait_max_ms);
    mend(1);
    BOOST_TEST(put(0, "one of three").has_value()); // it is known here, and now there as well
    mend(2);
    for (std::size_t i = 1; i < 3; ++i) {
        BOOST_TEST(holds(i, *two));
        BOOST_TEST(holds(i, put(0, "one of three").value()));
    }
}

BOOST_AUTO_TEST_CASE(a_put_that_nobody_answers_ends_in_time) {
    net.loses = [](const uuid&, const uuid&, const std::string& frame) { return is_kind(frame, stores); };
    const auto before = now_ms;
    BOOST_TEST((put(0, "x").error().code == code::unavailable));
    BOOST_TEST(now_ms - before < 2 * blob_spreads::wait_max_ms);
}

BOOST_AUTO_TEST_CASE(what_was_put_survives_a_loss_of_power_here) { require_durable_at(*this, 0); }

BOOST_AUTO_TEST_CASE(what_was_put_survives_a_loss_of_power_where_it_was_sent) { require_durable_at(*this, 1); }

BOOST_AUTO_TEST_CASE(a_node_that_was_away_fetches_what_it_is_asked_for) {
    cut(2);
    const auto bytes = content(3 * mib);
    const auto name = put(0, bytes).value();
    pass(blob_spreads::keep_ms + 1000); // nobody offers it any more
    mend(2);
    pass(blob_exchange::sweep_soon_ms * 2);
    BOOST_TEST(!holds(2, name));
    BOOST_TEST(storage::blob_size(at(2), organization, name).value().value() == bytes.size());
    BOOST_TEST(holds(2, name));
    restart(2);
    BOOST_TEST((get(2, name).value() == bytes));
}

BOOST_AUTO_TEST_CASE(the_size_the_pieces_and_the_whole_are_fetched) {
    std::vector<std::string> names;
    cut(2);
    for (const char salt : {'a', 'b', 'c'}) {
        names.push_back(put(0, content(mib + 7, salt)).value());
    }
    pass(blob_spreads::keep_ms + 1000);
    mend(2);
    BOOST_TEST(storage::blob_size(at(2), organization, names[0]).value().has_value());
    BOOST_TEST(storage::read_blob_piece(at(2), organization, names[1], mib).value().size() == 7u);
    BOOST_TEST((get(2, names[2]).value() == content(mib + 7, 'c')));
}

BOOST_AUTO_TEST_CASE(frames_that_are_lost_or_find_no_credit_are_sent_again) {
    for (auto* judge : {&net.loses, &net.is_full}) {
        *judge = some_frames();
        const auto bytes = content(9 * mib, judge == &net.loses ? 'd' : 'e');
        const auto name = put(0, bytes).value();
        until("all have it", [&] { return holds(1, name) && holds(2, name); });
        *judge = {};
    }
}

BOOST_AUTO_TEST_CASE(a_link_that_breaks_and_comes_again_goes_on_and_another_source_takes_over) {
    cut(2);
    const auto bytes = content(9 * mib);
    const auto name = put(0, bytes).value();
    until("two have it", [&] { return holds(1, name); });
    pass(blob_spreads::keep_ms + 1000);
    mend(2);
    int came = 0;
    net.loses = [&](const uuid& from, const uuid& to, const std::string& frame) {
        came += is_kind(frame, pieces) && to == nodes[2]->replica ? 1 : 0;
        if (came == 4 && from == nodes[0]->replica) { // the source goes in the midst of it
            net.frames.as_executor()([&] {
                net.cut.insert(nodes[0]->replica);
                nodes[2]->exchange->on_down(nodes[0]->replica);
                nodes[1]->exchange->on_down(nodes[0]->replica);
            });
        }
        return false;
    };
    const auto before = now_ms;
    BOOST_TEST((get(2, name).value() == bytes));
    BOOST_TEST(now_ms == before);
    BOOST_TEST(came == 9); // it went on where it was
}

BOOST_AUTO_TEST_CASE(a_source_that_says_nothing_is_left_for_another_one) {
    cut(2);
    const auto bytes = content(5 * mib);
    const auto name = put(0, bytes).value();
    pass(blob_spreads::keep_ms + 1000);
    mend(2);
    net.loses = [&](const uuid& from, const uuid& to, const std::string& frame) {
        return is_kind(frame, pieces) && from == nodes[0]->replica && to == nodes[2]->replica;
    };
    BOOST_TEST((get(2, name).value() == bytes));
}

BOOST_AUTO_TEST_CASE(a_full_disk_refuses_and_a_majority_of_others_is_enough) {
    storage::store_options full;
    full.free_bytes_min = std::uint64_t{1} << 60;
    restart(2, full);
    const auto name = put(0, "fits on two");
    BOOST_TEST(name.has_value());
    settle();
    BOOST_TEST(!holds(2, *name));
    restart(1, full);
    const auto before = now_ms;
    const auto refused = put(0, "fits on one");
    BOOST_REQUIRE(!refused.has_value());
    BOOST_TEST((refused.error().code == code::unavailable));
    BOOST_TEST(refused.error().detail.find("MiB free") != std::string::npos);
    BOOST_TEST(now_ms == before); // nobody else can come
    restart(2);
    BOOST_TEST(put(0, "fits on one").has_value());
}

BOOST_AUTO_TEST_CASE(a_blob_that_no_node_has_is_not_found_and_with_too_few_nodes_nobody_knows) {
    const std::string unknown(64, '7');
    const auto before = now_ms;
    BOOST_TEST(!storage::blob_size(at(1), organization, unknown).value().has_value());
    BOOST_TEST((get(1, unknown).error().code == code::not_found));
    BOOST_TEST(now_ms == before);
    cut(2);
    BOOST_TEST((get(1, unknown).error().code == code::not_found)); // a blob is at a majority
    cut(0);
    const auto alone = get(1, unknown);
    BOOST_TEST((alone.error().code == code::unavailable));
    BOOST_TEST((storage::blob_size(at(1), organization, unknown).error().code == code::unavailable));
}

BOOST_AUTO_TEST_CASE(naming_never_waits_and_tells_what_is_not_there) {
    cut(2);
    const auto name = put(0, content(2 * mib)).value();
    pass(blob_spreads::keep_ms + 1000);
    mend(2);
    const std::vector hashes{*storage::blob_hash_of(name)};
    const auto before = now_ms;
    BOOST_TEST((storage::name_blobs(at(2), organization, hashes).error().code == code::unavailable));
    BOOST_TEST(net.frames.waiting() == 0u); // nothing has happened yet
    settle();
    BOOST_TEST(storage::name_blobs(at(2), organization, hashes).has_value());
    const std::vector unknown{*storage::blob_hash_of(std::string(64, '7'))};
    BOOST_TEST((storage::name_blobs(at(2), organization, unknown).error().code == code::unavailable));
    settle();
    BOOST_TEST((storage::name_blobs(at(2), organization, unknown).error().code == code::not_found));
    BOOST_TEST(now_ms == before);
    pass(blob_exchange::absent_ms);
    BOOST_TEST((storage::name_blobs(at(2), organization, unknown).error().code == code::unavailable));
}

BOOST_AUTO_TEST_CASE(one_content_put_twice_at_the_same_time_is_one_blob) {
    for (const std::size_t second : {0U, 1U}) {
        const auto bytes = content(4 * mib, second == 0 ? 'f' : 'g');
        std::optional<expected<std::string>> other;
        meanwhile = [&] { other = put(second, bytes); };
        const auto name = put(0, bytes).value();
        BOOST_REQUIRE(other.has_value());
        BOOST_TEST(other->value() == name);
        settle();
        for (std::size_t i = 0; i < 3; ++i) {
            BOOST_TEST(holds(i, name));
            BOOST_TEST(nodes[i]->exchange->outstanding() == 0u);
        }
    }
}

BOOST_AUTO_TEST_CASE(what_is_put_or_named_again_counts_as_put_now_at_all_nodes) {
    const auto name = put(0, "content").value();
    settle();
    const auto is_marked = [&](std::size_t i) {
        return storage::read_blob_mark(at(i), organization, *storage::blob_hash_of(name)).value().has_value();
    };
    const auto mark_all = [&] {
        for (std::size_t i = 0; i < 3; ++i) {
            storage::blob_collector collector(at(i), {.grace_ms = 1'000'000});
            BOOST_REQUIRE(collector.step({5000}).has_value());
            BOOST_REQUIRE(is_marked(i));
        }
    };
    mark_all();
    BOOST_TEST(put(0, "content").has_value());
    settle();
    for (std::size_t i = 0; i < 3; ++i) {
        BOOST_TEST(!is_marked(i));
    }
    mark_all();
    BOOST_TEST(storage::name_blobs(at(1), organization, std::vector{*storage::blob_hash_of(name)}).has_value());
    settle();
    for (std::size_t i = 0; i < 3; ++i) {
        BOOST_TEST(!is_marked(i));
    }
}

BOOST_AUTO_TEST_CASE(sealed_bytes_go_as_they_are_and_are_judged_where_they_can_be_opened) {
    const auto attach = [&](std::size_t i) { attach_fake_keys(at(i)); };
    attach(0);
    const auto first = put(0, "makes the key").value();
    const auto keys = storage::read_key_files(storage::store::keys_folder(at(0).directory())).value();
    BOOST_REQUIRE(storage::merge_key_files(keys, storage::store::keys_folder(at(1).directory())).has_value());
    attach(1); // the third node has no keys
    const auto bytes = content(2 * mib + 9);
    const auto name = put(0, bytes).value();
    settle();
    for (std::uint32_t piece = 1; piece <= 3; ++piece) {
        const auto kept = storage::kept_piece(at(0), id(name), piece).value();
        BOOST_TEST(storage::is_sealed(kept));
        BOOST_TEST((storage::kept_piece(at(1), id(name), piece).value() == kept));
        BOOST_TEST((storage::kept_piece(at(2), id(name), piece).value() == kept));
    }
    BOOST_TEST((get(1, name).value() == bytes));
    BOOST_TEST((get(2, name).error().code == code::secrets_locked));
    BOOST_REQUIRE(at(1).keys()->destroy(organization, {1}).has_value());
    const auto after = put(0, "of an organization that is erased elsewhere"); // two of three
    BOOST_TEST(after.has_value());
    settle();
    BOOST_TEST(!storage::head_of_blob(at(1), id(*after)).value().has_value());
}

BOOST_AUTO_TEST_CASE(named_blobs_that_are_missing_come_by_themselves) {
    cut(2);
    std::vector<std::string> names;
    for (std::size_t i = 0; i < 5; ++i) {
        names.push_back(put(0, "content " + std::to_string(i)).value());
    }
    pass(blob_spreads::keep_ms + 1000);
    for (std::size_t i = 0; i < 4; ++i) { // and one that nothing names
        name(2, names[i]);
    }
    restart(2);
    BOOST_TEST(!nodes[2]->exchange->is_complete()); // it did not look
    mend(2);
    pass(3 * blob_exchange::sweep_soon_ms);
    BOOST_TEST(nodes[2]->exchange->is_complete());
    for (std::size_t i = 0; i < 4; ++i) {
        BOOST_TEST(holds(2, names[i]));
    }
    BOOST_TEST(!holds(2, names[4]));
}

BOOST_AUTO_TEST_CASE(what_a_checkpoint_names_comes_soon_and_as_long_as_that_helps) {
    cut(2);
    const auto content = put(0, "content").value();
    const std::string nowhere(64, '7');
    pass(blob_spreads::keep_ms + 1000);
    mend(2);
    pass(blob_exchange::sweep_soon_ms + 1000); // nothing names it yet
    BOOST_TEST(!holds(2, content));
    name(2, content);
    name(2, nowhere);
    int asked = 0;
    const auto lost = id(nowhere);
    net.loses = [&](const uuid& from, const uuid&, const std::string& frame) {
        asked += from == nodes[2]->replica && frame == encode(blob_ask{lost}) ? 1 : 0;
        return false;
    };
    BOOST_TEST(nodes[2]->exchange->is_complete());
    nodes[2]->exchange->look_again();
    BOOST_TEST(!nodes[2]->exchange->is_complete());
    pass(blob_exchange::sweep_soon_ms + 1000);
    BOOST_TEST(holds(2, content));
    pass(60'000);
    BOOST_TEST(asked > 0);
    BOOST_TEST(asked < 20); // nobody has it
    BOOST_TEST(!nodes[2]->exchange->is_complete());
}

BOOST_AUTO_TEST_CASE(a_backup_has_what_its_tables_name_or_is_none) {
    cut(2);
    const auto content = put(0, "content").value();
    name(2, content);
    const temporary_directory folder;
    const auto none = storage::create_backup(at(2), folder.path, backup_maker::person);
    BOOST_REQUIRE(none.has_error());
    BOOST_TEST((none.error().code == code::unavailable));
    mend(2);
    name(2, std::string(64, '7')); // nowhere: no reason to have no backup
    const auto made = storage::create_backup(at(2), folder.path, backup_maker::person);
    BOOST_REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error().detail));
    storage::store_options options;
    options.directory = made->directory;
    options.read_only = true;
    const auto copy = std::move(storage::store::open(options).value());
    BOOST_TEST(storage::verify_blob(*copy, organization, *storage::blob_hash_of(content)).has_value());
}

BOOST_AUTO_TEST_CASE(bad_frames_cost_nothing) {
    const auto name = put(0, "content").value();
    settle();
    const auto good = encode(blob_offer{id(name), {7, false}});
    std::vector<std::string> bad{"B", "BBBB", "B\x09" + std::string(48, 'x'), "B" + std::string(100, '\0'), good + "x"};
    for (std::size_t size = 1; size < good.size(); ++size) {
        bad.push_back(good.substr(0, size));
    }
    bad.push_back(encode(blob_offer{id(name), {~0ULL, false}}));
    for (const auto& frame : bad) {
        BOOST_TEST(!decode_blob_frame(std::string_view(frame).substr(1)).has_value());
    }
    nodes[1]->on_frame(nodes[0]->replica, lane::bulk, bad.front()); // a line in the log
    nodes[1]->on_frame(nodes[0]->replica, lane::bulk, bad.back());
    // Nobody asked for these.
    for (const auto& frame : std::initializer_list<blob_frame>{
             blob_piece{id(name), 1, "other"}, blob_none{id(name)}, blob_stored{id(name)}, blob_refused{id(name), "x"},
             blob_want{id(name), 77}, blob_want{id(std::string(64, '7')), 1}, blob_want{id(name), UINT32_MAX}}) {
        nodes[1]->on_frame(nodes[0]->replica, lane::bulk, encode(frame));
    }
    settle();
    BOOST_TEST(nodes[1]->exchange->outstanding() == 0u);
    BOOST_TEST(get(1, name).value() == "content");
}

BOOST_AUTO_TEST_CASE(all_frames_come_as_they_were_sent) {
    const auto about = id(std::string(64, 'a'));
    for (const auto& frame : std::initializer_list<blob_frame>{
             blob_offer{about, {7, true}}, blob_offer{about, {1ULL << 40, false}}, blob_stored{about},
             blob_refused{about, "no room"}, blob_ask{about}, blob_none{about}, blob_want{about, 70'000},
             blob_piece{about, 3, std::string(storage::kept_piece_bytes_max, 'x')}}) {
        const auto bytes = encode(frame);
        BOOST_TEST(bytes.size() <= frame_bytes_max);
        const auto again = decode_blob_frame(std::string_view(bytes).substr(1));
        BOOST_REQUIRE(again.has_value());
        BOOST_TEST(again->index() == frame.index());
        BOOST_TEST((encode(*again) == bytes));
    }
}

BOOST_AUTO_TEST_CASE(bytes_that_are_not_those_of_the_name_are_never_seen) {
    const auto bytes = content(2 * mib);
    net.is_full = [&](const uuid& from, const uuid& to, const std::string& frame) {
        if (is_kind(frame, pieces) && from == nodes[0]->replica && frame.back() != '!') {
            auto other = std::get<blob_piece>(decode_blob_frame(std::string_view(frame).substr(1)).value());
            other.bytes.back() = '!';
            nodes[to == nodes[1]->replica ? 1 : 2]->on_frame(from, lane::bulk, encode(other));
            return true;
        }
        return false;
    };
    const auto wrong = put(0, bytes);
    BOOST_REQUIRE(!wrong.has_value());
    BOOST_TEST(wrong.error().detail.find("is another content") != std::string::npos);
    const auto name = to_hex(storage::as_bytes(sha256(bytes)));
    BOOST_TEST(!storage::head_of_blob(at(1), id(name)).value().has_value());
    net.is_full = {};
    BOOST_TEST(put(0, bytes).has_value());
    settle();
    BOOST_TEST(holds(1, name));
}

BOOST_AUTO_TEST_CASE(frames_that_wait_are_bounded) {
    const std::string frame(frame_bytes_max, 'x');
    const auto before = nodes[1]->jobs.waiting();
    const auto fit = blob_exchange::waiting_bytes_max / frame.size();
    for (std::size_t i = 0; i < fit + 2; ++i) {
        nodes[1]->exchange->on_frame(nodes[0]->replica, frame);
    }
    BOOST_TEST(nodes[1]->jobs.waiting() - before == fit);
}

BOOST_AUTO_TEST_CASE(a_pull_asks_for_few_pieces_at_a_time_and_few_blobs_come_at_a_time) {
    std::map<std::string, std::size_t> wanted;
    std::size_t most = 0;
    net.is_full = [&](const uuid& from, const uuid&, const std::string& frame) {
        if (from == nodes[0]->replica && is_kind(frame, pieces)) {
            return true; // none of them gets through
        }
        if (from == nodes[1]->replica && is_kind(frame, 5)) {
            wanted[frame.substr(2, 48)] += 1;
            most = std::max(most, wanted[frame.substr(2, 48)]);
        }
        return false;
    };
    cut(2);
    for (std::size_t i = 0; i < 2 * blob_pulls::active_max; ++i) {
        const auto bytes = content(5 * mib, static_cast<char>('a' + i));
        storage::blob_row_writer rows(at(0), organization, sha256(bytes));
        for (std::size_t piece = 0; piece < 5; ++piece) {
            BOOST_REQUIRE(rows.add(bytes.substr(piece * mib, mib)).has_value());
        }
        BOOST_REQUIRE(rows.finish({bytes.size(), false}).has_value());
        nodes[0]->exchange->offer({organization, sha256(bytes)});
    }
    settle();
    BOOST_TEST(wanted.size() == blob_pulls::active_max);
    BOOST_TEST(most == blob_pulls::ahead_max);
    net.is_full = {};
    step(); // what found no credit is given, and those that wait have their turn
    BOOST_TEST(nodes[1]->exchange->outstanding() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(cluster_blobs_on_their_thread)

namespace {

struct no_links final : links {
    void start(links_listener&) override {}
    void stop() override {}
    void set_peers(std::vector<peer_place>) override {}
    bool send(const uuid&, lane, shared_bytes) override { return false; }
};

} // namespace

BOOST_AUTO_TEST_CASE(a_member_that_is_alone_is_its_majority_and_the_end_frees_who_waits) {
    temporary_directory directory;
    storage::store_options options;
    options.directory = directory.path;
    const auto store = std::move(storage::store::open(options).value());
    no_links peers;
    blob_exchange exchange(peers, {.self = id_of(0), .store = store.get()});
    storage::attach_blob_peers(*store, exchange);
    exchange.start();
    exchange.set_members({});
    BOOST_TEST(storage::put_blob(*store, system_organization, "alone").has_value());
    exchange.set_members({id_of(1), id_of(2)});
    auto waits =
        std::async(std::launch::async, [&] { return storage::put_blob(*store, system_organization, "one of three"); });
    auto reads = std::async(std::launch::async,
                            [&] { return storage::blob_size(*store, system_organization, std::string(64, '7')); });
    exchange.stop();
    BOOST_TEST((waits.get().error().code == code::unavailable));
    BOOST_TEST((reads.get().error().code == code::unavailable));
}

BOOST_AUTO_TEST_CASE(a_worker_does_jobs_in_their_order_and_ticks) {
    serial_worker worker;
    std::promise<void> ticked;
    int ticks = 0;
    worker.start(
        [&] {
            if (++ticks == 3) {
                ticked.set_value();
            }
        },
        1);
    std::vector<int> done;
    std::promise<void> over;
    for (int i = 0; i < 100; ++i) {
        worker.post([&, i] {
            done.push_back(i);
            if (i == 99) {
                over.set_value();
            }
        });
    }
    over.get_future().wait();
    ticked.get_future().wait();
    worker.stop();
    BOOST_TEST(done.size() == 100u);
    BOOST_TEST(std::ranges::is_sorted(done));
    worker.post([] { BOOST_ERROR("after its end"); });
}

BOOST_AUTO_TEST_SUITE_END()
