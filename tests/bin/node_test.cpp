#include "bin/cli/node.hpp"

#include <boost/test/unit_test.hpp>

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <unistd.h>

using namespace troupe;
using namespace troupe::cli;
namespace fs = std::filesystem;

namespace {

struct machine {
    fs::path root = fs::temp_directory_path() / fmt::format("troupe-node-test-{}", ::getpid());
    std::map<std::string, std::string> environment;
    bool alive = true;

    machine() { fs::create_directories(root); }
    ~machine() { fs::remove_all(root); }

    void node_at(const fs::path& folder, const std::string& url, const std::string& key_file = "admin.key") const {
        fs::create_directories(root / folder);
        std::ofstream(root / folder / "node.json")
            << fmt::format(R"({{"url":"{}","pid":77,"key_file":"{}"}})", url, key_file);
        std::ofstream(root / folder / "admin.key") << "the-key\n";
    }

    [[nodiscard]] node_search search(const fs::path& from = "") const {
        node_search s;
        s.environment = [this](const char* name) {
            const auto found = environment.find(name);
            return found == environment.end() ? std::nullopt : std::optional(found->second);
        };
        s.working_folder = root / from;
        s.process_runs = [this](int) { return alive; };
        return s;
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(node, machine)

BOOST_AUTO_TEST_CASE(flags_go_before_the_environment) {
    environment = {{"TROUPE_URL", "http://e:1"}, {"TROUPE_KEY", "ek"}};
    auto s = search();
    BOOST_TEST(find_node(s).value().url == "http://e:1");
    BOOST_TEST(find_node(s).value().key == "ek");
    s.url = "http://f:2/";
    s.key = "fk";
    BOOST_TEST(find_node(s).value().url == "http://f:2");
    BOOST_TEST(find_node(s).value().key == "fk");
}

BOOST_AUTO_TEST_CASE(a_node_is_found_from_a_folder_below) {
    node_at(".troupe", "http://127.0.0.1:7070");
    fs::create_directories(root / "a/b");
    const auto found = find_node(search("a/b")).value();
    BOOST_TEST(found.url == "http://127.0.0.1:7070");
    BOOST_TEST(found.key == "the-key");
}

BOOST_AUTO_TEST_CASE(a_named_folder_goes_before_the_search) {
    node_at(".troupe", "http://127.0.0.1:1");
    node_at("other", "http://127.0.0.1:2");
    auto s = search();
    environment = {{"TROUPE_DATA", "other"}};
    BOOST_TEST(find_node(s).value().url == "http://127.0.0.1:2");
    s.data = ".troupe";
    BOOST_TEST(find_node(s).value().url == "http://127.0.0.1:1");
}

BOOST_AUTO_TEST_CASE(without_a_node_it_says_how_to_start_one) {
    const auto found = find_node(search());
    BOOST_REQUIRE(!found);
    BOOST_TEST((found.error().code == code::connection_failed));
    BOOST_TEST(found.error().detail.find("troupe serve") != std::string::npos);
    auto named = search();
    named.data = "nothing-here";
    BOOST_TEST(find_node(named).error().detail.find("nothing-here") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_node_that_ended_is_said_so) {
    node_at(".troupe", "http://127.0.0.1:7070");
    alive = false;
    BOOST_TEST(find_node(search()).error().detail.find("process 77 is gone") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_found_folder_cannot_point_elsewhere) {
    for (const auto* url : {"http://evil.example:80", "http://127.0.0.1.evil.example", "http://127.0.0.1@evil.example",
                            "http://localhost.evil.example"}) {
        node_at(".troupe", url);
        BOOST_TEST(!find_node(search()).has_value(), url);
    }
    for (const auto* url : {"http://127.0.0.1:80", "http://localhost", "http://[::1]:7070"}) {
        node_at(".troupe", url);
        BOOST_TEST(find_node(search()).has_value(), url);
    }
}

BOOST_AUTO_TEST_CASE(a_found_folder_cannot_name_a_key_outside_itself) {
    std::ofstream(root / "secret") << "not for you";
    node_at(".troupe", "http://127.0.0.1:7070", (root / "secret").string());
    BOOST_TEST(find_node(search()).value().key == "");
    fs::create_symlink(root / "secret", root / ".troupe" / "link");
    node_at(".troupe", "http://127.0.0.1:7070", "link");
    BOOST_TEST(find_node(search()).value().key == "");
}

BOOST_AUTO_TEST_CASE(the_certificate_of_the_node_on_this_machine_is_expected_unless_an_authority_is_named) {
    node_at(".troupe", "https://127.0.0.1:7070");
    std::ofstream(root / ".troupe" / "node.json")
        << R"({"url":"https://127.0.0.1:7070","pid":77,"key_file":"admin.key","certificate_file":"/etc/node.pem"})";
    BOOST_TEST(find_node(search()).value().certificate_file == "/etc/node.pem");
    BOOST_TEST(find_node(search()).value().ca_file == "");
    environment = {{"TROUPE_CA", "/etc/ca.pem"}};
    BOOST_TEST(find_node(search()).value().ca_file == "/etc/ca.pem");
    BOOST_TEST(find_node(search()).value().certificate_file == "");
    auto s = search();
    s.ca = "other.pem";
    s.url = "https://other:7070";
    s.key = "k";
    BOOST_TEST(find_node(s).value().ca_file == "other.pem");
    environment.clear();
    s.ca = {};
    BOOST_TEST(find_node(s).value().certificate_file == ""); // it is another node
}

BOOST_AUTO_TEST_CASE(the_key_on_this_machine_goes_to_its_own_node_only) {
    node_at(".troupe", "http://127.0.0.1:7070");
    auto s = search();
    s.url = "http://127.0.0.1:7070";
    BOOST_TEST(find_node(s).value().key == "the-key");
    s.url = "http://other:7070";
    BOOST_TEST(find_node(s).value().key == "");
}

BOOST_AUTO_TEST_SUITE_END()
