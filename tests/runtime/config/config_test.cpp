#include "runtime/config/config.hpp"

#include "runtime/config/syslog_place.hpp"
#include "tests/source_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::runtime;

namespace {

/// A configuration file that is gone after the test.
struct config_file {
    explicit config_file(const std::string& text)
        : path(std::filesystem::temp_directory_path() / ("troupe-config-" + std::to_string(::getpid()) + ".yaml")) {
        std::ofstream(path) << text;
        std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    }
    config_file(const config_file&) = delete;
    config_file& operator=(const config_file&) = delete;
    ~config_file() { std::filesystem::remove(path); }
    std::filesystem::path path;
};

expected<loaded_config> load_text(const std::string& text) {
    const config_file file(text);
    return load_config({.file = file.path, .environment = {}, .flags = {}});
}

/// What is wrong with the file, as "LINE message" lines.
std::string errors_of(const std::string& text) {
    const auto loaded = load_text(text);
    std::string all;
    if (!loaded) {
        BOOST_TEST((loaded.error().code == code::config_invalid));
        for (const auto& e : loaded.error().errors) {
            all += e.pointer.substr(e.pointer.rfind(':') + 1) + " " + e.message + "\n";
        }
    }
    return all;
}

std::filesystem::path example() { return troupe::test::source_folder() / "cluster-configs/single-node.yaml"; }

} // namespace

BOOST_AUTO_TEST_SUITE(config_loading)

BOOST_AUTO_TEST_CASE(nothing_given_is_the_defaults) {
    const auto loaded = load_config({});
    BOOST_REQUIRE(loaded.has_value());
    BOOST_TEST((loaded->values == config{}));
    BOOST_TEST(loaded->origins.empty());
}

BOOST_AUTO_TEST_CASE(every_default_is_within_its_own_bounds) {
    const config defaults;
    for (const auto& p : properties()) {
        if (p.secret) {
            continue;
        }
        const auto value = shown_value(defaults, p);
        const auto loaded = load_config({.file = {}, .environment = {}, .flags = {{std::string(p.name), value}}});
        BOOST_TEST(loaded.has_value(), p.name);
    }
}

BOOST_AUTO_TEST_CASE(every_member_of_the_struct_has_one_property) {
    // The members are of three sizes; what the table reaches has to fill the struct.
    std::size_t bytes = 0;
    std::set<std::string> variables;
    for (const auto& p : properties()) {
        bytes += std::holds_alternative<std::string config::*>(p.member) ? sizeof(std::string) : 8;
        BOOST_TEST(variables.insert(environment_name(p)).second, p.name);
        BOOST_TEST(!p.doc.empty(), p.name);
    }
    BOOST_TEST(bytes == sizeof(config));
}

BOOST_AUTO_TEST_CASE(a_later_source_wins_and_is_named) {
    const config_file file("listen: 127.0.0.1:1\nlog:\n  level: warn\n  json: true\n");
    const auto loaded = load_config({.file = file.path,
                                     .environment = {{"TROUPE_LISTEN", "127.0.0.1:2"}, {"TROUPE_LOG_LEVEL", "debug"}},
                                     .flags = {{"listen", "127.0.0.1:3"}}});
    BOOST_REQUIRE(loaded.has_value());
    BOOST_TEST(loaded->values.listen == "127.0.0.1:3");
    BOOST_TEST(loaded->values.log_level == "debug");
    BOOST_TEST(loaded->values.log_json);
    BOOST_TEST(loaded->origins.find("listen")->second == "--listen");
    BOOST_TEST(loaded->origins.find("log.level")->second == "environment TROUPE_LOG_LEVEL");
    BOOST_TEST(loaded->origins.find("log.json")->second == file.path.string() + ":4");
}

BOOST_AUTO_TEST_CASE(openai_variables_are_used_only_when_nothing_of_ours_is_given) {
    const std::map<std::string, std::string> environment = {{"OPENAI_API_KEY", "sk-other"},
                                                            {"OPENAI_BASE_URL", "http://127.0.0.1:9/v1"}};
    const auto alone = load_config({.file = {}, .environment = environment, .flags = {}});
    BOOST_REQUIRE(alone.has_value());
    BOOST_TEST(alone->values.model_openai_api_key == "sk-other");
    BOOST_TEST(alone->values.model_openai_base_url == "http://127.0.0.1:9/v1");

    const config_file file("model: {openai: {api_key: sk-file}}");
    const auto below = load_config({.file = file.path, .environment = environment, .flags = {}});
    BOOST_REQUIRE(below.has_value());
    BOOST_TEST(below->values.model_openai_api_key == "sk-file");
}

BOOST_AUTO_TEST_CASE(json_is_read_like_yaml) {
    const auto loaded = load_text("{\n\t\"listen\": \"0.0.0.0:80\",\n\t\"log\": {\"json\": true},\n\t\"shards\": 8\n}");
    BOOST_REQUIRE(loaded.has_value());
    BOOST_TEST(loaded->values.listen == "0.0.0.0:80");
    BOOST_TEST(loaded->values.log_json);
    BOOST_TEST(loaded->values.shards == 8);
}

BOOST_AUTO_TEST_CASE(an_empty_file_or_section_changes_nothing) {
    BOOST_TEST((load_text("")->values == config{}));
    BOOST_TEST((load_text("# only comments\nmodel:\n  openai:\n    # api_key: x\n")->values == config{}));
}

BOOST_AUTO_TEST_CASE(all_errors_come_at_once_with_their_lines) {
    BOOST_TEST(errors_of("listen: 127.0.0.1\n"
                         "shards: 0\n"
                         "log:\n"
                         "  level: loud\n"
                         "  json: perhaps\n"
                         "  modules: storage=loud\n"
                         "entity:\n"
                         "  idle_ms: soon\n"
                         "data: \"\"\n") ==
               "1 listen: \"127.0.0.1\" is no ADDRESS:PORT, as in 127.0.0.1:7117 or [::1]:7117\n"
               "2 shards: \"0\" is outside 1 to 65536\n"
               "4 log.level: \"loud\" is none of trace|debug|info|warn|error|off\n"
               "5 log.json: \"perhaps\" is neither true nor false\n"
               "6 log.modules: \"storage=loud\" is no MODULE=LEVEL with a level of trace|debug|info|warn|error|off\n"
               "8 entity.idle_ms: \"soon\" is no integer of ms\n"
               "9 data: must not be empty\n");
}

BOOST_AUTO_TEST_CASE(an_unknown_property_names_the_nearest) {
    BOOST_TEST(errors_of("log:\n  levle: info\n") == "2 there is no property log.levle; do you mean log.level?\n");
    BOOST_TEST(errors_of("xylophone: 1\n") == "1 there is no property xylophone; `troupe config show` lists all\n");
}

BOOST_AUTO_TEST_CASE(what_is_no_value_is_refused) {
    BOOST_TEST(errors_of("listen:\n") == "1 listen: expected a value, got nothing; for no text write \"\"\n");
    BOOST_TEST(errors_of("listen: [a]\n") == "1 listen: expected a value, got a list\n");
    BOOST_TEST(errors_of("listen: {a: b}\n") == "1 listen: expected a value, got a section\n");
    BOOST_TEST(errors_of("log: debug\n") ==
               "1 log is a section: its properties stand in lines of their own below it\n");
    BOOST_TEST(errors_of("- listen\n") == "1 expected `name: value` lines at the top\n");
    BOOST_TEST(errors_of("shards: 99999999999999999999\n") ==
               "1 shards: \"99999999999999999999\" is outside 1 to 65536\n");
}

BOOST_AUTO_TEST_CASE(a_property_given_twice_is_refused) {
    const auto errors = errors_of("shards: 8\nshards: 9\n");
    BOOST_TEST(errors.starts_with("2 shards: is given a second time; the first is at "));
}

BOOST_AUTO_TEST_CASE(broken_yaml_names_the_line) {
    BOOST_TEST(errors_of("listen: 127.0.0.1:1\nlog: {level: info\n").find("this is no YAML") != std::string::npos);
    BOOST_TEST(errors_of("a: 1\n b: 2\n").starts_with("2 "));
}

BOOST_AUTO_TEST_CASE(a_file_that_ends_before_its_text_is_refused) {
    for (const auto* text : {", a\n", ",\"a", ",", "shards: 8\n]", "}\n"})
        BOOST_TEST(errors_of(text) != "", text); // yaml-cpp made empty documents of the first ones for ever
}

BOOST_AUTO_TEST_CASE(a_second_document_is_refused_with_its_line) {
    BOOST_TEST(errors_of("shards: 8\n---\nshards: 9\n") ==
               "3 a second document starts here: write all in one, without ---\n");
    BOOST_TEST(errors_of("shards: 8\n---\n").find("a second document starts here") != std::string::npos);
    BOOST_TEST(errors_of("---\nshards: 8\n...\n") == "");
}

BOOST_AUTO_TEST_CASE(a_path_that_is_given_has_to_lead_somewhere) {
    const auto folder = std::filesystem::temp_directory_path().string();
    BOOST_TEST(errors_of("model:\n  scripts: /nowhere\n  openai:\n    ca_file: /nowhere\n") ==
               "2 model.scripts: \"/nowhere\" is no folder\n"
               "4 model.openai.ca_file: \"/nowhere\" is no file\n");
    BOOST_TEST(errors_of("model:\n  scripts: " + example().string() + "\n").find("is no folder") != std::string::npos);
    BOOST_TEST(errors_of("model: {openai: {ca_file: " + folder + "}}\n").find("is no file") != std::string::npos);
    BOOST_TEST(errors_of("model:\n  scripts: " + folder + "\n  openai:\n    ca_file: " + example().string() + "\n") ==
               "");
    BOOST_TEST(errors_of("model:\n  scripts: \"\"\n") == "");
    const config_file closed("secret");
    std::filesystem::permissions(closed.path, std::filesystem::perms::none);
    if (::access(closed.path.c_str(), R_OK) != 0) { // root reads all
        const auto loaded =
            load_config({.file = {}, .environment = {}, .flags = {{"model.openai.ca_file", closed.path}}});
        BOOST_REQUIRE(!loaded.has_value());
        BOOST_TEST(loaded.error().detail.find("cannot be read") != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(certificate_and_key_belong_together) {
    const auto file = example().string();
    BOOST_TEST(errors_of("edge: {tls: {certificate_file: " + file + "}}\n").find("belong together") !=
               std::string::npos);
    BOOST_TEST(errors_of("edge: {tls: {key_file: " + file + "}}\n").find("belong together") != std::string::npos);
    BOOST_TEST(errors_of("edge: {tls: {redirect_listen: \"[::]:80\"}}\n").find("no https") != std::string::npos);
    BOOST_TEST(errors_of("edge: {tls: {certificate_file: " + file + ", key_file: " + file + "}}\n") == "");
}

BOOST_AUTO_TEST_CASE(origins_and_networks_are_read_before_the_node_starts) {
    for (const std::string good : {"https://a.example", "http://localhost:3000, https://b", "*", "https://[::1]:80"})
        BOOST_TEST(errors_of("edge: {cors: {origins: \"" + good + "\"}}\n") == "", good);
    for (const std::string bad :
         {"a.example", "https://", "https://a/", "ftp://a", "https://*.a", "https://a b", "null"})
        BOOST_TEST(errors_of("edge: {cors: {origins: \"" + bad + "\"}}\n").find("is no origin") != std::string::npos,
                   bad);
    BOOST_TEST(errors_of("edge: {trusted_proxies: \"10.0.0.0/8, ::1\"}\n") == "");
    BOOST_TEST(errors_of("edge: {trusted_proxies: 10.0.0.0/33}\n").find("10.0.0.0/33") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_section_that_contains_itself_ends) { BOOST_TEST(!errors_of("log: &x\n  inner: *x\n").empty()); }

BOOST_AUTO_TEST_CASE(a_section_of_many_aliases_to_itself_ends_as_well) {
    std::string text = "log: &x\n";
    for (int i = 0; i < 2000; ++i) {
        text += "  a" + std::to_string(i) + ": *x\n";
    }
    BOOST_TEST(!errors_of(text).empty());
}

BOOST_AUTO_TEST_CASE(texts_that_cannot_be_shown_again_are_refused) {
    BOOST_TEST(errors_of("log:\n  file: \"a\xff\"\n") == "2 log.file: is not UTF-8, or holds a NUL byte\n");
    BOOST_TEST(errors_of("log:\n  file: \"a\\0b\"\n") == "2 log.file: is not UTF-8, or holds a NUL byte\n");
    BOOST_TEST(errors_of("log:\n  file: \"\xc3\xa4\\n\"\n").empty());
}

BOOST_AUTO_TEST_CASE(a_missing_file_is_an_error) {
    const auto loaded = load_config({.file = "/nowhere/troupe.yaml", .environment = {}, .flags = {}});
    BOOST_REQUIRE(!loaded.has_value());
    BOOST_TEST(loaded.error().detail.find("/nowhere/troupe.yaml") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(wrong_values_of_environment_and_flags_name_them) {
    const auto loaded =
        load_config({.file = {}, .environment = {{"TROUPE_SHARDS", "many"}}, .flags = {{"sandbox", "chroot"}}});
    BOOST_REQUIRE(!loaded.has_value());
    BOOST_REQUIRE(loaded.error().errors.size() == 2);
    BOOST_TEST(loaded.error().errors[0].pointer == "environment TROUPE_SHARDS");
    BOOST_TEST(loaded.error().errors[1].pointer == "--sandbox");
    BOOST_TEST(loaded.error().errors[1].message == "\"chroot\" is none of bubblewrap|none");
}

BOOST_AUTO_TEST_CASE(unknown_variables_warn_and_those_of_the_client_do_not) {
    const auto loaded =
        load_config({.file = {},
                     .environment = {{"TROUPE_LOG_LEVLE", "x"}, {"TROUPE_URL", "http://x"}, {"TROUPE_KEY", "k"}},
                     .flags = {}});
    BOOST_REQUIRE(loaded.has_value());
    BOOST_REQUIRE(loaded->warnings.size() == 1);
    BOOST_TEST(loaded->warnings[0] ==
               "the environment variable TROUPE_LOG_LEVLE names no property; do you mean TROUPE_LOG_LEVEL?");
}

BOOST_AUTO_TEST_CASE(an_empty_variable_counts_as_not_set) {
    const auto loaded =
        load_config({.file = {}, .environment = {{"TROUPE_LISTEN", ""}, {"OPENAI_API_KEY", ""}}, .flags = {}});
    BOOST_REQUIRE(loaded.has_value());
    BOOST_TEST((loaded->values == config{}));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(config_secrets)

BOOST_AUTO_TEST_CASE(no_output_contains_a_secret) {
    const auto loaded =
        load_config({.file = {}, .environment = {{"TROUPE_MODEL_OPENAI_API_KEY", "sk-hidden"}}, .flags = {}});
    BOOST_REQUIRE(loaded.has_value());
    BOOST_TEST(loaded->values.model_openai_api_key == "sk-hidden");
    const auto shown = show_config(*loaded);
    BOOST_TEST(shown.find("sk-hidden") == std::string::npos);
    BOOST_TEST(shown.find("# api_key: ******** # environment TROUPE_MODEL_OPENAI_API_KEY") != std::string::npos);
    for (const auto& change : config_changes({}, loaded->values)) {
        BOOST_TEST(change.name == "model.openai.api_key");
        BOOST_TEST(change.to == "********");
    }
}

BOOST_AUTO_TEST_CASE(a_refused_secret_is_not_repeated) {
    const auto loaded = load_config({.file = {}, .environment = {{"OPENAI_API_KEY", "sk-hid den\n"}}, .flags = {}});
    BOOST_REQUIRE(!loaded.has_value());
    BOOST_TEST(to_problem_json(loaded.error()).find("sk-hid") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_secret_on_the_command_line_is_refused) {
    const auto loaded = load_config({.file = {}, .environment = {}, .flags = {{"model.openai.api_key", "sk-hidden"}}});
    BOOST_REQUIRE(!loaded.has_value());
    BOOST_TEST(loaded.error().detail.find("TROUPE_MODEL_OPENAI_API_KEY") != std::string::npos);
    BOOST_TEST(to_problem_json(loaded.error()).find("sk-hidden") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_file_with_a_secret_that_others_may_read_warns) {
    const config_file file("model: {openai: {api_key: sk-file}}");
    BOOST_TEST(load_config({.file = file.path, .environment = {}, .flags = {}})->warnings.empty());
    std::filesystem::permissions(file.path, std::filesystem::perms::others_read, std::filesystem::perm_options::add);
    BOOST_TEST(load_config({.file = file.path, .environment = {}, .flags = {}})->warnings.size() == 1);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(config_arguments)

BOOST_AUTO_TEST_CASE(flags_are_read_in_both_forms) {
    const std::vector<std::string> arguments = {"--config",   "a.yaml", "--listen=127.0.0.1:0",
                                                "--log.json", "--data", "d"};
    const auto sources = parse_config_arguments(arguments);
    BOOST_REQUIRE(sources.has_value());
    BOOST_TEST(sources->file->string() == "a.yaml");
    BOOST_REQUIRE(sources->flags.size() == 3);
    BOOST_TEST(sources->flags[0].value == "127.0.0.1:0");
    BOOST_TEST(sources->flags[1].value == "true");
    BOOST_TEST(sources->flags[2].name == "data");
}

BOOST_AUTO_TEST_CASE(unknown_and_incomplete_flags_are_refused) {
    const auto refused = [](std::vector<std::string> arguments) {
        return parse_config_arguments(arguments).error().detail;
    };
    BOOST_TEST(refused({"--lisen", "x"}) == "there is no property lisen; do you mean listen?");
    BOOST_TEST(refused({"--listen"}) == "--listen needs a value");
    BOOST_TEST(refused({"listen"}).find("is no flag") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(config_showing)

BOOST_AUTO_TEST_CASE(what_is_shown_loads_as_the_same) {
    loaded_config loaded;
    loaded.values.listen = "[::1]:99";
    loaded.values.log_modules = "storage=debug,edge=warn";
    loaded.values.log_json = true;
    loaded.values.model_openai_model = "quoted \" and # and \\";
    loaded.values.budget_tokens = 7;
    loaded.origins["listen"] = "--listen";
    const auto text = show_config(loaded);
    BOOST_TEST(text.starts_with("listen: \"[::1]:99\" # --listen\ndata: \".troupe\" # default\n"));
    const auto again = load_text(text);
    BOOST_REQUIRE(again.has_value());
    BOOST_TEST((again->values == loaded.values));
}

BOOST_AUTO_TEST_CASE(a_file_with_a_nul_byte_is_no_text) {
    using namespace std::string_literals;
    for (const auto& text : {"log:\n  level: debug\n\0"s, "\0"s, "\"\0"s, "# \0\nlog: {level: debug}\n"s}) {
        BOOST_TEST(errors_of(text).find("holds a NUL byte") != std::string::npos);
    }
    BOOST_TEST(errors_of("log:\n  level: debug\n").empty());
}

BOOST_AUTO_TEST_CASE(what_is_shown_opens_each_section_once) {
    std::istringstream lines(show_config({}));
    std::vector<std::string> sections;
    for (std::string line; std::getline(lines, line);) {
        if (line.ends_with(':') && !line.starts_with(' ')) {
            sections.push_back(line);
        }
    }
    BOOST_TEST(sections.size() > 5U);
    for (const auto& section : sections) {
        BOOST_TEST(std::ranges::count(sections, section) == 1, section);
    }
}

BOOST_AUTO_TEST_CASE(a_wrong_flag_is_named_once) {
    const auto loaded = load_config({.file = {}, .environment = {}, .flags = {{"shards", "0"}}});
    BOOST_REQUIRE(loaded.has_error());
    BOOST_TEST(loaded.error().detail == "The configuration has an error. --shards: \"0\" is outside 1 to 65536");
}

BOOST_AUTO_TEST_CASE(a_reload_takes_only_what_can_be_reloaded) {
    config running;
    config fresh;
    fresh.listen = "0.0.0.0:1";
    fresh.log_level = "debug";
    const auto changes = config_changes(running, fresh);
    BOOST_REQUIRE(changes.size() == 2);
    BOOST_TEST(changes[0].name == "listen");
    BOOST_TEST(!changes[0].reloadable);
    BOOST_TEST(changes[1].reloadable);
    const auto next = reloaded_config(running, fresh);
    BOOST_TEST(next.listen == running.listen);
    BOOST_TEST(next.log_level == "debug");
}

BOOST_AUTO_TEST_CASE(the_example_is_valid_equals_the_defaults_and_names_every_property) {
    const auto loaded = load_config({.file = example(), .environment = {}, .flags = {}});
    BOOST_REQUIRE_MESSAGE(loaded.has_value(), (loaded ? "" : loaded.error().detail));
    BOOST_TEST((loaded->values == config{}));
    BOOST_TEST(loaded->warnings.empty());
    std::ifstream in(example());
    std::stringstream text;
    text << in.rdbuf();
    for (const auto& p : properties()) {
        const auto key = std::string(p.name.substr(p.name.rfind('.') + 1)) + ":";
        BOOST_TEST(text.str().find(key) != std::string::npos, p.name);
    }
}

BOOST_AUTO_TEST_CASE(the_description_has_a_row_for_each) {
    const auto table = describe_config();
    BOOST_TEST(std::ranges::count(table, '\n') == std::ssize(properties()) + 2);
    BOOST_TEST(
        table.find("| `log.level`<br>`TROUPE_LOG_LEVEL` | `info` | trace, debug, info, warn, error, off | yes |") !=
        std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_place_of_syslog_has_a_protocol_a_host_and_a_port) {
    const auto place = runtime::parse_syslog_place("tcp://[2001:db8::1]:6514");
    BOOST_REQUIRE(place.has_value());
    BOOST_TEST(!place->is_udp);
    BOOST_TEST(place->host == "2001:db8::1");
    BOOST_TEST(place->port == "6514");
    BOOST_TEST(runtime::parse_syslog_place("udp://h:1")->is_udp);
    for (const auto* bad : {"", "udp://", "udp://h", "udp://h:", "udp://:514", "http://h:1", "h:514"}) {
        BOOST_TEST(runtime::parse_syslog_place(bad).has_error(), bad);
    }
}

BOOST_AUTO_TEST_SUITE_END()
