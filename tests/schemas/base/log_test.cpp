#include "schemas/base/log.hpp"

#include "schemas/base/clock.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/json.hpp"

#include <boost/test/unit_test.hpp>

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

using namespace troupe;

namespace {

/// A folder for log files; afterwards logging is as it was.
struct log_fixture {
    std::filesystem::path folder = std::filesystem::temp_directory_path() / ("troupe-log-" + to_string(make_uuid()));
    std::string file = (folder / "node.log").string();

    log_fixture() { std::filesystem::create_directories(folder); }
    log_fixture(const log_fixture&) = delete;
    log_fixture& operator=(const log_fixture&) = delete;
    ~log_fixture() {
        BOOST_TEST(configure_logging({}).has_value());
        std::filesystem::remove_all(folder);
    }
    [[nodiscard]] std::vector<std::string> lines() const {
        std::ifstream in(file);
        std::vector<std::string> out;
        for (std::string line; std::getline(in, line);) {
            out.push_back(line);
        }
        return out;
    }
};

bool writes(std::string_view module, spdlog::level::level_enum level) { return log_for(module).should_log(level); }

} // namespace

BOOST_FIXTURE_TEST_SUITE(logging, log_fixture)

BOOST_AUTO_TEST_CASE(a_module_has_one_logger) {
    BOOST_TEST(&log_for("one") == &log_for("one"));
    BOOST_TEST(&log_for("one") != &log_for("other"));
    BOOST_TEST(log_for("one").name() == "one");
}

BOOST_AUTO_TEST_CASE(levels_apply_to_present_and_future_loggers) {
    auto& present = log_for("present");
    BOOST_REQUIRE(configure_logging({.level = "warn", .modules = "present=debug, future=off"}).has_value());
    BOOST_TEST(present.should_log(spdlog::level::debug));
    BOOST_TEST(!writes("future", spdlog::level::err));
    BOOST_TEST(!writes("another", spdlog::level::info));
    BOOST_TEST(writes("another", spdlog::level::warn));
}

BOOST_AUTO_TEST_CASE(a_level_for_a_module_leaves_the_others_and_a_bare_level_sets_all) {
    BOOST_REQUIRE(set_log_levels("storage=trace").has_value());
    BOOST_TEST(writes("storage", spdlog::level::trace));
    BOOST_TEST(!writes("edge", spdlog::level::debug));
    BOOST_REQUIRE(set_log_levels("error").has_value());
    BOOST_TEST(!writes("storage", spdlog::level::warn));
    BOOST_TEST(!writes("edge", spdlog::level::warn));
    BOOST_REQUIRE(set_log_levels("edge=debug,info").has_value());
    BOOST_TEST(writes("storage", spdlog::level::info));
    BOOST_TEST(writes("edge", spdlog::level::debug));
}

BOOST_AUTO_TEST_CASE(a_bad_level_is_named_and_changes_nothing) {
    for (const auto* bad : {"loud", "storage=loud", "storage=debug,edge=", "=debug", "storage=debug,,edge=warn"}) {
        const auto result = set_log_levels(bad);
        BOOST_REQUIRE_MESSAGE(!result.has_value(), bad);
        BOOST_TEST((result.error().code == code::config_invalid));
    }
    BOOST_TEST(!writes("storage", spdlog::level::debug));
    BOOST_TEST(set_log_levels("loud").error().detail.find("'loud'") != std::string::npos);
    BOOST_TEST(!configure_logging({.level = "loud"}).has_value());
    BOOST_TEST(!configure_logging({.modules = "debug"}).has_value());
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_opened_is_named) {
    const auto result = configure_logging({.file = "/proc/no/such/folder/node.log"});
    BOOST_REQUIRE(!result.has_value());
    BOOST_TEST((result.error().code == code::config_invalid));
    BOOST_TEST(result.error().detail.find("/proc/no/such/folder/node.log") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(json_lines_hold_any_message) {
    auto& before = log_for("edge");
    BOOST_REQUIRE(configure_logging({.file = file, .json = true}).has_value());
    before.warn("a \"quoted\"\nmessage \xff {}", 7);
    before.debug("too fine");
    const auto written = lines();
    BOOST_REQUIRE(written.size() == 1u);
    const auto line = json::document::parse(written[0]);
    BOOST_REQUIRE(line.has_value());
    BOOST_TEST(line->root().text_or("level") == "warn");
    BOOST_TEST(line->root().text_or("module") == "edge");
    BOOST_TEST(line->root().text_or("message") == "a \"quoted\"\nmessage \xef\xbf\xbd 7");
    BOOST_TEST(parse_timestamp(line->root().text_or("ts")).has_value());
}

BOOST_AUTO_TEST_CASE(a_message_cannot_forge_a_line_of_text) {
    BOOST_REQUIRE(configure_logging({.file = file}).has_value());
    log_for("edge").error("first\n2026 info edge: forged \x1b[31m");
    const auto written = lines();
    BOOST_REQUIRE(written.size() == 1u);
    BOOST_TEST(written[0].ends_with(" error edge: first\\x0a2026 info edge: forged \\x1b[31m"));
    BOOST_TEST(parse_timestamp(written[0].substr(0, 24)).has_value());
}

BOOST_AUTO_TEST_CASE(lines_have_the_ids_of_their_request) {
    BOOST_REQUIRE(configure_logging({.file = file, .json = true}).has_value());
    const std::string trace = "0af7651916cd43dd8448eb211c80319c";
    const std::string traceparent = "00-" + trace + "-b7ad6b7169203331-01";
    {
        const log_scope outer("r1", traceparent);
        log_for("edge").info("outer");
        {
            const log_scope inner("r2", "");
            log_for("edge").info("inner");
        }
        std::thread([] { log_for("edge").info("another thread"); }).join();
    }
    log_for("edge").info("after");
    BOOST_REQUIRE(configure_logging({.file = file}).has_value());
    {
        const log_scope about("r3", traceparent);
        log_for("edge").info("for people");
    }
    const auto written = lines();
    BOOST_REQUIRE(written.size() == 5u);
    const auto ids = [&](std::size_t at) {
        const auto line = json::document::parse(written[at]);
        BOOST_REQUIRE(line.has_value());
        return line->root().text_or("request", "none") + " " + line->root().text_or("trace", "none");
    };
    BOOST_TEST(ids(0) == "r1 " + trace);
    BOOST_TEST(ids(1) == "r2 none");
    BOOST_TEST(ids(2) == "none none");
    BOOST_TEST(ids(3) == "none none");
    BOOST_TEST(written[4].ends_with("edge: for people, request r3, trace " + trace));
}

BOOST_AUTO_TEST_CASE(error_lines_are_heard_and_no_others) {
    std::vector<std::string> heard;
    {
        const error_listener listener([&](const error_line& l) {
            heard.push_back(fmt::format("{} {} {} {}", l.level, l.module, l.message, l.request));
        });
        log_for("edge").warn("nothing");
        log_for("edge").error("one");
        BOOST_REQUIRE(configure_logging({.file = file}).has_value()); // it stays
        const log_scope about("r1", "");
        log_for("storage").critical("two");
    }
    log_for("edge").error("nobody listens");
    BOOST_TEST(heard == (std::vector<std::string>{"error edge one ", "critical storage two r1"}),
               boost::test_tools::per_element());
    BOOST_TEST(lines().size() == 2u); // and written all the same
}

BOOST_AUTO_TEST_CASE(a_full_file_rotates) {
    BOOST_REQUIRE(configure_logging({.file = file, .file_bytes_max = 500, .files_max = 2}).has_value());
    for (int i = 0; i < 50; ++i) {
        log_for("edge").info("line {}", i);
    }
    BOOST_TEST(std::filesystem::exists(folder / "node.1.log"));
    BOOST_TEST(std::filesystem::exists(folder / "node.2.log"));
    BOOST_TEST(!std::filesystem::exists(folder / "node.3.log"));
    BOOST_TEST(std::filesystem::file_size(file) <= 500u);
}

BOOST_AUTO_TEST_CASE(threads_may_log_while_settings_change) {
    BOOST_REQUIRE(configure_logging({.file = file, .json = true}).has_value());
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
        threads.emplace_back([t] {
            for (int i = 0; i < 200; ++i) {
                log_for("module-" + std::to_string((t + i) % 5)).info("line {}", i);
            }
        });
    }
    for (int i = 0; i < 20; ++i) {
        BOOST_TEST(configure_logging({.modules = "module-1=debug", .file = file, .json = true}).has_value());
    }
    for (auto& t : threads) {
        t.join();
    }
    const auto written = lines();
    BOOST_TEST(written.size() == 600u);
    for (const auto& line : written) {
        BOOST_REQUIRE(json::document::parse(line).has_value());
    }
}

BOOST_AUTO_TEST_SUITE_END()
