#include "actors/kinds/scanned_text.hpp"
#include "actors/kinds/tester/test_results.hpp"

#include <array>
#include <set>
#include <utility>

/// Results that programs write for people.
namespace troupe::actors {

namespace {

constexpr std::size_t message_bytes_max = 2000;

/// Appends a line to a failure's message.
void tell(std::string& message, std::string_view line) {
    if (message.size() < message_bytes_max && !(message.empty() && trimmed(line).empty())) {
        message += message.empty() ? "" : "\n";
        message += line;
    }
}

/// A failure whose lines come one after the other; its place is the first that they name.
class failure_block {
public:
    explicit failure_block(test_outcomes& into) : into_(into) {}
    void begin(std::string_view name) {
        end();
        open_ = true;
        now_ = {};
        now_.name = trimmed(name);
    }
    void line(std::string_view text) {
        if (!open_) {
            return;
        }
        tell(now_.message, text);
        if (now_.line == 0) {
            if (auto place = find_place(text)) {
                now_.file = std::move(place->file);
                now_.line = place->line;
            }
        }
    }
    void end() {
        if (std::exchange(open_, false)) {
            now_.message = trimmed(now_.message);
            into_.add_failure(std::move(now_));
        }
    }
    [[nodiscard]] bool open() const { return open_; }

private:
    test_outcomes& into_;
    test_failure now_;
    bool open_ = false;
};

/// "# tests 3" of TAP and "ℹ tests 3" of the form for people: what Node's runner counts at the end.
struct node_counts {
    std::optional<std::uint64_t> tests, pass, fail, cancelled, skipped, todo;

    void take(std::string_view line, std::string_view mark) {
        scanner in(line);
        if (!in.skip(mark)) {
            return;
        }
        const std::pair<std::string_view, std::optional<std::uint64_t>*> all[] = {
            {"tests ", &tests},         {"pass ", &pass},       {"fail ", &fail},
            {"cancelled ", &cancelled}, {"skipped ", &skipped}, {"todo ", &todo}};
        for (const auto& [name, into] : all) {
            if (in.skip(name)) {
                *into = in.number();
            }
        }
    }
    [[nodiscard]] bool whole() const { return tests && pass && fail; }
    void into(test_outcomes& out) const {
        out.total = *tests;
        out.passed = *pass;
        out.failed = *fail + cancelled.value_or(0);
        out.skipped = skipped.value_or(0) + todo.value_or(0);
    }
};

} // namespace

std::optional<test_outcomes> read_tap(std::string_view text) {
    test_outcomes out;
    node_counts counts;
    std::optional<std::uint64_t> planned;
    failure_block failure(out);
    bool version = false;
    for (line_reader in(text); in.next();) {
        const std::string_view line = in.line();
        scanner words(line);
        words.blanks();
        const bool nested = words.rest().size() != line.size();
        version = version || line.starts_with("TAP version ");
        counts.take(line, "# ");
        if (!nested && words.skip("1..")) {
            planned = words.number();
            continue;
        }
        const bool bad = words.skip("not ok ");
        if (!bad && !words.skip("ok ")) {
            if (trimmed(line) == "...") {
                failure.end();
            } else if (trimmed(line) != "---" && !trimmed(line).starts_with("duration_ms:")) {
                failure.line(line);
            }
            continue;
        }
        failure.end();
        (void)words.number();
        words.blanks().skip("- ");
        const bool skipped = words.rest().find("# SKIP") != line.npos || words.rest().find("# TODO") != line.npos;
        if (!nested) {
            ++out.total;
            ++(skipped ? out.skipped : bad ? out.failed : out.passed);
        }
        if (bad && !skipped) {
            failure.begin(words.rest());
        }
    }
    failure.end();
    // A suite fails because something in it did.
    std::erase_if(out.failures, [](const auto& f) { return f.message.find("'subtestsFailed'") != f.message.npos; });
    if (counts.whole()) {
        counts.into(out);
        return out;
    }
    return (version || planned) && planned == out.total ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<test_outcomes> read_node_spec(std::string_view text) {
    test_outcomes out;
    node_counts counts;
    failure_block failure(out);
    std::string place;
    for (line_reader in(text); in.next();) {
        scanner line(in.line());
        counts.take(in.line(), "ℹ ");
        if (line.skip("test at ")) {
            place = line.rest();
        } else if (!place.empty() && line.skip("✖ ")) {
            const auto name = line.rest();
            failure.begin(name.substr(0, name.rfind(" (")));
            failure.line(std::exchange(place, {}));
        } else {
            failure.line(in.line());
        }
    }
    failure.end();
    if (!counts.whole()) {
        return std::nullopt;
    }
    counts.into(out);
    return out;
}

std::optional<test_outcomes> read_mocha(std::string_view text) {
    test_outcomes out;
    bool counted = false, named = false;
    std::string name;
    failure_block failure(out);
    for (line_reader in(text); in.next();) {
        const auto line = trimmed(in.line());
        scanner words(line);
        const auto number = words.number();
        if (number && in.line().starts_with("  ") && words.skip(" passing (")) {
            out.passed = *number;
            counted = true;
        } else if (number && counted && words.rest() == " pending") {
            out.skipped = *number;
        } else if (number && counted && words.rest() == " failing") {
            out.failed = *number;
        } else if (number && out.failed > 0 && words.skip(") ")) {
            failure.end();
            name = words.rest();
            named = name.ends_with(':');
            if (named) {
                failure.begin(name.substr(0, name.size() - 1));
            }
        } else if (!name.empty() && !named) { // names of suites and of the test stand below each other
            name += " " + std::string(line);
            named = line.ends_with(':') || line.empty();
            if (named) {
                failure.begin(std::string_view(name).substr(0, name.size() - 1));
            }
        } else {
            failure.line(in.line());
        }
    }
    failure.end();
    out.total = out.passed + out.failed + out.skipped;
    return counted ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<test_outcomes> read_jest(std::string_view text) {
    test_outcomes out;
    bool counted = false;
    failure_block failure(out);
    for (line_reader in(text); in.next();) {
        const std::string_view line = in.line();
        scanner words(line);
        if (words.skip("Tests: ") && count_before(line, "total") > 0) {
            failure.end();
            out.failed = count_before(line, "failed");
            out.passed = count_before(line, "passed");
            out.skipped = count_before(line, "skipped") + count_before(line, "todo");
            out.total = count_before(line, "total");
            counted = true;
        } else if (line.starts_with("  ● ") && !counted) {
            failure.begin(line.substr(std::string_view("  ● ").size()));
        } else if (line.starts_with("Test Suites:")) {
            failure.end();
        } else {
            failure.line(line);
        }
    }
    return counted ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<test_outcomes> read_pytest(std::string_view text) {
    test_outcomes out;
    bool counted = false;
    std::string last_place;
    for (line_reader in(text); in.next();) {
        scanner line(in.line());
        if (line.skip("FAILED ") || line.skip("ERROR ")) {
            const auto all = line.rest();
            const auto name = all.substr(0, all.find(" - "));
            const auto dash = all.find(" - ");
            out.add_failure({std::string(name), std::string(name.substr(0, name.find("::"))), 0,
                             dash == all.npos ? "" : std::string(all.substr(dash + 3))});
            continue;
        }
        auto words = std::string_view(in.line());
        const auto begin = words.find_first_not_of("= ");
        words = words.substr(begin == words.npos ? words.size() : begin);
        // "1 failed, 1 passed, 1 skipped in 0.03s"
        if (words.find(" in ") == words.npos || words.find_first_of("0123456789") != 0 ||
            (words.find(" passed") == words.npos && words.find(" failed") == words.npos &&
             words.find(" skipped") == words.npos && words.find(" error") == words.npos)) {
            continue;
        }
        out.passed = count_before(words, "passed") + count_before(words, "xpassed");
        out.failed = count_before(words, "failed") + count_before(words, "error") + count_before(words, "errors");
        out.skipped = count_before(words, "skipped") + count_before(words, "xfailed");
        counted = true;
    }
    out.total = out.passed + out.failed + out.skipped;
    return counted && out.total > 0 ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<test_outcomes> read_unittest(std::string_view text) {
    test_outcomes out;
    std::optional<std::uint64_t> ran;
    bool ended = false;
    std::string before;
    failure_block failure(out);
    for (line_reader in(text); in.next();) {
        scanner line(in.line());
        const bool under_rule = before.starts_with("=====");
        before = in.line();
        if (line.skip("Ran ")) {
            failure.end();
            ran = line.number();
        } else if (ran && (line.skip("OK") || line.skip("FAILED ("))) {
            const auto number_of = [&](std::string_view name) {
                scanner words(line.rest());
                return words.until(name) ? words.number().value_or(0) : 0;
            };
            // "unexpected successes=1" fails the run; "expected failures=1" does not.
            const auto expected_failures = number_of("expected failures=");
            scanner all(line.rest());
            const bool own_failures =
                line.rest().starts_with("failures=") || line.rest().find(", failures=") != std::string_view::npos;
            out.failed =
                (own_failures ? number_of("failures=") : 0) + number_of("errors=") + number_of("unexpected successes=");
            out.skipped = number_of("skipped=") + expected_failures;
            ended = true;
        } else if (under_rule && (line.skip("FAIL: ") || line.skip("ERROR: "))) {
            failure.begin(line.rest());
        } else if (!in.line().starts_with("=====") && !in.line().starts_with("-----")) {
            failure.line(in.line());
        }
    }
    failure.end();
    if (!ended || out.failed + out.skipped > *ran) {
        return std::nullopt;
    }
    out.total = *ran;
    out.passed = *ran - out.failed - out.skipped;
    return out;
}

std::optional<test_outcomes> read_ctest(std::string_view text) {
    test_outcomes out;
    bool ended = false;
    failure_block failure(out);
    for (line_reader in(text); in.next();) {
        const std::string_view line = in.line();
        if (line.find("% tests passed, ") != line.npos) {
            failure.end();
            ended = true;
            continue;
        }
        scanner words(line);
        const bool ours = words.blanks().number() && words.skip("/") && words.number() && words.blanks().skip("Test ");
        if (!ours || !words.until(": ")) {
            if (trimmed(line).starts_with("Start ")) {
                failure.end();
            } else {
                failure.line(line);
            }
            continue;
        }
        failure.end();
        ++out.total;
        const auto name = words.rest().substr(0, words.rest().find(" ."));
        if (line.find("   Passed ") != line.npos) {
            ++out.passed;
        } else if (line.find("***Skipped") != line.npos || line.find("***Not Run (Disabled)") != line.npos) {
            ++out.skipped;
        } else {
            ++out.failed;
            failure.begin(name);
        }
    }
    return ended ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<test_outcomes> read_boost_log(std::string_view text) {
    test_outcomes out;
    std::optional<std::uint64_t> running;
    std::set<std::string, std::less<>> failed;
    bool ended = false;
    for (line_reader in(text); in.next();) {
        scanner line(in.line());
        if (line.skip("Running ")) {
            const auto number = line.number();
            if (number && line.skip(" test case")) {
                running = running.value_or(0) + *number;
            }
            continue;
        }
        ended = ended || line.skip("*** ");
        std::string_view behind;
        const auto place = place_at(in.line(), behind);
        scanner words(place ? behind : std::string_view(in.line()));
        if ((!words.until("error: in \"") && !words.until("fatal error: in \"")) || !running) {
            continue;
        }
        const auto name = words.until("\": ");
        if (name && failed.insert(std::string(*name)).second) {
            out.add_failure(
                {std::string(*name), place ? place->file : "", place ? place->line : 0, std::string(words.rest())});
        }
    }
    if (!ended || !running || failed.size() > *running) {
        return std::nullopt;
    }
    out.total = *running;
    out.failed = failed.size();
    out.passed = out.total - out.failed;
    return out;
}

std::optional<test_outcomes> read_google_test(std::string_view text) {
    test_outcomes out;
    bool ended = false;
    test_outcomes unused;
    std::string message;
    for (line_reader in(text); in.next();) {
        scanner line(in.line());
        if (line.skip("[ RUN      ] ")) {
            message.clear();
        } else if (line.skip("[       OK ] ")) {
            ++out.passed;
        } else if (line.skip("[  SKIPPED ] ")) {
            out.skipped += line.rest().ends_with(" ms)") ? 1 : 0;
        } else if (line.skip("[  FAILED  ] ")) {
            if (!line.rest().ends_with(" ms)")) { // the list at the end
                continue;
            }
            ++out.failed;
            const auto name = line.rest().substr(0, line.rest().find_first_of(" ,"));
            const auto place = find_place(message).value_or(source_place{});
            out.add_failure({std::string(name), place.file, place.line, message});
        } else if (line.skip("[==========] ") && line.number() && in.line().find(" ran. (") != std::string::npos) {
            ended = true;
        } else {
            tell(message, in.line());
        }
    }
    out.total = out.passed + out.failed + out.skipped;
    return ended ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<test_outcomes> read_cargo(std::string_view text) {
    test_outcomes out;
    bool counted = false;
    failure_block failure(out);
    for (line_reader in(text); in.next();) {
        scanner line(in.line());
        if (line.skip("test result: ")) {
            failure.end();
            out.passed += count_before(line.rest(), "passed");
            out.failed += count_before(line.rest(), "failed");
            out.skipped += count_before(line.rest(), "ignored");
            counted = true;
        } else if (line.skip("---- ") && line.rest().ends_with(" stdout ----")) {
            failure.begin(line.rest().substr(0, line.rest().size() - std::string_view(" stdout ----").size()));
        } else if (in.line() == "failures:" || in.line().starts_with("stack backtrace:") ||
                   in.line().starts_with("note: ")) {
            failure.end();
        } else {
            failure.line(in.line());
        }
    }
    out.total = out.passed + out.failed + out.skipped;
    return counted ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<test_outcomes> read_go_text(std::string_view text) {
    test_outcomes out;
    failure_block failure(out);
    for (line_reader in(text); in.next();) {
        scanner line(in.line());
        line.blanks();
        const bool passed = line.skip("--- PASS: ");
        const bool failed = !passed && line.skip("--- FAIL: ");
        const bool skipped = !passed && !failed && line.skip("--- SKIP: ");
        if (!passed && !failed && !skipped) {
            failure.line(in.line());
            continue;
        }
        failure.end();
        ++out.total;
        ++(passed ? out.passed : failed ? out.failed : out.skipped);
        if (failed) {
            failure.begin(line.rest().substr(0, line.rest().rfind(" (")));
        }
    }
    failure.end();
    return out.total > 0 ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<test_outcomes> read_any(std::string_view text) {
    static constexpr std::array readers = {read_ctest,    read_google_test, read_boost_log, read_cargo,
                                           read_jest,     read_node_spec,   read_tap,       read_mocha,
                                           read_unittest, read_pytest,      read_go_json,   read_go_text};
    for (const auto read : readers) {
        if (auto found = read(text)) {
            return found;
        }
    }
    return std::nullopt;
}

} // namespace troupe::actors
