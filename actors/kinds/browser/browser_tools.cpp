#include "actors/kinds/browser/browser_tools.hpp"

#include "actors/kinds/browser/browser_desk.hpp"
#include "actors/kinds/browser/page_actions.hpp"
#include "actors/tool/file_access.hpp"
#include "actors/tool/tool_performers.hpp"
#include "actors/tool/web_text.hpp"
#include "schemas/base/clock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace troupe::actors::browser_tools {

namespace {

/// Room for the lines around what a page says.
constexpr std::size_t text_bytes_max = tool_content_bytes_max - 6 * 1024;
constexpr std::int64_t wait_ms_default = 10'000;
constexpr std::int64_t wait_poll_ms = 100;

std::string with_dot(const std::string& text) { return text.empty() || text.ends_with('.') ? text : text + "."; }

std::string lost_words(const std::string& why) {
    return why.empty() ? ""
                       : fmt::format("The browser of before is gone ({}), with its pages, cookies and logins.\n", why);
}

bool is_web(std::string_view url) {
    std::string begin(url.substr(0, 8));
    std::ranges::transform(begin, begin.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return begin.starts_with("http://") || begin.starts_with("https://");
}

/// The run's browser; with `begin` a new one where there is none.
expected<browser_desk::turn> browser_of(const tool_environment& where, bool begin) {
    if (where.browsers == nullptr || where.run.id.is_nil()) {
        return problem{code::unavailable, "there are no browsers here"};
    }
    auto turn = where.browsers->take(where.run, begin, where.stop);
    if (turn && !*turn) {
        return problem{code::not_found, lost_words(turn->lost()) + "No page is open: call browser_open first."};
    }
    return turn;
}

/// What was asked for and not allowed, for people and models.
std::string refusals_of(browser& b) {
    const auto all = b.take_refusals();
    return all.empty() ? "" : "The node refused connections of the page:\n" + all;
}

tool_result told(browser& b, std::string content) {
    tool_result r;
    const auto at = b.where();
    r.content = std::move(content);
    r.details.text.clear();
    json::object_writer w(r.details.text);
    w.field("url", one_line(at.url, 2000)).field("status", at.status);
    w.end();
    return r;
}

tool_result failed(browser& b, const problem& why, bool begun = false) {
    auto r = refuse(why);
    r.content = with_dot(r.content) + "\n" + refusals_of(b);
    if (!b.is_alive()) {
        r.content += "The browser has ended, and its pages are gone: call browser_open.\n";
    }
    // What the page was told it may have passed on before it was lost.
    r.unknown = begun && why.code != code::tool_failed && why.code != code::not_found;
    return r;
}

/// Where the page is after something was done, in words of the page.
std::string state_of(browser& b, const tool_environment& where) {
    const auto at = b.where();
    const auto title = page_actions::title(b, where.stop);
    const auto text = fmt::format("Title: {}\nAddress: {}\n", title ? *title : "", one_line(at.url, 2000));
    return fmt::format("status {}\n", at.status) + from_outside("a page", text) + refusals_of(b);
}

tool_result shown_part(browser& b, std::string_view what, const std::string& text, std::uint32_t start_line) {
    const auto part = shown_lines(text, start_line, std::string::npos, text_bytes_max);
    if (!part) {
        return refuse(fmt::format("it has only {} lines", count_lines(text)));
    }
    const auto lines = fmt::format("{} ({} lines)\n", what, count_lines(text));
    return told(b,
                lines + from_outside(one_line(b.where().url, 1000), text.empty() ? "(empty)" : *part) + refusals_of(b));
}

/// Asks a condition until it holds, or time is up: false.
expected<bool> wait_for(browser& b, std::int64_t time_ms, const std::stop_token& stop,
                        const std::function<expected<bool>()>& holds) {
    const auto end_ms = monotonic_ms() + time_ms;
    while (!stop.stop_requested()) {
        auto now = holds();
        if (!now || *now) {
            return now;
        }
        if (monotonic_ms() >= end_ms) {
            return false;
        }
        b.rest(wait_poll_ms, stop);
    }
    return problem{code::cancelled, "the call was cancelled"};
}

} // namespace

tool_result open(const browser_open_arguments& a, const tool_environment& where) {
    if (!is_web(a.url)) {
        return refuse("browser_open takes http:// and https:// addresses only");
    }
    auto b = browser_of(where, true);
    if (!b) {
        return refuse(b.error());
    }
    auto& page = *b->operator->();
    (void)page.take_refusals();
    const auto gone = page.go(a.url, where.stop);
    if (!gone) {
        auto r = failed(page, {gone.error().code, fmt::format("{} cannot be opened: {}", a.url, gone.error().detail)});
        r.content = lost_words(b->lost()) + r.content;
        return r;
    }
    const auto at = page.where();
    auto r = told(page, lost_words(b->lost()) + "Opened, " + state_of(page, where));
    r.is_error = at.status >= 400;
    return r;
}

tool_result view(const browser_lines_arguments& a, const tool_environment& where) {
    auto b = browser_of(where, false);
    if (!b) {
        return refuse(b.error());
    }
    auto& page = *b->operator->();
    const auto tree = page_actions::view(page, where.stop);
    return tree ? shown_part(page, "The page", *tree, a.start_line) : failed(page, tree.error());
}

tool_result click(const browser_click_arguments& a, const tool_environment& where) {
    auto b = browser_of(where, false);
    if (!b) {
        return refuse(b.error());
    }
    auto& page = *b->operator->();
    bool begun = false;
    const auto done = page_actions::click(page, a.ref, begun, where.stop);
    return done ? told(page, fmt::format("Clicked {}. Now: {}", a.ref, state_of(page, where)))
                : failed(page, done.error(), begun);
}

tool_result type(const browser_type_arguments& a, const tool_environment& where) {
    auto b = browser_of(where, false);
    if (!b) {
        return refuse(b.error());
    }
    auto& page = *b->operator->();
    bool begun = false;
    const auto done = page_actions::type(page, a, begun, where.stop);
    return done ? told(page, fmt::format("Typed into {}{}. Now: {}", a.ref, a.submit ? " and pressed Enter" : "",
                                         state_of(page, where)))
                : failed(page, done.error(), begun);
}

tool_result select(const browser_select_arguments& a, const tool_environment& where) {
    auto b = browser_of(where, false);
    if (!b) {
        return refuse(b.error());
    }
    auto& page = *b->operator->();
    bool begun = false;
    const auto done = page_actions::select(page, a, begun, where.stop);
    return done ? told(page,
                       fmt::format("Chosen in {}: {}. Now: {}", a.ref, one_line(*done, 200), state_of(page, where)))
                : failed(page, done.error(), begun);
}

tool_result wait(const browser_wait_arguments& a, const tool_environment& where) {
    auto b = browser_of(where, false);
    if (!b) {
        return refuse(b.error());
    }
    auto& page = *b->operator->();
    if (a.text.empty() && a.url.empty()) {
        page.rest(a.ms, where.stop);
        return told(page, fmt::format("Waited {} ms. Now: {}", a.ms, state_of(page, where)));
    }
    const auto held = wait_for(page, a.ms > 0 ? a.ms : wait_ms_default, where.stop, [&]() -> expected<bool> {
        if (!a.url.empty() && page.where().url.find(a.url) == std::string::npos) {
            return false;
        }
        return a.text.empty() ? true : page_actions::shows(page, a.text, where.stop);
    });
    if (!held) {
        return failed(page, held.error());
    }
    auto r = told(page, (*held ? "It is there. Now: " : "It did not come in time. Now: ") + state_of(page, where));
    r.is_error = !*held;
    return r;
}

tool_result extract(const browser_extract_arguments& a, const tool_environment& where) {
    auto b = browser_of(where, false);
    if (!b) {
        return refuse(b.error());
    }
    auto& page = *b->operator->();
    auto text = page_actions::extract(page, a, where.stop);
    if (!text) {
        return failed(page, text.error());
    }
    if (a.format == extract_format::markdown) {
        text = read_html(*text, page.where().url).markdown;
    }
    return shown_part(page, troupe::detail::enum_name(a.format), *text, a.start_line);
}

tool_result screenshot(const browser_screenshot_arguments& a, const tool_environment& where) {
    if (!a.path.ends_with(".png")) {
        return refuse("the path has to end in .png");
    }
    auto b = browser_of(where, false);
    if (!b) {
        return refuse(b.error());
    }
    auto& page = *b->operator->();
    const auto picture = page_actions::screenshot(page, a.full_page, where.stop);
    if (!picture) {
        return failed(page, picture.error());
    }
    const auto project = project_folder::open(where.project);
    const auto written = project ? put_file(*project, a.path, *picture, 0644) : expected<void>(project.error());
    return written ? told(page, fmt::format("Wrote {} ({} bytes)\n", a.path, picture->size()))
                   : refuse(written.error());
}

tool_result console(const browser_lines_arguments& a, const tool_environment& where) {
    auto b = browser_of(where, false);
    return b ? shown_part(*b->operator->(), "The console", (*b)->console(), a.start_line) : refuse(b.error());
}

tool_result network(const browser_lines_arguments& a, const tool_environment& where) {
    auto b = browser_of(where, false);
    return b ? shown_part(*b->operator->(), "Requests", (*b)->network(), a.start_line) : refuse(b.error());
}

} // namespace troupe::actors::browser_tools
