#include "actors/kinds/browser/page_log.hpp"

#include "actors/kinds/browser/page_tree.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace troupe::actors {

namespace {

constexpr std::size_t line_bytes_max = 500;

/// What console.log was given: texts as they are, the rest as the browser describes it.
std::string arguments_text(const json::value& call) {
    std::string out;
    const auto all = call.find("args");
    if (!all) {
        return out;
    }
    all->each_element([&](json::value one) {
        if (out.size() > line_bytes_max) {
            return;
        }
        const auto value = one.find("value");
        const auto text = value ? value->as_string() : std::nullopt;
        out += out.empty() ? "" : " ";
        out += text ? std::string(*text) : value ? value->dump() : one.text_or("description", one.text_or("type"));
    });
    return out;
}

std::string exception_text(const json::value& event) {
    const auto details = event.find("exceptionDetails");
    if (!details) {
        return {};
    }
    const auto exception = details->find("exception");
    return exception ? exception->text_or("description", details->text_or("text")) : details->text_or("text");
}

std::string left_out(std::size_t count) {
    return count == 0 ? "" : fmt::format("[… {} older ones left out …]\n", count);
}

} // namespace

void page_log::take(const net::devtools::message& event) {
    const auto of = event.content();
    if (event.method == "Runtime.consoleAPICalled") {
        say(of.text_or("type"), arguments_text(of));
    } else if (event.method == "Runtime.exceptionThrown") {
        say("exception", exception_text(of));
    } else if (event.method == "Log.entryAdded") {
        if (const auto entry = of.find("entry")) {
            say(entry->text_or("level"), entry->text_or("text") + " " + entry->text_or("url"));
        }
    } else if (event.method == "Network.requestWillBeSent") {
        take_request(of);
    } else if (event.method == "Network.responseReceived") {
        const auto response = of.find("response");
        answer(of, response ? std::to_string(response->int_or("status")) : "?");
    } else if (event.method == "Network.loadingFailed") {
        answer(of, "failed: " + of.text_or("errorText"));
    }
}

void page_log::say(std::string_view level, std::string_view text) {
    console_.push_back(fmt::format("{}: {}", one_line(level, 20), one_line(text, line_bytes_max)));
    if (console_.size() > console_max) {
        console_.pop_front();
        ++console_left_out_;
    }
}

/// A redirect tells of the answer that led to it.
void page_log::take_request(const json::value& of) {
    if (const auto before = of.find("redirectResponse")) {
        answer(of, fmt::format("{}, redirected", before->int_or("status")));
    }
    const auto sent = of.find("request");
    if (!sent) {
        return;
    }
    network_.push_back({of.text_or("requestId"),
                        one_line(sent->text_or("method"), 20),
                        one_line(sent->text_or("url"), line_bytes_max),
                        one_line(of.text_or("type"), 20),
                        {}});
    if (network_.size() > network_max) {
        network_.pop_front();
        ++network_left_out_;
    }
}

void page_log::answer(const json::value& of, std::string outcome) {
    const auto id = of.text_or("requestId");
    const auto found = std::find_if(network_.rbegin(), network_.rend(), [&id](const request& r) { return r.id == id; });
    if (found != network_.rend() && found->outcome.empty()) {
        found->outcome = one_line(outcome, 100);
    }
}

std::string page_log::console() const {
    auto out = left_out(console_left_out_);
    for (const auto& line : console_) {
        out += line + '\n';
    }
    return out;
}

std::string page_log::network() const {
    auto out = left_out(network_left_out_);
    for (const auto& r : network_) {
        out +=
            fmt::format("{} {} ({}): {}\n", r.method, r.url, r.type, r.outcome.empty() ? "no answer yet" : r.outcome);
    }
    return out;
}

} // namespace troupe::actors
