#include "actors/mcp/installation_model.hpp"

#include "actors/mcp/installation_keeper.hpp"
#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

using installation = entity<installation_model>;

mcp_wanted wish(const std::string& version = "1.0.0") {
    mcp_wanted out;
    out.id = "weather";
    out.name = "io.github.someone/weather";
    out.version = version;
    out.package.type = mcp_package_type::npm;
    out.package.identifier = "@someone/weather";
    out.package.version = version;
    out.package.inputs = {{"API_KEY", "The key.", mcp_input_kind::environment, true, true, "", false},
                          {"UNITS", "", mcp_input_kind::environment, false, false, "metric", false},
                          {"--city", "", mcp_input_kind::argument, false, false, "", true}};
    out.values = {{"API_KEY", "secret:WEATHER"}};
    return out;
}

mcp_installation_document shown(const installation& i) { return i.document<mcp_installation_document>(); }

installation installed() {
    installation i;
    i.accepted(install_server{wish()});
    i.accepted(note_installed{1, {"node", "package-1/x.js"}, "sha512-a"});
    return i;
}

} // namespace

BOOST_AUTO_TEST_SUITE(installations)

BOOST_AUTO_TEST_CASE(a_package_is_brought_and_then_there) {
    installation i;
    i.accepted(install_server{wish()});
    BOOST_TEST(i.owed() == texts{"install/1"});
    BOOST_TEST((shown(i).status == mcp_install_status::installing));
    i.accepted(note_installed{1, {"node", "package-1/x.js"}, "sha512-a"});
    BOOST_TEST(i.owed().empty());
    BOOST_TEST(*shown(i).installed_version == "1.0.0");
    BOOST_TEST(*shown(i).integrity == "sha512-a");
    BOOST_TEST(i.accepted(install_server{wish()}).empty()); // it is there
    BOOST_TEST(i.accepted(note_installed{1, {}, ""}).empty());
}

BOOST_AUTO_TEST_CASE(what_runs_elsewhere_needs_nothing_to_be_brought) {
    installation i;
    auto w = wish();
    w.package = {mcp_package_type::remote, "https://mcp.example.org/mcp", "", "streamable-http", {}};
    w.values.clear();
    i.accepted(install_server{w});
    BOOST_TEST(i.owed().empty());
    BOOST_TEST(settings_of(shown(i)).url == "https://mcp.example.org/mcp");
}

BOOST_AUTO_TEST_CASE(what_was_broken_off_is_done_again_three_times_at_most) {
    installation i;
    i.accepted(install_server{wish()});
    for (std::uint32_t n = 1; n < install_attempts_max; ++n) {
        i.accepted(note_install_failed{n, "broken off", true});
        BOOST_TEST(i.owed() == texts{"install/" + std::to_string(n + 1)});
        BOOST_TEST(i.accepted(note_install_failed{n, "late", false}).empty());
    }
    i.accepted(note_install_failed{install_attempts_max, "broken off", true});
    BOOST_TEST((shown(i).status == mcp_install_status::failed));
    i.accepted(install_server{wish()}); // a person asks once more
    BOOST_TEST(!i.owed().empty());
}

BOOST_AUTO_TEST_CASE(an_upgrade_that_fails_leaves_what_was_there) {
    auto i = installed();
    i.accepted(install_server{wish("2.0.0")});
    i.accepted(note_install_failed{2, "npm says no", false});
    BOOST_TEST((shown(i).status == mcp_install_status::failed));
    BOOST_TEST(*shown(i).error == "npm says no");
    BOOST_TEST(*shown(i).installed_version == "1.0.0");
    BOOST_TEST(shown(i).command.back() == "package-1/x.js");
}

BOOST_AUTO_TEST_CASE(the_same_version_with_another_content_is_refused_also_after_it_was_away) {
    auto i = installed();
    i.accepted(uninstall_server{});
    BOOST_TEST(!i.view().exists);
    i.accepted(install_server{wish()});
    i.accepted(note_installed{1, {"node", "x.js"}, "sha512-b"});
    BOOST_TEST((shown(i).status == mcp_install_status::failed));
    BOOST_TEST(shown(i).error->find("another content") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(another_server_does_not_take_its_name) {
    auto i = installed();
    auto other = wish();
    other.name = "io.github.other/weather";
    BOOST_TEST((i.refused(install_server{other}).code == code::conflict));
    BOOST_TEST((i.refused(configure_server{{"weather", std::map<std::string, std::string>{}, {}, {}}}).code ==
                code::invalid_request)); // what is needed is missing
}

BOOST_AUTO_TEST_CASE(values_are_those_that_it_takes_and_secrets_are_no_text) {
    const auto wrong = [](std::map<std::string, std::string> values) {
        const auto good = check_values(wish().package, values);
        return good ? std::string() : good.error().errors.front().pointer;
    };
    BOOST_TEST(wrong({{"API_KEY", "secret:A"}}) == "");
    BOOST_TEST(wrong({{"API_KEY", "hunter2"}}) == "/values/API_KEY");
    BOOST_TEST(wrong({}) == "/values/API_KEY");
    BOOST_TEST(wrong({{"API_KEY", "secret:A"}, {"MORE", "x"}}) == "/values/MORE");
    BOOST_TEST(wrong({{"API_KEY", "secret:A"}, {"UNITS", "a\nb"}}) == "/values/UNITS");
}

BOOST_AUTO_TEST_CASE(the_server_gets_what_was_given) {
    auto w = wish();
    w.values["--city"] = "Bern";
    installation i;
    i.accepted(install_server{w});
    i.accepted(note_installed{1, {"node", "x.js"}, "sha512-a"});
    const auto s = settings_of(shown(i));
    BOOST_TEST(s.command == (texts{"node", "x.js", "--city", "Bern"}));
    BOOST_TEST(s.environment.at("API_KEY") == "secret:WEATHER");
    BOOST_TEST(s.environment.at("UNITS") == "metric");
}

BOOST_AUTO_TEST_CASE(packages_that_are_no_names_are_refused) {
    const auto usable = [](mcp_package_type type, std::string identifier, std::string version = "1.0.0",
                           std::string transport = "stdio") {
        return check_package({type, std::move(identifier), std::move(version), std::move(transport), {}}).has_value();
    };
    using enum mcp_package_type;
    BOOST_TEST(usable(npm, "@a/b"));
    BOOST_TEST(usable(npm, "left-pad"));
    for (const auto* bad : {"", "-g", "../x", "a/b", "@a/../b", "@a/b/c", "git+https://x", "a b", "a@file:/etc"}) {
        BOOST_TEST(!usable(npm, bad), bad);
    }
    BOOST_TEST(!usable(npm, "a", ""));
    BOOST_TEST(!usable(npm, "a", "file:x"));
    BOOST_TEST(usable(remote, "https://x.org/mcp"));
    BOOST_TEST(!usable(remote, "https://user@x.org/mcp"));
    BOOST_TEST(!usable(remote, "file:///etc/passwd"));
    BOOST_TEST(!usable(remote, "https://x.org/{tenant}"));
    BOOST_TEST(!usable(remote, "https://x.org/sse", "", "sse"));
    BOOST_TEST(!usable(pypi, "weather"));
}

BOOST_AUTO_TEST_SUITE_END()
