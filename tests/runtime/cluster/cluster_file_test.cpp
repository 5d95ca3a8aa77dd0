#include "runtime/cluster/cluster_file.hpp"

#include "schemas/base/durable_file.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::runtime::cluster;
using troupe::test::temporary_directory;

namespace {

expected<cluster_file> read(const temporary_directory& folder, const std::string& text) {
    BOOST_REQUIRE(replace_file(folder.path / "cluster.json", text).has_value());
    return read_cluster_file(folder.path / "cluster.json");
}

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_files)

BOOST_AUTO_TEST_CASE(a_file_that_was_made_is_read_and_each_is_another_cluster) {
    const temporary_directory folder;
    auto made = make_cluster_file({"http://127.0.0.1:2379"}, 64, 3);
    made.links.ca_file = "tls/ca.pem";
    made.etcd.ca_file = "/etc/etcd.pem";
    const auto again = read(folder, to_json(made)).value();
    BOOST_TEST((again.cluster == made.cluster));
    BOOST_TEST((again.default_organization == made.default_organization));
    BOOST_TEST(again.hash_seed == made.hash_seed);
    BOOST_TEST(again.shards == 64u);
    BOOST_TEST(again.etcd.prefix == "/troupe/" + to_string(made.cluster) + "/");
    BOOST_TEST(again.links.ca_file == (folder.path / "tls/ca.pem").string());
    BOOST_TEST(again.etcd.ca_file == "/etc/etcd.pem");
    BOOST_TEST(again.links.key_file.empty());
    const auto other = make_cluster_file({"http://127.0.0.1:2379"}, 64, 3);
    BOOST_TEST((other.cluster != made.cluster));
    BOOST_TEST(other.hash_seed != made.hash_seed);
}

BOOST_AUTO_TEST_CASE(one_that_begins_with_a_directory_is_of_its_identity_and_has_a_map_of_its_own) {
    const temporary_directory folder;
    storage::identity who;
    who.cluster = make_uuid();
    who.replica = make_uuid();
    who.default_organization = make_uuid();
    who.shards = 7;
    who.hash_seed = 99;
    const std::string cursors(32, 'c');
    const auto made = make_cluster_file_from(who, cursors, {"http://127.0.0.1:2379"}, 3);
    const auto again = read(folder, to_json(made)).value();
    BOOST_TEST((again.cluster == who.cluster));
    BOOST_TEST((again.default_organization == who.default_organization));
    BOOST_TEST((again.founder == std::optional(who.replica)));
    BOOST_TEST(again.shards == 7u);
    BOOST_TEST(again.hash_seed == 99u);
    BOOST_TEST(cursor_key_of(again) == cursors);
    const auto other = make_cluster_file_from(who, {}, {"http://127.0.0.1:2379"}, 3);
    BOOST_TEST(other.etcd.prefix != made.etcd.prefix);
    BOOST_TEST(!other.etcd.prefix.starts_with("/troupe/" + to_string(who.cluster) + "/")); // of an earlier cluster
    BOOST_TEST(cursor_key_of(other).size() == cursors.size());
    BOOST_TEST(!make_cluster_file({}, 64, 3).founder.has_value());
}

BOOST_AUTO_TEST_CASE(what_cannot_be_is_refused_with_its_place) {
    const temporary_directory folder;
    BOOST_TEST((read_cluster_file(folder.path / "none").error().code == code::config_invalid));
    const auto good = make_cluster_file({"http://127.0.0.1:2379"}, 64, 3);
    const auto refused = [&](auto change) {
        auto f = good;
        change(f);
        const auto why = read(folder, to_json(f)).error();
        BOOST_TEST((why.code == code::config_invalid));
        BOOST_TEST(why.detail.find("cluster.json") != std::string::npos);
        return why.detail.substr(why.detail.find(": ") + 2);
    };
    BOOST_TEST(refused([](auto& f) { f.cluster = {}; }).starts_with("/cluster"));
    BOOST_TEST(refused([](auto& f) { f.shards = 0; }).starts_with("/shards"));
    BOOST_TEST(refused([](auto& f) { f.copies = 10; }).starts_with("/copies"));
    BOOST_TEST(refused([](auto& f) { f.lease_ms = 10; }).starts_with("/lease_ms"));
    BOOST_TEST(refused([](auto& f) { f.replace_after_ms = f.lease_ms - 1; }).starts_with("/replace_after_ms"));
    BOOST_TEST(refused([](auto& f) { f.cursor_key = "short"; }).starts_with("/cursor_key"));
    BOOST_TEST(refused([](auto& f) { f.etcd.endpoints.clear(); }).starts_with("/etcd/endpoints"));
    BOOST_TEST((read(folder, "{").error().code == code::config_invalid));
    const auto unknown = read(folder, R"({"clusters":1})").error();
    BOOST_TEST((unknown.code == code::config_invalid));
    BOOST_REQUIRE(!unknown.errors.empty());
    BOOST_TEST(unknown.errors.front().pointer == "/clusters");
}

BOOST_AUTO_TEST_CASE(a_directory_is_opened_as_what_it_is_of) {
    const temporary_directory folder;
    const cluster_mark mine{make_uuid(), "n1"};
    BOOST_TEST(check_mark(folder.path, mine).has_value()); // a new one
    BOOST_TEST(check_mark(folder.path, std::nullopt).has_value());
    BOOST_TEST(!has_mark(folder.path));
    BOOST_REQUIRE(write_mark(folder.path, mine).has_value());
    BOOST_TEST(has_mark(folder.path));
    BOOST_TEST((check_mark(folder.path, mine).value() == std::optional(mine)));
    auto founds = mine;
    founds.founds = true;
    BOOST_REQUIRE(write_mark(folder.path, founds).has_value());
    BOOST_TEST(check_mark(folder.path, mine).value()->founds);
    BOOST_TEST((check_mark(folder.path, cluster_mark{mine.cluster, "n2"}).error().code == code::conflict));
    BOOST_TEST((check_mark(folder.path, cluster_mark{make_uuid(), "n1"}).error().code == code::conflict));
    BOOST_TEST((check_mark(folder.path, std::nullopt).error().code == code::conflict));
    BOOST_REQUIRE(replace_file(folder.path / "cluster.json", "{").has_value());
    BOOST_TEST((check_mark(folder.path, mine).error().code == code::data_dir_unusable));
}

BOOST_AUTO_TEST_SUITE_END()
