#include "runtime/config/deploy_targets.hpp"

#include "runtime/config/checks.hpp"
#include "runtime/config/object_list.hpp"

#include <fmt/format.h>

#include <limits>
#include <utility>

namespace troupe::runtime {

namespace {

constexpr std::uint32_t time_ms_max = 3'600'000;

/// As it is written: a file has numbers as text.
struct written_target {
    std::string name;
    std::string folder;
    std::string source;
    std::string build;
    std::string test;
    std::vector<std::string> command;
    std::vector<json::raw> ports;
    std::string health;
    std::string prepared_health;
    std::vector<std::string> prepare;
    std::vector<std::string> change;
    std::vector<std::string> roll_back;
    std::vector<std::string> retire;
    json::raw start_ms;
    json::raw watch_ms;
    static constexpr field_rule rules[] = {{.name = "name", .required = true, .min = 1, .max = 64},
                                           {.name = "folder", .required = true, .min = 2, .max = 4096},
                                           {.name = "source", .max = 4096},
                                           {.name = "build", .max = 10'000},
                                           {.name = "test", .max = 10'000},
                                           {.name = "command", .max = 100},
                                           {.name = "ports", .max = 2},
                                           {.name = "health", .required = true, .min = 1, .max = 4096},
                                           {.name = "prepared_health", .max = 4096},
                                           {.name = "prepare", .max = 100},
                                           {.name = "change", .max = 100},
                                           {.name = "roll_back", .max = 100},
                                           {.name = "retire", .max = 100}};
};
BOOST_DESCRIBE_STRUCT(written_target, (),
                      (name, folder, source, build, test, command, ports, health, prepared_health, prepare, change,
                       roll_back, retire, start_ms, watch_ms))

struct written_targets {
    std::vector<written_target> items;
    static constexpr field_rule rules[] = {{.name = "items", .max = 32}};
};
BOOST_DESCRIBE_STRUCT(written_targets, (), (items))

std::int64_t read_span(const json::raw& written, std::int64_t otherwise, const std::string& at,
                       std::vector<field_error>& wrong) {
    const auto read = read_count(written, time_ms_max);
    if (!read && !written.is_null()) {
        wrong.push_back({at, fmt::format("has to be a number from 1 to {}", time_ms_max)});
    }
    return read ? *read : otherwise;
}

void check(const deploy_target& t, const std::string& at, std::vector<field_error>& wrong) {
    if (!is_plain_name(t.name)) {
        wrong.push_back({at + "/name", "may have a-z, 0-9, - and _ only"});
    }
    if (!t.folder.starts_with('/')) {
        wrong.push_back({at + "/folder", "has to be absolute"});
    }
    if (t.source.starts_with('/')) {
        wrong.push_back({at + "/source", "is relative to the project"});
    }
    if (t.is_process()) {
        if (t.ports.empty()) {
            wrong.push_back({at + "/ports", "has to name the port, and a second one for blue_green and canary"});
        }
        if (!t.health.starts_with('/')) {
            wrong.push_back({at + "/health", "has to be a path as in /health"});
        }
        for (const auto& [name, given] :
             {std::pair("prepare", !t.prepare.empty()), std::pair("retire", !t.retire.empty()),
              std::pair("roll_back", !t.roll_back.empty())}) {
            if (given) {
                wrong.push_back({at + "/" + name, "is of targets without a command: the node does it itself here"});
            }
        }
        return;
    }
    for (const auto& [name, missing] :
         {std::pair("change", t.change.empty()), std::pair("roll_back", t.roll_back.empty())}) {
        if (missing) {
            wrong.push_back({at + "/" + name, "is needed where there is no command for the node to run"});
        }
    }
    if (check_url(t.health)) {
        wrong.push_back({at + "/health", "has to be an http:// or https:// address"});
    }
    if (!t.prepare.empty() && check_url(t.prepared_health)) {
        wrong.push_back({at + "/prepared_health", "has to be the address of what was prepared"});
    }
}

} // namespace

expected<std::vector<deploy_target>> parse_deploy_targets(std::string_view text) {
    auto read = read_object_list<written_targets>(text);
    if (!read) {
        return read.error();
    }
    std::vector<deploy_target> out;
    std::vector<field_error> wrong;
    check_names(read->items, wrong);
    for (std::size_t i = 0; i < read->items.size(); ++i) {
        auto& w = read->items[i];
        const auto at = fmt::format("/{}", i);
        deploy_target t{std::move(w.name),
                        std::move(w.folder),
                        std::move(w.source),
                        std::move(w.build),
                        std::move(w.test),
                        std::move(w.command),
                        {},
                        std::move(w.health),
                        std::move(w.prepared_health),
                        std::move(w.prepare),
                        std::move(w.change),
                        std::move(w.roll_back),
                        std::move(w.retire)};
        t.start_ms = read_span(w.start_ms, t.start_ms, at + "/start_ms", wrong);
        t.watch_ms = read_span(w.watch_ms, t.watch_ms, at + "/watch_ms", wrong);
        for (const auto& written : w.ports) {
            const auto port = read_count(written, std::numeric_limits<std::uint16_t>::max());
            if (!port) {
                wrong.push_back({at + "/ports", "has to be numbers from 1 to 65535"});
            }
            t.ports.push_back(static_cast<std::uint16_t>(port.value_or(1)));
        }
        check(t, at, wrong);
        out.push_back(std::move(t));
    }
    return wrong.empty() ? expected<std::vector<deploy_target>>(std::move(out)) : list_problem(std::move(wrong));
}

} // namespace troupe::runtime
